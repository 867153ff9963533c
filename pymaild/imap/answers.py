"""What a session says: tagged answers, response codes, flags and dates as octets. RFC 3501 §7."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from pymaild.dialogue import Then
from pymaild.imap.grammar import MONTHS
from pymaild.mailstore import Flag

BLOCK: Final = 32 * 1024


@dataclass(slots=True)
class Answer:
    """A command that was done: untagged lines, then OK with this text.

    The untagged lines are drained lazily; what makes them may still raise Refusal, or change the text and the code.
    A code that is a function is asked when everything else has been said.
    """

    text: str
    code: str | Callable[[], str] = ""
    untagged: Iterable[bytes] = ()
    then: Then = Then.COMMAND


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a dialogue sends while it waits for the client's next line."""

    data: bytes
    then: Then = Then.LINE


Dialogue = Generator[Prompt, bytes, Answer]


def line(tag: bytes, word: str, text: str, code: str = "") -> bytes:
    """One status response; text that is not ASCII or would break the line is replaced. §7.1."""
    code = f"[{code}] " if code else ""
    safe = "".join(char if " " <= char <= "~" else "?" for char in f"{code}{text}")
    return b"%s %s %s\r\n" % (tag, word.encode("ascii"), safe.encode("ascii"))


def ok(code: str, text: str) -> bytes:
    """An untagged OK that carries a response code. §7.1."""
    return line(b"*", "OK", text, code)


def blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Small pieces joined into blocks worth a system call each; large ones pass as they are."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        if size + len(piece) > BLOCK and held:
            yield b"".join(held)
            held, size = [], 0
        if len(piece) >= BLOCK:
            yield piece
        else:
            held.append(piece)
            size += len(piece)
    if held:
        yield b"".join(held)


# ---- flags: the 32 combinations of system flags are written once

_NAMES: Final = {
    Flag.ANSWERED: b"\\Answered",
    Flag.FLAGGED: b"\\Flagged",
    Flag.DELETED: b"\\Deleted",
    Flag.SEEN: b"\\Seen",
    Flag.DRAFT: b"\\Draft",
}
SYSTEM_FLAGS: Final = tuple(_NAMES.values())
_RIGHTS: Final = {b"\\Seen": "s", b"\\Deleted": "t"}  # the right that changes a flag; "w" all others. RFC 4314 §2.1
FLAG_NAMED: Final = {name.decode("ascii").upper(): flag for flag, name in _NAMES.items()}
_SETS: Final = tuple(b" ".join(name for flag, name in _NAMES.items() if flags & flag) for flags in range(32))


def flags_list(flags: int, keywords: Iterable[str] = (), recent: bool = False) -> bytes:
    r"""(\Seen $Forwarded), as FLAGS of a message. §7.4.2."""
    words = [_SETS[flags]] if flags else []
    if recent:
        words.append(b"\\Recent")
    words += sorted(keyword.encode("ascii") for keyword in keywords)
    return b"(" + b" ".join(words) + b")"


def defined_flags(keywords: Iterable[str], more: Iterable[bytes] = ()) -> bytes:
    """The list in the FLAGS response and in PERMANENTFLAGS. §7.2.6, §7.1."""
    words = [*SYSTEM_FLAGS, *(keyword.encode("ascii") for keyword in keywords), *more]
    return b"(" + b" ".join(words) + b")"


def permanent_flags(rights: str, keywords: Iterable[str], more: Iterable[bytes] = ()) -> bytes:
    """The flags that somebody with these rights can change. RFC 4314 §4, §5.1.1."""
    words = [flag for flag in SYSTEM_FLAGS if _RIGHTS.get(flag, "w") in rights]
    if "w" in rights:
        words += [*(keyword.encode("ascii") for keyword in keywords), *more]
    return b"(" + b" ".join(words) + b")"


def internal_date(seconds: int) -> bytes:
    """As "17-Jul-1996 02:44:25 +0000", the day padded with a space. §9 (date-time)."""
    day, second = divmod(min(max(seconds, _EARLIEST), _LATEST), 86_400)
    return b'"%b %02d:%02d:%02d +0000"' % (_day(day), second // 3600, second // 60 % 60, second % 60)


@lru_cache(maxsize=4096)
def _day(day: int) -> bytes:
    at = date(1970, 1, 1) + timedelta(days=day)
    return b"%2d-%s-%04d" % (at.day, MONTHS[at.month - 1].encode("ascii"), at.year)


_EARLIEST: Final = -62135596800  # year 1
_LATEST: Final = 253402300799  # year 9999
