"""RETURN (...) and the ESEARCH response: the result of a search as numbers, sets and pages. RFC 4731, RFC 5182, RFC 9394.

    SEARCH RETURN (MIN COUNT) UNSEEN   ->   * ESEARCH (TAG "a1") MIN 3 COUNT 17

A result is a list of message numbers or uids in the order in which it is told: rising for SEARCH, sorted for SORT.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pymaild.imap.errors import Bad
from pymaild.imap.grammar import Parser
from pymaild.imap.sequences import compact
from pymaild.imap.values import string

MAX_OPTIONS: Final = 20
WHOLE: Final = frozenset({"ALL", "COUNT"})  # who asks for these speaks of everything that was found


class Page(NamedTuple):
    """PARTIAL 1:100 is the first hundred of a result, -1:-100 the last. RFC 9394 §3.1."""

    low: int  # the smaller number
    high: int
    from_end: bool = False

    def of(self, found: Sequence[int]) -> Sequence[int]:
        """The part of the result on this page, in the result's order."""
        if not self.from_end:
            return found[self.low - 1 : self.high]
        size = len(found)
        return found[max(size - self.high, 0) : max(size - self.low + 1, 0)]

    def __bytes__(self) -> bytes:
        return b"-%d:-%d" % (self.low, self.high) if self.from_end else b"%d:%d" % (self.low, self.high)


@dataclass(slots=True)
class Returns:
    """What RETURN (...) asks for; without it, what SEARCH says of old."""

    words: list[str] = field(default_factory=list)  # MIN MAX COUNT ALL PARTIAL SAVE, as asked
    page: Page | None = None
    scores: Sequence[int] = ()  # how well each message found fits, filled in when RELEVANCY is asked. RFC 6203 §4

    @property
    def only_saves(self) -> bool:
        """Nothing is to be told. RFC 5182 §2.1."""
        return self.words == ["SAVE"]

    def covered(self, found: Sequence[int]) -> Sequence[int]:
        """The messages that the answer speaks of: what SAVE keeps and MODSEQ counts. RFC 4731 §3.2, RFC 5182 §2.1."""
        parts = {word: PARTS[word] for word in self.words if word in PARTS}
        if not parts or WHOLE & parts.keys():
            return found
        return list(dict.fromkeys(value for part in parts.values() for value in part(found, self)))


Part = Callable[[Sequence[int], Returns], Sequence[int]]
# Which of the messages found each option speaks of.
PARTS: Final[dict[str, Part]] = {
    "MIN": lambda found, _: found[:1],
    "MAX": lambda found, _: found[-1:],
    "ALL": lambda found, _: found,
    "COUNT": lambda found, _: found,
    "PARTIAL": lambda found, returns: returns.page.of(found) if returns.page else (),
}


def _partial(found: Sequence[int], returns: Returns) -> bytes:
    page = returns.page
    return b"(%s %s)" % (bytes(page), compact(page.of(found)) or b"NIL") if page else b""


def _relevancy(found: Sequence[int], returns: Returns) -> bytes:
    """One score for each message that ALL or PARTIAL names. RFC 6203 §4."""
    scores = returns.page.of(returns.scores) if returns.page else returns.scores
    return b"(%s)" % b" ".join(b"%d" % score for score in scores) if scores else b""


# What follows each word in the response; empty: the word is left out. RFC 4731 §3.1, RFC 9394 §3.1.
SAID: Final[dict[str, Callable[[Sequence[int], Returns], bytes]]] = {
    "MIN": lambda found, _: b"%d" % found[0] if found else b"",
    "MAX": lambda found, _: b"%d" % found[-1] if found else b"",
    "ALL": lambda found, _: compact(found),
    "COUNT": lambda found, _: b"%d" % len(found),
    "PARTIAL": _partial,
    "RELEVANCY": _relevancy,
}
OPTIONS: Final = frozenset({*SAID, "SAVE"})
SEARCH_OPTIONS: Final = OPTIONS | {"UPDATE", "CONTEXT"}  # RFC 5267 §4.2, §4.3; CONTEXT is a hint that we do not need


def returns(args: Parser, options: Collection[str] = OPTIONS, items: Callable[[], None] | None = None) -> Returns | None:
    """[RETURN (...) SP]: None when it is not there; `items` reads what UPDATE asks of new messages. RFC 4466 §2.6.1."""
    if not args.accept(b"RETURN "):
        return None
    wanted = Returns()
    args.items("a result option", lambda: _option(args, wanted, options, items), limit=MAX_OPTIONS)
    if not wanted.words:
        wanted.words = ["ALL"]
    if "PARTIAL" in wanted.words and "ALL" in wanted.words:
        raise Bad("Expected ALL or PARTIAL, not both")
    args.space("what to search for")
    return wanted


def _option(args: Parser, wanted: Returns, options: Collection[str], items: Callable[[], None] | None) -> None:
    word = args.word("a result option")
    if word not in options:
        raise Bad("This server knows no such result option")
    if word == "PARTIAL":
        if wanted.page is not None:
            raise Bad("Expected PARTIAL only once")
        args.space("a range such as 1:100")
        wanted.page = page(args)
    if word == "UPDATE" and items is not None and args.follows(b" ("):  # RFC 5465 §7
        args.space()
        items()
    if word not in wanted.words:
        wanted.words.append(word)


def page(args: Parser) -> Page:
    """1:100 or -1:-100; either end first. RFC 9394 §3.1 (partial-range)."""
    from_end = args.accept(b"-")
    first = args.number("a range such as 1:100")
    args.expect(b":-" if from_end else b":", "a range such as 1:100 or -1:-100")
    last = args.number("a range such as 1:100")
    if not first or not last:
        raise Bad("Expected a range that starts at 1 or later")
    return Page(min(first, last), max(first, last), from_end)


def response(head: bytes, wanted: Returns, found: Sequence[int], modseq: int = 0) -> bytes:
    """* ESEARCH (TAG "a1") UID COUNT 3; `head` is what comes before the results. RFC 4466 §2.6.2."""
    words = [b"* ESEARCH " + head]
    for word in wanted.words:
        said = SAID[word](found, wanted) if word in SAID else b""
        if said:
            words.append(word.encode("ascii") + b" " + said)
    if modseq:
        words.append(b"MODSEQ %d" % modseq)
    return b" ".join(words) + b"\r\n"


def correlator(tag: bytes, by_uid: bool) -> bytes:
    """(TAG "a1") UID. RFC 4466 §2.6.2 (search-correlator)."""
    return b"(TAG %s)%s" % (string(tag), b" UID" if by_uid else b"")
