"""What a session tells the wire, and what its policy is asked; the dialogues themselves are transcripts."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import BinaryIO

import pytest

from pymaild.dialogue import Output, Pump, Then
from pymaild.dialogue import Session as AnySession
from pymaild.envelope import Address, Client, Envelope, Outcome, Role
from pymaild.smtp import COMMANDS, Limits, Refused, Reply, Session
from pymaild.smtp.commands import Command
from pymaild.smtp.conversation import SPOOL_IN_MEMORY, State, new_spool
from pymaild.status import MailError
from tests.smtp_world import World

PLOT = b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<ann@example.org>\r\n"


def started(session: Session, *blocks: bytes) -> Pump:
    pump = Pump(session)
    list(pump.start())
    for block in blocks:
        list(pump.feed(block))
    return pump


def said(output: Output) -> bytes:
    return b"".join(output.data)


def test_it_is_a_session_for_the_wire() -> None:
    session: AnySession = World().session()
    assert session.line_limit == Limits().command_line


def test_farewells() -> None:
    session = World().session()
    assert said(session.timed_out()) == b"421 4.4.2 Nothing came for too long: goodbye\r\n"
    assert said(session.shutting_down()) == b"421 4.3.2 The service is not available now: try again later\r\n"
    assert session.timed_out().then is session.shutting_down().then is Then.CLOSE
    assert said(session.wake()) == b""


def test_octets_nobody_waits_for_are_refused() -> None:
    session = World().session()
    output, rest = session.data(b"text")
    assert output is not None and said(output).startswith(b"503 5.5.1") and rest == b"text"
    assert said(session.octets_ended()).startswith(b"503 5.5.1")


def test_a_lost_connection_lets_go_of_the_text() -> None:
    opened: list[io.BytesIO] = []

    def spool() -> io.BytesIO:
        opened.append(io.BytesIO())
        return opened[-1]

    session = Session("mx.example.org", World().delivery_policy(), Client("s", "192.0.2.1"), spool=spool)
    started(session, PLOT, b"DATA\r\nhalf a mess")
    session.closed()
    assert [file.closed for file in opened] == [True]
    session.closed()


def test_a_lost_connection_in_a_login_lets_go_of_it() -> None:
    session = World({"auth": "clear"}, Role.MSA).session()
    started(session, b"EHLO x\r\nAUTH LOGIN\r\n")
    assert session.line_limit == Limits().response_line
    session.closed()
    assert session.line_limit == Limits().command_line


def test_tls_forgets_everything_but_itself() -> None:
    """RFC 3207 §4.2."""
    world = World({"tls": "offered", "auth": "clear"}, Role.MSA)
    session = world.session()
    started(session, b"EHLO x\r\n")
    client = session.conversation.client
    assert (client.helo, client.extended, client.protocol) == ("x", True, "ESMTP")
    session.tls_started("TLSv1.3 X")
    assert (client.helo, client.extended, client.account, client.tls) == ("", False, "", "TLSv1.3 X")
    assert session.conversation.state is State.NEW


class Asked:
    """A policy that writes down what it is asked."""

    def __init__(self, outcomes: str = "") -> None:
        self.envelopes: list[tuple[Envelope, bytes]] = []
        self.outcomes = outcomes.split()

    def connected(self, client: Client) -> None:
        """Yes."""

    def login(self, client: Client, username: str, password: str) -> str:
        return username

    def sender(self, envelope: Envelope) -> None:
        """Yes."""

    def recipient(self, envelope: Envelope, address: Address) -> None:
        """Yes."""

    def message(self, envelope: Envelope, message: BinaryIO) -> list[Outcome]:
        self.envelopes.append((replace(envelope), message.read()))
        errors = [None if status == "ok" else MailError(status, "Words") for status in self.outcomes]
        return [Outcome(recipient, error) for recipient, error in zip(envelope.recipients, errors, strict=False)]


def test_the_envelope_a_policy_sees() -> None:
    policy = Asked("ok ok")
    started(
        Session("mx.example.org", policy, Client("s", "192.0.2.1"), new_id=lambda: "id1"),
        b"EHLO client.example.net\r\n"
        b'MAIL FROM:<"odd name"@EXAMPLE.net> SIZE=99 BODY=8BITMIME RET=HDRS ENVID=x+2By\r\n'
        b"RCPT TO:<ann@example.org> NOTIFY=DELAY ORCPT=rfc822;Ann@example.org\r\n"
        b"RCPT TO:<Postmaster>\r\nDATA\r\n",
        b"Subject: x\r\n\r\n..\r\n.\r\n",
    )
    [(envelope, text)] = policy.envelopes
    assert text == b"Subject: x\r\n\r\n.\r\n"
    assert envelope.reverse_path == Address("odd name", "example.net")
    assert (envelope.size, envelope.body, envelope.ret, envelope.envid) == (99, "8BITMIME", "HDRS", "x+y")
    assert (envelope.message_id, envelope.client.helo) == ("id1", "client.example.net")
    ann, postmaster = envelope.recipients
    assert (ann.notify, ann.orcpt) == (frozenset({"DELAY"}), "rfc822;Ann@example.org")
    assert postmaster.address == Address("postmaster", "")


@pytest.mark.parametrize(
    ("outcomes", "reply"),
    [
        ("ok ok ok", "250 2.0.0 Accepted as id1"),
        ("5.1.1 5.1.1 5.1.1", "550 5.1.1 Words"),
        ("5.1.1 4.2.2 5.1.1", "452 4.2.2 Words"),
        ("ok 5.2.2 ok", "552 5.2.2 Delivered to 2 of 3 recipients only: Words"),
        ("ok 5.2.2 4.3.1", "452 4.3.1 Delivered to 1 of 3 recipients only: Words"),
    ],
)
def test_one_reply_for_many_outcomes(outcomes: str, reply: str) -> None:
    """RFC 5321 §4.2.5, §6.1: 250 only when everybody has it."""
    session = Session("mx.example.org", Asked(outcomes), Client("s", "192.0.2.1"), new_id=lambda: "id1")
    pump = started(session, PLOT + b"RCPT TO:<b@x.example>\r\nRCPT TO:<c@x.example>\r\nDATA\r\n")
    assert b"".join(pump.feed(b"x\r\n.\r\n")) == reply.encode() + b"\r\n"


def test_an_unforeseen_error_ends_the_transaction_and_is_the_wires_to_answer() -> None:
    class Faulty(Asked):
        def message(self, envelope: Envelope, message: BinaryIO) -> list[Outcome]:
            raise ZeroDivisionError

    session = Session("mx.example.org", Faulty(), Client("s", "192.0.2.1"))
    pump = started(session, PLOT + b"DATA\r\n")
    with pytest.raises(ZeroDivisionError):
        list(pump.feed(b"x\r\n.\r\n"))
    assert session.conversation.state is State.READY and session.conversation.message is None
    assert said(session.line(b"NOOP")) == b"250 2.0.0 Ok\r\n"


def test_a_spool_is_memory_first() -> None:
    file = new_spool()
    file.write(b"x" * SPOOL_IN_MEMORY)
    assert file.tell() == SPOOL_IN_MEMORY
    file.close()


def test_replies_are_safe_to_send() -> None:
    """Whatever a policy says, a reply is printable ASCII in lines that fit. RFC 5321 §4.2, §4.5.3.1.5."""
    reply = Reply(550, "5.1.1", "ä\r\nb\n" + "x" * 600)
    assert reply.render() == b"550-5.1.1 ??\r\n550-5.1.1 b\r\n550 5.1.1 " + b"x" * 480 + b"\r\n"
    assert Reply(334, "", "").render() == b"334 \r\n"
    assert Reply.of(Refused(501, "5.5.4", "x")) == Reply(501, "5.5.4", "x")


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_row_of_the_table_is_whole(verb: str) -> None:
    command = COMMANDS[verb]
    assert re.fullmatch(r"RFC \d+ §[\d.]+", command.section)
    assert command.handler.__doc__ and "§" in command.handler.__doc__
    assert command.roles == frozenset({Role.MX, Role.MSA, Role.MSA_TLS, Role.LMTP}) or command.elsewhere


@pytest.mark.parametrize("verb", COMMANDS)
@pytest.mark.parametrize("role", list(Role))
def test_every_command_out_of_order_is_refused_and_on_the_wrong_port_too(verb: str, role: Role) -> None:
    command: Command = COMMANDS[verb]
    session = World({"auth": "clear"}, role).session()
    argument = {"BDAT": b" 0", "MAIL": b" FROM:<>", "RCPT": b" TO:<ann@example.org>"}.get(verb, b" x")
    line = verb.encode() + (argument if command.argument else b"")
    pump = started(session)
    reply = b"".join(pump.feed(line + b"\r\n"))
    if role not in command.roles:
        assert reply.startswith(b"500 5.5.1")
    elif State.NEW not in command.states:
        assert reply.startswith(b"503 5.5.1")
    else:
        assert not reply.startswith(b"503")


@pytest.mark.parametrize("command", [verb for verb in COMMANDS if COMMANDS[verb].ends_group])
def test_who_does_not_wait_is_cut_off(command: str) -> None:
    """RFC 2920 §3.1: the answer to these is for waiting; half a line behind them is too much already."""
    role = Role.LMTP if command == "LHLO" else Role.MX
    for behind, is_cut_off in ((b"", False), (b"N", True), (b"NOOP\r\n", True)):
        world = World({"must_wait": "yes"}, role)
        pump = started(world.session(), *PLOT.splitlines(keepends=True) if command == "DATA" else [])
        argument = b"" if command == "DATA" else b" x"
        reply = b"".join(pump.feed(command.encode() + argument + b"\r\n" + behind))
        assert (reply[:9] == b"503 5.5.0") is is_cut_off is (pump.then is Then.CLOSE)


MARK = b"zzmark"


@pytest.mark.parametrize("verb", [*COMMANDS, "FROB"])
@pytest.mark.parametrize(
    "argument",
    [
        b" zzmark",
        b" FROM:<zzmark>",
        b" TO:<zzmark@zzmark.example>",
        b" FROM:<a@b.example> zzmark=1 SIZE=zzmark",
        b":zzmark",
        b"\0zzmark",
    ],
)
def test_no_reply_repeats_what_was_said(verb: str, argument: bytes) -> None:
    session = World({"auth": "clear"}).session()
    pump = started(session, PLOT if verb in ("RCPT", "DATA", "BDAT") else b"EHLO x\r\n")
    assert MARK not in b"".join(pump.feed(verb.encode() + argument + b"\r\n")).lower()


def test_a_recipient_that_is_gone_at_the_end_costs_the_others_nothing() -> None:
    """LMTP says it for each; what was delivered stays delivered."""
    world = World({}, Role.LMTP)
    pump = started(world.session(), PLOT.replace(b"EHLO", b"LHLO") + b"RCPT TO:<bob@example.org>\r\nDATA\r\n")
    world.delivery.directory.accounts = ("bob@example.org",)  # type: ignore[attr-defined]
    replies = b"".join(pump.feed(b"x\r\n.\r\n")).split(b"\r\n")
    assert replies[0].startswith(b"550 5.1.1") and replies[1].startswith(b"250 2.0.0")
    assert world.messages == {"bob": [b"x\r\n"]}
