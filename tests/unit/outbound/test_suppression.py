"""The suppression list: what puts an address on it, what it refuses, how it is cleared, that it forgets."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from pymaild.envelope import Address, Client, Envelope, Recipient, Role
from pymaild.outbound.job import Addressee, Kind, Order, Result
from pymaild.outbound.outgoing import Outgoing
from pymaild.outbound.suppression import EXPIRES, NotAgain, Suppressed, from_results
from pymaild.status import MailError

ANN = "ann@example.org"
MESSAGE = b"From: ann@example.org\r\nMessage-ID: <1@example.org>\r\n\r\nhello\n"


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
    made = Outgoing(tmp_path, tmp_path / "run", "mail.example.org", clock=clock)
    yield made
    made.close()


def row(outgoing: Outgoing, account: str = ANN, address: str = "Bob@example.net") -> Suppressed:
    return Suppressed(account, address, "no such user", "5.1.1", "550 who?", outgoing.queue._clock())


def ask(outgoing: Outgoing, account: str = ANN) -> None:
    client = Client("s1", "192.0.2.7", role=Role.MSA, account=account)
    outgoing.recipient(Envelope(client, Address("ann", "example.org"), []), Address("bob", "example.net"))


def test_what_is_on_the_list_is_refused_and_says_why(outgoing: Outgoing) -> None:
    outgoing.queue.suppress([row(outgoing)])
    with pytest.raises(NotAgain, match="there is no such mailbox") as caught:
        ask(outgoing)
    text = caught.value.text
    assert (caught.value.code, caught.value.status) == (550, "5.1.1")
    assert "on 2026-09-21" in text and "until 2026-12-20" in text and "pymaild suppression clear" in text
    ask(outgoing, "sue@example.org")  # her list is her own
    ask(outgoing, "")  # so is what the server itself sends


def test_it_is_cleared(outgoing: Outgoing) -> None:
    outgoing.queue.suppress([row(outgoing), row(outgoing, address="eve@example.net")])
    assert outgoing.queue.clear_suppressed(ANN, "BOB@example.net") == 1
    ask(outgoing)
    assert [each.address for each in outgoing.queue.suppressions()] == ["eve@example.net"]
    assert outgoing.queue.clear_suppressed(ANN) == 1 and not outgoing.queue.suppressions(ANN)


def test_it_forgets_after_three_months(outgoing: Outgoing, clock: Clock) -> None:
    outgoing.queue.suppress([row(outgoing)])
    clock.now += EXPIRES + 1
    ask(outgoing)
    assert not outgoing.queue.suppressions()


@pytest.mark.parametrize(
    ("kind", "status", "text", "why"),
    [
        (Kind.FAILED, "5.1.1", "no such user", "no such user"),
        (Kind.FAILED, "5.4.1", "Recipient address rejected: Access denied", "no such user"),
        (Kind.FAILED, "5.1.2", "There is no such domain", "no such domain"),
        (Kind.FAILED, "5.2.2", "mailbox full", ""),
        (Kind.FAILED, "5.7.1", "blocked", ""),
        (Kind.FAILED, "5.4.7", "Connection refused", ""),
        (Kind.DEFERRED, "4.1.1", "no such user", ""),
        (Kind.SENT, "2.0.0", "ok", ""),
    ],
)
def test_only_what_is_for_good_and_about_the_address(kind: Kind, status: str, text: str, why: str) -> None:
    pair = (Addressee(Recipient(Address("bob", "example.net")), "example.net"), Result(kind, status, text + "\x1b", 550))
    found = from_results(ANN, [pair], 5.0)
    assert [each.why for each in found] == ([why] if why else [])
    assert all(each.words == text and each.since == 5.0 for each in found)
    assert not from_results("", [pair], 5.0)


def test_what_was_sent_is_known_by_its_message_id(outgoing: Outgoing, clock: Clock) -> None:
    made = Envelope(Client("s1", "192.0.2.7", account=ANN), Address("ann", "example.org"), message_id="m1")
    recipients = [(Recipient(Address("bob", "example.net")), "example.net")]
    outgoing.take(made, recipients, io.BytesIO(MESSAGE), Order(ANN))
    assert outgoing.queue.sent_as(ANN, "<1@example.org>") == "m1"
    assert not outgoing.queue.sent_as("sue@example.org", "<1@example.org>")
    assert outgoing.queue.has_met(ANN, "BOB@example.net") and not outgoing.queue.has_met(ANN, "eve@example.net")


def test_a_queue_of_before_gets_the_list(outgoing: Outgoing, tmp_path: Path) -> None:
    outgoing.queue._commits.run(lambda db: db.execute("DROP TABLE suppressed"))
    outgoing.close()
    assert outgoing.queue.suppressions() == []


def test_not_again_is_for_good() -> None:
    assert not MailError("5.1.1", "x").temporary
