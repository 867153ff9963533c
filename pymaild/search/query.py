"""Answer a query: the index where it can tell, the header where it must, the message where nothing else will do.

Every step narrows a set of uids, cheap keys first, so that the expensive ones see few messages. RFC 9051 §6.4.4.
"""

from __future__ import annotations

import json
import time
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
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
    Row,
    SizeRange,
    TextContains,
    Uids,
)
from pymaild.message import addresses, fields
from pymaild.message.casemap import casemap
from pymaild.message.text import searchable_body, searchable_header
from pymaild.message.words import decode_words
from pymaild.search.fuzzy import Wanted

MAX_DEPTH = 100  # of NOT, OR and brackets within each other
RowKey = HasFlag | HasKeyword | DateRange | CameBetween | SizeRange | ModseqAtLeast  # what a row alone can tell
DAY = 86_400


class Source(Protocol):
    """What a search asks of a mailbox."""

    def uids(self) -> array[int]:
        """Every uid, rising."""

    def having(self, key: RowKey, holds: bool) -> list[int]:
        """The uids of the messages whose row answers the key with `holds`, rising."""

    def rows(self, uids: Sequence[int] | None = None) -> Iterator[Row]:
        """Rows by rising uid."""

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
    return sorted(_Search(source, int(clock()), {} if scores is None else scores).hold(query, None))


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
        case DateRange(of=DateOf.SENT) | HeaderContains() | AddressContains():
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
Some = set[int] | None  # None: every message of the mailbox


class _Search:
    """One search; remembers the uids of the mailbox, so that all keys speak of the same messages."""

    def __init__(self, source: Source, now: int, scores: dict[int, int]) -> None:
        self.source = source
        self.now = now
        self.scores = scores  # of what Fuzzy keys found. RFC 6203 §4
        self.fuzzy = False  # inside such a key
        self.all = source.uids()

    def everything(self, some: Some) -> set[int]:
        return set(self.all) if some is None else some

    def hold(self, query: Query, some: Some) -> set[int]:
        """Those of `some` for which the query holds."""
        return _ANSWERS[type(query)](self, query, some)

    def _date(self, query: DateRange, some: Some) -> set[int]:
        return self._sent(query, some) if query.of is DateOf.SENT else self._row(query, True, some)

    def _age(self, query: Age, some: Some) -> set[int]:
        """Exactly that old is both: older and younger. RFC 5032 §2."""
        first = None if query.younger is None else self.now - query.younger
        before = None if query.older is None else self.now - query.older + 1
        return self._row(CameBetween(first, before), True, some)

    def _row(self, key: RowKey, holds: bool, some: Some) -> set[int]:
        found = set(self.source.having(key, holds))
        return found.intersection(self.all if some is None else some)

    def _within(self, query: Uids, some: Some) -> set[int]:
        found: set[int] = set()
        for low, high in query.ranges:
            low, high = min(low, high), max(low, high)  # noqa: PLW2901 - RFC 9051 §9, seq-range: either order
            found.update(self.all[bisect_left(self.all, low) : bisect_right(self.all, high)])
        return found if some is None else found & some

    def _and(self, query: And, some: Some) -> set[int]:
        for key in sorted(query.keys, key=cost):
            some = self.hold(key, some)
            if not some:
                return set()
        return self.everything(some)

    def _or(self, query: Or, some: Some) -> set[int]:
        left, found = self.everything(some), set[int]()
        for key in sorted(query.keys, key=cost):
            found |= self.hold(key, left - found)
        return found

    def _not(self, query: Not, some: Some) -> set[int]:
        key = query.key
        if isinstance(key, HasFlag | HasKeyword | SizeRange | ModseqAtLeast):
            return self._row(key, False, some)
        return self.everything(some) - self.hold(key, some)

    def _sent(self, query: DateRange, some: Some) -> set[int]:
        """By the Date field's own calendar day; where there is none, by the internal date."""
        dates, undated = {}, []
        for uid, (text,) in self.source.columns(sorted(self.everything(some)), [Column.SUMMARY]):
            day = json.loads(text).get("date_day") if text else None
            if day is None:
                undated.append(uid)
            else:
                dates[uid] = day
        dates.update((row.uid, row.internal_date // DAY) for row in self.source.rows(undated) if undated)
        first, before = query.first, query.before
        return {uid for uid, day in dates.items() if (first is None or day >= first) and (before is None or day < before)}

    def _in_header(self, query: HeaderContains | AddressContains, some: Some) -> set[int]:
        has = self._matcher(query.text)
        bodies = _with_addresses if isinstance(query, AddressContains) else searchable_header
        mark = query.name.encode("utf-8", "replace").lower()
        found = set()
        for uid, (header,) in self.source.columns(sorted(self.everything(some)), [Column.HEADER]):
            block = header or self._header(uid)
            if mark in block.lower() and has(uid, bodies(block, query.name)):
                found.add(uid)
        return found

    def _header(self, uid: int) -> bytes:
        """The header of a message whose header the index does not keep, because it is too long."""
        try:
            message = self.source.read(uid)
        except MessageGone:
            return b""
        return message[: fields.header_end(message)]

    def _in_message(self, query: BodyContains | TextContains, some: Some) -> set[int]:
        texts = _whole_texts if isinstance(query, TextContains) else searchable_body
        has = self._matcher(query.text)
        return {uid for uid in sorted(self.everything(some)) if self._has(uid, has, texts)}

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

    def _fuzzy(self, query: Fuzzy, some: Some) -> set[int]:
        """Keys that look for no text are exact. RFC 6203 §5."""
        outside, self.fuzzy = self.fuzzy, True
        found = self.hold(query.key, some)
        self.fuzzy = outside
        return found


_ANSWERS: dict[type[Query], Callable[[_Search, Any, Some], set[int]]] = {
    All: lambda search, _, some: search.everything(some),
    Uids: _Search._within,
    And: _Search._and,
    Or: _Search._or,
    Not: _Search._not,
    Fuzzy: _Search._fuzzy,
    HasFlag: lambda search, query, some: search._row(query, True, some),
    HasKeyword: lambda search, query, some: search._row(query, True, some),
    SizeRange: lambda search, query, some: search._row(query, True, some),
    ModseqAtLeast: lambda search, query, some: search._row(query, True, some),
    CameBetween: lambda search, query, some: search._row(query, True, some),
    DateRange: _Search._date,
    Age: _Search._age,
    HeaderContains: _Search._in_header,
    AddressContains: _Search._in_header,
    BodyContains: _Search._in_message,
    TextContains: _Search._in_message,
}


def _with_addresses(header: bytes, name: str) -> list[str]:
    """The decoded bodies, and the addresses as ENVELOPE has them: without comments, quotes and blanks."""
    entries = [entry for body in fields.bodies(header, name) for entry in addresses.parse(fields.unfold(body))]
    return searchable_header(header, name) + [addresses.shown(entry) for entry in entries if not entry.is_group_mark]


def _whole_texts(message: bytes) -> Iterator[str]:
    yield decode_words(message[: fields.header_end(message)])
    yield from searchable_body(message)
