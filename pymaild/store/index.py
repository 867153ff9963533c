"""The index of one account: a SQLite file that can be thrown away at any time. Everything it says is in the Maildir too.

A message's key is its mailbox's number times 2^32 plus its uid, so a mailbox is one range of keys, in the order of uids.
`message` is what clients ask for again and again and is kept narrow; `file` is what is needed to open one; `rendered` is
what describe() made of it, filled after the delivery; `sought` is the part of it by which whole mailboxes are searched and
sorted, narrow for that. `doomed` are files whose removal is decided but perhaps not done.
WAL with synchronous=NORMAL: a power cut may take back the last transactions, never the order or the file's consistency.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pymaild.mailstore import Column, NoSpace, StorageFailed, StoreError

FILE = "index.sqlite3"
VERSION = 7
SHIFT = 32
LOST = 2  # of Box.recovering: the index may be older than the files, or new
CUT = 3  # and what it lost may have been undone before: no modseq it knows can be believed
RENDERED = {  # tables of what describe() made; apart what is asked for alone, and of whole mailboxes
    "rendered": [Column.SORTING, Column.ENVELOPE, Column.BODY, Column.BODYSTRUCTURE, Column.SUMMARY, Column.PARTS],
    "header": [Column.HEADER],
    "usual": [Column.USUAL],
}
TABLES = ("message", "file", *RENDERED, "sought", "text_of")  # a row for each message, by its key
SOUGHT = [
    *(Column.SENT, Column.SENT_DAY),
    *(Column.FROM, Column.TO, Column.CC, Column.BCC, Column.SUBJECT, Column.MESSAGE_ID),
]
_IDLE = 4  # connections kept open for the next reader
_CHECKPOINT = 4000  # pages of WAL after which whoever commits copies them; catch_up() does it earlier

_SCHEMA = """
CREATE TABLE mailbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, folder TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE,
    mailbox_id TEXT NOT NULL UNIQUE, special_use TEXT NOT NULL, uidvalidity INTEGER NOT NULL,
    uidnext INTEGER NOT NULL, uid_bound INTEGER NOT NULL, modseq INTEGER NOT NULL, modseq_bound INTEGER NOT NULL,
    messages INTEGER NOT NULL, unseen INTEGER NOT NULL, deleted INTEGER NOT NULL, size INTEGER NOT NULL,
    recent_uid INTEGER NOT NULL, rendered_uid INTEGER NOT NULL, text_uid INTEGER NOT NULL,
    history INTEGER NOT NULL, pruned_uid INTEGER NOT NULL,
    keywords TEXT NOT NULL, recovering INTEGER NOT NULL, cur_mark INTEGER NOT NULL, new_mark INTEGER NOT NULL);
CREATE TABLE message (
    key INTEGER PRIMARY KEY, flags INTEGER NOT NULL, keywords INTEGER NOT NULL, modseq INTEGER NOT NULL,
    size INTEGER NOT NULL, internal_date INTEGER NOT NULL, save_date INTEGER NOT NULL);
CREATE INDEX message_modseq ON message (key >> 32, modseq);
CREATE INDEX message_unseen ON message (key) WHERE flags & 1 = 0;
CREATE TABLE file (
    key INTEGER PRIMARY KEY, name TEXT NOT NULL, others TEXT NOT NULL, sha256 BLOB);
CREATE TABLE rendered (
    key INTEGER PRIMARY KEY, sorting BLOB, envelope BLOB, body BLOB, bodystructure BLOB, summary BLOB,
    parts BLOB);
CREATE TABLE header (key INTEGER PRIMARY KEY, header BLOB);
CREATE TABLE usual (key INTEGER PRIMARY KEY, usual BLOB);
CREATE TABLE sought (
    key INTEGER PRIMARY KEY, sent INTEGER NOT NULL, sent_day INTEGER NOT NULL, subject_text BLOB NOT NULL,
    from_text BLOB NOT NULL, to_text BLOB NOT NULL, cc_text BLOB NOT NULL, bcc_text BLOB NOT NULL,
    message_id_text BLOB NOT NULL);
CREATE INDEX sought_sent ON sought (key >> 32, sent);
CREATE TABLE text_of (key INTEGER PRIMARY KEY, text INTEGER NOT NULL);
CREATE INDEX text_of_text ON text_of (text);
CREATE TABLE vanished (key INTEGER PRIMARY KEY, modseq INTEGER NOT NULL);
CREATE INDEX vanished_modseq ON vanished (key >> 32, modseq);
CREATE TABLE doomed (folder TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (folder, name)) WITHOUT ROWID;
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('clean', 0), ('text', 0);
"""
_FULLTEXT = """
CREATE TABLE word (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE VIRTUAL TABLE word_part USING fts5(
    text, content = 'word', content_rowid = 'id', tokenize = 'trigram case_sensitive 1', detail = none, columnsize = 0);
CREATE VIRTUAL TABLE word_place USING fts5(words, content = '', tokenize = 'ascii', detail = none, columnsize = 0);
"""  # see fulltext.py


@dataclass(slots=True)
class Box:
    """One row of `mailbox`, as a transaction reads, changes and writes it back."""

    id: int
    folder: str
    name: str
    mailbox_id: str
    special_use: str
    uidvalidity: int
    uidnext: int
    uid_bound: int  # no uid at or above it was ever given out; what pymaild-mailbox says
    modseq: int
    modseq_bound: int
    messages: int
    unseen: int
    deleted: int
    size: int
    recent_uid: int  # messages below it have been told to some session
    rendered_uid: int  # messages below it have their Columns
    text_uid: int  # of messages below it the words are known
    history: int  # since a modseq below it, what vanished is not known any more
    pruned_uid: int  # of the uids up to it some may have vanished without a trace in `vanished`
    keywords: str  # words by letter, a space between; "-" for a free letter
    recovering: int  # uids above uidnext may be in use: look at the Maildir before giving out another; see scan.py
    cur_mark: int
    new_mark: int

    @property
    def words(self) -> tuple[str, ...]:
        """The keywords by letter; an empty word: the letter is free."""
        return tuple("" if word == "-" else word for word in self.keywords.split(" ")) if self.keywords else ()

    @property
    def first_key(self) -> int:
        """The key of uid 0."""
        return self.id << SHIFT

    @property
    def last_key(self) -> int:
        """The key of the highest uid there can be."""
        return (self.id << SHIFT) + 0xFFFFFFFF


BOX_FIELDS = tuple(Box.__slots__)
_SELECT_BOX = f"SELECT {', '.join(BOX_FIELDS)} FROM mailbox"  # noqa: S608 - the names above
_UPDATE_BOX = f"UPDATE mailbox SET {', '.join(f'{field} = ?' for field in BOX_FIELDS[1:])} WHERE id = ?"  # noqa: S608
_INSERT_BOX = (
    f"INSERT INTO mailbox ({', '.join(BOX_FIELDS[1:])})"  # noqa: S608
    f" VALUES ({', '.join('?' for _ in BOX_FIELDS[1:])})"
)


def box_by_id(db: sqlite3.Connection, mailbox_id: str) -> Box | None:
    """The mailbox with this id of RFC 8474."""
    row = db.execute(_SELECT_BOX + " WHERE mailbox_id = ?", (mailbox_id,)).fetchone()
    return Box(*row) if row else None


def box_by_name(db: sqlite3.Connection, name: str) -> Box | None:
    """The mailbox of this canonical name."""
    row = db.execute(_SELECT_BOX + " WHERE name = ?", (name,)).fetchone()
    return Box(*row) if row else None


def boxes(db: sqlite3.Connection) -> list[Box]:
    """Every mailbox the index knows."""
    return [Box(*row) for row in db.execute(_SELECT_BOX)]


def holding(wanted: Sequence[Column]) -> str:
    """The tables that hold these columns of RENDERED, for FROM."""
    return " NATURAL JOIN ".join(table for table, columns in RENDERED.items() if set(columns).intersection(wanted))


def usage(db: sqlite3.Connection) -> tuple[int, int]:
    """Octets and messages of the whole account."""
    octets, messages = db.execute("SELECT total(size), total(messages) FROM mailbox").fetchone()
    return int(octets), int(messages)


def _values(box: Box) -> list[int | str]:
    return [getattr(box, field) for field in BOX_FIELDS[1:]]


def update_box(db: sqlite3.Connection, box: Box) -> None:
    """Write it back."""
    db.execute(_UPDATE_BOX, [*_values(box), box.id])


def insert_box(db: sqlite3.Connection, box: Box) -> None:
    """A mailbox the index did not know; gives it its number."""
    box.id = db.execute(_INSERT_BOX, _values(box)).lastrowid or 0


def delete_box(db: sqlite3.Connection, box: Box) -> None:
    """Forget a mailbox and everything in it."""
    for table in (*TABLES, "vanished"):
        db.execute(f"DELETE FROM {table} WHERE key BETWEEN ? AND ?", (box.first_key, box.last_key))  # noqa: S608
    db.execute("DELETE FROM doomed WHERE folder = ?", (box.folder,))
    db.execute("DELETE FROM mailbox WHERE id = ?", (box.id,))


def failed(error: sqlite3.Error) -> StoreError:
    """What SQLite's error means to whoever waits for the reply."""
    return NoSpace() if "full" in str(error) else StorageFailed()


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is broken or of another kind, so that only making it anew helps."""
    text = str(error)
    if isinstance(error, sqlite3.OperationalError):  # a missing table or column is damage too; a full disk is not
        return "no such" in text or "malformed" in text or "has no column" in text
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.IntegrityError)


class Index:
    """The open connections to one account's index: one that writes, a few that read."""

    def __init__(self, root: Path) -> None:
        self.path = f"{root}/{FILE}"
        self._idle: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self.inode = 0
        self.created = False
        self.writer = self._prepare()

    def _prepare(self) -> sqlite3.Connection:
        try:
            return self._open_schema()
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise failed(error) from error
            set_aside(self.path)
            return self._open_schema()

    def _open_schema(self) -> sqlite3.Connection:
        db = self._connect()
        try:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version not in {0, VERSION}:
                db.close()
                set_aside(self.path)
                return self._open_schema()
            if version == 0:
                _create(db)
                self.created = True
            db.execute("SELECT count(*) FROM mailbox").fetchone()
        except sqlite3.Error:
            db.close()
            raise
        self.inode = os.stat(self.path).st_ino
        return db

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")
        db.execute("PRAGMA cache_size = -4096")
        return db

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read with; several SELECTs see the same moment between BEGIN and COMMIT only."""
        with self._lock:
            db = self._idle.pop() if self._idle else None
        if db is None:
            db = self._connect()
        try:
            yield db
        except BaseException:
            db.close()
            raise
        with self._lock:
            if len(self._idle) < _IDLE and self.inode:
                self._idle.append(db)
                return
        db.close()

    def replaced(self) -> bool:
        """Whether another process has put a new index in the place of ours."""
        try:
            return os.stat(self.path).st_ino != self.inode
        except OSError:
            return True

    def checkpoint(self) -> None:
        """Copy what is in the WAL into the file, as far as no reader stands in the way."""
        with self.reading() as db:
            db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self.inode = 0
            idle, self._idle = self._idle, []
        for db in [*idle, self.writer]:
            db.close()


def _create(db: sqlite3.Connection) -> None:
    """A new index; without the words where SQLite was made without FTS5."""
    fulltext = _FULLTEXT if _has_fts5(db) else ""
    db.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}{fulltext}PRAGMA user_version = {VERSION};COMMIT;")


def _has_fts5(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM pragma_module_list WHERE name = 'fts5'").fetchone() is not None


def set_aside(path: Path | str) -> None:
    """Move a broken index out of the way, for whoever wants to look at it; the one of last time goes."""
    for suffix in ("", "-wal", "-shm"):
        source = Path(f"{path}{suffix}")
        if source.exists():
            os.replace(source, f"{path}.broken{suffix}")
