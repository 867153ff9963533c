"""What one process has open of one account: its lock, its index, and the deliveries that wait for the lock together."""

from __future__ import annotations

import sqlite3
import threading
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pymaild.mailstore import ChangeFeed, StorageFailed
from pymaild.store import folders, index, journal
from pymaild.store.files import Uniques
from pymaild.store.index import Index
from pymaild.store.lock import AccountLock
from pymaild.store.transaction import Transaction

if TYPE_CHECKING:
    from pymaild.store.watched import Leaving

T = TypeVar("T")
Limits = Callable[[str], tuple[int, int]]
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def this_boot() -> int:
    """A number for the time since the machine started; 0: not known. What was written since then no power cut took back."""
    try:
        return int(_BOOT_ID.read_text("ascii")[:13].replace("-", ""), 16)
    except (OSError, ValueError):
        return 0


class Engine:
    """Opens what it needs when it is needed, and can be closed at any time between two operations."""

    def __init__(self, root: Path, address: str, limits: Limits, feed: ChangeFeed | None, uniques: Uniques) -> None:
        self.root, self.address, self.limits, self.feed, self.uniques = root, address, limits, feed, uniques
        self.directory = str(root)  # what is joined for each message is text: a Path costs more than the rename
        self.lock = AccountLock(root)
        self.waiting: deque[object] = deque()  # deliveries; see delivery.py
        self.turn = threading.Lock()
        self.uids: dict[str, tuple[int, int, int, array[int]]] = {}  # see rows.py
        self.flags: dict[str, tuple[int, int, bytes]] = {}  # see find.py
        self.inbox: tuple[str, str] | None = None  # id and directory of INBOX, which never change while it is open
        self.leaving: Mapping[str, Leaving] = {}  # see watched.py
        self.unrendered = True  # there may be messages whose Columns are not made yet
        self._index: Index | None = None

    # ---- opening

    def _current(self) -> Index:
        """The index, opened or made anew where that is needed. Call it while holding the lock."""
        if self._index and not self._index.replaced():
            return self._index
        if self._index:
            self._index.close()
            self._index = None
        self.uids.clear()
        self.flags.clear()
        self.inbox = None
        self._index = Index(self.root)
        self._begin(self._index)
        return self._index

    def _begin(self, opened: Index) -> None:
        """The first process to open the account asks whether the last one left it in order."""
        journal.recover(self.root)
        first = self.lock.alone()
        db = opened.writer
        notes = dict(db.execute("SELECT name, value FROM meta"))
        clean, boot = notes["clean"], this_boot()
        if opened.created or (first and not clean):
            doubt = index.LOST if boot and notes.get("boot") == boot else index.CUT
            db.execute("UPDATE mailbox SET recovering = max(recovering, ?), cur_mark = 0, new_mark = 0", (doubt,))
            self.lock.clean()
        if first and (clean or notes.get("boot") != boot):  # durable before anything is changed: an older index
            db.execute("PRAGMA synchronous = FULL")  # must not look like a clean one, nor like one of this boot
            db.execute("INSERT OR REPLACE INTO meta VALUES ('clean', 0), ('boot', ?)", (boot,))
            db.execute("PRAGMA synchronous = NORMAL")
        if opened.created or first:
            db.execute("BEGIN IMMEDIATE")
            folders.take_in(self.root, db, doubt=not clean)
            db.execute("COMMIT")

    def close(self) -> None:
        """Close everything; the last process to do so leaves the note that all is in order."""
        if self._index:
            with self.lock:
                self._end()
            self.lock.close_files()

    def _end(self) -> None:
        opened, self._index = self._index, None
        if opened is None:
            return
        if self.lock.alone() and not self.lock.soiled and not opened.replaced():
            opened.writer.execute("UPDATE meta SET value = 1 WHERE name = 'clean'")
        opened.close()

    # ---- reading and writing

    def read(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Ask the index; a broken one is made anew from the Maildir and asked again."""
        try:
            return self._read(question)
        except sqlite3.DatabaseError as error:
            self._repair(error)
        try:
            return self._read(question)
        except sqlite3.Error as error:
            raise index.failed(error) from error

    def _read(self, question: Callable[[sqlite3.Connection], T]) -> T:
        opened = self._index
        if opened is None:
            with self.lock:
                opened = self._current()
        with opened.reading() as db:
            return question(db)

    def _repair(self, error: sqlite3.Error) -> None:
        if not index.is_damage(error):
            raise index.failed(error) from error
        with self.lock:
            if self._index and not self._index.replaced():
                self._index.close()
                self._index = None
                index.set_aside(self.root / index.FILE)
            self._current()

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """Everything inside is done and durable at the end, or not at all."""
        tx = None
        try:
            with self.lock:
                tx = self._transaction()
                try:
                    yield tx
                    tx.finish()
                except BaseException:
                    tx.abandon()
                    raise
        except sqlite3.Error as error:
            self._repair(error)
            raise StorageFailed from error
        if self.feed:
            for name in tx.changed:
                self.feed.publish(self.address, name)

    def _transaction(self) -> Transaction:
        db = self._current().writer
        if self.lock.soiled:
            journal.recover(self.root)
            db.execute("UPDATE mailbox SET recovering = max(recovering, 1), cur_mark = 0, new_mark = 0")
            self.lock.clean()
        db.execute("BEGIN IMMEDIATE")
        return Transaction(self, db)

    def rebuild(self) -> None:
        """Throw the index away and make a new one; every mailbox is read again when it is next used."""
        with self.lock:
            if self._index:
                self._index.close()
                self._index = None
            index.set_aside(self.root / index.FILE)
            self._current()

    def checkpoint(self) -> None:
        """Keep the WAL short."""
        opened = self._index
        if opened:
            opened.checkpoint()
