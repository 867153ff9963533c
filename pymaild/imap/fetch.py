"""FETCH: the table of items, and how a message becomes one response. RFC 3501 §6.4.5, §7.4.2; BINARY: RFC 3516.

An item knows what it needs: nothing but the Row, a Column of the index, or the message itself. Rows and columns are
asked for in batches, messages one at a time, and every response is sent before the next is made: memory holds one
message, however many are fetched.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Final

from pymaild.imap.answers import flags_list, internal_date
from pymaild.imap.errors import Bad
from pymaild.imap.esearch import Page, page
from pymaild.imap.grammar import Parser
from pymaild.imap.resync import modseq
from pymaild.imap.section import Section, binary_section, section
from pymaild.imap.values import string
from pymaild.imap.view import View
from pymaild.mailstore import Column, Flag, FlagChange, Mailbox, MessageGone, Row

BATCH: Final = 200
NO_NUL: Final = b"\x80"  # stands for a NUL, which a literal cannot have: RFC 3501 §9 (CHAR8); Dovecot sends the same
Pieces = list[bytes]
Responses = Generator[bytes, None, bool]


@dataclass(slots=True)
class Fetched:
    """One message while its response is made."""

    row: Row
    recent: bool
    condstore: bool
    columns: dict[Column, bytes]
    mailbox: Mailbox
    digest: bytes = b""
    _message: bytes | None = None

    @property
    def message(self) -> bytes:
        """The whole message, read once."""
        if self._message is None:
            self._message = self.mailbox.read(self.row.uid)
        return self._message

    @property
    def header(self) -> bytes:
        """The header block, from the index if it is there."""
        return self.columns.get(Column.HEADER) or self.message


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to fetch."""

    pieces: Callable[[Fetched], Pieces]
    column: Column | None = None
    sees: bool = False  # fetching it sets \\Seen
    digest: bool = False  # it is made of the message's SHA-256


def _flags(fetched: Fetched) -> Pieces:
    return [b"FLAGS " + flags_list(fetched.row.flags, fetched.row.keywords, fetched.recent)]


def _modseq(fetched: Fetched) -> Pieces:
    return [b"MODSEQ (%d)" % fetched.row.modseq]


def _save_date(fetched: Fetched) -> Pieces:
    saved = fetched.row.save_date
    return [b"SAVEDATE " + (internal_date(saved) if saved else b"NIL")]


def _email_id(fetched: Fetched) -> Pieces:
    return [b"EMAILID (%s)" % email_id(fetched.digest).encode("ascii") if fetched.digest else b"EMAILID NIL"]


def email_id(digest: bytes) -> str:
    """The same for every copy of a message: it is made of its SHA-256. RFC 8474 §5.1."""
    return "M" + digest[:20].hex()


def _preview(args: Parser) -> Item:
    """PREVIEW, or PREVIEW (LAZY): it is in the index, so the lazy one is no different. RFC 8970 §3."""
    args.accept(b" (LAZY)")
    return Item(lambda fetched: [b"PREVIEW " + _preview_text(fetched.columns[Column.SUMMARY])], Column.SUMMARY)


def _preview_text(summary: bytes) -> bytes:
    text: str = json.loads(summary)["preview"] if summary else ""
    return string(text.encode("utf-8", "replace"))


def _column(name: bytes, column: Column) -> Item:
    return Item(lambda fetched: [name + b" " + fetched.columns[column]], column)


def _literal(label: bytes, octets: bytes | None, binary: bool = False) -> Pieces:
    """An nstring that is never quoted: header fields and bodies hold anything. §4.3, RFC 3516 §4.2 (literal8)."""
    if octets is None:
        return [label + b" NIL"]
    if not binary:
        octets = octets.replace(b"\0", NO_NUL)
    return [b"%s %s{%d}\r\n" % (label, b"~" if b"\0" in octets else b"", len(octets)), octets]


def _section_item(label: bytes, wanted: Section, sees: bool, start: int | None = None, count: int = 0) -> Item:
    """BODY[...]<start>: the octets, or a slice of them. §6.4.5."""

    def pieces(fetched: Fetched) -> Pieces:
        octets = wanted.octets(fetched.header if wanted.header_only else fetched.message)
        if start is not None and octets is not None:
            octets = octets[start : start + count]
        return _literal(label, octets, wanted.decoded)

    return Item(pieces, Column.HEADER if wanted.header_only else None, sees)


# ---- reading the items


def _body(args: Parser) -> Item:
    """BODY, BODY[section]<partial>, BODY.PEEK[section]<partial>. §6.4.5."""
    peek = args.accept(b".PEEK")
    if args.peek() != b"[":
        if peek:
            raise Bad("Expected a section in brackets after BODY.PEEK")
        return _column(b"BODY", Column.BODY)
    wanted, label = section(args)
    start, count = _partial(args)
    suffix = b"" if start is None else b"<%d>" % start
    return _section_item(b"BODY[%s]%s" % (label, suffix), wanted, not peek, start, count)


def _binary(args: Parser) -> Item:
    """BINARY[1.2]<partial>, BINARY.PEEK[...], BINARY.SIZE[1.2]. RFC 3516 §4.2."""
    if args.accept(b".SIZE"):
        wanted, label = binary_section(args)
        return Item(lambda fetched: [b"BINARY.SIZE[%s] %d" % (label, len(wanted.octets(fetched.message) or b""))])
    peek = args.accept(b".PEEK")
    wanted, label = binary_section(args)
    start, count = _partial(args)
    suffix = b"" if start is None else b"<%d>" % start
    return _section_item(b"BINARY[%s]%s" % (label, suffix), wanted, not peek, start, count)


def _partial(args: Parser) -> tuple[int | None, int]:
    """<start.count>; nothing: all of it. §6.4.5."""
    if not args.accept(b"<"):
        return None, 0
    start = args.number("the first octet")
    args.expect(b".", "a dot and the number of octets")
    count = args.number("the number of octets")
    if not count:
        raise Bad("Expected at least one octet in the partial")
    args.expect(b">", ">")
    return start, count


def _fixed(item: Item) -> Callable[[Parser], Item]:
    return lambda args: item


def _whole(name: bytes, wanted: Section, sees: bool) -> Callable[[Parser], Item]:
    return _fixed(_section_item(name, wanted, sees))


ITEMS: Final[dict[str, Callable[[Parser], Item]]] = {
    "FLAGS": _fixed(Item(_flags)),
    "UID": _fixed(Item(lambda fetched: [b"UID %d" % fetched.row.uid])),
    "INTERNALDATE": _fixed(Item(lambda fetched: [b"INTERNALDATE " + internal_date(fetched.row.internal_date)])),
    "RFC822.SIZE": _fixed(Item(lambda fetched: [b"RFC822.SIZE %d" % fetched.row.size])),
    "MODSEQ": _fixed(Item(_modseq)),
    "SAVEDATE": _fixed(Item(_save_date)),  # RFC 8514 §4.3
    "EMAILID": _fixed(Item(_email_id, digest=True)),  # RFC 8474 §5.1
    "THREADID": _fixed(Item(lambda fetched: [b"THREADID NIL"])),  # RFC 8474 §5.2
    "PREVIEW": _preview,
    "ENVELOPE": _fixed(_column(b"ENVELOPE", Column.ENVELOPE)),
    "BODYSTRUCTURE": _fixed(_column(b"BODYSTRUCTURE", Column.BODYSTRUCTURE)),
    "BODY": _body,
    "BINARY": _binary,
    "RFC822": _whole(b"RFC822", Section(), sees=True),
    "RFC822.HEADER": _whole(b"RFC822.HEADER", Section(what="HEADER"), sees=False),
    "RFC822.TEXT": _whole(b"RFC822.TEXT", Section(what="TEXT"), sees=True),
}
MACROS: Final = {
    "ALL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"),
    "FAST": ("FLAGS", "INTERNALDATE", "RFC822.SIZE"),
    "FULL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"),
}


@dataclass(slots=True)
class Items:
    """What one FETCH asks for of each message."""

    items: list[Item] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    @property
    def columns(self) -> list[Column]:
        """What the index is asked for."""
        return list({item.column: None for item in self.items if item.column is not None})

    @property
    def digest(self) -> bool:
        """Whether the messages' checksums are needed."""
        return any(item.digest for item in self.items)

    @property
    def sees(self) -> bool:
        """Whether the messages count as read after this."""
        return any(item.sees for item in self.items)


def fetch_items(args: Parser, by_uid: bool, limit: int) -> Items:
    """A macro, an item or a list of items; UID FETCH always tells the uid. §6.4.5, §6.4.8."""
    found = Items()
    if args.peek() == b"(":
        args.items("a fetch item", lambda: _take(args, found), limit)
        if not found.items:
            raise Bad("Expected at least one fetch item")
    else:
        _take(args, found, macros=True)
    if by_uid and "UID" not in found.names:
        found.items.insert(0, ITEMS["UID"](args))
    return found


@dataclass(slots=True)
class Modifiers:
    """What stands behind the items. RFC 4466 §2.5."""

    changed_since: int | None = None
    vanished: bool = False
    page: Page | None = None


def _changed_since(args: Parser, modifiers: Modifiers) -> None:
    args.space("a mod-sequence")
    modifiers.changed_since = modseq(args)


def _vanished(args: Parser, modifiers: Modifiers) -> None:
    modifiers.vanished = True


def _page(args: Parser, modifiers: Modifiers) -> None:
    args.space("a range such as 1:100")
    modifiers.page = page(args)


MODIFIERS: Final[dict[str, Callable[[Parser, Modifiers], None]]] = {
    "CHANGEDSINCE": _changed_since,  # RFC 7162 §3.1.4.1
    "PARTIAL": _page,  # RFC 9394 §3.4
    "VANISHED": _vanished,  # RFC 7162 §3.2.6
}


def fetch_modifiers(args: Parser, items: Items) -> Modifiers:
    """[SP (CHANGEDSINCE 12345 VANISHED)]; with CHANGEDSINCE the answers have MODSEQ. RFC 7162 §3.1.4.1."""
    found = Modifiers()
    if args.accept(b" "):
        args.items("a fetch modifier", lambda: _take_modifier(args, found), limit=10)
    if found.changed_since is not None and "MODSEQ" not in items.names:
        items.items.append(ITEMS["MODSEQ"](args))
        items.names.add("MODSEQ")
    return found


def _take_modifier(args: Parser, found: Modifiers) -> None:
    read = MODIFIERS.get(args.word("a fetch modifier"))
    if read is None:
        raise Bad(f"Expected a fetch modifier: {' '.join(MODIFIERS)}")
    read(args, found)


def _take(args: Parser, found: Items, macros: bool = False) -> None:
    name = args.item_name()
    for each in MACROS.get(name, (name,)) if macros else (name,):
        read = ITEMS.get(each)
        if read is None:
            raise Bad("This server knows no such fetch item")
        if each not in found.names or each in ("BODY", "BINARY"):
            found.items.append(read(args))
        found.names.add(each)


# ---- answering


def responses(view: View, uids: Sequence[int], items: Items) -> Responses:
    """A FETCH response for each message, as pieces to send; returns whether one of the messages is gone."""
    gone = False
    for start in range(0, len(uids), BATCH):
        batch = uids[start : start + BATCH]
        rows = {row.uid: row for row in view.mailbox.rows(batch)}
        seen = _see(view, rows, items)
        wanted = items.columns
        digests = view.mailbox.digests(batch) if items.digest else {}
        columns = dict(view.mailbox.columns(batch, wanted)) if wanted else {}
        for uid in batch:
            row = rows.get(uid)
            if row is None or (wanted and uid not in columns):
                gone = True
                continue
            values = dict(zip(wanted, columns.get(uid, ()), strict=True))
            try:
                fetched = Fetched(row, view.is_recent(uid), view.condstore, values, view.mailbox, digests.get(uid, b""))
                line = _response(fetched, items, uid in seen)
            except MessageGone:
                gone = True
                continue
            yield b"* %d FETCH (" % view.number(uid)
            yield from line
            yield b")\r\n"
    return gone


def _response(fetched: Fetched, items: Items, seen: bool) -> Pieces:
    """All items with spaces between; FLAGS too when \\Seen was set by this, §6.4.5, and MODSEQ, RFC 7162 §3.1.4.2."""
    line: Pieces = []
    for item in items.items:
        line += item.pieces(fetched)
        line.append(b" ")
    if seen and "FLAGS" not in items.names:
        line += [*_flags(fetched), b" "]
    if seen and fetched.condstore and "MODSEQ" not in items.names:
        line += [*_modseq(fetched), b" "]
    line.pop()
    return line


def _see(view: View, rows: dict[int, Row], items: Items) -> set[int]:
    """Set \\Seen on the messages that are read now; the rows as they are then, and the uids it was set on."""
    if not items.sees or view.read_only:
        return set()
    unseen = [uid for uid, row in rows.items() if not row.flags & Flag.SEEN]
    if not unseen:
        return set()
    changed, _ = view.mailbox.change_flags(unseen, FlagChange.ADD, Flag.SEEN)
    for row in changed:
        rows[row.uid] = row
        view.told[row.uid] = row.modseq
    return {row.uid for row in changed}
