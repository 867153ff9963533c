"""FETCH: the table of items, and how messages become responses. RFC 3501 §6.4.5, §7.4.2; BINARY: RFC 3516.

An item knows its name, what it wants of the index, and how its cells are made (cells.py). Messages are answered in batches:
one table of the index for all of them, a column for each item, and the rows of it are the responses. Where an item needs
the messages themselves they are read one at a time, and every response is sent before the next is made: memory holds one
message, however many are fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from pymaild.imap import cells
from pymaild.imap.cells import Batch, Cell, Make, Slice, email_id
from pymaild.imap.errors import Bad
from pymaild.imap.esearch import Page, page
from pymaild.imap.grammar import Parser
from pymaild.imap.resync import modseq
from pymaild.imap.section import Section, binary_section, section
from pymaild.imap.view import View
from pymaild.mailstore import Column, Fact, Flag, FlagChange

__all__ = ["Modifiers", "Responses", "email_id", "fetch_items", "fetch_modifiers", "responses"]

BATCH: Final = 200
LIGHT_BATCH: Final = 2000  # of messages of whom only a few numbers are told
Responses = Generator[bytes, None, bool]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to fetch."""

    name: bytes
    cells: Make
    wants: Fact | Column | None = None
    sees: bool = False  # fetching it sets \\Seen
    reads: bool = False  # it needs the messages themselves
    digest: bool = False  # it is made of the message's SHA-256
    place: bytes = b"%b"  # for a cell in a template


def _plain(name: bytes, wants: Fact | Column) -> Item:
    return Item(name, cells.plain(wants), wants)


def _section_item(name: bytes, wanted: Section, sees: bool, part: Slice | None = None) -> Item:
    """BODY[...]<start>: the octets, or a slice of them. §6.4.5."""
    if wanted.header_only:
        column = Column.USUAL if wanted.usual_only else Column.HEADER
        return Item(name, cells.header_sections(wanted, part, column), column, sees)
    return Item(name, cells.sections(wanted, part), sees=sees, reads=True)


# ---- reading the items


def _body(args: Parser) -> Item:
    """BODY, BODY[section]<partial>, BODY.PEEK[section]<partial>. §6.4.5."""
    peek = args.accept(b".PEEK")
    if args.peek() != b"[":
        if peek:
            raise Bad("Expected a section in brackets after BODY.PEEK")
        return _plain(b"BODY", Column.BODY)
    wanted, label = section(args)
    part, suffix = _partial(args)
    return _section_item(b"BODY[%b]%b" % (label, suffix), wanted, not peek, part)


def _binary(args: Parser) -> Item:
    """BINARY[1.2]<partial>, BINARY.PEEK[...], BINARY.SIZE[1.2]. RFC 3516 §4.2."""
    if args.accept(b".SIZE"):
        wanted, label = binary_section(args)
        return Item(b"BINARY.SIZE[%b]" % label, cells.binary_sizes(wanted), reads=True)
    peek = args.accept(b".PEEK")
    wanted, label = binary_section(args)
    part, suffix = _partial(args)
    return _section_item(b"BINARY[%b]%b" % (label, suffix), wanted, not peek, part)


def _partial(args: Parser) -> tuple[Slice | None, bytes]:
    """<start.count>, and how the answer repeats it; nothing: all of it. §6.4.5."""
    if not args.accept(b"<"):
        return None, b""
    start = args.number("the first octet")
    args.expect(b".", "a dot and the number of octets")
    count = args.number("the number of octets")
    if not count:
        raise Bad("Expected at least one octet in the partial")
    args.expect(b">", ">")
    return Slice(start, count), b"<%d>" % start


def _preview(args: Parser) -> Item:
    """PREVIEW, or PREVIEW (LAZY): it is in the index, so the lazy one is no different. RFC 8970 §3."""
    args.accept(b" (LAZY)")
    return Item(b"PREVIEW", cells.previews, Column.SUMMARY)


def _fixed(item: Item) -> Callable[[Parser], Item]:
    return lambda args: item


def _whole(name: bytes, wanted: Section, sees: bool) -> Callable[[Parser], Item]:
    return _fixed(_section_item(name, wanted, sees))


FLAGS: Final = Item(b"FLAGS", cells.flags, Fact.FLAGS)
MODSEQ: Final = Item(b"MODSEQ", cells.modseqs, Fact.MODSEQ)
ITEMS: Final[dict[str, Callable[[Parser], Item]]] = {
    "FLAGS": _fixed(FLAGS),
    "UID": _fixed(Item(b"UID", cells.uids, place=b"%d")),
    "INTERNALDATE": _fixed(Item(b"INTERNALDATE", cells.internal_dates, Fact.INTERNAL_DATE)),
    "RFC822.SIZE": _fixed(_plain(b"RFC822.SIZE", Fact.SIZE)),
    "MODSEQ": _fixed(MODSEQ),
    "SAVEDATE": _fixed(Item(b"SAVEDATE", cells.save_dates, Fact.SAVE_DATE)),  # RFC 8514 §4.3
    "EMAILID": _fixed(Item(b"EMAILID", cells.email_ids, digest=True)),  # RFC 8474 §5.1
    "THREADID": _fixed(Item(b"THREADID", cells.thread_ids, Column.SORTING, digest=True)),  # RFC 8474 §5.2
    "PREVIEW": _preview,
    "ENVELOPE": _fixed(_plain(b"ENVELOPE", Column.ENVELOPE)),
    "BODYSTRUCTURE": _fixed(_plain(b"BODYSTRUCTURE", Column.BODYSTRUCTURE)),
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
    def wants(self) -> list[Fact | Column]:
        """What the index is asked for."""
        return list({item.wants: None for item in self.items if item.wants is not None})

    @property
    def template(self) -> bytes:
        """A response, with places for its number and its cells."""
        names = b" ".join(item.name.replace(b"%", b"%%") + b" " + item.place for item in self.items)
        return b"* %d FETCH (" + names + b")\r\n"

    @property
    def batch(self) -> int:
        """How many messages are answered at a time."""
        heavy = any(item.reads or item.digest or isinstance(item.wants, Column) for item in self.items)
        return BATCH if heavy else LIGHT_BATCH

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
    "PARTIAL": _page,  # RFC 9394 §3.3
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


def responses(view: View, uids: Sequence[int], items: Items, peek: bool = False) -> Responses:
    """A FETCH response for each message, as pieces to send; returns whether one of the messages is gone.

    With `peek` nothing counts as read.
    """
    gone, size = False, items.batch
    for start in range(0, len(uids), size):
        batch = uids[start : start + size]
        seen = set() if peek else _see(view, batch, items)
        gone |= yield from _answer(view, batch, Items(items.items + _told(view, items)) if seen else items, seen, items)
    return gone


def _answer(view: View, uids: Sequence[int], items: Items, seen: set[int], unseen: Items) -> Responses:
    """One batch; of the messages that are in `seen` the items are told, of the others those of `unseen`."""
    table = view.mailbox.table(uids, items.wants)
    if FLAGS in items.items:
        yield from view.announce(keywords for _, keywords in table.labels.values())
    digests = view.mailbox.digests(uids) if any(item.digest for item in items.items) else {}
    batch = Batch(view, table, digests)
    columns = [item.cells(batch) for item in items.items]
    numbers = view.numbers(table.uids)
    lost = len(table.uids) < len(uids)
    if not batch.one_by_one and not seen:
        yield b"".join(map(items.template.__mod__, zip(numbers, *columns, strict=True)))
        return lost
    few, many = _names(unseen), _names(items)
    for uid, number, *row in zip(table.uids, numbers, *columns, strict=True):
        if None in row:
            lost = True
        else:
            yield b"* %d FETCH" % number
            yield from _pieces(many if uid in seen else few, row)
    return lost


def _names(items: Items) -> list[bytes]:
    """What stands before each cell."""
    return [(b" " if at else b" (") + item.name + b" " for at, item in enumerate(items.items)]


def _pieces(names: Sequence[bytes], row: Iterable[Cell]) -> Iterator[bytes]:
    """A response from its number on; large cells are handed on as they are."""
    for name, cell in zip(names, row, strict=False):
        yield name
        if isinstance(cell, tuple):
            yield from cell
        else:
            yield cell if isinstance(cell, bytes) else b"%d" % cell
    yield b")\r\n"


def _told(view: View, items: Items) -> list[Item]:
    """What is told besides when a FETCH has set \\Seen: FLAGS, §6.4.5, and MODSEQ, RFC 7162 §3.1.4.2."""
    more = [] if "FLAGS" in items.names else [FLAGS]
    return [*more, MODSEQ] if view.condstore and "MODSEQ" not in items.names else more


def _see(view: View, uids: Sequence[int], items: Items) -> set[int]:
    """Set \\Seen on the messages that are read now; the uids it was set on."""
    if not items.sees or view.read_only or "s" not in view.mailbox.rights:  # RFC 4314 §4 (FETCH)
        return set()
    table = view.mailbox.table(uids, [Fact.FLAGS])
    cells_of = zip(table.uids, table.columns[Fact.FLAGS], strict=True)
    unseen = [uid for uid, cell in cells_of if not table.labels[cell][0] & Flag.SEEN]
    if not unseen:
        return set()
    changed, _ = view.mailbox.change_flags(unseen, FlagChange.ADD, Flag.SEEN)
    view.told.update((row.uid, row.modseq) for row in changed)
    return {row.uid for row in changed}
