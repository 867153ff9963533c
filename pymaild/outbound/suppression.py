"""Addresses that an account need not write to again: mail to them came back because they do not exist.

On the list comes what a server said for good ("no such user", "no such domain"), to a message this account really sent;
never what merely claims so. A row says why, since when, and in whose words; it goes after EXPIRES, or when it is cleared.
Who writes to the dead for weeks looks like a spammer to every large provider: that is why this is refused at RCPT.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass

from pymaild.message.bounces_cause import cause_of
from pymaild.message.bounces_causes import Cause
from pymaild.outbound.job import Addressee, Kind, Result
from pymaild.status import MailError

EXPIRES = 90 * 86400.0  # seconds
KEPT_IDS = 30 * 86400.0  # how long a bounce may take to be tied to its message
_MAX_WORDS = 500

SCHEMA = """
CREATE TABLE IF NOT EXISTS suppressed (
    account TEXT NOT NULL, address TEXT NOT NULL, why TEXT NOT NULL, status TEXT NOT NULL, words TEXT NOT NULL,
    since REAL NOT NULL, PRIMARY KEY (account, address)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS written (
    account TEXT NOT NULL, message_id TEXT NOT NULL, id TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (account, message_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS written_at ON written (account, at)
"""
_WHY = {Cause.USER_UNKNOWN: "no such user", Cause.HOST_UNKNOWN: "no such domain"}
_SENTENCE = {"no such user": "there is no such mailbox", "no such domain": "there is no such domain"}


@dataclass(frozen=True, slots=True)
class Suppressed:
    """One row."""

    account: str
    address: str  # lower case
    why: str  # "no such user", "no such domain"
    status: str  # RFC 3463
    words: str  # the remote's, on one line
    since: float  # seconds since 1970 UTC

    @property
    def until(self) -> float:
        """When it goes by itself."""
        return self.since + EXPIRES


class NotAgain(MailError):
    """RFC 3463 X.1.1: it is known that mail to this address comes back."""

    def __init__(self, row: Suppressed) -> None:
        since, until = (time.strftime("%Y-%m-%d", time.gmtime(at)) for at in (row.since, row.until))
        text = (
            f"Mail to this address came back on {since}: {_SENTENCE.get(row.why, row.why)}. Nothing is sent there until "
            f"{until}; if the address works again, who runs this server clears it with: pymaild suppression clear"
        )
        super().__init__("5.1.1", text, 550)


def why(cause: Cause, status: str) -> str:
    """The reason to put an address on the list; empty: there is none. Only what is for good counts."""
    return _WHY.get(cause, "") if status.startswith("5") else ""


def from_results(account: str, pairs: Sequence[tuple[Addressee, Result]], now: float) -> list[Suppressed]:
    """The rows that our own attempts are worth."""
    rows = []
    for addressee, result in pairs:
        cause = cause_of(result.text, result.status, "failed")
        reason = why(cause, result.status) if result.kind is Kind.FAILED else ""
        if account and reason:
            address = str(addressee.recipient.address).lower()
            rows.append(Suppressed(account, address, reason, result.status, one_line(result.text), now))
    return rows


def one_line(text: str) -> str:
    """What a stranger said, fit for a list."""
    return "".join(char if char.isprintable() else " " for char in text)[:_MAX_WORDS].strip()


# ---- rows of queue.sqlite3


def prepare(db: sqlite3.Connection) -> None:
    """Make the tables where they are not there yet."""
    for statement in SCHEMA.split(";"):
        db.execute(statement)


def put(db: sqlite3.Connection, rows: Sequence[Suppressed]) -> None:
    """On the list; the first reason stands, the time is new."""
    sql = (
        "INSERT INTO suppressed VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (account, address) DO UPDATE SET"
        " why = excluded.why, status = excluded.status, words = excluded.words, since = excluded.since"
    )
    db.executemany(sql, [(r.account, r.address.lower(), r.why, r.status, r.words, r.since) for r in rows])
    for row in rows:
        db.execute("DELETE FROM suppressed WHERE account = ? AND since < ?", (row.account, row.since - EXPIRES))


def find(db: sqlite3.Connection, account: str, address: str, now: float) -> Suppressed | None:
    """The row of one address."""
    sql = "SELECT * FROM suppressed WHERE account = ? AND address = ? AND since > ?"
    found = db.execute(sql, (account, address.lower(), now - EXPIRES)).fetchone()
    return Suppressed(*found) if found else None


def listing(db: sqlite3.Connection, account: str, now: float) -> list[Suppressed]:
    """The rows of one account, or of all, oldest first."""
    sql = "SELECT * FROM suppressed WHERE since > ? AND ? IN ('', account) ORDER BY account, since"
    return [Suppressed(*row) for row in db.execute(sql, (now - EXPIRES, account))]


def clear(db: sqlite3.Connection, account: str, address: str) -> int:
    """Take one address of an account off the list, or with "" all of them; how many."""
    sql = "DELETE FROM suppressed WHERE account = ? AND ? IN ('', address)"
    return db.execute(sql, (account, address.lower())).rowcount


def wrote(db: sqlite3.Connection, account: str, message_id: str, id: str, now: float) -> None:
    """A message with this Message-ID left, in the transaction that takes it: what comes back is tied to it."""
    db.execute("DELETE FROM written WHERE account = ? AND at < ?", (account, now - KEPT_IDS))
    db.execute("INSERT OR REPLACE INTO written VALUES (?, ?, ?, ?)", (account, message_id, id, now))


def id_of(db: sqlite3.Connection, account: str, message_id: str) -> str:
    """The queue's id of a message this account sent; empty: it did not, or long ago."""
    found = db.execute("SELECT id FROM written WHERE account = ? AND message_id = ?", (account, message_id)).fetchone()
    return str(found[0]) if found else ""


def has_met(db: sqlite3.Connection, account: str, address: str) -> bool:
    """Whether the account ever wrote there."""
    return bool(db.execute("SELECT 1 FROM met WHERE account = ? AND address = ?", (account, address.lower())).fetchone())
