"""The door of the queue: signatures, trace, the bell, and how much an account may send."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import dkim
import pytest

from pymaild.cli.keys import dkim_keys
from pymaild.envelope import Address, Client, Envelope, Recipient, Role
from pymaild.outbound.bell import LOOK, Bell
from pymaild.outbound.job import LOCAL, Kind, Order, Result
from pymaild.outbound.outgoing import Allowance, Outgoing, TooMuch
from pymaild.smtp import wiretext
from pymaild.status import MailError

MESSAGE = b"From: ann@example.org\r\nTo: bob@example.net\r\nSubject: hello\r\n\r\nhello\r\n"
ANN = "ann@example.org"


class Clock:
    now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outgoing(tmp_path: Path, clock: Clock) -> Iterator[Outgoing]:
    (tmp_path / "run").mkdir()
    made = Outgoing(tmp_path, tmp_path / "run", "mail.example.org", Allowance(messages=3, strangers=2), clock)
    yield made
    made.close()


def envelope(*names: str, account: str = ANN, id: str = "m1") -> Envelope:
    client = Client("s1", "192.0.2.7", role=Role.MSA, helo="laptop", extended=True, account=account)
    recipients = [Recipient(Address(name, "example.net")) for name in names]
    return Envelope(client, Address("ann", "example.org"), recipients, message_id=id)


def send(outgoing: Outgoing, *names: str, id: str, message: bytes = MESSAGE) -> None:
    made = envelope(*names, id=id)
    outgoing.take(made, [(recipient, "example.net") for recipient in made.recipients], io.BytesIO(message), Order(ANN))


def ask(outgoing: Outgoing, name: str, *before: str) -> None:
    outgoing.recipient(envelope(*before), Address(name, "example.net"))


def test_what_goes_out_is_traced_and_signed(outgoing: Outgoing, tmp_path: Path) -> None:
    zone = {f"{key.selector}._domainkey.example.org.": key.record.encode() for key in dkim_keys(tmp_path, "example.org")}
    send(outgoing, "bob", id="m1")
    sent = outgoing.queue.path("m1").read_bytes()
    assert sent.endswith(MESSAGE) and sent.startswith(b"Received: by mail.example.org with ESMTPA\r\n\tid m1 for <bob@")
    assert b"192.0.2.7" not in sent and b"laptop" not in sent
    assert sent.count(b"DKIM-Signature: ") == 2
    for index in (0, 1):
        assert dkim.DKIM(sent).verify(index, dnsfunc=lambda name, timeout=5: zone.get(name.decode()))


def test_a_domain_without_keys_goes_out_unsigned(outgoing: Outgoing) -> None:
    send(outgoing, "bob", id="m1")
    assert b"DKIM-Signature" not in outgoing.queue.path("m1").read_bytes()


def test_a_key_that_cannot_be_read_sends_nothing_unsigned(outgoing: Outgoing, tmp_path: Path) -> None:
    dkim_keys(tmp_path, "example.org")
    next((tmp_path / "dkim" / "example.org").iterdir()).write_text("nonsense")
    with pytest.raises(MailError) as raised:
        send(outgoing, "bob", id="m1")
    assert raised.value.temporary and not outgoing.queue.listing()


def test_it_wakes_the_queues_process(outgoing: Outgoing, tmp_path: Path) -> None:
    bell = Bell(tmp_path / "run")
    bell.answer()
    send(outgoing, "bob", id="m1")
    assert bell.wait(5) == {LOOK}
    bell.close()


def test_mail_for_people_here_alone_is_not_counted_and_not_signed(outgoing: Outgoing, tmp_path: Path) -> None:
    dkim_keys(tmp_path, "example.org")
    made = envelope("eve")
    outgoing.take(made, [(made.recipients[0], LOCAL)], io.BytesIO(MESSAGE), Order(ANN))
    assert b"DKIM-Signature" not in outgoing.queue.path("m1").read_bytes()
    assert outgoing.queue.allowance(ANN).messages == 0


def test_so_many_messages_a_day(outgoing: Outgoing, clock: Clock) -> None:
    for count in range(3):
        ask(outgoing, "bob")
        send(outgoing, "bob", id=f"m{count}")
    with pytest.raises(TooMuch, match="3 messages") as raised:
        ask(outgoing, "bob")
    assert (raised.value.code, raised.value.status) == (450, "4.7.1")
    outgoing.recipient(envelope(account="eve@example.org"), Address("bob", "example.net"))
    clock.now += 25 * 3600
    ask(outgoing, "bob")


def test_so_many_new_people_a_day_and_old_ones_without_limit(outgoing: Outgoing, clock: Clock) -> None:
    ask(outgoing, "b", "a")
    with pytest.raises(TooMuch, match="never written to"):
        ask(outgoing, "c", "a", "b")
    send(outgoing, "a", "b", id="m1")
    with pytest.raises(TooMuch):
        ask(outgoing, "c")
    ask(outgoing, "B", "a")
    clock.now += 25 * 3600
    ask(outgoing, "c")
    ask(outgoing, "a", "b", "c")


def test_what_is_counted_outlives_the_message(outgoing: Outgoing, clock: Clock) -> None:
    send(outgoing, "a", id="m1")
    (job,) = outgoing.queue.take([(lane, 1) for lane in outgoing.queue.lanes()], clock.now)
    outgoing.queue.settle(job, [Result(Kind.SENT, "2.0.0", "ok")], [0])
    used = outgoing.queue.allowance(ANN)
    assert (used.messages, used.strangers) == (1, 1)


def test_a_signature_holds_whatever_line_ends_were_stored(outgoing: Outgoing, tmp_path: Path) -> None:
    """What goes over the wire is canonical, so that is what is signed. RFC 6376 §5.3."""
    zone = {f"{key.selector}._domainkey.example.org.": key.record.encode() for key in dkim_keys(tmp_path, "example.org")}
    send(outgoing, "bob", id="m1", message=MESSAGE + b"a lone LF\nand a lone CR\rand no end")
    sent = outgoing.queue.path("m1").read_bytes()
    wire = b"".join(wiretext.canonical([sent]))
    assert wire != sent and dkim.DKIM(wire).verify(0, dnsfunc=lambda name, timeout=5: zone.get(name.decode()))
