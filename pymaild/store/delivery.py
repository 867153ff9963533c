"""Deliveries: each is written and flushed by its own thread, then all that wait enter the mailbox together.

Whoever gets the turn first takes everything that waits: one lock, one flush of the folder, one commit. So flushes of
messages run side by side and the order of uids is the order in which messages become visible.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

from pymaild.mailstore import MessageGone, NoSuchMailbox, StoreError, Upload
from pymaild.store import files, rows
from pymaild.store.engine import Engine
from pymaild.store.files import Written
from pymaild.store.index import Box
from pymaild.store.transaction import Transaction

EARLIEST, LATEST = -(1 << 31), (1 << 34) - (1 << 31) - 1  # what ext4 can say of a file: 1901 to 2446


@dataclass(slots=True)
class Arrival:
    """A message on its way from tmp/ into its mailbox."""

    mailbox_id: str
    written: Written
    flags: int
    keywords: tuple[str, ...]
    internal_date: int
    limits: tuple[int, int]
    uid: int = 0
    error: BaseException | None = None
    done: bool = False


def deliver(
    engine: Engine,
    folder: tuple[str, str],
    message: BinaryIO | bytes,
    trace: bytes = b"",
    flags: int = 0,
    keywords: tuple[str, ...] = (),
    internal_date: int | None = None,
) -> int:
    """Take in one message; `folder` is the mailbox's id and its directory. Returns the uid when it is durable."""
    arrival = _write(engine, folder, Upload(message, flags, keywords, internal_date), trace)
    engine.waiting.append(arrival)
    with engine.turn:
        if not arrival.done:
            _enter(engine, _waiting(engine))
    if arrival.error:
        raise arrival.error
    engine.unrendered = True
    return arrival.uid


def _write(engine: Engine, folder: tuple[str, str], upload: Upload, trace: bytes = b"") -> Arrival:
    """Bring a message into the tmp/ of its mailbox, durable."""
    limits = engine.limits(engine.address)
    wanted = upload.internal_date
    date = int(time.time()) if wanted is None else min(max(wanted, EARLIEST), LATEST)
    tmp = f"{engine.directory}/{folder[1]}/tmp"  # noqa: S108 - the mailbox's own
    try:
        written = files.write(tmp, engine.uniques.token(), files.pieces_of(upload.message, trace), date)
    except StoreError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise NoSuchMailbox from error
        raise
    return Arrival(folder[0], written, upload.flags, upload.keywords, date, limits)


def deliver_all(engine: Engine, folder: tuple[str, str], uploads: Sequence[Upload]) -> list[int]:
    """Take in several messages in one transaction: all or none. RFC 3502 §6.3.11."""
    arrivals: list[Arrival] = []
    try:
        for upload in uploads:
            arrivals.append(_write(engine, folder, upload))
        with engine.writing() as tx:
            tx.together(tx.box(folder[0]), len(arrivals))
            for arrival in arrivals:
                _insert(tx, arrival)
    finally:
        _tidy(arrivals)
    engine.unrendered = True
    return [arrival.uid for arrival in arrivals]


def replace(engine: Engine, source_id: str, uid: int, folder: tuple[str, str], upload: Upload) -> int:
    """A new message comes and an old one goes, in one transaction; only what it adds counts. RFC 8508 §3.4."""
    arrival = _write(engine, folder, upload)
    try:
        with engine.writing() as tx:
            source = tx.box(source_id)
            tx.look(source)
            old = rows.file_rows(tx.db, source, [uid])
            if not old:
                raise MessageGone
            tx.admit(arrival.written.size - old[0][2], 0, arrival.limits)
            _insert(tx, arrival, admitted=True)
            tx.doom(source, [f"cur/{rows.file_name(old[0])}"])
            tx.vanish(source, [uid])
    finally:
        _tidy([arrival])
    engine.unrendered = True
    return arrival.uid


def _insert(tx: Transaction, arrival: Arrival, admitted: bool = False) -> None:
    """Place one message, and its rows."""
    try:
        row = _placed(tx, tx.box(arrival.mailbox_id), arrival, int(time.time()), admitted)
    except FileNotFoundError:
        raise NoSuchMailbox from None
    arrival.done = True
    tx.db.execute("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?)", row[:7])
    tx.db.execute("INSERT INTO file VALUES (?, ?, '', ?)", (row[0], *row[7:]))


def _tidy(arrivals: Iterable[Arrival]) -> None:
    """What did not get out of tmp/ is removed; what did, and was undone, is gone already."""
    for arrival in arrivals:
        if not arrival.done:
            files.remove(arrival.written.path)


def _waiting(engine: Engine) -> list[Arrival]:
    """Everything that waits at this moment; who comes later finds the turn taken and waits for the next."""
    batch = []
    while engine.waiting:
        batch.append(cast(Arrival, engine.waiting.popleft()))
    return batch


def _enter(engine: Engine, batch: list[Arrival]) -> None:
    """Bring all of a batch into their mailboxes, or tell each why not."""
    try:
        with engine.writing() as tx:
            now = int(time.time())
            rows = [row for arrival in batch if (row := _place(tx, arrival, now))]
            tx.db.executemany("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?)", [row[:7] for row in rows])
            tx.db.executemany("INSERT INTO file VALUES (?, ?, '', ?)", [(row[0], *row[7:]) for row in rows])
    except BaseException as error:
        for arrival in batch:
            arrival.error = arrival.error or error
        if not isinstance(error, StoreError):
            raise
    finally:
        for arrival in batch:
            arrival.done = True
            if arrival.error:
                files.remove(arrival.written.path)


Placed = tuple[int, int, int, int, int, int, int, str, bytes]


def _place(tx: Transaction, arrival: Arrival, now: int) -> Placed | None:
    """Give one message its uid and its place in cur/; the row to insert."""
    try:
        return _placed(tx, tx.box(arrival.mailbox_id), arrival, now)
    except FileNotFoundError:
        arrival.error = NoSuchMailbox()
    except StoreError as error:
        arrival.error = error
    return None


def _placed(tx: Transaction, box: Box, arrival: Arrival, now: int, admitted: bool = False) -> Placed:
    written, flags = arrival.written, arrival.flags
    if not admitted:
        tx.admit(written.size, 1, arrival.limits)
    keywords = tx.mask(box, arrival.keywords) if arrival.keywords else 0
    unique = files.unique_of(written.token, box.mailbox_id, written.sha256, now)
    tx.touch(box)
    uid = tx.take_uid(box)
    name = files.render(unique, written.size, uid, files.letters_of(flags, keywords))
    tx.arrive(written.path, f"{tx.cur(box)}/{name}")
    tx.count(box, flags, written.size)
    arrival.uid = uid
    modseq = tx.modseq(box)
    key = box.first_key + uid
    return (key, flags, keywords, modseq, written.size, arrival.internal_date, now, unique, written.sha256)
