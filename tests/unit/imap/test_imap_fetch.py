"""FETCH answers whole batches at once; here a plain model answers message by message, and both say the same octets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pymaild.dialogue import Pump
from pymaild.imap.describe import MAX_HEADER, describe
from pymaild.imap.view import View
from pymaild.mailstore import Column, Flag, FlagChange, Mailbox, Row
from pymaild.message import fields
from pymaild.message.sorting import sort_keys
from tests.imap_world import LETTER, NOTE, World, crlf

LONG = b"X-Long: " + b"y" * (MAX_HEADER + 10)
MESSAGES = (
    crlf(LETTER),
    crlf(NOTE),
    b"",
    b"Subject: header alone\r\nX-100%d: percent\r\n",
    b"subject : first\r\n\tfolded\r\nSUBJECT\r\nSubject:\r\n\r\nText with \0 in it\r\n",
    LONG + b"\r\nSubject: long\r\n\r\nbody\r\n",
)
KEYWORDS = ("$Forwarded", "$Junk", "work")


@dataclass
class Model:
    """One message, as it should be told."""

    row: Row
    text: bytes
    recent: bool
    condstore: bool

    @property
    def header(self) -> bytes:
        return self.text[: fields.header_end(self.text)]

    def flags(self) -> bytes:
        words = [rf"\{flag.name.title()}" for flag in _ORDER if self.row.flags & flag and flag.name]
        words += [r"\Recent"] * self.recent
        return f"FLAGS ({' '.join([*words, *sorted(self.row.keywords)])})".encode()

    def fields(self, *names: bytes) -> bytes:
        found = [self.header[each.start : each.end] for each in fields.split(self.header) if each.name.lower() in names]
        return b"".join(found) + b"\r\n"


_ORDER = (Flag.ANSWERED, Flag.FLAGGED, Flag.DELETED, Flag.SEEN, Flag.DRAFT)


def literal(octets: bytes) -> bytes:
    octets = octets.replace(b"\0", b"\x80")
    return b"{%d}\r\n%b" % (len(octets), octets)


def date(seconds: int) -> bytes:
    at = datetime.fromtimestamp(seconds, UTC)
    return f'"{at.day:2}-{at:%b-%Y %H:%M:%S} +0000"'.encode()


def first_of(model: Model) -> bytes:
    """The first message of the thread, as this one names it."""
    keys = sort_keys(model.header)
    return (keys.references[0] if keys.references else keys.message_id).encode("utf-8", "replace")


ITEMS: dict[str, Callable[[Model], bytes]] = {
    "UID": lambda m: b"UID %d" % m.row.uid,
    "FLAGS": Model.flags,
    "INTERNALDATE": lambda m: b"INTERNALDATE " + date(m.row.internal_date),
    "RFC822.SIZE": lambda m: b"RFC822.SIZE %d" % m.row.size,
    "MODSEQ": lambda m: b"MODSEQ (%d)" % m.row.modseq,
    "SAVEDATE": lambda m: b"SAVEDATE " + date(m.row.save_date),
    "EMAILID": lambda m: b"EMAILID (M%b)" % hashlib.sha256(m.text).hexdigest()[:40].encode(),
    "THREADID": lambda m: b"THREADID (T%b)" % hashlib.sha256(first_of(m) or m.text).hexdigest()[:40].encode(),
    "ENVELOPE": lambda m: b"ENVELOPE " + describe(m.text)[Column.ENVELOPE],
    "BODYSTRUCTURE": lambda m: b"BODYSTRUCTURE " + describe(m.text)[Column.BODYSTRUCTURE],
    "BODY": lambda m: b"BODY " + describe(m.text)[Column.BODY],
    "BODY.PEEK[HEADER]": lambda m: b"BODY[HEADER] " + literal(m.header),
    'BODY.PEEK[HEADER.FIELDS (subject "x-100%d")]': lambda m: (
        b'BODY[HEADER.FIELDS (SUBJECT "X-100%D")] ' + literal(m.fields(b"subject", b"x-100%d"))
    ),
    "BODY.PEEK[HEADER.FIELDS (Subject)]<2.9>": lambda m: (
        b"BODY[HEADER.FIELDS (SUBJECT)]<2> " + literal(m.fields(b"subject")[2:11])
    ),
    "BODY[HEADER.FIELDS (X-Long)]": lambda m: b"BODY[HEADER.FIELDS (X-LONG)] " + literal(m.fields(b"x-long")),
    "BODY.PEEK[]": lambda m: b"BODY[] " + literal(m.text),
    "BODY[TEXT]": lambda m: b"BODY[TEXT] " + literal(m.text[len(m.header) :]),
    "BODY[]<1.7>": lambda m: b"BODY[]<1> " + literal(m.text[1:8]),
    "BODY.PEEK[9.9]": lambda m: b"BODY[9.9] NIL",
    "BINARY.SIZE[9]": lambda m: b"BINARY.SIZE[9] 0",
    "RFC822.HEADER": lambda m: b"RFC822.HEADER " + literal(m.header),
    "RFC822": lambda m: b"RFC822 " + literal(m.text),
}
SEES = {name for name in ITEMS if name.startswith("BODY[") or name == "RFC822"}


def told(model: Model, names: list[str], seen: bool) -> bytes:
    """The items, and what is told besides when this set \\Seen."""
    more = ["FLAGS"] if seen and "FLAGS" not in names else []
    more += ["MODSEQ"] if seen and model.condstore and "MODSEQ" not in names else []
    return b" ".join(ITEMS[name](model) for name in [*names, *more])


class Room:
    """A world with one session that has INBOX selected, and a second look at the same mailbox."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder, mailbox="empty", uses=())
        self.inbox: Mailbox = self.world.store.open("INBOX")
        for message in MESSAGES:
            self.inbox.append(message)
        self.pump = Pump(self.world.session())
        b"".join(self.pump.start())
        self.say(b"l LOGIN ann@example.org ann-secret")

    def say(self, line: bytes) -> bytes:
        return b"".join(self.pump.feed(line + b"\r\n"))

    @property
    def view(self) -> View:
        return self.pump.session.selected  # type: ignore[attr-defined,no-any-return]

    def models(self, numbers: list[int]) -> dict[int, Model]:
        """By number, those that are still there."""
        uids = {self.view.uids[number - 1]: number for number in numbers}
        return {
            uids[row.uid]: Model(row, self.inbox.read(row.uid), row.uid in self.view.recent, self.view.condstore)
            for row in self.inbox.rows(sorted(uids))
        }


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    room = Room(tmp_path_factory.mktemp("fetch"))
    yield room
    room.world.close()


FLAG_SETS = st.lists(
    st.tuples(st.integers(0, 31), st.lists(st.sampled_from(KEYWORDS), unique=True)),
    min_size=len(MESSAGES),
    max_size=len(MESSAGES),
)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(data=st.data())
def test_batches_say_what_a_plain_model_says(room: Room, data: st.DataObject) -> None:
    uids = list(room.inbox.uids())
    for uid, (flags, keywords) in zip(uids, data.draw(FLAG_SETS), strict=False):
        room.inbox.change_flags([uid], FlagChange.REPLACE, flags, keywords)
    room.say(b"s SELECT INBOX" + data.draw(st.sampled_from((b"", b" (CONDSTORE)"))))
    room.view.recent = set(data.draw(st.lists(st.sampled_from(uids), unique=True)))
    names = data.draw(st.lists(st.sampled_from(sorted(ITEMS)), unique=True, min_size=1, max_size=5))
    if "MODSEQ" in names:
        room.say(b"e ENABLE CONDSTORE")
    numbers = data.draw(st.lists(st.integers(1, len(uids)), unique=True, min_size=1).map(sorted))
    if data.draw(st.integers(0, 4)) == 0:  # another session takes one away, and brings its text back as a new message
        gone = data.draw(st.sampled_from(uids))
        text = room.inbox.read(gone)
        room.inbox.change_flags([gone], FlagChange.ADD, Flag.DELETED)
        room.inbox.expunge([gone])
        room.inbox.append(text)
    before = room.models(numbers)
    said = room.say(b"f FETCH %s (%s)" % (",".join(map(str, numbers)).encode(), " ".join(names).encode()))
    after = room.models(numbers)
    unseen = {number for number, model in before.items() if not model.row.flags & Flag.SEEN}
    seen = unseen if SEES & set(names) else set()
    lines = [b"* %d FETCH (%b)\r\n" % (number, told(after[number], names, number in seen)) for number in sorted(after)]
    assert said.startswith(b"".join(lines))
    assert said.count(b"f OK [EXPUNGEISSUED]") == (len(after) < len(numbers))
    assert all(model.row.flags & Flag.SEEN for number, model in after.items() if number in seen)
