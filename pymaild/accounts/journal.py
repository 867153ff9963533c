"""The journal: events of every message's journey, written behind everybody's back.

record() puts an event into a bounded queue and returns; one thread of each process writes what has gathered, a
transaction a time. A full or broken disk loses events, never mail: that is the bargain of events.Journal. After
KEPT_FOR, and beyond KEPT_AT_MOST, the oldest are dropped.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import sqlite3
import threading
import time
from pathlib import Path

from pymaild.events import Event

KEPT_FOR = 30 * 86400  # seconds
KEPT_AT_MOST = 1_000_000
_WAITING_AT_MOST = 20_000
_BATCH = 1000
_GATHER = 0.05  # seconds in which events come together for one commit; under load there would be one for each message
_PRUNE_EVERY = 600  # seconds
_LOG = logging.getLogger("pymaild.journal")


class Journal:
    """Implements events.Journal over the table `events` of pymaild.sqlite3, which accounts/database.py makes."""

    def __init__(self, path: Path, kept_at_most: int = KEPT_AT_MOST) -> None:
        self.path = path
        self.kept_at_most = kept_at_most
        self.lost = 0  # events that found the queue full or the disk broken
        self._start()

    def _start(self) -> None:
        """The queue and thread of this process; the thread itself starts with the first event."""
        self._process = os.getpid()
        self._queue: queue.Queue[Event | None] = queue.Queue(_WAITING_AT_MOST)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def record(self, event: Event) -> None:
        """Keep one event."""
        if self._process != os.getpid():  # forked: the thread stayed behind
            self._start()
        if not event.at:
            event = Event(event.message_id, event.what, event.details, event.session_id, time.time())
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self.lost += 1
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
                    self._thread.start()

    def events_of(self, message_id: str) -> list[Event]:
        """What happened to a message, in order."""
        return self._select("WHERE message_id = ? ORDER BY at, number", (message_id,))

    def latest(self, count: int = 100) -> list[Event]:
        """The last events, the newest first."""
        return self._select("ORDER BY number DESC LIMIT ?", (count,))

    def flush(self) -> None:
        """Wait until all that was recorded is written (or lost)."""
        if self._process == os.getpid() and self._thread:
            self._queue.join()

    def close(self) -> None:
        """Write what waits and stop."""
        if self._process == os.getpid() and self._thread:
            self._queue.put(None)
            self._thread.join(10)
            self._start()

    def _select(self, rest: str, values: tuple[str | int, ...]) -> list[Event]:
        self.flush()
        connection = self._open()
        try:
            sql = "SELECT message_id, what, details, session_id, at FROM events " + rest  # noqa: S608 - ours
            rows = connection.execute(sql, values).fetchall()
        finally:
            connection.close()
        return [
            Event(message_id, what, json.loads(details), session, at) for message_id, what, details, session, at in rows
        ]

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        connection.execute("PRAGMA synchronous = NORMAL")  # the last events before a power cut may go
        return connection

    # ---- the thread

    def _run(self) -> None:
        pruned = 0.0
        stopped = False
        while not stopped:
            batch = [self._queue.get()]
            time.sleep(_GATHER if batch[0] else 0)
            while len(batch) < _BATCH and not self._queue.empty():
                batch.append(self._queue.get())
            events = [event for event in batch if event]
            stopped = len(events) < len(batch)
            try:
                self._write(events)
                if time.monotonic() > pruned + _PRUNE_EVERY:
                    pruned = time.monotonic()
                    self._prune()
            except sqlite3.Error as error:
                self.lost += len(events)
                _LOG.warning("%d events could not be written: %s", len(events), error)
            finally:
                for _ in batch:
                    self._queue.task_done()

    def _write(self, events: list[Event]) -> None:
        rows = [(e.at, e.message_id, e.session_id, e.what, json.dumps(e.details)) for e in events]
        connection = self._open()
        try:
            connection.execute("BEGIN IMMEDIATE")
            sql = "INSERT INTO events (at, message_id, session_id, what, details) VALUES (?, ?, ?, ?, ?)"
            connection.executemany(sql, rows)
            connection.execute("COMMIT")
        finally:
            connection.close()

    def _prune(self) -> None:
        """Drop what is too old or too much, in slices so that nobody waits long for the file."""
        sql = (
            "DELETE FROM events WHERE number IN (SELECT number FROM events WHERE at < ?1 OR number <="
            " (SELECT max(number) FROM events) - ?2 ORDER BY number LIMIT 1000)"
        )
        connection = self._open()
        try:
            while connection.execute(sql, (time.time() - KEPT_FOR, self.kept_at_most)).rowcount == 1000:
                pass
        finally:
            connection.close()
