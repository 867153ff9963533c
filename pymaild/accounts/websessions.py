"""Who is logged in to the webmail: sessions on the server's side, in data_dir/pymaild.sqlite3.

The browser holds a random token of 256 bits; the table holds only its hash, so that a copied database logs nobody in. A
session ends at logout, when its password changes, after a time without use, and at the latest after a fixed time.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from pymaild.accounts.database import Database, Value

IDLE: Final = 12 * 3600  # seconds without use
ABSOLUTE: Final = 3 * 86400
IDLE_REMEMBERED: Final = 14 * 86400  # "stay logged in on this device"
ABSOLUTE_REMEMBERED: Final = 90 * 86400
_TOUCH: Final = 60  # how exact "last used" is; not every page costs a write
MAX_PER_ACCOUNT: Final = 50  # the one unused for longest goes

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS web_session ("
    "token_hash TEXT PRIMARY KEY, account TEXT NOT NULL, created REAL NOT NULL, used REAL NOT NULL,"
    " remembered INTEGER NOT NULL, ip TEXT NOT NULL, agent TEXT NOT NULL, notice TEXT NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS web_session_of ON web_session (account)",
)
_COLUMNS = "token_hash, account, created, used, remembered, ip, agent"
_EXPIRED = (
    "DELETE FROM web_session WHERE (remembered = 0 AND (used < ? OR created < ?))"
    " OR (remembered = 1 AND (used < ? OR created < ?))"
)
_TOO_MANY = (
    "DELETE FROM web_session WHERE account = ? AND token_hash NOT IN"
    " (SELECT token_hash FROM web_session WHERE account = ? ORDER BY used DESC LIMIT ?)"
)


@dataclass(frozen=True, slots=True)
class WebSession:
    """One browser that is logged in."""

    session_id: str  # the first characters of the hash: enough to name it, useless for logging in
    account: str
    created: float
    used: float
    remembered: bool
    ip: str
    agent: str


class WebSessions:
    """The table of sessions; any thread may ask."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self.database = database
        self.clock = clock
        self._ready = False

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self.database.write() as connection:
            if not self._ready:
                for statement in _SCHEMA:
                    connection.execute(statement)
            yield connection
        self._ready = True

    def _read(self, sql: str, values: Sequence[Value]) -> list[tuple[Any, ...]]:
        if not self._ready:
            with self._write():
                pass  # makes the table
        return self.database.read(sql, values)

    def begin(self, account: str, ip: str, agent: str, remembered: bool = False) -> str:
        """A new session; returns the token for the cookie."""
        token = secrets.token_urlsafe(32)
        now = self.clock()
        row = (_hash(token), account, now, now, remembered, ip, agent[:200], "")
        with self._write() as connection:
            connection.execute(_EXPIRED, (now - IDLE, now - ABSOLUTE, now - IDLE_REMEMBERED, now - ABSOLUTE_REMEMBERED))
            connection.execute("INSERT INTO web_session VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            connection.execute(_TOO_MANY, (account, account, MAX_PER_ACCOUNT))
        return token

    def find(self, token: str) -> WebSession | None:
        """The session of a token, unless it has ended; counts as use."""
        if not 40 <= len(token) <= 50:
            return None
        now = self.clock()
        rows = self._read(f"SELECT {_COLUMNS} FROM web_session WHERE token_hash = ?", (_hash(token),))  # noqa: S608
        session = _session(rows[0]) if rows else None
        if not session or _expired(session, now):
            return None
        if now - session.used > _TOUCH:
            with self._write() as connection:
                connection.execute("UPDATE web_session SET used = ? WHERE token_hash = ?", (now, _hash(token)))
        return session

    def end(self, token: str) -> None:
        """Log this browser out."""
        with self._write() as connection:
            connection.execute("DELETE FROM web_session WHERE token_hash = ?", (_hash(token),))

    def end_one(self, account: str, session_id: str) -> bool:
        """Log one browser of the account out, by the name its list gives it."""
        with self._write() as connection:
            done = connection.execute(
                "DELETE FROM web_session WHERE account = ? AND substr(token_hash, 1, 12) = ?", (account, session_id)
            )
            return done.rowcount > 0

    def end_all(self, account: str, but: str = "") -> int:
        """Log every browser of the account out, except the one with the token `but`; how many there were."""
        with self._write() as connection:
            done = connection.execute(
                "DELETE FROM web_session WHERE account = ? AND token_hash <> ?", (account, _hash(but) if but else "")
            )
            return done.rowcount

    def of(self, account: str) -> list[WebSession]:
        """The sessions of an account that have not ended, the latest used first."""
        now = self.clock()
        sql = f"SELECT {_COLUMNS} FROM web_session WHERE account = ? ORDER BY used DESC"  # noqa: S608 - our own names
        return [session for session in map(_session, self._read(sql, (account,))) if not _expired(session, now)]

    def leave_notice(self, token: str, notice: dict[str, object]) -> None:
        """Something to say on the next page."""
        with self._write() as connection:
            connection.execute("UPDATE web_session SET notice = ? WHERE token_hash = ?", (json.dumps(notice), _hash(token)))

    def take_notice(self, token: str) -> dict[str, object]:
        """What was left to say, once."""
        rows = self._read("SELECT notice FROM web_session WHERE token_hash = ?", (_hash(token),))
        if not rows or not rows[0][0]:
            return {}
        with self._write() as connection:
            connection.execute("UPDATE web_session SET notice = '' WHERE token_hash = ?", (_hash(token),))
        found: dict[str, object] = json.loads(rows[0][0])
        return found


def _hash(token: str) -> str:
    """A plain hash is enough: the token has 256 random bits, so there is nothing to guess."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _session(row: tuple[Any, ...]) -> WebSession:
    token_hash, account, created, used, remembered, ip, agent = row
    return WebSession(token_hash[:12], account, created, used, bool(remembered), ip, agent)


def _expired(session: WebSession, now: float) -> bool:
    idle, absolute = (IDLE_REMEMBERED, ABSOLUTE_REMEMBERED) if session.remembered else (IDLE, ABSOLUTE)
    return now - session.used > idle or now - session.created > absolute
