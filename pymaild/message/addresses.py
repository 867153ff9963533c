"""Address lists as they stand in From, To and Cc, well-formed or not. RFC 5322 §3.4 and §4.4, RFC 6532 §3.2.

The parser works on bytes, because ENVELOPE wants the header's own text, and reads malformed lists the way Dovecot does,
so that both servers show a client the same people. It never looks back further than the start of the current address:
time is linear. What it had to guess is marked `malformed`; whoever must be sure who the author is asks `is_clean`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache

from pymaild.envelope import Address

MAX_BODY = 1 << 19  # octets of a list that are read; real ones of ten thousand people have less
_MISSING = ("MISSING_MAILBOX", "MISSING_DOMAIN", "SYNTAX_ERROR")  # what stands for what is not there
MAX_ADDRESSES = 10_000  # of one list; what follows is not shown. Nobody reads it, and parsing it costs memory
_ATOM = re.compile(rb"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\x80-\xff]+")
_DOTS = re.compile(rb"\.+")
_BLANKS = re.compile(rb"[ \t\r\n]*")
_COMMENT_MARK = re.compile(rb"[()]|\\.?", re.DOTALL)
_QUOTED = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
_LITERAL = re.compile(rb"\[[^\[\]\\]*(?:\\.[^\[\]\\]*)*\]", re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)|\r?\n", re.DOTALL)
_WORD = re.compile(rb"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\x80-\xff.]*")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One entry of an address list, in the header's own bytes with comments and quotes removed.

    A group is a run of entries: one with `local_part` (the group's name) and no domain, its members, and one in which
    everything is None. RFC 9051 §7.5.2 (ENVELOPE) says it in the same way.
    """

    name: bytes | None = None  # the display name, encoded words and all; or the comment behind the address
    route: bytes | None = None  # "@a,@b" of an obsolete source route
    local_part: bytes | None = None
    domain: bytes | None = None
    malformed: bool = False

    @property
    def is_group_mark(self) -> bool:
        """Whether it opens or closes a group instead of naming a mailbox."""
        return self.domain is None


class _Broken(Exception):
    """The text at this place is not what the grammar wants."""


class _Scanner:
    """A cursor over one field body. Methods append what they read to `out` and stand behind it."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.at = 0
        self.comment = b""  # the last one that was skipped

    @property
    def next(self) -> bytes:
        """The character at the cursor; empty at the end."""
        return self.body[self.at : self.at + 1]

    def skip_blanks(self) -> None:
        """White space and comments. RFC 5322 §3.2.2."""
        self.at = _BLANKS.match(self.body, self.at).end()  # type: ignore[union-attr]  # it matches the empty text
        while self.next == b"(":
            self._skip_comment()
            self.at = _BLANKS.match(self.body, self.at).end()  # type: ignore[union-attr]

    def _skip_comment(self) -> None:
        """Counts brackets instead of recursing: five thousand of them are no problem."""
        self.comment = b""
        start, depth, position = self.at + 1, 1, self.at + 1
        while depth:
            found = _COMMENT_MARK.search(self.body, position)
            if found is None:
                self.comment = self._unclosed(start)
                raise _Broken
            position = found.end()
            depth += {b"(": 1, b")": -1}.get(found.group(), 0)
        self.at = position
        self.comment = _ESCAPED.sub(_unescaped, self.body[start : position - 1])

    def _unclosed(self, start: int) -> bytes:
        """What Dovecot keeps of text whose end never comes: all before the last backslash."""
        self.at = len(self.body)
        return _ESCAPED.sub(_unescaped, self.body[start : max(self.body.rfind(b"\\"), start)])

    def quoted_string(self, out: list[bytes]) -> None:
        """Its content, backslashes and line ends removed. RFC 5322 §3.2.4."""
        found = _QUOTED.match(self.body, self.at)
        if found is None:
            out.append(self._unclosed(self.at + 1))
            raise _Broken
        self.at = found.end()
        out.append(_ESCAPED.sub(_unescaped, found.group(1)))
        self.skip_blanks()

    def atom(self, out: list[bytes]) -> None:
        """A run of atext, then blanks. RFC 5322 §3.2.3."""
        found = _ATOM.match(self.body, self.at)
        if found is None:
            raise _Broken
        out.append(found.group())
        self.at = found.end()
        self.skip_blanks()

    def dot_atom(self, out: list[bytes]) -> None:
        """Atoms joined by dots, blanks allowed around the dots as in RFC 822. RFC 5322 §4.4."""
        while True:
            self.atom(out)
            if self.next != b".":
                return
            out.append(b".")
            self.at += 1
            self.skip_blanks()
            if not self.next:
                raise _Broken

    def phrase(self, out: list[bytes]) -> None:
        """Words and dots, with one space where blanks or comments stood. RFC 5322 §3.2.5, §4.1."""
        if self.next in (b"", b"."):
            raise _Broken
        while True:
            if self.next == b'"':
                self.quoted_string(out)
            else:
                found = _WORD.match(self.body, self.at)
                out.append(found.group() if found else b"")
                self.at += len(out[-1])
                self.skip_blanks()
            if self.next != b'"' and not _WORD.match(self.body, self.at).group():  # type: ignore[union-attr]
                return
            out.append(b" ")

    def local_part(self, out: list[bytes]) -> None:
        """A quoted string or a dot-atom, also one with dots where they may not be: such addresses exist. §3.4.1."""
        if self.next == b'"':
            self.quoted_string(out)
            return
        start = self.at
        while True:
            found = _DOTS.match(self.body, self.at)
            if found is not None:
                out.append(found.group())
                self.at = found.end()
                if not self.next:
                    return
            if self.next == b"@" and self.at > start:
                return
            self.atom(out)
            if self.next != b".":
                return

    def domain(self, out: list[bytes]) -> None:
        """A dot-atom or an address literal, with the @ before it. RFC 5322 §3.4.1."""
        self.at += 1
        self.skip_blanks()
        if self.next != b"[":
            self.dot_atom(out)
            return
        found = _LITERAL.match(self.body, self.at)
        if found is None:
            self.at = len(self.body)
            raise _Broken
        self.at = found.end()
        out.append(found.group())
        self.skip_blanks()

    def route(self, out: list[bytes]) -> None:
        """The domains of a source route, up to the colon. RFC 5322 §4.4 (obs-route)."""
        while self.next == b"@":
            out.append(b",@" if out else b"@")
            self.domain(out)
            while self.next == b",":
                self.at += 1
                self.skip_blanks()
        if self.next != b":":
            raise _Broken
        self.at += 1


def _unescaped(found: re.Match[bytes]) -> bytes:
    return found.group(1) or b""


@dataclass(slots=True)
class _Draft:
    """An entry while it is being read."""

    name: bytes | None = None
    route: bytes | None = None
    local_part: bytes | None = None
    domain: bytes | None = None
    malformed: bool = False

    def finished(self) -> Mailbox:
        """With Dovecot's words for what is missing: NIL in these places would mean a group. RFC 9051 §7.5.2."""
        malformed = self.malformed or not self.local_part or not self.domain
        local_part = b"MISSING_MAILBOX" if self.local_part is None else self.local_part
        return Mailbox(self.name, self.route, local_part, self.domain or b"MISSING_DOMAIN", malformed)


def parse(body: bytes) -> list[Mailbox]:
    """The entries of an address list; after something that is no address at all the rest is left out. RFC 5322 §3.4."""
    return list(_remembered(body)) if len(body) <= _SMALL else _parse(body)


_SMALL = 1000


@lru_cache(maxsize=2000)
def _remembered(body: bytes) -> tuple[Mailbox, ...]:
    """A field is read several times when its message is taken in, and the same people write again."""
    return tuple(_parse(body))


def _parse(body: bytes) -> list[Mailbox]:
    scanner, entries = _Scanner(body[:MAX_BODY]), list[Mailbox]()
    try:
        scanner.skip_blanks()
    except _Broken:
        return entries
    while scanner.next and len(entries) < MAX_ADDRESSES:
        if not _group(scanner, entries):
            entries.append(_mailbox(scanner))
        if scanner.next != b",":
            break
        scanner.at += 1
        try:
            scanner.skip_blanks()
        except _Broken:
            entries.append(_Draft().finished())
    if entries and (scanner.next or len(body) > MAX_BODY):  # text that nobody sees; is_clean has to know
        entries[-1] = replace(entries[-1], malformed=True)
    return entries


def _group(scanner: _Scanner, entries: list[Mailbox]) -> bool:
    """A display name, a colon, mailboxes, a semicolon; False and nothing consumed if this is none. RFC 5322 §3.4."""
    start, name = scanner.at, list[bytes]()
    try:
        scanner.phrase(name)
    except _Broken:
        name.clear()
    if scanner.next != b":" or not name:
        scanner.at = start
        return False
    scanner.at += 1
    entries.append(Mailbox(local_part=b"".join(name)))
    try:
        scanner.skip_blanks()
        _members(scanner, entries)
        closed = scanner.next == b";"
        scanner.at += closed
        scanner.skip_blanks()
    except _Broken:
        closed = False
    entries.append(Mailbox(malformed=not closed))
    return True


def _members(scanner: _Scanner, entries: list[Mailbox]) -> None:
    """The mailboxes of a group, perhaps none."""
    more = scanner.next not in (b"", b";")
    while more and len(entries) < MAX_ADDRESSES:
        entries.append(_mailbox(scanner))
        if scanner.next != b",":
            return
        scanner.at += 1
        scanner.skip_blanks()
        more = scanner.next != b""


def _mailbox(scanner: _Scanner) -> Mailbox:
    """One mailbox, with a display name and angle brackets or without. RFC 5322 §3.4."""
    start, name, draft = scanner.at, list[bytes](), _Draft()
    try:
        scanner.phrase(name)
    except _Broken:
        name.clear()
    if scanner.next == b"<" and name:
        draft.name = b"".join(name) or None
        try:
            _angle_addr(scanner, draft)
        except _Broken:
            draft.domain, draft.malformed = b"SYNTAX_ERROR", True
    else:
        scanner.at = start
        _addr_spec(scanner, draft)
    return draft.finished()


def _angle_addr(scanner: _Scanner, draft: _Draft) -> None:
    """What stands in angle brackets. RFC 5322 §3.4, §4.4 (obs-angle-addr)."""
    scanner.at += 1
    scanner.skip_blanks()
    if scanner.next == b"@":
        _route(scanner, draft)
    if scanner.next != b">":
        draft.local_part = _read(scanner.local_part)
        if scanner.next == b"@":
            draft.domain = _read(scanner.domain)
    if scanner.next != b">":
        raise _Broken
    scanner.at += 1
    scanner.skip_blanks()


def _route(scanner: _Scanner, draft: _Draft) -> None:
    """A source route; one that cannot be read is passed over. RFC 5321 §4.1.1.3 forbids to use it anyway."""
    try:
        draft.route = _read(scanner.route)
    except _Broken:
        draft.route, draft.malformed = b"INVALID_ROUTE", True
        if not scanner.next:
            raise
    scanner.skip_blanks()


def _addr_spec(scanner: _Scanner, draft: _Draft) -> None:
    """An address without brackets; the comment behind it, if any, is its name. RFC 5322 §3.4.1."""
    scanner.comment, quoted, text = b"", scanner.next == b'"', list[bytes]()
    try:
        scanner.local_part(text)
        draft.local_part = b"".join(text)
    except _Broken:
        draft.malformed = True
    has_domain = scanner.next == b"@"
    if has_domain:
        try:
            draft.domain = _read(scanner.domain)
        except _Broken:
            draft.malformed = True
    if scanner.comment:
        draft.name = scanner.comment
    elif not has_domain:
        _name_alone(scanner, draft, text, quoted)


def _name_alone(scanner: _Scanner, draft: _Draft, text: list[bytes], quoted: bool) -> None:
    """No @ came: one word is taken for a local part, several or a quoted string for a display name."""
    draft.malformed = True
    more: list[bytes] = []
    with suppress(_Broken):
        scanner.phrase(more)
    if any(more):
        draft.local_part, draft.name = None, b"".join(text) + b" " + b"".join(more)
    elif quoted and draft.local_part is not None:
        draft.local_part, draft.name = None, draft.local_part


def _read(method: Callable[[list[bytes]], None]) -> bytes:
    out: list[bytes] = []
    method(out)
    return b"".join(out)


def is_clean(entries: Iterable[Mailbox]) -> bool:
    """Whether every entry is exactly what the grammar allows, so that all readers see the same people."""
    return not any(entry.malformed for entry in entries)


def mailbox_address(entry: Mailbox) -> Address:
    """The entry as the envelope would name it: the domain as A-label in lower case. RFC 5890 §2.3.2.1."""
    domain = (entry.domain or b"").decode("utf-8", "replace")
    return Address((entry.local_part or b"").decode("utf-8", "replace"), _a_label(domain))


def _a_label(domain: str) -> str:
    if domain.isascii():
        return domain.lower()
    import idna  # noqa: PLC0415  # its tables are large and few messages need them

    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return domain.lower()


def shown(entry: Mailbox) -> str:
    """The address as a person reads it; only the half that is there where one is missing."""
    local_part = (entry.local_part or b"").decode("utf-8", "replace")
    domain = (entry.domain or b"").decode("utf-8", "replace")
    if domain in _MISSING or not domain:
        return "" if local_part in _MISSING else local_part
    return f"{local_part}@{domain}"
