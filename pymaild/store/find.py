"""Searching and sorting a whole mailbox in the index: questions to which SQLite has the answer.

An answer is a list of uids. SQLite writes it as one text, which is read at once: a row for each message would cost more
than finding them.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pymaild.mailstore import (
    CameBetween,
    Column,
    DateOf,
    DateRange,
    Flag,
    HasFlag,
    HasKeyword,
    ModseqAtLeast,
    OrderBy,
    SizeRange,
)
from pymaild.store import rows
from pymaild.store.index import SOUGHT, Box

if TYPE_CHECKING:
    from pymaild.store.engine import Engine

RowKey = HasFlag | HasKeyword | DateRange | CameBetween | SizeRange | ModseqAtLeast  # what a row alone can tell
_ZERO = 48  # flags are read as characters from here on


def read_uids(db: sqlite3.Connection, table: str, condition: str, values: Sequence[int | bytes | str]) -> array[int]:
    """The uids of the rows between two keys for which a condition holds."""
    sql = f"SELECT group_concat(key & 4294967295) FROM {table} WHERE key BETWEEN ? AND ? AND {condition}"  # noqa: S608
    return _read(db, sql, values)


def _read(db: sqlite3.Connection, sql: str, values: Sequence[int | bytes | str]) -> array[int]:
    text = db.execute(sql, values).fetchone()[0]
    return array("I", map(int, text.split(","))) if text else array("I")


# ---- by what the row says


def having(db: sqlite3.Connection, box: Box, key: RowKey, engine: Engine) -> tuple[array[int], bytes]:
    """Every uid, rising, and for each an octet: 1 if the message's row answers the key with yes."""
    if isinstance(key, HasFlag):
        return rows.uids(db, box, engine), _flags(db, box, engine).translate(_SELECTS[key.flag])
    condition, values = _condition(box, key)
    sql = f"SELECT group_concat({condition}, '') FROM (SELECT * FROM message WHERE key BETWEEN ? AND ? ORDER BY key)"  # noqa: S608
    text = db.execute(sql, (*values, box.first_key, box.last_key)).fetchone()[0] or ""
    return rows.uids(db, box, engine), text.encode("ascii").translate(_TRUE)


def _condition(box: Box, key: RowKey) -> tuple[str, list[int]]:
    match key:
        case HasFlag():
            return "flags & ? != 0", [int(key.flag)]
        case HasKeyword():
            words = [word.lower() for word in box.words]
            return "keywords & ? != 0", [1 << words.index(key.keyword.lower()) if key.keyword.lower() in words else 0]
        case ModseqAtLeast():
            return "modseq >= ?", [key.modseq]
        case SizeRange():
            return _between("size > ?", key.larger, "size < ?", key.smaller)
        case CameBetween():
            return _between("internal_date >= ?", key.first, "internal_date < ?", key.before)
        case DateRange():
            column = "save_date" if key.of is DateOf.SAVED else "internal_date"
            first, before = (None if day is None else day * 86_400 for day in (key.first, key.before))
            return _between(f"{column} >= ?", first, f"{column} < ?", before)


def _between(low: str, first: int | None, high: str, last: int | None) -> tuple[str, list[int]]:
    given = [(condition, value) for condition, value in ((low, first), (high, last)) if value is not None]
    return " AND ".join(condition for condition, _ in given) or "1", [value for _, value in given]


_FLAGS = "SELECT group_concat(char(48 + flags), '') FROM (SELECT flags FROM message WHERE key BETWEEN ? AND ? ORDER BY key)"
_TRUE = bytes(code != _ZERO for code in range(256))
_SELECTS = {flag: bytes(code >= _ZERO and (code - _ZERO) & flag != 0 for code in range(256)) for flag in Flag}


def _flags(db: sqlite3.Connection, box: Box, engine: Engine) -> bytes:
    """The system flags of every message, a character each: from memory where nothing changed since the last time."""
    remembered = engine.flags.get(box.mailbox_id)
    if remembered and remembered[:2] == (box.id, box.modseq):
        return remembered[2]
    text = db.execute(_FLAGS, (box.first_key, box.last_key)).fetchone()[0] or ""
    if len(engine.flags) > 1000:
        engine.flags.clear()
    engine.flags[box.mailbox_id] = (box.id, box.modseq, found := text.encode("ascii"))
    return found


# ---- by what was made of the header


def containing(db: sqlite3.Connection, box: Box, column: Column, text: bytes) -> array[int]:
    """The uids of the messages that have the octets in a column of `sought`, rising."""
    condition = f"instr({column.value}, ?)"
    return read_uids(db, "sought", condition, (box.first_key, box.last_key, text))


def sent(db: sqlite3.Connection, box: Box, first: int | None, before: int | None) -> array[int]:
    """By the Date field's own calendar day; where there is none, by the internal date."""
    condition, values = _between("sent_day >= ?", first, "sent_day < ?", before)
    return read_uids(db, "sought", condition, (box.first_key, box.last_key, *values))


_ORDERS = {OrderBy.ARRIVAL: "internal_date", OrderBy.DATE: "sent", OrderBy.SIZE: "size"}


def ordered(db: sqlite3.Connection, box: Box, by: Sequence[tuple[OrderBy, bool]]) -> array[int]:
    """Every uid, in an order; True: the other way round. Where all are equal they stand by uid. RFC 5256 §3."""
    terms = ", ".join(_ORDERS[each] + (" DESC" if reverse else "") for each, reverse in by)
    asked, where, values = {each for each, _ in by}, "key BETWEEN ? AND ?", [box.first_key, box.last_key]
    table = "message JOIN sought USING (key)" if OrderBy.DATE in asked else "message"
    if asked == {OrderBy.DATE}:  # as the index on it has them
        table, where, values = "sought", "key >> 32 = ?", [box.id]
    sql = f"SELECT key & 4294967295 AS uid FROM {table} WHERE {where} ORDER BY {terms}, key"  # noqa: S608 - from an Enum
    return _read(db, f"SELECT group_concat(uid) FROM ({sql})", values)  # noqa: S608


# ---- what is kept for it

_INSERT = (
    f"INSERT OR REPLACE INTO sought (key, {', '.join(column.value for column in SOUGHT)})"  # noqa: S608 - from an Enum
    f" SELECT key, coalesce(?, internal_date), coalesce(?, (internal_date + {(far := 100_000) * 86_400}) / 86400 - {far})"
    f"{', ?' * (len(SOUGHT) - 2)} FROM message WHERE key = ?"
)


def keep(db: sqlite3.Connection, box: Box, made: dict[int, dict[Column, bytes]]) -> None:
    """Keep it for messages that are still there; who has no good Date field counts as sent when it came in."""
    values = []
    for uid, cells in made.items():
        sent, day, *texts = (cells.get(column, b"") for column in SOUGHT)
        values.append((*(int(digits) if digits else None for digits in (sent, day)), *texts, box.first_key + uid))
    db.executemany(_INSERT, values)
