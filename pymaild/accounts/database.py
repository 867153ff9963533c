"""pymaild.sqlite3: its schema, one connection to read and one to write, for many threads and processes.

WAL, so that readers never wait; synchronous=FULL, so that what a command said is done survives a power cut. SQLite
connections must not cross a fork: each process opens its own at its first question. logins.sqlite3 (tally.py) is kept in
the same way, without the wait for the disk.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pymaild.accounts.networks import network
from pymaild.mailstore import NoSpace, StorageFailed

# Step n brings a database of version n to n + 1 (PRAGMA user_version). Steps are only ever appended.
SCHEMA = [
    """
    CREATE TABLE generation (number INTEGER NOT NULL);
    INSERT INTO generation VALUES (1);
    CREATE TABLE domains (name TEXT PRIMARY KEY, created INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE accounts (
        address TEXT PRIMARY KEY, password TEXT NOT NULL, admin INTEGER NOT NULL DEFAULT 0,
        enabled INTEGER NOT NULL DEFAULT 1, quota INTEGER, created INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE aliases (
        alias TEXT NOT NULL, target TEXT NOT NULL, created INTEGER NOT NULL, PRIMARY KEY (alias, target)
    ) WITHOUT ROWID;
    CREATE INDEX aliases_of ON aliases (target);
    CREATE TABLE known_addresses (
        account TEXT NOT NULL, ip TEXT NOT NULL, seen INTEGER NOT NULL, PRIMARY KEY (account, ip)
    ) WITHOUT ROWID;
    CREATE TABLE events (
        number INTEGER PRIMARY KEY, at REAL NOT NULL, message_id TEXT NOT NULL, session_id TEXT NOT NULL,
        what TEXT NOT NULL, details TEXT NOT NULL
    );
    CREATE INDEX events_of ON events (message_id);
    CREATE INDEX events_at ON events (at);
    """,
    # Networks in the place of single addresses; a secret for what all processes must agree on and nobody else may know.
    """
    CREATE TABLE known_networks (
        network TEXT NOT NULL, account TEXT NOT NULL, seen INTEGER NOT NULL, PRIMARY KEY (network, account)
    ) WITHOUT ROWID;
    CREATE INDEX known_networks_of ON known_networks (account);
    INSERT INTO known_networks SELECT network(ip), account, max(seen) FROM known_addresses GROUP BY 1, 2;
    DROP TABLE known_addresses;
    CREATE TABLE secret (value BLOB NOT NULL);
    INSERT INTO secret VALUES (randomblob(32));
    ALTER TABLE accounts ADD COLUMN scram TEXT
    """,
    # How many messages an account may keep; the IMAP capabilities that it is not told of, with spaces between.
    """
    ALTER TABLE accounts ADD COLUMN messages INTEGER;
    ALTER TABLE accounts ADD COLUMN hidden TEXT NOT NULL DEFAULT ''
    """,
    # Whose mailboxes an account, or "anyone", may have been given rights to: see shares.py.
    """
    CREATE TABLE shares (
        identifier TEXT NOT NULL, owner TEXT NOT NULL, PRIMARY KEY (identifier, owner)
    ) WITHOUT ROWID;
    CREATE INDEX shares_of ON shares (owner)
    """,
]

Value = str | int | float | bytes | None


class Database:
    """The connections of one process to one file. `durable`: a commit is on the disk when write() is over."""

    def __init__(self, path: Path, schema: Sequence[str] = SCHEMA, durable: bool = True) -> None:
        self.path = path
        self._schema, self._durable = schema, durable
        self._lock = threading.RLock()
        self._process = 0
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self._forsaken: list[sqlite3.Connection | None] = []  # of the process we forked from: closing them would be wrong

    def read(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        """The rows a SELECT answers."""
        with self._lock, _said_plainly():
            return self._connected()[0].execute(sql, values).fetchall()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: committed at the end of the block, rolled back when it raises."""
        with self._lock, _said_plainly():
            writer = self._connected()[1]
            writer.execute("BEGIN IMMEDIATE")
            try:
                yield writer
                writer.execute("COMMIT")
            except BaseException:
                if writer.in_transaction:
                    writer.execute("ROLLBACK")
                raise

    def version(self) -> int:
        """A number that is another one after any commit, in whatever process. A few microseconds."""
        with self._lock, _said_plainly():
            return int(self._connected()[0].execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._process == os.getpid():
                for connection in (self._reader, self._writer):
                    if connection:
                        connection.close()
            self._process = 0
            self._reader = self._writer = None

    def _connected(self) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        if self._process != os.getpid() or not self._reader or not self._writer:
            self._forsaken += [self._reader, self._writer]
            self._writer = self._open()
            _migrate(self._writer, self._schema)
            self._reader = self._open()
            self._process = os.getpid()
        return self._reader, self._writer

    def _open(self) -> sqlite3.Connection:
        if not self.path.exists():
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))  # passwords are in it, hashed or not
        connection = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
        return connection


@contextmanager
def _said_plainly() -> Iterator[None]:
    """SQLite's complaints as facts about storage, which the path can answer with 452 or 451."""
    try:
        yield
    except sqlite3.Error as error:
        full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        raise (NoSpace() if full else StorageFailed()) from error


def _migrate(connection: sqlite3.Connection, schema: Sequence[str]) -> None:
    """Bring the schema up to date, one process at a time."""
    if connection.execute("PRAGMA user_version").fetchone()[0] == len(schema):
        return
    connection.create_function("network", 1, network, deterministic=True)
    connection.execute("BEGIN IMMEDIATE")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    for number, step in enumerate(schema[version:], version + 1):
        for statement in step.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
    connection.execute("COMMIT")
