"""What transcripts cannot show: the wire's side of a session, vanished messages, full disks, large answers."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import pytest

from pymaild.dialogue import Pump, Then
from pymaild.imap import Limits, Session
from pymaild.imap.answers import BLOCK, blocks, internal_date
from pymaild.imap.errors import Bad
from pymaild.imap.section import Section
from pymaild.mailstore import SpecialUse, StorageFailed
from tests.imap_world import Backend, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, uses=(SpecialUse.JUNK,))
    yield world
    world.close()


class Line:
    """A session that has INBOX selected, as one talks to it."""

    def __init__(self, session: Session, select: bool = True) -> None:
        self.session, self.pump = session, Pump(session)
        b"".join(self.pump.start())
        self.say(b"l LOGIN ann@example.org ann-secret")
        if select:
            self.say(b"s SELECT INBOX")

    def say(self, line: bytes) -> bytes:
        return b"".join(self.pump.feed(line + b"\r\n"))


def test_an_idle_session_tells_the_wire_of_changes_and_no_longer_after_done(world: World) -> None:
    line = Line(world.session())
    woken: list[int] = []
    line.session.on_change = lambda: woken.append(1)
    line.say(b"a IDLE")
    assert line.pump.then is Then.IDLE
    world.feed.publish("ann@example.org", "INBOX")
    assert woken
    line.say(b"DONE")
    woken.clear()
    world.feed.publish("ann@example.org", "INBOX")
    assert not woken
    line.say(b"b IDLE")
    line.session.closed()
    world.feed.publish("ann@example.org", "INBOX")
    assert not woken


def test_a_change_before_the_wire_listens_is_no_error(world: World) -> None:
    line = Line(world.session())
    line.say(b"a IDLE")
    world.feed.publish("ann@example.org", "INBOX")
    world.store.open("INBOX").append(b"Subject: x\r\n\r\n")
    assert b"".join(line.pump.wake()) == b"* 4 EXISTS\r\n* 4 RECENT\r\n"


def test_idle_ends_when_the_mailbox_is_deleted(world: World) -> None:
    line = Line(world.session(), select=False)
    line.say(b"a SELECT Junk")
    line.say(b"b IDLE")
    world.store.delete("Junk")
    assert b"".join(line.pump.wake()) == b"* BYE The selected mailbox was deleted by another session\r\n"
    assert line.pump.then is Then.CLOSE


def test_farewells(world: World) -> None:
    session = world.session()
    for output, word in ((session.timed_out(), b"idle"), (session.shutting_down(), b"[UNAVAILABLE]")):
        assert output.then is Then.CLOSE
        said = b"".join(output.data)
        assert said.startswith(b"* BYE ") and word in said
    assert session.data(b"x") == (None, b"")


def test_a_literal_that_breaks_off_is_let_go(world: World) -> None:
    files: list[BinaryIO] = []

    def spool() -> BinaryIO:
        files.append(io.BytesIO())
        return files[-1]

    session = world.session()
    session.spool = spool
    line = Line(session)
    line.say(b"a APPEND INBOX {1000}")
    b"".join(line.pump.feed(b"half"))
    session.closed()
    assert files[0].closed
    assert world.store.open("INBOX").state().messages == 3


def test_a_spool_is_let_go_when_the_message_is_stored(world: World) -> None:
    files: list[BinaryIO] = []
    session = world.session()
    session.spool = lambda: files.append(io.BytesIO()) or files[-1]  # type: ignore[func-returns-value]
    line = Line(session)
    line.say(b"a APPEND INBOX {14}")
    assert b"a OK" in line.say(b"Subject: new\r\n")
    assert files[0].closed


class FullDisk(io.BytesIO):
    def write(self, data: object) -> int:
        raise OSError(28, "No space left on device")


def test_a_message_that_could_not_be_spooled_is_refused(world: World) -> None:
    session = world.session()
    session.spool = FullDisk
    line = Line(session)
    line.say(b"a APPEND INBOX {14}")
    assert b"a NO [UNAVAILABLE]" in line.say(b"Subject: new\r\n")


def test_message_literals_before_the_login_are_small(world: World) -> None:
    pump = Pump(world.session())
    b"".join(pump.start())
    assert b"".join(pump.feed(b"a LOGIN {8193}\r\n")).startswith(b"a BAD [TOOBIG]")
    assert pump.session.line_limit == Limits().line_before_login


def test_a_command_of_many_literals_has_a_limit(world: World) -> None:
    world.limits = Limits(literal=100, command=150)
    line = Line(world.session())
    line.say(b"a SEARCH TEXT {100}")
    assert line.say(b"x" * 100 + b" TEXT {100}").startswith(b"a BAD [TOOBIG]")


def test_bad_commands_are_counted_in_a_row(world: World) -> None:
    world.limits = Limits(bad_commands=3)
    line = Line(world.session())
    for command in (b"a X", b"b X", b"c NOOP", b"d X", b"e X", b"f COPY 1 Nowhere", b"g X", b"h X"):
        line.say(command)
        assert line.pump.then is Then.COMMAND
    assert b"* BYE Too many bad commands" in line.say(b"i X")


def test_a_message_that_vanishes_while_it_is_read_is_left_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(world.session())
    mailbox = line.session.selected.mailbox
    messages = mailbox.messages

    def gone(uids: Sequence[int]) -> Iterator[bytes | None]:
        return (None if uid == 2 else message for uid, message in zip(uids, messages(uids), strict=True))

    monkeypatch.setattr(mailbox, "messages", gone)
    said = line.say(b"a FETCH 1:3 BODY.PEEK[TEXT]")
    assert said.count(b" FETCH (") == 2
    assert said.endswith(b"a OK [EXPUNGEISSUED] Some of the messages are gone: another session expunged them\r\n")
    assert line.say(b"b UID FETCH 1:3 BODY.PEEK[TEXT]").endswith(b"b OK Done\r\n")


def test_a_disk_that_fails_gives_a_no_and_then_a_bye(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(world.session())
    mailbox = line.session.selected.mailbox

    def fails(*_: object) -> bytes:
        raise StorageFailed

    monkeypatch.setattr(mailbox, "messages", fails)
    assert b"a NO [UNAVAILABLE]" in line.say(b"a FETCH 1 BODY.PEEK[TEXT]")
    monkeypatch.setattr(mailbox, "changes", fails)
    assert line.say(b"b NOOP") == b"* BYE The server could not store or read the message: try again later\r\n"
    assert line.pump.then is Then.CLOSE


def test_a_mailbox_that_goes_away_during_list_status_is_listed_without(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 5819 §2."""
    line = Line(world.session())
    store = line.session.store
    listed = store.mailboxes()
    store.delete("Junk")
    monkeypatch.setattr(store, "mailboxes", lambda: listed)
    said = line.say(b'a LIST "" "J%" RETURN (STATUS (MESSAGES))')
    assert said == b'* LIST (\\NonExistent \\HasNoChildren \\Junk) "/" "Junk"\r\na OK Done\r\n'


def test_binary_with_nul_octets_is_a_literal8(world: World) -> None:
    line = Line(world.session())
    assert b"BINARY[2] ~{5}\r\n\x00\x01\x02\x03\x04)" in line.say(b"a FETCH 1 BINARY.PEEK[2]")


@pytest.mark.parametrize(
    ("encoding", "body", "value"),
    [
        (b"base64", b"aGVs\r\nbG8=\r\n", b"hello"),
        (b"base64", b"aGVsbG8", b"hello"),
        (b"base64", b"aGVsbG8h****", b"hello!"),
        (b"BASE64", b"aGVsbG8==x", b"hello1"),
        (b"base64", b"a", b""),
        (b"base64", b"", b""),
        (b"quoted-printable", b"a=3Db=\r\nc", b"a=bc"),
        (b"quoted-printable", b"=ZZ=", b"=ZZ"),
        (b"8bit", b"\xff", b"\xff"),
    ],
)
def test_transfer_encodings_are_undone_also_when_they_are_broken(encoding: bytes, body: bytes, value: bytes) -> None:
    message = b"Content-Transfer-Encoding: %s\r\n\r\n%s" % (encoding, body)
    assert Section((1,), decoded=True).octets(message) == value


def test_a_header_too_long_for_the_index_is_read_from_the_message(world: World) -> None:
    header = b"Subject: long\r\n" + b"X-Long: %s\r\n" % (b"x" * 900) * 100
    world.store.open("INBOX").append(header + b"\r\nbody\r\n")
    line = Line(world.session())
    assert b"BODY[HEADER] {%d}" % (len(header) + 2) in line.say(b"a FETCH 4 BODY.PEEK[HEADER]")
    assert b"{17}\r\nSubject: long\r\n\r\n)" in line.say(b"b FETCH 4 BODY.PEEK[HEADER.FIELDS (SUBJECT)]")


def test_ten_thousand_field_names_are_refused(world: World) -> None:
    world.limits = Limits(line=1 << 20)
    line = Line(world.session())
    names = b" ".join(b"X%d" % number for number in range(10000))
    assert line.say(b"a FETCH 1 BODY[HEADER.FIELDS (%s)]" % names).startswith(b"a NO [LIMIT] ")
    assert line.say(b"b FETCH 1 BODY[%s1]" % (b"1." * 500)).startswith(b"b NO [LIMIT] ")
    assert line.say(b'c FETCH 1 BODY.PEEK[HEADER.FIELDS ("a b" "q\\"x")]').startswith(
        b'* 1 FETCH (BODY[HEADER.FIELDS ("A B" "Q'
    )


def test_a_field_name_cannot_break_the_answer(world: World) -> None:
    """THREATS T153."""
    line = Line(world.session())
    line.say(b"a FETCH 1 BODY[HEADER.FIELDS ({6}")
    assert line.say(b"x\r\ny\r\n)]").startswith(b"a BAD ")


def test_a_fetch_of_much_mail_is_made_while_it_is_sent(world: World) -> None:
    """THREATS T147: one message in memory, however many are asked for."""
    inbox = world.store.open("INBOX")
    big = b"Subject: big\r\n\r\n" + b"x" * (1 << 20)
    for _ in range(12):
        inbox.append(big)
    line = Line(world.session())
    line.say(b"w FETCH 1 BODY.PEEK[]")
    tracemalloc.start()
    size = sum(map(len, line.pump.feed(b"a FETCH 1:* BODY.PEEK[]\r\n")))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 12 << 20
    assert peak < 5 << 20


def test_small_pieces_are_sent_as_blocks() -> None:
    sent = list(blocks([b"x" * 10] * 10000 + [b"y" * BLOCK] + [b"z"]))
    assert b"".join(sent) == b"x" * 100000 + b"y" * BLOCK + b"z"
    assert len(sent) < 8
    assert list(blocks([])) == []


def test_dates_outside_the_calendar_are_the_nearest() -> None:
    assert internal_date(1 << 60) == b'"31-Dec-9999 23:59:59 +0000"'
    assert internal_date(-(1 << 60)) == b'" 1-Jan-0001 00:00:00 +0000"'


def test_handlers_ask_for_a_login_and_a_mailbox(world: World) -> None:
    session = Session("mx.example.org", Backend(world), world.session().client)
    with pytest.raises(Bad):
        session.store  # noqa: B018
    with pytest.raises(Bad):
        session.selected  # noqa: B018
