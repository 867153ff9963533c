"""Flags, copies, moves and removals: many messages in one transaction, with one flush of each folder."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pymaild.mailstore import Flag, FlagChange, MessageGone, Row
from pymaild.progress import counted
from pymaild.store import files, rows
from pymaild.store.index import RENDERED, SOUGHT, Box
from pymaild.store.rows import File

if TYPE_CHECKING:
    from pymaild.store.transaction import Transaction

DELETED = int(Flag.DELETED)
Pairs = list[tuple[int, int]]
Marks = tuple[int, int]  # flags and keywords


@dataclass(frozen=True, slots=True)
class Wish:
    """What STORE asks for."""

    change: FlagChange
    flags: int
    keywords: tuple[str, ...]
    unchanged_since: int | None


def change_flags(tx: Transaction, box: Box, uids: Sequence[int], wish: Wish) -> tuple[list[Row], list[int]]:
    """Rename each file, then say so in the index; rows of all that were asked for, and the uids left alone.

    The folder has been looked at (Transaction.look).
    """
    mask = tx.mask(box, wish.keywords, define=wish.change is not FlagChange.REMOVE)
    found, refused = rows.file_rows(tx.db, box, uids), []
    if wish.unchanged_since is not None:
        refused = [row[0] for row in found if row[7] > wish.unchanged_since]
        found = [row for row in found if row[7] <= wish.unchanged_since]
    after = {before: _combined(wish, mask, *before) for before in {row[3:5] for row in found}}
    changing = [row for row in found if after[row[3:5]] != row[3:5]]
    if changing:
        _rename(tx, box, changing, after)
        _write(tx, box, changing, after)
    words = rows.Keywords(box)
    made = []
    for uid, _, size, flags, keywords, _, internal_date, modseq, save_date in found:
        now = after[flags, keywords]
        changed = modseq if now == (flags, keywords) else box.modseq
        made.append(Row(uid, now[0], words[now[1]], changed, size, internal_date, save_date))
    return made, refused


def _combined(wish: Wish, mask: int, flags: int, keywords: int) -> Marks:
    if wish.change is FlagChange.REPLACE:
        return int(wish.flags), mask
    if wish.change is FlagChange.ADD:
        return flags | wish.flags, keywords | mask
    return flags & ~wish.flags, keywords & ~mask


def _rename(tx: Transaction, box: Box, changing: Sequence[File], after: dict[Marks, Marks]) -> None:
    """Give messages' files the names of their new flags; one that is gone is taken out by the next look."""
    tx.touch(box)
    letters = {
        (*before, others): (files.letters_of(*before, others), files.letters_of(*after[before], others))
        for before, others in {(row[3:5], row[5]) for row in changing}
    }
    fronts = ((files.render(row[1], row[2], row[0], ""), *letters[row[3:6]]) for row in changing)
    try:
        tx.rename_all(tx.cur(box), ((front + old, front + new) for front, old, new in fronts))
    except FileNotFoundError:
        raise MessageGone from None


def _write(tx: Transaction, box: Box, changing: Sequence[File], after: dict[Marks, Marks]) -> None:
    """All that change from the same flags to the same ones by one statement."""
    modseq = tx.modseq(box)
    alike: dict[Marks, list[File]] = {}
    for row in changing:
        alike.setdefault(row[3:5], []).append(row)
    for before, some in alike.items():
        sql = "UPDATE message SET flags = ?, keywords = ?, modseq = ? WHERE key IN (SELECT value FROM json_each(?))"
        tx.db.execute(sql, (*after[before], modseq, rows.keys(box, [row[0] for row in some])))
        tx.recount(box, before[0], after[before][0], len(some))


def copy(tx: Transaction, source: Box, uids: Sequence[int], target: Box, limits: tuple[int, int]) -> tuple[int, Pairs]:
    """A second name for each file, in the other folder, with a uid of its own."""
    found = _chosen(tx, source, uids)
    tx.admit(sum(row[2] for row in found), len(found), limits)
    return target.uidvalidity, _carry(tx, source, target, found, moving=False)


def move(tx: Transaction, source: Box, uids: Sequence[int], target: Box) -> tuple[int, Pairs]:
    """Rename each file into the other folder: at any moment it is in exactly one. RFC 6851 §3.3."""
    found = _chosen(tx, source, uids)
    pairs = _carry(tx, source, target, found, moving=True)
    if pairs:
        tx.vanish(source, [uid for uid, _ in pairs])
    return target.uidvalidity, pairs


def _chosen(tx: Transaction, box: Box, uids: Sequence[int]) -> list[File]:
    tx.look(box)
    return rows.file_rows(tx.db, box, uids)


def _carry(tx: Transaction, source: Box, target: Box, found: list[File], moving: bool) -> Pairs:
    """Give each message a place, a uid and a name in the other folder; then their rows, all at once."""
    if not found:
        return []
    now, here, there = int(time.time()), tx.cur(source), tx.cur(target)
    masks = {mask: tx.mask(target, sorted(rows.words_of(source, mask))) for mask in {row[4] for row in found}}
    tx.touch(target)
    if moving:
        tx.touch(source)
    else:
        tx.together(target, len(found))
    put, carried = tx.rename if moving else tx.link, []
    for row in counted(found):
        _, unique, size, flags, keywords, others, *_ = row
        new = tx.take_uid(target)
        name = f"{now}.{tx.engine.uniques.token()}.{target.mailbox_id}.{unique.rpartition('.')[2]}"
        letters = files.letters_of(flags, masks[keywords], others)
        try:
            put(f"{here}/{rows.file_name(row)}", f"{there}/{files.render(name, size, new, letters)}")
        except FileNotFoundError:
            raise MessageGone from None
        carried.append((row, new, masks[keywords], name))
    return _entered(tx, source, target, carried, now)


def _entered(tx: Transaction, source: Box, target: Box, carried: list[tuple[File, int, int, str]], now: int) -> Pairs:
    """The rows of messages that came from another mailbox."""
    modseq, here, there = tx.modseq(target), source.first_key, target.first_key
    messages, names, pairs = [], [], []
    for (uid, _, size, flags, _, others, date, *_), new, mask, name in carried:
        messages.append((there + new, flags, mask, modseq, size, date, now))
        names.append((there + new, name, others, here + uid))
        tx.count(target, flags, size)
        pairs.append((uid, new))
    tx.db.executemany("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?)", messages)
    tx.db.executemany("INSERT INTO file SELECT ?, ?, ?, sha256 FROM file WHERE key = ?", names)
    keys = json.dumps([(there + new, here + uid) for uid, new in pairs])
    for copied in _COPIES:
        tx.db.execute(copied, (keys,))
    return pairs


_COPIES = tuple(
    f"INSERT INTO {table} (key, {names}) SELECT json_extract(value, '$[0]'), {names}"  # noqa: S608 - from an Enum
    f" FROM json_each(?) CROSS JOIN {table} ON {table}.key = json_extract(value, '$[1]')"
    for table, columns in (*RENDERED.items(), ("sought", SOUGHT), ("text_of", ()))
    if (names := ", ".join(column.value for column in columns) or "text")
)


def expunge(tx: Transaction, box: Box, uids: Sequence[int] | None) -> list[int]:
    """Remove what has \\Deleted: forgotten by the commit first, its file removed after it."""
    tx.look(box)
    if uids is None:
        sql = "SELECT key & 4294967295 FROM message WHERE key BETWEEN ? AND ? AND flags & ?"
        uids = [uid for (uid,) in tx.db.execute(sql, (box.first_key, box.last_key, DELETED))]
    dead = [row for row in rows.file_rows(tx.db, box, uids) if row[3] & DELETED]
    if dead:
        tx.doom(box, [f"cur/{rows.file_name(row)}" for row in dead])
        tx.vanish(box, [row[0] for row in dead])
    return [row[0] for row in dead]
