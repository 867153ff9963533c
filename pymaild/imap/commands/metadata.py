"""What is noted of mailboxes and of the server: GETMETADATA, SETMETADATA. RFC 5464 §4.

    a1 SETMETADATA INBOX (/private/comment "From the family")
    a2 GETMETADATA (DEPTH infinity) INBOX /private        ->  * METADATA "INBOX" (/private/comment "From the family")

Entries below /shared are everybody's who may use the mailbox, those below /private each account's own. The mailbox name ""
is the server.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pymaild.imap.answers import Answer
from pymaild.imap.errors import Bad, No
from pymaild.imap.grammar import Parser
from pymaild.imap.input import Announced, Memory
from pymaild.imap.table import LOGGED_IN, Command, Commands, Request
from pymaild.imap.values import string
from pymaild.mailstore import SpecialUse

if TYPE_CHECKING:
    from pymaild.imap.session import Session

MAX_VALUE: Final = 32 * 1024
MAX_ENTRIES: Final = 100  # in one command
SPECIAL_USE: Final = "/private/specialuse"  # RFC 6154 §5.4
USES: Final = {b"", *(b"\\" + use.value.upper().encode("ascii") for use in SpecialUse)}
INFINITY: Final = 1 << 20
# A name begins with /private or /shared; it has no *, %, control or 8-bit characters, no // and no / at its end. §3.2
_NAME: Final = re.compile(rb"/(?:private|shared)(?:/[\x20-\x24\x26-\x29\x2b-\x2e\x30-\x7e]+)*\Z", re.IGNORECASE)
_PLAIN: Final = re.compile(rb"[a-z0-9/.$_+-]+\Z")


@dataclass(slots=True)
class Asked:
    """Which entries, how deep, how large."""

    entries: list[str]
    depth: int = 0
    max_size: int | None = None
    longest: int = 0  # of the values that were left out

    def of(self, there: dict[str, bytes]) -> Iterator[tuple[str, bytes | None]]:
        """Names and values; one that was asked for by name and is not there is None. §4.2.2."""
        found: dict[str, bytes | None] = {}
        for entry in self.entries:
            if not self.depth:
                found[entry] = there.get(entry)
            below = entry + "/"
            for name, value in sorted(there.items()):
                deep = name.count("/") - entry.count("/")
                if self.depth and (name == entry or (name.startswith(below) and deep <= self.depth)):
                    found[name] = value
        for name, known in found.items():
            if known is not None and self.max_size is not None and len(known) > self.max_size:
                self.longest = max(self.longest, len(known))
            else:
                yield name, known

    @property
    def code(self) -> str:
        """Says that values were left out, and how long the longest of them is. §4.2.1."""
        return f"METADATA LONGENTRIES {self.longest}" if self.longest else ""


# ---- reading


def _entry(args: Parser) -> str:
    """The name of an entry; case does not matter. §3.2."""
    name = args.astring("the name of an entry")
    if not _NAME.match(name) or len(name) > 1000:
        raise Bad("Expected the name of an entry, such as /private/comment or /shared/comment")
    return name.decode("ascii").lower()


def entries(args: Parser) -> list[str]:
    """One entry, or a list of them. §5 (entries)."""
    if args.peek() != b"(":
        return [_entry(args)]
    found = args.items("the name of an entry", lambda: _entry(args), limit=MAX_ENTRIES)
    if not found:
        raise Bad("Expected the name of an entry")
    return list(dict.fromkeys(found))


def _depth(args: Parser, asked: Asked) -> None:
    for word, depth in ((b"0", 0), (b"1", 1), (b"INFINITY", INFINITY)):
        if args.accept(word):
            asked.depth = depth
            return
    raise Bad("Expected DEPTH 0, 1 or infinity")


def _max_size(args: Parser, asked: Asked) -> None:
    asked.max_size = args.number("a number of octets")


OPTIONS: Final[dict[str, Callable[[Parser, Asked], None]]] = {"DEPTH": _depth, "MAXSIZE": _max_size}


def has_options(args: Parser) -> bool:
    """Whether options come next, and not the names of entries."""
    return any(args.follows(b"(" + letter) for letter in (b"M", b"m", b"D", b"d"))


def options(args: Parser, asked: Asked) -> None:
    """(MAXSIZE 1024 DEPTH infinity) SP. §4.2.1, §4.2.2."""
    args.expect(b"(", "( and options")
    while True:
        read = OPTIONS.get(args.word("an option"))
        if read is None:
            raise Bad("Expected the option MAXSIZE or DEPTH")
        args.space("its value")
        read(args, asked)
        if args.accept(b") "):
            return
        args.space("an option")


def _values(args: Parser) -> dict[str, bytes | None]:
    """(entry value entry value ...). §5 (entry-values)."""
    found: dict[str, bytes | None] = {}
    args.expect(b"(", "( and the name of an entry")
    while True:
        entry = _entry(args)
        if entry.count("/") < 2:
            raise Bad("Expected the name of an entry, such as /private/comment or /shared/comment")
        args.space("a value")
        found[entry] = args.nstring("a value")
        if args.accept(b")"):
            return found
        if len(found) >= MAX_ENTRIES:
            raise No(f"One command can set at most {MAX_ENTRIES} entries", "LIMIT")
        args.space("the name of an entry")


def announce_value(session: Session, args: Parser, literal: Announced) -> Memory | None:
    """A value may be a literal8; one that is too long is refused before it is sent. §4.3."""
    args.space("a mailbox name")
    if args.at_end():
        return None
    args.mailbox()
    args.space("a list of entries")
    if not literal.binary and literal.size <= MAX_VALUE:
        return None
    _check_size(literal.size)
    return Memory()


def _check_size(octets: int) -> None:
    if octets > MAX_VALUE:
        raise No(f"The value is too long: at most {MAX_VALUE} octets", f"METADATA MAXSIZE {MAX_VALUE}")


# ---- answering


def _written(entry: str, value: bytes | None) -> bytes:
    """An entry and its value: NIL, a string, or a literal8 where it has NULs. §5 (entry-value)."""
    name, shown = entry.encode("ascii"), b"NIL"
    if value is not None:
        shown = b"~{%d}\r\n%s" % (len(value), value) if b"\0" in value else string(value)
    return b"%s %s" % (name if _PLAIN.match(name) else string(name), shown)


def response(session: Session, name: str, found: Iterable[tuple[str, bytes | None]]) -> bytes:
    """* METADATA "INBOX" (/private/comment "From the family"); nothing, if there is none. §4.4.1."""
    pairs = b" ".join(_written(entry, value) for entry, value in found)
    return b"* METADATA %s (%s)\r\n" % (session.quoted(name), pairs) if pairs else b""


def get_metadata(session: Session, request: Request) -> Answer:
    """The values of some entries. Options may stand before the mailbox or after it. §4.2."""
    args, asked = request.args, Asked([])
    args.space("a mailbox name")
    if args.peek() == b"(":
        options(args, asked)
    name = args.mailbox()
    args.space("the name of an entry")
    if has_options(args):
        options(args, asked)
    asked.entries = entries(args)
    args.end()
    found = response(session, name, asked.of(session.store.metadata(name)))
    return Answer("Done", asked.code, (found,) if found else ())


def set_metadata(session: Session, request: Request) -> Answer:
    """Set values, or remove entries (NIL): all of them or none. §4.3."""
    args = request.args
    args.space("a mailbox name")
    name = args.mailbox()
    args.space("a list of entries")
    changes = _values(args)
    args.end()
    for entry, value in changes.items():
        _check_size(len(value or b""))
        if entry == SPECIAL_USE and (value or b"").upper() not in USES:
            raise No("A mailbox can have one of the special uses Archive, Drafts, Junk, Sent and Trash", "USEATTR")
    session.store.set_metadata(name, changes)
    session.did(name)
    if session.noted.knows(name):
        session.noted.learn(name)
    return Answer("Done")


COMMANDS: Final[Commands] = {
    "GETMETADATA": Command(get_metadata, LOGGED_IN, "RFC 5464 §4.2"),
    "SETMETADATA": Command(set_metadata, LOGGED_IN, "RFC 5464 §4.3", literal=announce_value),
}
