"""The queue on disk: what is promised to leave this machine, and how far each recipient has come.

    data_dir/queue/tmp/<id>        a message while it is written
    data_dir/queue/mail/<id>       a message as it goes out; never changed
    data_dir/queue/queue.sqlite3   a row per message, a row per recipient; WAL, synchronous=FULL

A file of its own, not pymaild.sqlite3: every message that leaves is committed here several times, and nobody who logs in
should wait for that. What state a message is in, who may act in it and what each step guarantees stands in docs/queue.md;
the steps here have the same numbers.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, BinaryIO

from pymaild.envelope import Envelope, Recipient
from pymaild.mailstore import NoSpace, StorageFailed
from pymaild.outbound import allowance, record, suppression
from pymaild.outbound.commit import Commits, connect, said
from pymaild.outbound.job import LOCAL, Addressee, Job, Kind, Order, Result
from pymaild.status import MailError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_BLOCK = 1 << 20

_SCHEMA = """
CREATE TABLE mail (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, account TEXT NOT NULL, reverse_path TEXT, size INTEGER NOT NULL,
    created REAL NOT NULL, options TEXT NOT NULL, hold TEXT NOT NULL, outbox TEXT NOT NULL);
CREATE INDEX mail_of ON mail (account);
CREATE INDEX mail_unshown ON mail (number) WHERE outbox = '' AND account != '';
CREATE TABLE recipient (
    number INTEGER PRIMARY KEY, mail INTEGER NOT NULL, account TEXT NOT NULL, address TEXT NOT NULL, notify TEXT NOT NULL,
    orcpt TEXT NOT NULL, route TEXT NOT NULL, state INTEGER NOT NULL, attempts INTEGER NOT NULL, next_try REAL NOT NULL,
    last TEXT NOT NULL, delay_told INTEGER NOT NULL);
CREATE INDEX recipient_of ON recipient (mail);
CREATE INDEX lane ON recipient (route, account, next_try) WHERE state = 0;
"""


class State(IntEnum):
    """How far a recipient has come."""

    WAITING = 0
    SENDING = 1  # the queue's process has it in hand: nobody else may touch it
    HELD = 2
    SENT = 3
    FAILED = 4
    CANCELLED = 5


Routed = Sequence[tuple[Recipient, str]]  # recipients with their routes
LEFT = (State.WAITING, State.SENDING, State.HELD)
_LEFT = ", ".join(str(int(state)) for state in LEFT)
_STATE_OF = {Kind.SENT: State.SENT, Kind.FAILED: State.FAILED, Kind.DEFERRED: State.WAITING}


class BeingSent(MailError):
    """RFC 3463 X.0.0: the message is on its way this very moment."""

    def __init__(self) -> None:
        super().__init__("4.0.0", "The message is being sent right now: look again in a minute what came of it")


class NotQueued(MailError):
    """There is no such message in the queue (any more)."""

    def __init__(self) -> None:
        super().__init__("5.0.0", "The queue has no such message: it was sent, returned or removed")


@dataclass(frozen=True, slots=True)
class Lane:
    """The mail of one account to one route: within it, first come first served."""

    route: str
    account: str
    next_try: float  # of the first in it


@dataclass(frozen=True, slots=True)
class Waiting:
    """One recipient in a listing."""

    addressee: Addressee
    state: State

    @property
    def is_done(self) -> bool:
        """Whether nothing more happens to it."""
        return self.state not in LEFT


@dataclass(frozen=True, slots=True)
class Queued:
    """One message in a listing: all its recipients, whatever their state."""

    job: Job  # its addressees are all recipients, also of several routes
    recipients: list[Waiting]
    hold: str
    outbox: str

    @property
    def next_try(self) -> float:
        """When something happens next; 0: nothing will by itself."""
        return min((each.addressee.next_try for each in self.recipients if each.state is State.WAITING), default=0.0)

    @property
    def states(self) -> list[State]:
        """How far each recipient has come."""
        return [each.state for each in self.recipients]


class Queue:
    """The queue as one process sees it. Safe for many threads; made after the fork."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self._clock = clock
        for name in ("tmp", "mail"):
            (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._commits = Commits(folder / "queue.sqlite3", _SCHEMA + allowance.SCHEMA)
        self._commits.run(suppression.prepare)
        self._reader = connect(folder / "queue.sqlite3")
        self._reader_lock = threading.Lock()
        self._suspects: set[str] = set()  # files without a row at the last sweep

    def close(self) -> None:
        """Let go of the files."""
        self._commits.close()
        with self._reader_lock:
            self._reader.close()

    def path(self, id: str) -> Path:
        """Where a message lies."""
        return self.folder / "mail" / id

    # ---- coming in (Q1, Q2, Q3)

    def add(self, envelope: Envelope, routes: Routed, message: BinaryIO, order: Order, trace: bytes = b"") -> str:
        """Take `trace` and a message, from its current position to its end, for recipients with their routes; its id.

        On return it is durable: it will be sent, reported back or removed by somebody, also after a power cut.
        Raises NoSpace, StorageFailed.
        """
        id, now = envelope.message_id, self._clock()
        due = max(now, order.not_before)  # and what give_up_after counts from
        size = self._write(id, trace, message)
        options = record.of_options(envelope, order.require_tls, {**(order.details or {}), "trace": str(len(trace))})
        mail = (id, order.account, record.of_path(envelope.reverse_path), size, due, options, order.hold)
        state = State.HELD if order.hold else State.WAITING

        def insert(db: sqlite3.Connection) -> None:
            if order.account:
                allowance.note(db, order.account, [str(r.address) for r, route in routes if route != LOCAL], now)
            if order.account and order.written_as:
                suppression.wrote(db, order.account, order.written_as, id, now)
            number = db.execute("INSERT INTO mail VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, '')", mail).lastrowid
            db.executemany(
                "INSERT INTO recipient VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, 0, ?, '', 0)",
                [
                    (number, order.account, *record.of_recipient(recipient), route, state, due)
                    for recipient, route in routes
                ],
            )

        try:
            self._commits.run(insert)
        except MailError:
            _remove(self.path(id))
            raise
        return id

    def _write(self, id: str, trace: bytes, message: BinaryIO) -> int:
        """The file, flushed, under its final name, which is flushed too."""
        temporary, size = self.folder / "tmp" / id, 0
        try:
            with open(temporary, "xb", buffering=0, opener=_private) as file:
                block = trace + message.read(_BLOCK)
                while block:
                    size += len(block)
                    while block:
                        block = block[file.write(block) or 0 :]
                    block = message.read(_BLOCK)
                os.fsync(file.fileno())
            os.rename(temporary, self.path(id))
            _flush(self.folder / "mail")
        except OSError as error:
            _remove(temporary)
            raise (NoSpace() if error.errno in _NO_ROOM else StorageFailed()) from error
        return size

    def allowance(self, account: str) -> allowance.Used:
        """What the account has sent within a day, and whom it wrote to for the first time."""
        now = self._clock()
        with self._reader_lock, _said_plainly():
            return allowance.used(self._reader, account, now)

    def strangers(self, account: str, addresses: Sequence[str]) -> int:
        """How many of the addresses the account has never written to."""
        with self._reader_lock, _said_plainly():
            return allowance.strangers(self._reader, account, addresses)

    # ---- what came back

    def suppress(self, rows: Sequence[suppression.Suppressed]) -> None:
        """Put addresses on the lists of accounts. Raises NoSpace, StorageFailed."""
        if rows:
            self._commits.run(lambda db: suppression.put(db, rows))

    def suppressed(self, account: str, address: str) -> suppression.Suppressed | None:
        """Why the account's mail is not sent there; None: it is."""
        now = self._clock()
        with self._reader_lock, _said_plainly():
            return suppression.find(self._reader, account, address, now)

    def suppressions(self, account: str = "") -> list[suppression.Suppressed]:
        """The list of an account, or all of them."""
        now = self._clock()
        with self._reader_lock, _said_plainly():
            return suppression.listing(self._reader, account, now)

    def clear_suppressed(self, account: str, address: str = "") -> int:
        """Take an address off an account's list, or all of them; how many."""
        return self._commits.run(lambda db: suppression.clear(db, account, address))

    def sent_as(self, account: str, message_id: str) -> str:
        """The id of the message with this Message-ID that the account sent lately; empty: it sent none."""
        with self._reader_lock, _said_plainly():
            return suppression.id_of(self._reader, account, message_id)

    def has_met(self, account: str, address: str) -> bool:
        """Whether the account ever wrote to this address."""
        with self._reader_lock, _said_plainly():
            return suppression.has_met(self._reader, account, address)

    # ---- going out: the queue's process alone (Q4, Q5, Q6)

    def recover(self) -> int:
        """At the start of the queue's process: what the last one had in hand waits again; how many recipients."""
        sql = "UPDATE recipient SET state = ? WHERE state = ?"
        return self._commits.run(lambda db: db.execute(sql, (State.WAITING, State.SENDING)).rowcount)

    def lanes(self) -> list[Lane]:
        """Every account and route that has mail waiting, and when the first of it is due."""
        return [Lane(*row) for row in self._select(_LANES)]

    def take(self, wanted: Sequence[tuple[Lane, int]], now: float) -> list[Job]:
        """Up to so many messages of each lane that are due: from here on nobody else may touch them."""

        def mark(db: sqlite3.Connection) -> list[tuple[int, str]]:
            found: list[tuple[int, str]] = []
            for lane, count in wanted:
                first = db.execute(_FIRST, (lane.route, lane.account, now, count))
                mails = list(dict.fromkeys(mail for (mail,) in first))  # several recipients of one message are one job
                db.executemany(_TAKE, [(State.SENDING, mail, lane.route, State.WAITING) for mail in mails])
                found += [(mail, lane.route) for mail in mails]
            return found

        taken = self._commits.run(mark)
        return [job for mail, route in taken for job in self._jobs(mail, route)]

    def _jobs(self, number: int, route: str) -> Iterator[Job]:
        mail = self._select(_MAIL + " WHERE number = ?", (number,))
        rows = self._select(_RECIPIENT + " WHERE mail = ? AND route = ? AND state = ?", (number, route, State.SENDING))
        if mail and rows:
            yield record.job(mail[0][3:], self.folder / "mail", [record.addressee(row[1:]) for row in rows])

    def settle(self, job: Job, results: Sequence[Result], next_tries: Sequence[float]) -> bool:
        """Keep what came of an attempt, before there is another. Whether the message is done with, all routes of it.

        `next_tries` counts where a result is not final. A message without recipients to try is forgotten.
        """
        changes = [
            (_STATE_OF[result.kind], next_try, record.of_result(result), addressee.delay_told, addressee.number)
            for addressee, result, next_try in zip(job.addressees, results, next_tries, strict=True)
        ]

        def write(db: sqlite3.Connection) -> bool:
            db.executemany(_SETTLE, changes)
            return _forget_if_done(db, job.id)

        done = self._commits.run(write)
        if done:
            _remove(job.path)
        return done

    def put_back(self, job: Job, hold: str = "") -> None:
        """An attempt that was not made: the message waits again, or is held with a reason."""
        state = State.HELD if hold else State.WAITING

        def write(db: sqlite3.Connection) -> None:
            db.execute(_PUT_BACK, (state, job.id, State.SENDING))
            if hold:
                db.execute("UPDATE mail SET hold = ? WHERE id = ?", (hold, job.id))

        self._commits.run(write)

    def set_outbox(self, id: str, outbox: str) -> bool:
        """Remember which message of the account's Outbox is its copy; False: it is not in the queue any more."""
        sql = "UPDATE mail SET outbox = ? WHERE id = ?"
        return self._commits.run(lambda db: db.execute(sql, (outbox, id)).rowcount) > 0

    def unshown(self, now: float, limit: int) -> list[Job]:
        """Mail of accounts that has to wait and has no copy in an Outbox yet; all recipients that are left."""
        jobs = []
        for mail in self._select(_UNSHOWN, (now, limit)):
            rows = self._select(f"{_RECIPIENT} WHERE mail = ? AND state IN ({_LEFT})", (mail[0],))
            jobs.append(record.job(mail[3:], self.folder / "mail", [record.addressee(row[1:]) for row in rows]))
        return jobs

    def in_outbox(self, account: str) -> dict[str, str]:
        """What the account's Outbox shows: "uidvalidity uid" -> id."""
        rows = self._select("SELECT outbox, id FROM mail WHERE account = ? AND outbox != ''", (account,))
        return dict(rows)

    # ---- decisions of people

    def hold(self, id: str, reason: str) -> None:
        """It waits until release(). What is on its way this moment goes on. Raises NotQueued, BeingSent."""
        self._change(id, State.WAITING, State.HELD, reason)

    def release(self, id: str) -> None:
        """It goes on where hold() stopped it, at once. Raises NotQueued."""
        self._change(id, State.HELD, State.WAITING, "", next_try=0.0)

    def retry(self, id: str) -> None:
        """Its next attempt is due now. Raises NotQueued, BeingSent."""
        self._change(id, State.WAITING, State.WAITING, None, next_try=0.0)

    def retry_all(self) -> int:
        """The next attempt of everything that waits is due now; how many messages."""

        def write(db: sqlite3.Connection) -> int:
            count = db.execute("SELECT count(DISTINCT mail) FROM recipient WHERE state = 0").fetchone()[0]
            db.execute("UPDATE recipient SET next_try = 0 WHERE state = 0")
            return int(count)

        return self._commits.run(write)

    def _change(self, id: str, old: State, new: State, hold: str | None, next_try: float | None = None) -> None:
        def write(db: sqlite3.Connection) -> None:
            _look(db, id)
            if not db.execute(_MOVE, (new, next_try, id, old)).rowcount and _is_sending(db, id):
                raise BeingSent
            if hold is not None:
                db.execute("UPDATE mail SET hold = ? WHERE id = ?", (hold, id))

        self._commits.run(write)

    def remove(self, id: str) -> Queued:
        """Take it out, without a report to anybody; what it was. Raises NotQueued, BeingSent."""
        with self._reader_lock:
            found = self._found(self._reader, "WHERE id = ?", (id,))

        def write(db: sqlite3.Connection) -> None:
            _look(db, id)
            if _is_sending(db, id):
                raise BeingSent
            _forget(db, id)

        self._commits.run(write)
        _remove(self.path(id))
        return found[0]

    # ---- listings

    def listing(self, account: str | None = None) -> list[Queued]:
        """Every message, oldest first; of one account, or of all."""
        with self._reader_lock:
            where = "" if account is None else "WHERE account = ?"
            return self._found(self._reader, where, () if account is None else (account,))

    def show(self, id: str) -> Queued:
        """One message. Raises NotQueued."""
        with self._reader_lock:
            found = self._found(self._reader, "WHERE id = ?", (id,))
        if not found:
            raise NotQueued
        return found[0]

    def _found(self, db: sqlite3.Connection, where: str, values: Sequence[str]) -> list[Queued]:
        found = []
        for mail in db.execute(f"{_MAIL} {where} ORDER BY number", values).fetchall():
            rows = db.execute(_RECIPIENT + " WHERE mail = ? ORDER BY number", (mail[0],)).fetchall()
            if rows:
                recipients = [Waiting(record.addressee(row[1:]), State(row[0])) for row in rows]
                job = record.job(mail[3:], self.folder / "mail", [each.addressee for each in recipients])
                found.append(Queued(job, recipients, mail[1], mail[2]))
        return found

    def sweep(self) -> int:
        """Remove files that no row speaks of, now and at the last call: leftovers of what was never acknowledged; how many.

        No look at times: a clock that jumps must not take a file whose row is being written.
        """
        found = {f"{folder}/{name}" for folder in ("tmp", "mail") for name in os.listdir(self.folder / folder)}
        known = {f"mail/{id}" for (id,) in self._select("SELECT id FROM mail")}
        stale, self._suspects = self._suspects & found - known, found - known
        for name in stale:
            _remove(self.folder / name)
        return len(stale)

    # ---- rows

    def _select(self, sql: str, values: Sequence[str | float] = ()) -> list[tuple[Any, ...]]:
        with self._reader_lock, _said_plainly():
            return self._reader.execute(sql, values).fetchall()


_MAIL = f"SELECT number, hold, outbox, {record.JOB} FROM mail"  # noqa: S608 - names of columns
_RECIPIENT = f"SELECT state, {record.ADDRESSEE} FROM recipient"  # noqa: S608
_OF = "mail = (SELECT number FROM mail WHERE id = ?)"
_PUT_BACK = f"UPDATE recipient SET state = ? WHERE {_OF} AND state = ?"  # noqa: S608
_MOVE = f"UPDATE recipient SET state = ?, next_try = coalesce(?, next_try) WHERE {_OF} AND state = ?"  # noqa: S608
_IN_STATE = f"SELECT 1 FROM recipient WHERE {_OF} AND state = ?"  # noqa: S608
_ANY_LEFT = f"SELECT 1 FROM recipient WHERE {_OF} AND state IN ({_LEFT})"  # noqa: S608
_FORGET = (f"DELETE FROM recipient WHERE {_OF}", "DELETE FROM mail WHERE id = ?")  # noqa: S608
_SETTLE = "UPDATE recipient SET state = ?, attempts = attempts + 1, next_try = ?, last = ?, delay_told = ? WHERE number = ?"
_FIRST = (
    "SELECT mail FROM recipient WHERE state = 0 AND route = ? AND account = ? AND next_try <= ? ORDER BY next_try LIMIT ?"
)
_TAKE = "UPDATE recipient SET state = ? WHERE mail = ? AND route = ? AND state = ?"
_UNSHOWN = _MAIL + (  # noqa: S608 - names of columns
    " WHERE outbox = '' AND account != '' AND EXISTS (SELECT 1 FROM recipient WHERE mail = mail.number"
    " AND (state = 2 OR state = 0 AND next_try > ?)) ORDER BY number LIMIT ?"
)
# One step in the index per lane, however much mail lies in it.
_LANES = """
WITH RECURSIVE lane (route, account) AS (
    SELECT * FROM (SELECT route, account FROM recipient WHERE state = 0 ORDER BY route, account LIMIT 1)
    UNION ALL
    SELECT next.route, next.account FROM lane JOIN recipient next ON next.number = (
        SELECT number FROM recipient WHERE state = 0 AND (route, account) > (lane.route, lane.account)
        ORDER BY route, account LIMIT 1))
SELECT route, account, (
    SELECT next_try FROM recipient WHERE state = 0 AND route = lane.route AND account = lane.account
    ORDER BY next_try LIMIT 1) FROM lane
"""


def _look(db: sqlite3.Connection, id: str) -> None:
    if not db.execute("SELECT 1 FROM mail WHERE id = ?", (id,)).fetchone():
        raise NotQueued


def _is_sending(db: sqlite3.Connection, id: str) -> bool:
    return bool(db.execute(_IN_STATE, (id, State.SENDING)).fetchone())


def _forget_if_done(db: sqlite3.Connection, id: str) -> bool:
    if db.execute(_ANY_LEFT, (id,)).fetchone():
        return False
    _forget(db, id)
    return True


def _forget(db: sqlite3.Connection, id: str) -> None:
    for sql in _FORGET:
        db.execute(sql, (id,))


@contextmanager
def _said_plainly() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise said(error) from error


# ---- files


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _flush(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    with suppress(OSError):  # the sweep finds it
        path.unlink()
