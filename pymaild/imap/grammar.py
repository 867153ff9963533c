"""Reads the arguments of a command, one at a time, left to right. RFC 3501 §9.

Every method takes what it is named for or raises Bad with a text that says what was expected; what the client sent is
never repeated. Each octet is looked at a bounded number of times and nothing recurses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta, timezone
from typing import Final, TypeVar

from pymaild.imap import names, sequences
from pymaild.imap.errors import Bad, No
from pymaild.imap.input import Literal, Memory, Spool

T = TypeVar("T")

# atom-specials are ( ) { SP CTL list-wildcards quoted-specials resp-specials; astrings also take ]. §9
_ATOM: Final = re.compile(rb'[^\x00-\x20(){%*"\\\]\x7f-\xff]+')
_ASTRING: Final = re.compile(rb'[^\x00-\x20(){%*"\\\x7f-\xff]+')
_PATTERN: Final = re.compile(rb'[^\x00-\x20(){"\\\x7f-\xff]+')
_TAG: Final = re.compile(rb'[^\x00-\x20(){%*"\\+\x7f-\xff]+')
_ITEM: Final = re.compile(rb"[A-Za-z0-9.]+")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/=]+")
_SET: Final = re.compile(rb"[0-9:,*]+")
_QUOTED: Final = re.compile(rb'"((?:[^"\\\x00\r\n]|\\["\\])*)"')
_DIGITS: Final = re.compile(rb"[0-9]+")
_DATE: Final = re.compile(rb'("?)([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})\1')
_TIME: Final = re.compile(rb'"[ 0-9][0-9]-[A-Za-z]{3}-[0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}"')
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
EPOCH: Final = date(1970, 1, 1).toordinal()


class Parser:
    """One command: its lines, and between two lines a literal."""

    def __init__(self, texts: Sequence[bytes], literals: Sequence[Literal], utf8: bool = False) -> None:
        self.utf8 = utf8  # mailbox names and quoted strings come in UTF-8
        self.typed = ""  # the mailbox name that was read last, as the client wrote it
        self._texts = texts
        self._literals = literals
        self._line = 0
        self._text = texts[0]
        self._at = 0

    # ---- where we are

    def peek(self) -> bytes:
        """The next octet; empty at the end of a line, also where a literal stands."""
        return self._text[self._at : self._at + 1]

    @property
    def at_literal(self) -> bool:
        """Whether a literal comes next."""
        return self._at >= len(self._text) and self._line < len(self._literals)

    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self._at >= len(self._text) and self._line >= len(self._literals)

    def is_done(self) -> bool:
        """Whether nothing is left but blanks, and nothing is still to come."""
        return not self._text[self._at :].strip(b" ") and self._line == len(self._texts) - 1

    def accept(self, token: bytes) -> bool:
        """Take these octets (letters in any case) if they come next."""
        end = self._at + len(token)
        if self._text[self._at : end].upper() != token:
            return False
        self._at = end
        return True

    def follows(self, token: bytes) -> bool:
        """Whether these octets come next."""
        return self._text.startswith(token, self._at)

    def expect(self, token: bytes, what: str) -> None:
        """Take these octets, or say what was expected."""
        if not self.accept(token):
            raise Bad(f"Expected {what}")

    def space(self, what: str = "an argument") -> None:
        """The one space between arguments."""
        if not self.accept(b" "):
            raise Bad(f"Expected a space and then {what}")

    def end(self) -> None:
        """Nothing more; blanks that some clients leave at the end do no harm."""
        if not self.is_done():
            raise Bad("Expected the end of the command, but there are more arguments")

    def _take(self, pattern: re.Pattern[bytes], what: str) -> bytes:
        found = pattern.match(self._text, self._at)
        if not found:
            raise Bad(f"Expected {what}")
        self._at = found.end()
        return found[0]

    # ---- words and strings

    def tag(self) -> bytes:
        """The client's name for the command. §2.2.1."""
        return self._take(_TAG, "a tag")

    def atom(self, what: str) -> str:
        """A bare word."""
        return self._take(_ATOM, what).decode("ascii")

    def word(self, what: str) -> str:
        """A bare word whose case means nothing, in upper case."""
        return self.atom(what).upper()

    def item_name(self) -> str:
        """A fetch item: FLAGS, RFC822.SIZE; of BODY and BINARY with .PEEK or .SIZE only the first word."""
        name = self._take(_ITEM, "a fetch item").upper()
        for stem in (b"BODY", b"BINARY"):
            if name.startswith(stem + b"."):
                self._at -= len(name) - len(stem)
                name = stem
        return name.decode("ascii")

    def section_word(self) -> str:
        """HEADER.FIELDS and its like, in upper case."""
        return self._take(_ITEM, "the name of a section").upper().decode("ascii")

    def rest(self, what: str) -> bytes:
        """Base64, to the end of the line."""
        return self._take(_BASE64, what)

    def astring(self, what: str) -> bytes:
        """A bare word, a quoted string or a literal."""
        if self.at_literal or self.peek() == b'"':
            return self.string(what)
        return self._take(_ASTRING, what)

    def string(self, what: str) -> bytes:
        """A quoted string or a literal. UTF-8 between quotes is tolerated: who needs ASCII checks it. §4.3.

        From a client that has said it speaks UTF-8, nothing else is taken: RFC 9755 §3.
        """
        if self.at_literal:
            return self._literal(what)
        quoted = self._take(_QUOTED, what)[1:-1]
        if self.utf8 and not quoted.isascii() and not _is_utf8(quoted):
            raise Bad(f"Expected {what} in UTF-8")
        return re.sub(rb"\\(.)", rb"\1", quoted) if b"\\" in quoted else quoted

    def nstring(self, what: str) -> bytes | None:
        """A string or NIL."""
        return None if self.accept(b"NIL") else self.string(what)

    def _literal(self, what: str) -> bytes:
        literal = self._next_literal()
        if not isinstance(literal, Memory):
            raise Bad(f"Expected {what}")
        return literal.value

    def _next_literal(self) -> Literal:
        literal = self._literals[self._line]
        self._line += 1
        self._text, self._at = self._texts[self._line], 0
        return literal

    def message(self) -> Spool:
        """A message: the literal that APPEND spooled."""
        if self.at_literal:
            literal = self._next_literal()
            if isinstance(literal, Spool):
                return literal
        raise Bad("Expected a literal with the message")

    # ---- numbers

    def number(self, what: str, largest: int = sequences.MAX_NUMBER) -> int:
        """0 to 4294967295; more digits are refused before they are converted. §9 (number)."""
        digits = self._take(_DIGITS, what)
        if len(digits) > 20 or int(digits) > largest:
            raise Bad(f"Expected {what}, at most {largest}")
        return int(digits)

    def sequence_set(self) -> sequences.Ranges:
        """1:4,7,9:* as written; or $, the saved result. RFC 5182 §3."""
        if self.accept(b"$"):
            return sequences.SAVED
        return sequences.parse(self._take(_SET, "a message set such as 1:5,8,10:*"))

    # ---- what only mail has

    def mailbox(self) -> str:
        """A mailbox name. §5.1.3."""
        self.typed = names.typed(self.astring("a mailbox name"), self.utf8)
        return names.canonical(self.typed)

    def list_mailbox(self) -> bytes:
        """A mailbox pattern: wildcards may stand unquoted. §9 (list-mailbox)."""
        if self.at_literal or self.peek() == b'"':
            return self.string("a mailbox pattern")
        return self._take(_PATTERN, "a mailbox pattern")

    def flag(self) -> str:
        r"""\Name or a keyword. §9 (flag)."""
        backslash = "\\" if self.accept(b"\\") else ""
        return backslash + self.atom("a flag")

    def date(self) -> int:
        """1-Feb-1994 with or without quotes, as days since 1970-01-01. §9 (date)."""
        text = self._take(_DATE, "a date such as 1-Feb-1994")
        day, month, year = text.strip(b'"').decode("ascii").split("-")
        return _valid(lambda: date(int(year), _month(month), int(day)).toordinal() - EPOCH)

    def date_time(self) -> int:
        """A quoted date, time and zone, as seconds since 1970 UTC. §9 (date-time)."""
        what = 'a date and time such as " 1-Feb-1994 12:30:00 +0100"'
        text = self._take(_TIME, what)[1:-1].strip().decode("ascii")
        day, month, year, hour, minute, second, zone = re.split("[-: ]", text, maxsplit=6)

        def seconds() -> int:
            offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:])) * (-1 if zone[0] == "-" else 1)
            leap = 59 if second == "60" else int(second)  # RFC 5322 §3.3
            at = datetime(int(year), _month(month), int(day), int(hour), int(minute), leap, tzinfo=timezone(offset))
            return int(at.timestamp())

        return _valid(seconds)

    # ---- lists

    def items(self, what: str, item: Callable[[], T], limit: int = 1000) -> list[T]:
        """A parenthesised list: ( item SP item ... ), perhaps empty."""
        self.expect(b"(", f"( and then {what}")
        found: list[T] = []
        while not self.accept(b")"):
            if found:
                self.space(what)
            if len(found) >= limit:
                raise No(f"There are too many entries in a list: at most {limit}", "LIMIT")
            found.append(item())
        return found


def _is_utf8(octets: bytes) -> bool:
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _month(name: str) -> int:
    return MONTHS.index(name.capitalize()) + 1


def _valid(value: Callable[[], int]) -> int:
    try:
        return value()
    except (ValueError, OverflowError):
        raise Bad("Expected a date that exists, such as 1-Feb-1994") from None
