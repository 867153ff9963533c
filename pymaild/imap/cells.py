"""What stands behind the name of each FETCH item, message by message. RFC 3501 §7.4.2.

A batch of messages is a table, and an item is a column of it: whole columns are made at a time, because a mailbox has
many messages. What needs the messages themselves is made one by one instead, when its turn to be sent has come.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from pymaild.imap.answers import flags_list, internal_date
from pymaild.imap.section import Section
from pymaild.imap.values import string
from pymaild.imap.view import View
from pymaild.mailstore import Column, Fact, Table
from pymaild.message.fields import header_end
from pymaild.message.sorting import SortKeys, from_json

NO_NUL: Final = b"\x80"  # stands for a NUL, which a literal cannot have: RFC 3501 §9 (CHAR8); Dovecot sends the same
Cell = bytes | int | tuple[bytes, bytes]  # the second of two pieces is large
Cells = Iterable[Cell | None]  # None: the message is gone


class Batch:
    """Some messages while their responses are made."""

    def __init__(self, view: View, table: Table, digests: dict[int, bytes]) -> None:
        self.view, self.table, self.digests = view, table, digests
        self.one_by_one = False  # a response must be sent before the next is made, or may have to be left out
        self._messages: Iterator[bytes | None] = view.mailbox.messages(table.uids)
        self._read = 0  # how many of them there were, and the last one
        self._message: bytes | None = None

    def messages(self) -> Iterator[bytes | None]:
        """Each message when its turn has come, read once for all items that need it; None: it is gone."""
        self.one_by_one = True
        return map(self._turn, range(1, len(self.table.uids) + 1))

    def _turn(self, number: int) -> bytes | None:
        if self._read < number:
            self._message = None  # the last one is let go of first
            self._read, self._message = number, next(self._messages)
        return self._message

    def without(self, headers: Sequence[bytes]) -> Iterator[bytes | None]:
        """The messages whose headers are too long for the index."""
        self.one_by_one = True
        return self.view.mailbox.messages([uid for uid, header in zip(self.table.uids, headers, strict=True) if not header])


Make = Callable[[Batch], Cells]


def plain(wanted: Fact | Column) -> Make:
    """As the store says it."""
    return lambda batch: batch.table.columns[wanted]


def uids(batch: Batch) -> Cells:
    """As numbers: the template makes digits of them."""
    return batch.table.uids


def flags(batch: Batch) -> Cells:
    """Of few different sets each is written once."""
    labels, cells, view = batch.table.labels, batch.table.columns[Fact.FLAGS], batch.view
    if view.rev2 or view.recent.isdisjoint(batch.table.uids):
        texts = {cell: flags_list(*label) for cell, label in labels.items()}
        return map(texts.__getitem__, cells)
    return [flags_list(*labels[cell], view.is_recent(uid)) for uid, cell in zip(batch.table.uids, cells, strict=True)]


def modseqs(batch: Batch) -> Cells:
    """RFC 7162 §7 (fetch-mod-resp)."""
    return map(b"(%b)".__mod__, batch.table.columns[Fact.MODSEQ])


def internal_dates(batch: Batch) -> Cells:
    """RFC 3501 §7.4.2."""
    return map(internal_date, map(int, batch.table.columns[Fact.INTERNAL_DATE]))


def save_dates(batch: Batch) -> Cells:
    """RFC 8514 §4.3."""
    return [b"NIL" if cell == b"0" else internal_date(int(cell)) for cell in batch.table.columns[Fact.SAVE_DATE]]


def email_ids(batch: Batch) -> Cells:
    """RFC 8474 §5.1."""
    digests = map(batch.digests.get, batch.table.uids)
    return [b"(%s)" % email_id(digest).encode("ascii") if digest else b"NIL" for digest in digests]


def email_id(digest: bytes) -> str:
    """The same for every copy of a message: it is made of its SHA-256. RFC 8474 §5.1."""
    return "M" + digest[:20].hex()


def thread_ids(batch: Batch) -> Cells:
    """RFC 8474 §5.2."""
    keys, digests = from_json(batch.table.columns[Column.SORTING]), map(batch.digests.get, batch.table.uids)
    pairs = zip(keys, digests, strict=True)
    return [b"(%s)" % thread_id(each, digest).encode("ascii") if digest else b"NIL" for each, digest in pairs]


def thread_id(keys: SortKeys, digest: bytes) -> str:
    """The same for all messages that name the same first one in References, and for that one. RFC 8474 §5.2.

    It is made of the message alone, so it never changes, is the same in every mailbox, and needs nothing to be kept.
    """
    first = keys.references[0] if keys.references else keys.message_id
    return "T" + (sha256(first.encode("utf-8", "replace")).digest() if first else digest)[:20].hex()


def previews(batch: Batch) -> Cells:
    """RFC 8970 §3."""
    return map(_preview, batch.table.columns[Column.SUMMARY])


def _preview(summary: bytes) -> bytes:
    text: str = json.loads(summary)["preview"] if summary else ""
    return string(text.encode("utf-8", "replace"))


# ---- sections


@dataclass(frozen=True, slots=True)
class Slice:
    """<start.count>. RFC 3501 §6.4.5."""

    start: int
    count: int

    def of(self, octets: bytes) -> bytes:
        """The octets that are meant, as far as they are there."""
        return octets[self.start : self.start + self.count]


def header_sections(wanted: Section, part: Slice | None, column: Column) -> Make:
    """BODY[HEADER] and its fields, of the headers in this column of the index."""
    pick = wanted.picker()

    def cells(headers: Sequence[bytes]) -> list[bytes]:
        octets = pick(headers) if part is None else map(part.of, pick(headers))
        return [(b"{%d}\r\n%b" % (len(each), each)).replace(b"\0", NO_NUL) for each in octets]

    def of_message(message: bytes | None) -> bytes | None:
        return None if message is None else cells([message[: header_end(message)]])[0]

    def make(batch: Batch) -> Cells:
        headers = batch.table.columns[column]
        found = cells(headers)
        if all(headers):
            return found
        messages = batch.without(headers)
        return (cell if header else of_message(next(messages)) for header, cell in zip(headers, found, strict=True))

    return make


def sections(wanted: Section, part: Slice | None) -> Make:
    """Everything else in brackets. §6.4.5; BINARY: RFC 3516 §4.2."""

    def cell(message: bytes | None) -> Cell | None:
        if message is None:
            return None
        octets = wanted.octets(message)
        if octets is None:
            return b"NIL"
        return literal(octets if part is None else part.of(octets), wanted.decoded)

    return lambda batch: map(cell, batch.messages())


def literal(octets: bytes, binary: bool) -> tuple[bytes, bytes]:
    """Never quoted: header fields and bodies hold anything. §4.3; literal8: RFC 3516 §4.2."""
    nul = b"\0" in octets
    if nul and not binary:
        octets = octets.replace(b"\0", NO_NUL)
    return b"%b{%d}\r\n" % (b"~" if nul and binary else b"", len(octets)), octets


def binary_sizes(wanted: Section) -> Make:
    """BINARY.SIZE. RFC 3516 §4.3."""

    def cell(message: bytes | None) -> bytes | None:
        return None if message is None else b"%d" % len(wanted.octets(message) or b"")

    return lambda batch: map(cell, batch.messages())
