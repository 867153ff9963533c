"""What destinations have shown: whether they could do TLS, and what came of it, for those who ask later.

seen      a host's TLS when it last worked, and since when it does not: no silent way back to clear text
tlsrpt    counts for reports to the domains (RFC 8460 §4), by day
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from sqlite3 import Connection

from pymaild.outbound.commit import Commits
from pymaild.outbound.destination import TlsResult

SCHEMA = """
CREATE TABLE seen (host TEXT PRIMARY KEY, worked REAL NOT NULL, missed REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE tlsrpt (
    day INTEGER NOT NULL, domain TEXT NOT NULL, policy TEXT NOT NULL, host TEXT NOT NULL, failure TEXT NOT NULL,
    ip TEXT NOT NULL, text TEXT NOT NULL, sessions INTEGER NOT NULL,
    PRIMARY KEY (day, domain, policy, host, failure, ip)) WITHOUT ROWID
"""
DAY = 86400
REMEMBERED = 30 * DAY  # seconds
INSISTED = DAY  # seconds for which a host that could do TLS is refused without
KEPT = 35  # days of counts


@dataclass(frozen=True, slots=True)
class Count:
    """Sessions of one day to one host under one policy that went alike."""

    domain: str
    policy: str  # tlsa, sts, no-policy-found (RFC 8460 §4.4)
    host: str
    failure: str  # RFC 8460 §4.3; empty: success
    ip: str
    text: str
    sessions: int


class Memory:
    """One for the process that sends."""

    def __init__(self, commits: Commits, clock: Callable[[], float] = time.time) -> None:
        self._commits, self._clock = commits, clock
        self._known: dict[str, tuple[float, float]] = {}  # host: worked, missed
        for host, worked, missed in commits.read("SELECT host, worked, missed FROM seen", ()):
            self._known[host] = (worked, missed)

    def insists(self, host: str) -> bool:
        """Whether the host could do TLS lately, so that its absence today is more likely an attack than a change."""
        now, (worked, missed) = self._clock(), self._known.get(host, (0.0, 0.0))
        return now - worked < REMEMBERED and (not missed or now - missed < INSISTED)

    def note(self, host: str, result: TlsResult) -> None:
        """TLS worked, or was not there. Written when it changes, and once a day."""
        now, (worked, missed) = self._clock(), self._known.get(host, (0.0, 0.0))
        if result.tls:
            fresh = (now if now - worked > DAY or missed else worked, 0.0)
        elif result.failure and worked:
            fresh = (worked, missed or now)
        else:
            return
        if fresh != (worked, missed):
            self._known[host] = fresh
            sql = "INSERT OR REPLACE INTO seen VALUES (?, ?, ?)"
            self._commits.run(lambda db: db.execute(sql, (host, *fresh)).rowcount)

    def count(self, domain: str, policy: str, host: str, result: TlsResult) -> None:
        """One session more. RFC 8460 §4."""
        day = int(self._clock() // DAY)
        row = (day, domain, policy, host, result.failure, result.ip if result.failure else "", result.text[:500])
        sql = (
            "INSERT INTO tlsrpt VALUES (?, ?, ?, ?, ?, ?, ?, 1)"
            " ON CONFLICT (day, domain, policy, host, failure, ip) DO UPDATE SET sessions = sessions + 1"
        )

        def write(db: Connection) -> None:
            db.execute(sql, row)
            db.execute("DELETE FROM tlsrpt WHERE day < ?", (day - KEPT,))

        self._commits.run(write)

    def counts(self, day: int) -> list[Count]:
        """Of one day, in days since 1970 UTC."""
        sql = "SELECT domain, policy, host, failure, ip, text, sessions FROM tlsrpt WHERE day = ?"
        return [Count(*row) for row in self._commits.read(sql, (day,))]
