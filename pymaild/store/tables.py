"""Some messages column by column, for answers about many of them.

A row for each message would cost more than what is in it: SQLite writes each column of numbers as one text, which is cut
up at once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import compress

from pymaild.mailstore import Column, Fact, Table
from pymaild.store import rows
from pymaild.store.index import Box, holding

Cells = dict[Fact | Column, list[bytes]]
_FLAGS = 5  # bits of system flags, below the bits of keywords
_FACTS = {
    Fact.FLAGS: f"flags | (keywords << {_FLAGS})",
    Fact.MODSEQ: "modseq",
    Fact.SIZE: "size",
    Fact.INTERNAL_DATE: "internal_date",
    Fact.SAVE_DATE: "save_date",
}


def table(
    db: sqlite3.Connection, box: Box, uids: Sequence[int], wanted: Sequence[Fact | Column]
) -> tuple[Table, list[int]]:
    """What is wanted of those messages that have all of it; and the uids of those that have no Columns yet."""
    facts = [each for each in wanted if isinstance(each, Fact)]
    columns = [each for each in wanted if isinstance(each, Column)]
    described, texts = _columns(db, box, uids, columns) if columns else ([], {})
    if columns and not facts and described == uids:
        return Table(described, texts, {}), []
    there, cells = _facts(db, box, uids, facts)
    missing: list[int] = []
    if columns and described != there:
        missing = sorted(set(there).difference(described))
        both = set(there).intersection(described)
        (there, cells), (_, texts) = _only(both, there, cells), _only(both, described, texts)
    labels = {cell: _label(box, int(cell)) for cell in set(cells.get(Fact.FLAGS, ()))}
    return Table(there, cells | texts, labels), missing


def _label(box: Box, flags: int) -> tuple[int, frozenset[str]]:
    return flags & (1 << _FLAGS) - 1, rows.words_of(box, flags >> _FLAGS)


def _facts(db: sqlite3.Connection, box: Box, uids: Sequence[int], facts: Sequence[Fact]) -> tuple[list[int], Cells]:
    where, values = _where(box, uids)
    each = "".join(f", {_FACTS[fact]} AS {fact.name}" for fact in facts)
    joined = "".join(f", group_concat({fact.name})" for fact in facts)
    rows = f"FROM (SELECT key{each} FROM message{where} ORDER BY key)"  # noqa: S608 - from an Enum
    count, *texts = db.execute(f"SELECT count(*){joined} {rows}", values).fetchone()
    cells: Cells = {fact: text.encode("ascii").split(b",") if text else [] for fact, text in zip(facts, texts, strict=True)}
    if count == len(uids) and _gapless(uids):
        return list(uids), cells  # so their numbers need not be read
    text = db.execute(f"SELECT group_concat(key & 4294967295) {rows}", values).fetchone()[0]
    return _asked(uids, list(map(int, text.split(","))) if text else [], cells)


def _gapless(uids: Sequence[int]) -> bool:
    return len(uids) > 0 and uids[-1] - uids[0] == len(uids) - 1


def _columns(db: sqlite3.Connection, box: Box, uids: Sequence[int], columns: Sequence[Column]) -> tuple[list[int], Cells]:
    where, values = _where(box, uids)
    fields = ", ".join(column.value for column in columns)
    sql = f"SELECT key & 4294967295, {fields} FROM {holding(columns)}{where} ORDER BY key"  # noqa: S608 - from an Enum
    found = db.execute(sql, values).fetchall()
    there, *texts = map(list, zip(*found, strict=True)) if found else ([], *([] for _ in columns))
    return _asked(uids, there, dict(zip(columns, texts, strict=True)))


def _where(box: Box, uids: Sequence[int]) -> tuple[str, tuple[int | str, ...]]:
    """Of uids that lie close together all between the first and the last are read: that is quicker than finding each."""
    if uids and uids[-1] - uids[0] < 2 * len(uids):
        return " WHERE key BETWEEN ? AND ?", (box.first_key + uids[0], box.first_key + uids[-1])
    return " WHERE key IN (SELECT value FROM json_each(?))", (rows.keys(box, uids),)


def _asked(uids: Sequence[int], there: list[int], cells: Cells) -> tuple[list[int], Cells]:
    return (there, cells) if there == uids else _only(set(uids), there, cells)


def _only(kept: set[int], there: list[int], cells: Cells) -> tuple[list[int], Cells]:
    mask = [uid in kept for uid in there]
    return list(compress(there, mask)), {name: list(compress(column, mask)) for name, column in cells.items()}
