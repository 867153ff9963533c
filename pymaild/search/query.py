"""Answer a query: the index where it can tell, the header where it must, the message where nothing else will do.

Every step narrows a set of messages, cheap keys first, so that the expensive ones see few. RFC 9051 §6.4.4.
"""

from __future__ import annotations

import time
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress
from typing import Any, Protocol  # Any: each answer takes its own kind of query

from pymaild.mailstore import (
    AddressContains,
    Age,
    All,
    And,
    BodyContains,
    CameBetween,
    Column,
    DateOf,
    DateRange,
    Fuzzy,
    HasFlag,
    HasKeyword,
    HeaderContains,
    LimitReached,
    MessageGone,
    ModseqAtLeast,
    Not,
    Or,
    Query,
    SizeRange,
    TextContains,
    Uids,
)
from pymaild.message import addresses, fields
from pymaild.message.casemap import casemap
from pymaild.message.folded import ADDRESSES, NAMES, sought
from pymaild.message.text import searchable_body, searchable_header
from pymaild.progress import counted
from pymaild.search.fuzzy import Wanted
from pymaild.search.words import Piece, is_one_word, pieces, whole_texts

MAX_DEPTH = 100  # of NOT, OR and brackets within each other
RowKey = HasFlag | HasKeyword | DateRange | CameBetween | SizeRange | ModseqAtLeast  # what a row alone can tell


class Source(Protocol):
    """What a search asks of a mailbox."""

    def uids(self) -> array[int]:
        """Every uid, rising."""

    def having(self, key: RowKey) -> tuple[array[int], bytes]:
        """Every uid, rising, and for each an octet: 1 if the message's row answers the key with yes."""

    def containing(self, column: Column, text: bytes) -> array[int]:
        """The uids of the messages that have the octets in a column of casemapped text, rising."""

    def sent(self, first: int | None, before: int | None) -> array[int]:
        """The uids of the messages sent within these days, rising."""

    def candidates(self, pieces: Sequence[Piece], in_header: bool) -> tuple[array[int], array[int]]:
        """The uids of the messages that have all these pieces in their words, and of those whose words are not known."""

    def columns(self, uids: Sequence[int], wanted: Sequence[Column]) -> Iterator[tuple[int, tuple[bytes, ...]]]:
        """What the index holds of each message."""

    def read(self, uid: int) -> bytes:
        """The whole message."""


def evaluate(
    query: Query, source: Source, clock: Callable[[], float] = time.time, scores: dict[int, int] | None = None
) -> list[int]:
    """The uids a query holds for, rising.

    `clock` says what "now" is for keys that speak of age; `scores` gets how well a message fits Fuzzy keys.
    """
    if _deeper_than(query, MAX_DEPTH):
        raise LimitReached("5.5.4", "The search has too many levels of brackets, NOT and OR")
    search = _Search(source, int(clock()), {} if scores is None else scores)
    return search.uids_of(search.hold(query, search.everything))


def _deeper_than(query: Query, limit: int) -> bool:
    level: list[Query] = [query]
    for _ in range(limit):
        level = list({id(child): child for node in level for child in _children(node)}.values())
        if not level:
            return False
    return True


def _children(query: Query) -> tuple[Query, ...]:
    if isinstance(query, And | Or):
        return query.keys
    return (query.key,) if isinstance(query, Not | Fuzzy) else ()


def cost(query: Query) -> int:
    """How dear an answer is: 0 nothing, 1 the index, 2 the header it keeps, 3 the message."""
    match query:
        case All() | Uids():
            return 0
        case HeaderContains() | AddressContains():
            return 2
        case BodyContains() | TextContains():
            return 3
        case And() | Or():
            return max(map(cost, query.keys), default=0)
        case Not() | Fuzzy():
            return cost(query.key)
        case _:
            return 1


Matcher = Callable[[int, Iterable[str]], bool]
Some = int  # messages: a number of as many octets as the mailbox has messages, 1 for each that is meant, the first lowest
FEW_READ = 8  # messages that are read sooner than the index is asked which of them to read
FEW = 32  # one in so many is looked up one by one


class _Search:
    """One search; remembers the uids of the mailbox, so that all keys speak of the same messages."""

    def __init__(self, source: Source, now: int, scores: dict[int, int]) -> None:
        self.source = source
        self.now = now
        self.scores = scores  # of what Fuzzy keys found. RFC 6203 §4
        self.fuzzy = False  # inside such a key
        self.all = source.uids()
        self.everything: Some = int.from_bytes(b"\1" * len(self.all), "little")

    def uids_of(self, some: Some) -> list[int]:
        """The messages themselves, rising."""
        if some == self.everything:
            return self.all.tolist()
        return list(compress(self.all, some.to_bytes(len(self.all), "little")))

    def some(self, uids: Sequence[int]) -> Some:
        """The messages with these rising uids; those that have come since are left out."""
        if len(uids) * FEW < len(self.all):
            places = bytearray(len(self.all))
            for uid in uids:
                at = bisect_left(self.all, uid)
                if at < len(self.all) and self.all[at] == uid:
                    places[at] = 1
            return int.from_bytes(places, "little")
        if len(uids) == len(self.all) and array("I", uids) == self.all:
            return self.everything
        return int.from_bytes(bytes(map(set(uids).__contains__, self.all)), "little")

    def hold(self, query: Query, some: Some) -> Some:
        """Those of `some` for which the query holds."""
        return _ANSWERS[type(query)](self, query, some) if some else 0

    def _row(self, key: RowKey, some: Some) -> Some:
        uids, mask = self.source.having(key)
        if uids != self.all:  # something came or went since the search began
            return self.some(list(compress(uids, mask))) & some
        return int.from_bytes(mask, "little") & some

    def _date(self, query: DateRange, some: Some) -> Some:
        if query.of is not DateOf.SENT:
            return self._row(query, some)
        return self.some(self.source.sent(query.first, query.before)) & some

    def _age(self, query: Age, some: Some) -> Some:
        """Exactly that old is both: older and younger. RFC 5032 §2."""
        first = None if query.younger is None else self.now - query.younger
        before = None if query.older is None else self.now - query.older + 1
        return self._row(CameBetween(first, before), some)

    def _within(self, query: Uids, some: Some) -> Some:
        places = bytearray(len(self.all))
        for low, high in query.ranges:
            low, high = min(low, high), max(low, high)  # noqa: PLW2901 - RFC 9051 §9, seq-range: either order
            first, last = bisect_left(self.all, low), bisect_right(self.all, high)
            places[first:last] = b"\1" * (last - first)
        return int.from_bytes(places, "little") & some

    def _and(self, query: And, some: Some) -> Some:
        for key in sorted(query.keys, key=cost):
            some = self.hold(key, some)
        return some

    def _or(self, query: Or, some: Some) -> Some:
        found = 0
        for key in sorted(query.keys, key=cost):
            found |= self.hold(key, some & ~found)
        return found

    def _not(self, query: Not, some: Some) -> Some:
        return some & ~self.hold(query.key, some)

    def _in_header(self, query: HeaderContains | AddressContains, some: Some) -> Some:
        """The index tells of the fields that people search by; of the others the header has to be read."""
        column = None if self.fuzzy else _COLUMNS.get(query.name)
        if column is None:
            return self._in_read_header(query, some)
        text = sought(query.text)
        if text is None:
            return 0
        found = self.some(self.source.containing(column, text)) & some
        is_exact = isinstance(query, AddressContains) or query.name not in ADDRESSES  # or what is kept says more
        return found if is_exact else self._in_read_header(query, found)

    def _in_read_header(self, query: HeaderContains | AddressContains, some: Some) -> Some:
        has = self._matcher(query.text)
        bodies = _with_addresses if isinstance(query, AddressContains) else searchable_header
        mark = query.name.encode("utf-8", "replace").lower()
        found = []
        for uid, (header,) in self.source.columns(self.uids_of(some), [Column.HEADER]):
            block = header or self._header(uid)
            if mark in block.lower() and has(uid, bodies(block, query.name)):
                found.append(uid)
        return self.some(found)

    def _header(self, uid: int) -> bytes:
        """The header of a message whose header the index does not keep, because it is too long."""
        try:
            message = self.source.read(uid)
        except MessageGone:
            return b""
        return message[: fields.header_end(message)]

    def _in_message(self, query: BodyContains | TextContains, some: Some) -> Some:
        """The index narrows, the message decides, unless the index knows for certain: see words.py."""
        in_header, text = isinstance(query, TextContains), casemap(query.text)
        if not text and in_header:
            return some  # every message has a header, perhaps an empty one
        known = pieces(text)
        if self.fuzzy or not known or some.bit_count() <= FEW_READ:
            return self._in_read_message(query, some)
        found, unknown = self.source.candidates(known, in_header)
        there = self.some(found) & some
        if is_one_word(text):
            return there | self._in_read_message(query, self.some(unknown) & some & ~there)
        return self._in_read_message(query, (there | self.some(unknown)) & some)

    def _in_read_message(self, query: BodyContains | TextContains, some: Some) -> Some:
        texts = whole_texts if isinstance(query, TextContains) else searchable_body
        has = self._matcher(query.text)
        return self.some([uid for uid in counted(self.uids_of(some)) if self._has(uid, has, texts)])

    def _has(self, uid: int, has: Matcher, texts: Callable[[bytes], Iterable[str]]) -> bool:
        try:
            return has(uid, texts(self.source.read(uid)))
        except MessageGone:
            return False

    def _matcher(self, text: str) -> Matcher:
        """Whether one of some texts of a message has it; inside FUZZY more or less, and how well is kept."""
        if not self.fuzzy:
            exact = casemap(text)
            return lambda uid, texts: any(exact in casemap(each) for each in texts)
        wanted = Wanted(text)

        def fits(uid: int, texts: Iterable[str]) -> bool:
            score = wanted.relevancy(texts)
            self.scores[uid] = max(score, self.scores.get(uid, 0))
            return score > 0

        return fits

    def _fuzzy(self, query: Fuzzy, some: Some) -> Some:
        """Keys that look for no text are exact. RFC 6203 §5."""
        outside, self.fuzzy = self.fuzzy, True
        found = self.hold(query.key, some)
        self.fuzzy = outside
        return found


_ANSWERS: dict[type[Query], Callable[[_Search, Any, Some], Some]] = {
    All: lambda search, _, some: some,
    Uids: _Search._within,
    And: _Search._and,
    Or: _Search._or,
    Not: _Search._not,
    Fuzzy: _Search._fuzzy,
    HasFlag: _Search._row,
    HasKeyword: _Search._row,
    SizeRange: _Search._row,
    ModseqAtLeast: _Search._row,
    CameBetween: _Search._row,
    DateRange: _Search._date,
    Age: _Search._age,
    HeaderContains: _Search._in_header,
    AddressContains: _Search._in_header,
    BodyContains: _Search._in_message,
    TextContains: _Search._in_message,
}
_COLUMNS = {name: Column(name.replace("-", "_") + "_text") for name in NAMES}


def _with_addresses(header: bytes, name: str) -> list[str]:
    """The decoded bodies, and the addresses as ENVELOPE has them: without comments, quotes and blanks."""
    entries = [entry for body in fields.bodies(header, name) for entry in addresses.parse(fields.unfold(body))]
    return searchable_header(header, name) + [addresses.shown(entry) for entry in entries if not entry.is_group_mark]
