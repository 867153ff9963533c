"""Flags, copies, moves and removals: many messages in one transaction, with one flush of each folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pymaild.mailstore import Flag, FlagChange, MessageGone, Row
from pymaild.store import files, rows
from pymaild.store.index import COLUMNS, SOUGHT, Box
from pymaild.store.rows import File

if TYPE_CHECKING:
    from pymaild.store.transaction import Transaction

Pairs = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Wish:
    """What STORE asks for."""

    change: FlagChange
    flags: int
    keywords: tuple[str, ...]
    unchanged_since: int | None


def change_flags(tx: Transaction, box: Box, uids: Sequence[int], wish: Wish) -> tuple[list[Row], list[int]]:
    """Rename each file, then say so in the index; rows of all that were asked for, and the uids left alone."""
    tx.look(box)
    mask = tx.mask(box, wish.keywords, define=wish.change is not FlagChange.REMOVE)
    refused, updates = [], []
    for row in rows.file_rows(tx.db, box, uids):
        uid, _, size, flags, keywords, _, _, modseq = row
        if wish.unchanged_since is not None and modseq > wish.unchanged_since:
            refused.append(uid)
            continue
        after = _combined(wish, mask, flags, keywords)
        if after == (flags, keywords):
            continue
        _rename(tx, box, row, after)
        updates.append((*after, tx.modseq(box), box.first_key + uid))
        tx.count(box, flags, size, sign=-1)
        tx.count(box, after[0], size)
    tx.db.executemany("UPDATE message SET flags = ?, keywords = ?, modseq = ? WHERE key = ?", updates)
    done = set(uids).difference(refused)
    return rows.rows(tx.db, box, sorted(done)), refused


def _combined(wish: Wish, mask: int, flags: int, keywords: int) -> tuple[int, int]:
    if wish.change is FlagChange.REPLACE:
        return int(wish.flags), mask
    if wish.change is FlagChange.ADD:
        return flags | wish.flags, keywords | mask
    return flags & ~wish.flags, keywords & ~mask


def _rename(tx: Transaction, box: Box, row: File, after: tuple[int, int]) -> None:
    """Give a message's file the name of its new flags; one that is gone is taken out by the next look."""
    uid, unique, size, _, _, others, _, _ = row
    tx.touch(box)
    cur = tx.cur(box)
    target = files.render(unique, size, uid, files.letters_of(*after, others))
    try:
        tx.rename(f"{cur}/{rows.file_name(row)}", f"{cur}/{target}")
    except FileNotFoundError:
        raise MessageGone from None


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
    pairs, now = [], int(time.time())
    here, there = tx.cur(source), tx.cur(target)
    if found:
        tx.touch(target)
    if found and moving:
        tx.touch(source)
    if not moving:
        tx.together(target, len(found))
    put = tx.rename if moving else tx.link
    for row in found:
        uid, unique, size, flags, keywords, others, date, _ = row
        mask = tx.mask(target, sorted(rows.words_of(source, keywords)))
        new = tx.take_uid(target)
        name = f"{now}.{tx.engine.uniques.token()}.{target.mailbox_id}.{unique.rpartition('.')[2]}"
        letters = files.letters_of(flags, mask, others)
        try:
            put(f"{here}/{rows.file_name(row)}", f"{there}/{files.render(name, size, new, letters)}")
        except FileNotFoundError:
            raise MessageGone from None
        keys = (target.first_key + new, source.first_key + uid)
        message = (keys[0], flags, mask, tx.modseq(target), size, date, now)
        tx.db.execute("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?)", message)
        tx.db.execute("INSERT INTO file SELECT ?, ?, others, sha256 FROM file WHERE key = ?", (keys[0], name, keys[1]))
        for copied in _COPIES:
            tx.db.execute(copied, keys)
        tx.count(target, flags, size)
        pairs.append((uid, new))
    return pairs


_COPIES = tuple(
    f"INSERT INTO {table} (key, {names}) SELECT ?, {names} FROM {table} WHERE key = ?"  # noqa: S608 - from an Enum
    for table, columns in (("rendered", COLUMNS), ("sought", SOUGHT), ("text_of", ()))
    if (names := ", ".join(column.value for column in columns) or "text")
)


def expunge(tx: Transaction, box: Box, uids: Sequence[int] | None) -> list[int]:
    """Remove what has \\Deleted: forgotten by the commit first, its file removed after it."""
    tx.look(box)
    if uids is None:
        sql = "SELECT key & 4294967295 FROM message WHERE key BETWEEN ? AND ? AND flags & ?"
        uids = [uid for (uid,) in tx.db.execute(sql, (box.first_key, box.last_key, int(Flag.DELETED)))]
    dead = [row for row in rows.file_rows(tx.db, box, uids) if row[3] & Flag.DELETED]
    for row in dead:
        tx.doom(box, f"cur/{rows.file_name(row)}")
    if dead:
        tx.vanish(box, [row[0] for row in dead])
    return [row[0] for row in dead]
