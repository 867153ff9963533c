"""data_dir/logins.sqlite3: what the processes tell each other of logins. Whoever deletes it loses nothing but patience.

    answers    passwords that were checked lately, right or wrong, each under an HMAC (passwords.py)
    buckets    how many wrong ones came lately, by account and network (throttle.py)

No name and no password can be read in it, and neither table grows without bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection
from typing import Final

from pymaild.accounts.database import Database

MOST: Final = 10_000  # rows of each table, and a few more until somebody sweeps
_SWEEP: Final = 256  # writes of a process between two sweeps

_SCHEMA = (
    """
    CREATE TABLE answers (question BLOB PRIMARY KEY, was_right INTEGER NOT NULL, until REAL NOT NULL) WITHOUT ROWID;
    CREATE INDEX answers_until ON answers (until);
    CREATE TABLE buckets (
        bucket BLOB PRIMARY KEY, level REAL NOT NULL, at REAL NOT NULL, turn REAL NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE INDEX buckets_at ON buckets (at)
    """,
)
# The oldest go; a bucket that nothing was put in for two hours has leaked dry.
_SWEEPING = (
    ("DELETE FROM answers WHERE until < ?", 0.0),
    ("DELETE FROM answers WHERE question IN (SELECT question FROM answers ORDER BY until DESC LIMIT -1 OFFSET ?)", None),
    ("DELETE FROM buckets WHERE at < ?", 7200.0),
    ("DELETE FROM buckets WHERE bucket IN (SELECT bucket FROM buckets ORDER BY at DESC LIMIT -1 OFFSET ?)", None),
)


class Tally(Database):
    """The file beside `accounts`, which is pymaild.sqlite3."""

    def __init__(self, accounts: Path) -> None:
        super().__init__(accounts.with_name("logins.sqlite3"), _SCHEMA, durable=False)
        self._written = 0

    @contextmanager
    def noting(self, now: float) -> Iterator[Connection]:
        """One transaction; now and then it sweeps, too."""
        with self.write() as connection:
            yield connection
            self._written += 1
            if self._written % _SWEEP == 0:
                for statement, age in _SWEEPING:
                    connection.execute(statement, (MOST if age is None else now - age,))
