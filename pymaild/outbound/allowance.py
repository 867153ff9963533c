"""How much an account may send within 24 hours: messages, and people it never wrote to before.

A stolen password is worth what can be sent with it before somebody notices. Who writes to the same people every day is
never stopped by the second limit, however many they are.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

DAY = 86400.0
HOUR = 3600.0

SCHEMA = """
CREATE TABLE sent (account TEXT NOT NULL, hour INTEGER NOT NULL, messages INTEGER NOT NULL, PRIMARY KEY (account, hour))
    WITHOUT ROWID;
CREATE TABLE met (account TEXT NOT NULL, address TEXT NOT NULL, first REAL NOT NULL, PRIMARY KEY (account, address))
    WITHOUT ROWID;
CREATE INDEX met_first ON met (account, first)
"""


@dataclass(frozen=True, slots=True)
class Used:
    """Of an account, within the last 24 hours."""

    messages: int
    strangers: int


def note(db: sqlite3.Connection, account: str, addresses: Sequence[str], now: float) -> None:
    """A message to these addresses was taken, in the transaction that takes it."""
    if not addresses:
        return
    hour = int(now // HOUR)
    add = "INSERT INTO sent VALUES (?, ?, 1) ON CONFLICT (account, hour) DO UPDATE SET messages = messages + 1"
    db.execute(add, (account, hour))
    db.execute("DELETE FROM sent WHERE account = ? AND hour < ?", (account, hour - 48))
    rows = [(account, address.lower(), now) for address in addresses]
    db.executemany("INSERT OR IGNORE INTO met VALUES (?, ?, ?)", rows)


def used(db: sqlite3.Connection, account: str, now: float) -> Used:
    """Messages by the hour, so up to an hour more than a day counts."""
    sql = "SELECT coalesce(sum(messages), 0) FROM sent WHERE account = ? AND hour >= ?"
    messages = db.execute(sql, (account, int((now - DAY) // HOUR))).fetchone()[0]
    sql = "SELECT count(*) FROM met WHERE account = ? AND first > ?"
    return Used(messages, db.execute(sql, (account, now - DAY)).fetchone()[0])


def strangers(db: sqlite3.Connection, account: str, addresses: Sequence[str]) -> int:
    """How many of the addresses the account has never written to."""
    sql = "SELECT count(*) FROM json_each(?) WHERE value NOT IN (SELECT address FROM met WHERE account = ?)"
    asked = json.dumps(sorted({address.lower() for address in addresses}))
    return int(db.execute(sql, (asked, account)).fetchone()[0])
