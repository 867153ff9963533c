"""SEARCH programs: the table of keys, each parsed into the Query of mailstore.py. RFC 3501 §6.4.4.

Message sets and \\Recent are facts of this connection, so they are turned into uids here; everything else the store
answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pymaild.imap import sequences
from pymaild.imap.cells import email_id, thread_id
from pymaild.imap.errors import Bad, No
from pymaild.imap.grammar import Parser
from pymaild.imap.view import View
from pymaild.mailstore import (
    AddressContains,
    Age,
    All,
    And,
    BodyContains,
    Column,
    DateOf,
    DateRange,
    Flag,
    Fuzzy,
    HasFlag,
    HasKeyword,
    HeaderContains,
    ModseqAtLeast,
    Not,
    Or,
    Query,
    SizeRange,
    TextContains,
    Uids,
)
from pymaild.message.sorting import from_json

MAX_DEPTH: Final = 50
# Charsets a program may be written in: those that mail is written in, by their names and Python's. RFC 2978.
CHARSETS: Final = (
    "US-ASCII", "UTF-8", "ISO-8859-1", "ISO-8859-2", "ISO-8859-3", "ISO-8859-4", "ISO-8859-5", "ISO-8859-6",
    "ISO-8859-7", "ISO-8859-8", "ISO-8859-9", "ISO-8859-10", "ISO-8859-13", "ISO-8859-14", "ISO-8859-15",
    "WINDOWS-1250", "WINDOWS-1251", "WINDOWS-1252", "WINDOWS-1253", "WINDOWS-1254", "WINDOWS-1255", "WINDOWS-1256",
    "WINDOWS-1257", "WINDOWS-1258", "KOI8-R", "KOI8-U", "GB2312", "GBK", "GB18030", "BIG5", "SHIFT_JIS", "EUC-JP",
    "ISO-2022-JP", "EUC-KR",
)  # fmt: skip


@dataclass(slots=True)
class Program:
    """One SEARCH while it is read."""

    args: Parser
    view: View
    keys_left: int
    charset: str = ""
    depth: int = 0
    numbers: bool = True  # message numbers mean something: only the selected mailbox is searched. RFC 7377 §2.1
    query: Query = field(default_factory=All)
    fuzzy: bool = False
    scores: dict[int, int] = field(default_factory=dict)  # by uid: how well FUZZY keys fit. RFC 6203 §4
    by_modseq: bool = False  # MODSEQ was asked for, so the answer tells the highest one. RFC 7162 §3.1.5

    def score(self, uid: int) -> int:
        """How well a message that was found fits; by keys that are exact it fits entirely."""
        return self.scores.get(uid) or 100

    def text(self) -> str:
        """A string to look for. Without CHARSET it is ASCII; UTF-8 is taken too, as clients send it."""
        self.args.space("a string to look for")
        octets = self.args.astring("a string to look for")
        try:
            return octets.decode(self.charset or "utf-8")
        except UnicodeDecodeError:
            raise Bad("Expected a string in the charset of the search") from None

    def nested(self, read: Callable[[], Query]) -> Query:
        """A key within another one, down to a depth that no person writes."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise No(f"The search is nested too deeply: at most {MAX_DEPTH} levels", "LIMIT")
        query = read()
        self.depth -= 1
        return query


Key = Callable[[Program], Query]


def program(reading: Program) -> Query:
    """[CHARSET SP astring SP] search-key *(SP search-key), to the end of the command. §9 (search)."""
    args = reading.args
    if args.accept(b"CHARSET "):
        if "UTF8=ACCEPT" in reading.view.enabled:
            raise Bad("Expected no CHARSET: after ENABLE UTF8=ACCEPT every string is in UTF-8")  # RFC 9755 §3
        reading.charset = charset(args)
        args.space("a search key")
    query = _keys(reading)
    args.end()
    return query


def charset(args: Parser) -> str:
    """The name of a charset that programs can be written in. §6.4.4."""
    name = args.astring("a charset").decode("ascii", "replace").upper()
    if name not in CHARSETS:
        raise No("The search cannot be read in this charset", f"BADCHARSET ({' '.join(CHARSETS)})")
    return name


def _keys(reading: Program) -> Query:
    """search-key *(SP search-key): all of them hold."""
    found = [_key(reading)]
    while reading.args.accept(b" "):
        found.append(_key(reading))
    return found[0] if len(found) == 1 else And(tuple(found))


def _key(reading: Program) -> Query:
    """One search key: a list in parentheses, a message set, or a row of the table."""
    args = reading.args
    reading.keys_left -= 1
    if reading.keys_left < 0:
        raise No("The search has too many keys: ask in several searches", "LIMIT")
    if args.accept(b"("):
        query = reading.nested(lambda: _keys(reading))
        args.expect(b")", ") or a space and another search key")
        return query
    if args.peek().isdigit() or args.peek() in (b"*", b"$"):
        return _numbers(reading)
    key = KEYS.get(args.word("a search key"))
    if key is None:
        raise Bad("This server knows no such search key")
    return key(reading)


# ---- the kinds of keys


def _fixed(query: Query) -> Key:
    return lambda reading: query


def _flag(flag: Flag) -> Key:
    return _fixed(HasFlag(flag))


def _no_flag(flag: Flag) -> Key:
    return _fixed(Not(HasFlag(flag)))


def _numbers(reading: Program) -> Query:
    """Message numbers; those that no message has find nothing. RFC 5182 §2.2: or $."""
    view, ranges = reading.view, reading.args.sequence_set()
    if not reading.numbers:
        raise Bad("Message numbers are for searches of the selected mailbox alone: use UID")
    if ranges == sequences.SAVED:
        return Uids(tuple(view.uid_ranges(ranges, by_uid=True)))
    size = len(view.uids)
    here = [(low, min(high, size)) for low, high in sequences.resolve(ranges, size) if 0 < low <= size]
    return Uids(tuple((view.uids[low - 1], view.uids[high - 1]) for low, high in here))


def _recent(reading: Program) -> Query:
    return Uids(tuple((uid, uid) for uid in sorted(reading.view.recent)))


def _keyword(reading: Program) -> Query:
    reading.args.space("a keyword")
    return HasKeyword(reading.args.atom("a keyword"))


def _address(name: str) -> Key:
    return lambda reading: AddressContains(name, reading.text())


def _header(reading: Program) -> Query:
    reading.args.space("the name of a header field")
    name = reading.args.astring("the name of a header field").decode("latin-1").lower()
    return HeaderContains(name, reading.text())


def _date(of: DateOf, begins: bool, ends: int | None) -> Key:
    """On or after the day, and before `ends` days later; None: no end. Times and zones are disregarded."""

    def read(reading: Program) -> Query:
        reading.args.space("a date")
        day = reading.args.date()
        return DateRange(of, day if begins else None, None if ends is None else day + ends)

    return read


def _size(reading: Program) -> int:
    reading.args.space("a number of octets")
    return reading.args.number("a number of octets", (1 << 63) - 1)


def _interval(reading: Program) -> int:
    """A number of seconds. RFC 5032 §4."""
    reading.args.space("a number of seconds")
    seconds = reading.args.number("a number of seconds")
    if not seconds:
        raise Bad("Expected a number of seconds, at least 1")
    return seconds


def _modseq(reading: Program) -> Query:
    """MODSEQ [entry-name type] number; one modseq stands for all flags of a message here. RFC 7162 §3.1.5."""
    args = reading.args
    args.space("a modseq")
    if args.peek() == b'"':
        args.string("the name of a flag")
        args.space("priv, shared or all")
        if args.word("priv, shared or all") not in ("PRIV", "SHARED", "ALL"):
            raise Bad("Expected priv, shared or all")
        args.space("a modseq")
    reading.by_modseq = True
    return ModseqAtLeast(args.number("a modseq", (1 << 63) - 1))


def _uid(reading: Program) -> Query:
    reading.args.space("a message set")
    return Uids(tuple(reading.view.uid_ranges(reading.args.sequence_set(), by_uid=True)))


def _email_id(reading: Program) -> Query:
    """EMAILID objectid. RFC 8474 §6."""
    wanted, view = _object_id(reading), reading.view
    found = [uid for uid, digest in sorted(view.mailbox.digests(view.uids).items()) if email_id(digest) == wanted]
    return Uids(tuple((uid, uid) for uid in found))


def _thread_id(reading: Program) -> Query:
    """THREADID objectid. RFC 8474 §6."""
    wanted, mailbox = _object_id(reading), reading.view.mailbox
    table, digests = mailbox.table(reading.view.uids, [Column.SORTING]), mailbox.digests(reading.view.uids)
    keys = zip(table.uids, from_json(table.columns[Column.SORTING]), strict=True)
    found = [uid for uid, each in keys if uid in digests and thread_id(each, digests[uid]) == wanted]
    return Uids(tuple((uid, uid) for uid in found))


def _object_id(reading: Program) -> str:
    reading.args.space("an object id")
    return reading.args.atom("an object id")


def _inner(reading: Program) -> Query:
    reading.args.space("a search key")
    return reading.nested(lambda: _key(reading))


def _fuzzy(reading: Program) -> Query:
    """A key that need not hold to the letter. RFC 6203 §3."""
    reading.fuzzy = True
    return Fuzzy(_inner(reading))


def _or(reading: Program) -> Query:
    one = _inner(reading)
    return Or((one, _inner(reading)))


KEYS: Final[dict[str, Key]] = {
    "ALL": _fixed(All()),
    "ANSWERED": _flag(Flag.ANSWERED),
    "BCC": _address("bcc"),
    "BEFORE": _date(DateOf.INTERNAL, begins=False, ends=0),
    "BODY": lambda reading: BodyContains(reading.text()),
    "CC": _address("cc"),
    "DELETED": _flag(Flag.DELETED),
    "EMAILID": _email_id,
    "DRAFT": _flag(Flag.DRAFT),
    "FLAGGED": _flag(Flag.FLAGGED),
    "FROM": _address("from"),
    "FUZZY": _fuzzy,
    "HEADER": _header,
    "KEYWORD": _keyword,
    "MODSEQ": _modseq,
    "LARGER": lambda reading: SizeRange(larger=_size(reading)),
    "NEW": lambda reading: And((_recent(reading), Not(HasFlag(Flag.SEEN)))),
    "NOT": lambda reading: Not(_inner(reading)),
    "OLD": lambda reading: Not(_recent(reading)),
    "OLDER": lambda reading: Age(older=_interval(reading)),
    "ON": _date(DateOf.INTERNAL, begins=True, ends=1),
    "OR": _or,
    "RECENT": _recent,
    "SAVEDATESUPPORTED": _fixed(All()),  # RFC 8514 §4.3
    "SAVEDBEFORE": _date(DateOf.SAVED, begins=False, ends=0),
    "SAVEDON": _date(DateOf.SAVED, begins=True, ends=1),
    "SAVEDSINCE": _date(DateOf.SAVED, begins=True, ends=None),
    "SEEN": _flag(Flag.SEEN),
    "SENTBEFORE": _date(DateOf.SENT, begins=False, ends=0),
    "SENTON": _date(DateOf.SENT, begins=True, ends=1),
    "SENTSINCE": _date(DateOf.SENT, begins=True, ends=None),
    "SINCE": _date(DateOf.INTERNAL, begins=True, ends=None),
    "SMALLER": lambda reading: SizeRange(smaller=_size(reading)),
    "SUBJECT": lambda reading: HeaderContains("subject", reading.text()),
    "TEXT": lambda reading: TextContains(reading.text()),
    "THREADID": _thread_id,
    "TO": _address("to"),
    "UID": _uid,
    "UNANSWERED": _no_flag(Flag.ANSWERED),
    "UNDELETED": _no_flag(Flag.DELETED),
    "UNDRAFT": _no_flag(Flag.DRAFT),
    "UNFLAGGED": _no_flag(Flag.FLAGGED),
    "UNKEYWORD": lambda reading: Not(_keyword(reading)),
    "UNSEEN": _no_flag(Flag.SEEN),
    "YOUNGER": lambda reading: Age(younger=_interval(reading)),
}
