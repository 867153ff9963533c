"""Questions to the index about the messages of one mailbox. SQL in, plain values out; nothing here changes anything."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Sequence

from pymaild.mailstore import (
    Changes,
    Column,
    MailboxState,
    Row,
)
from pymaild.store import files, find
from pymaild.store.engine import Engine
from pymaild.store.index import RENDERED, Box, holding

_ROW = "SELECT key & 4294967295, flags, keywords, modseq, size, internal_date, save_date FROM message"
_HERE = " WHERE key BETWEEN ? AND ?"
_FIRST_UNSEEN = "SELECT min(key) FROM message WHERE key BETWEEN ? AND ? AND flags & 1 = 0"
_CONCATENATED = (
    "SELECT group_concat(uid) FROM (SELECT key & 4294967295 AS uid FROM message WHERE key BETWEEN ? AND ? ORDER BY key)"
)
_THESE = " WHERE key IN (SELECT value FROM json_each(?))"
_FILE = (
    "SELECT key & 4294967295, name, size, flags, keywords, others, internal_date, modseq, save_date"
    " FROM message JOIN file USING (key)"
)
_DIGEST = "SELECT key & 4294967295, sha256 FROM file"
MAX_UID = 0xFFFFFFFF
File = tuple[int, str, int, int, int, str, int, int, int]


def keys(box: Box, uids: Sequence[int]) -> str:
    """The keys of some uids, for json_each."""
    first = box.first_key
    return json.dumps([first + uid for uid in uids if 0 < uid <= MAX_UID])


def words_of(box: Box, mask: int) -> frozenset[str]:
    """The keywords that a mask of bits stands for."""
    return frozenset(word for bit, word in enumerate(box.words) if mask >> bit & 1 and word)


class Keywords(dict[int, frozenset[str]]):
    """Mask -> keywords, each made once."""

    def __init__(self, box: Box) -> None:
        super().__init__()
        self._box = box

    def __missing__(self, mask: int) -> frozenset[str]:
        words = self[mask] = words_of(self._box, mask)
        return words


def rows(db: sqlite3.Connection, box: Box, uids: Sequence[int] | None) -> list[Row]:
    """Rows by rising uid; uids that are not there are left out."""
    if uids is None:
        found = db.execute(_ROW + _HERE, (box.first_key, box.last_key))
    else:
        found = db.execute(_ROW + _THESE + " ORDER BY key", (keys(box, uids),))
    return _made(box, found)


def _made(box: Box, found: sqlite3.Cursor) -> list[Row]:
    words = Keywords(box)
    return [
        Row(uid, flags, words[mask], modseq, size, internal_date, save_date)
        for uid, flags, mask, modseq, size, internal_date, save_date in found
    ]


def file_rows(db: sqlite3.Connection, box: Box, uids: Sequence[int]) -> list[File]:
    """What is needed to open or rename the files of some messages, by rising uid."""
    wanted = set(uids)
    low, high = min(wanted, default=0), max(wanted, default=0)
    if low > 0 and high <= MAX_UID and high - low < 2 * len(wanted):  # to read all in between is quicker than to find each
        found = db.execute(f"{_FILE}{_HERE} ORDER BY key", (box.first_key + low, box.first_key + high)).fetchall()
        return found if high - low + 1 == len(wanted) else [row for row in found if row[0] in wanted]
    return db.execute(f"{_FILE}{_THESE} ORDER BY key", (keys(box, uids),)).fetchall()


def file_name(row: File) -> str:
    """The name of a message's file in cur/."""
    uid, unique, size, flags, keywords, others, *_ = row
    return files.render(unique, size, uid, files.letters_of(flags, keywords, others))


def state(db: sqlite3.Connection, box: Box) -> MailboxState:
    """The numbers of a mailbox. RFC 9051 §6.3.11."""
    recent = first_unseen = 0
    if box.recent_uid < box.uidnext:
        sql = "SELECT count(*) FROM message WHERE key BETWEEN ? AND ?"
        recent = db.execute(sql, (box.first_key + box.recent_uid, box.last_key)).fetchone()[0]
    if box.unseen:
        sql = _FIRST_UNSEEN
        key = db.execute(sql, (box.first_key, box.last_key)).fetchone()[0]
        first_unseen = (key or box.first_key) - box.first_key
    words = tuple(word for word in box.words if word)
    return MailboxState(
        uidvalidity=box.uidvalidity,
        uidnext=box.uidnext,
        highestmodseq=box.modseq,
        messages=box.messages,
        unseen=box.unseen,
        deleted=box.deleted,
        recent=recent,
        size=box.size,
        first_unseen=first_unseen,
        keywords=words,
        keywords_full=len(words) >= len(files.KEYWORDS),
    )


def uids(db: sqlite3.Connection, box: Box, engine: Engine) -> array[int]:
    """Every uid, rising: from this process's memory where nothing came or went since the last time.

    All who ask share one array, so that a thousand clients of a large mailbox do not have one each. Nobody changes it.
    """
    remembered = engine.uids.get(box.mailbox_id)
    if remembered and remembered[0] == box.id and remembered[1] <= box.modseq:
        if remembered[1] == box.modseq:
            return remembered[3]
        found = _brought_up(db, box, remembered)
    else:
        found = _gapless(db, box) or _uids_from(db, box, 0)
    if len(engine.uids) > 1000:
        engine.uids.clear()
    engine.uids[box.mailbox_id] = (box.id, box.modseq, box.uidnext, found)
    return found


def _brought_up(db: sqlite3.Connection, box: Box, remembered: tuple[int, int, int, array[int]]) -> array[int]:
    _, modseq, uidnext, old = remembered
    if modseq < box.history:
        return _uids_from(db, box, 0)
    gone = set(_vanished(db, box, modseq))
    kept = array("I", [uid for uid in old if uid not in gone]) if gone else old
    new = _uids_from(db, box, uidnext)
    return kept + new if new else kept


def _gapless(db: sqlite3.Connection, box: Box) -> array[int] | None:
    """Where as many messages are there as uids, from the first to the last, none has to be read."""
    sql = "SELECT (SELECT min(key) FROM message WHERE key >= ?), (SELECT max(key) FROM message WHERE key <= ?)"
    first, last = db.execute(sql, (box.first_key, box.last_key)).fetchone()
    if not box.messages or last - first + 1 != box.messages:
        return None
    return array("I", range(first - box.first_key, last - box.first_key + 1))


def _uids_from(db: sqlite3.Connection, box: Box, first: int) -> array[int]:
    text = db.execute(_CONCATENATED, (box.first_key + first, box.last_key)).fetchone()[0]
    return array("I", map(int, text.split(","))) if text else array("I")


def _vanished(db: sqlite3.Connection, box: Box, since: int) -> list[int]:
    sql = "SELECT key & 4294967295 FROM vanished WHERE key >> 32 = ? AND modseq > ? ORDER BY key"
    return [uid for (uid,) in db.execute(sql, (box.id, since))]


def changes(db: sqlite3.Connection, box: Box, since: int) -> Changes:
    """What changed after a modseq. Where the memory does not reach back, every number without a message has vanished."""
    found = db.execute(_ROW + " WHERE key >> 32 = ? AND modseq > ? ORDER BY key", (box.id, since))
    changed = _made(box, found)
    if since < box.history:
        there = set(_uids_from(db, box, 0))
        vanished = [uid for uid in range(1, box.uidnext) if uid not in there]
    else:
        vanished = _vanished(db, box, since)
    return Changes(box.modseq, box.uidnext, changed, vanished)


def columns(
    db: sqlite3.Connection, box: Box, some: Sequence[int], wanted: Sequence[Column]
) -> dict[int, tuple[bytes, ...]]:
    """What is rendered of some messages, by rising uid."""
    fields = ", ".join(column.value for column in wanted)
    sql = f"SELECT key & 4294967295, {fields} FROM {holding(wanted)}" + _THESE + " ORDER BY key"  # noqa: S608 - from an Enum
    return {row[0]: row[1:] for row in db.execute(sql, (keys(box, some),))}


def digests(db: sqlite3.Connection, box: Box, some: Sequence[int]) -> dict[int, bytes | None]:
    """SHA-256 of some messages; None: it is not known yet."""
    return dict(db.execute(_DIGEST + _THESE, (keys(box, some),)).fetchall())


_KEEP_RENDERED = {
    table: f"INSERT OR REPLACE INTO {table} (key, {', '.join(column.value for column in columns)})"  # noqa: S608
    f" SELECT ?, {', '.join('?' for _ in columns)} WHERE EXISTS (SELECT 1 FROM message WHERE key = ?)"
    for table, columns in RENDERED.items()
}


def keep_rendered(
    db: sqlite3.Connection, box: Box, made: dict[int, dict[Column, bytes]], digests: dict[int, bytes]
) -> None:
    """Keep what describe() made of some messages, of those that are still there, and checksums a rebuild left out."""
    for table, columns in RENDERED.items():
        values = []
        for uid, cells in made.items():
            key = box.first_key + uid
            values.append((key, *[cells.get(column, b"") for column in columns], key))
        db.executemany(_KEEP_RENDERED[table], values)
    find.keep(db, box, made)
    sums = [(digest, box.first_key + uid) for uid, digest in digests.items()]
    db.executemany("UPDATE file SET sha256 = ? WHERE key = ? AND sha256 IS NULL", sums)


def unrendered(db: sqlite3.Connection, box: Box, limit: int) -> tuple[list[int], int]:
    """Messages without Columns, from the oldest that may lack them; and the uid below which now none will."""
    sql = (
        "SELECT key & 4294967295 FROM message WHERE key BETWEEN ? AND ?"
        " AND NOT EXISTS (SELECT 1 FROM rendered WHERE rendered.key = message.key) ORDER BY key LIMIT ?"
    )
    found = [uid for (uid,) in db.execute(sql, (box.first_key + box.rendered_uid, box.last_key, limit))]
    return found, found[-1] + 1 if len(found) >= limit else box.uidnext
