"""One commit for all who wait: a flush takes as long for one change as for fifty.

Whoever comes first while the database is busy does nothing but wait in line; whoever gets hold of it next commits for the
whole line. So a lone change is durable as fast as it can be, and many at once share their fsync.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from pymaild.mailstore import NoSpace, StorageFailed, StoreError
from pymaild.status import MailError

T = TypeVar("T")


class _Change(Generic[T]):
    """One caller's change, and what came of it."""

    def __init__(self, make: Callable[[sqlite3.Connection], T]) -> None:
        self.make = make
        self.done = False
        self.answer: T | None = None
        self.error: MailError | None = StorageFailed()  # until it is committed

    def run(self, db: sqlite3.Connection) -> None:
        self.answer = self.make(db)

    def outcome(self) -> T:
        if self.error is not None:
            raise self.error
        return self.answer  # type: ignore[return-value]  # None only where T is None


class Commits:
    """The connection of one process that writes to a database, shared by its threads. synchronous=FULL."""

    def __init__(self, path: Path, schema: str) -> None:
        self._line: list[_Change[object]] = []
        self._line_lock = threading.Lock()
        self._db_lock = threading.Lock()
        self._db = connect(path)
        self._db.execute("BEGIN IMMEDIATE")
        if not self._db.execute("PRAGMA user_version").fetchone()[0]:
            for statement in schema.split(";"):
                self._db.execute(statement)
            self._db.execute("PRAGMA user_version = 1")
        self._db.execute("COMMIT")

    def run(self, make: Callable[[sqlite3.Connection], T]) -> T:
        """Make a change, perhaps in two goes; durable on return. Raises NoSpace, StorageFailed, what `make` raises."""
        change = _Change(make)
        with self._line_lock:
            self._line.append(change)  # type: ignore[arg-type]
        with self._db_lock:
            if not change.done:
                with self._line_lock:
                    line, self._line = self._line, []
                self._commit(line)
        return change.outcome()

    def read(self, sql: str, values: Sequence[str | float]) -> list[tuple[Any, ...]]:
        """The rows a SELECT answers, between two commits. Raises StorageFailed."""
        with self._db_lock:
            try:
                return self._db.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                raise said(error) from error

    def _commit(self, line: list[_Change[object]]) -> None:
        try:
            self._transaction(line)
        except (sqlite3.Error, MailError):  # of one of them: each is tried alone and keeps its own error
            for change in line:
                self._alone(change)
        finally:
            for change in line:
                change.done = True

    def _alone(self, change: _Change[object]) -> None:
        try:
            self._transaction([change])
        except MailError as error:
            change.error = error
        except sqlite3.Error as error:
            change.error = said(error)
            change.error.__cause__ = error

    def _transaction(self, line: list[_Change[object]]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for change in line:
                change.run(self._db)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        for change in line:
            change.error = None

    def close(self) -> None:
        """Let go of the file."""
        with self._db_lock:
            self._db.close()


def connect(path: Path) -> sqlite3.Connection:
    """A connection for the threads of one process, one at a time."""
    db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    return db


def said(error: sqlite3.Error) -> StoreError:
    """SQLite's complaint as a fact about storage, which the path can answer with 452 or 451."""
    full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return NoSpace() if full else StorageFailed()
