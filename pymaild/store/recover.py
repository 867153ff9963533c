"""Index and Maildir against each other: rebuilt, compared, and brought up to date."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from pymaild.mailstore import Describe, NoSuchMailbox, StorageFailed
from pymaild.store import files, folders, fulltext, index, rows
from pymaild.store.engine import Engine
from pymaild.store.index import Box
from pymaild.store.mailbox import OpenMailbox

Progress = Callable[[int, int], None]
BUSY = -1  # another process is at it
MAX_TEXTS = 25  # whose words are kept by one transaction: deliveries wait for it


def _mailboxes(engine: Engine, describe: Describe) -> list[OpenMailbox]:
    return [OpenMailbox(engine, describe, box) for box in engine.read(index.boxes)]


def rebuild(engine: Engine, describe: Describe, progress: Progress | None) -> None:
    """A new index: the same uids, flags and keywords, every message's Columns and words."""
    engine.rebuild()
    mailboxes = _mailboxes(engine, describe)
    total = sum(mailbox.state().messages for mailbox in mailboxes)
    done = 0
    for mailbox in mailboxes:
        while mailbox.render_stragglers(200):
            pass
        while count := mailbox.keep_words(MAX_TEXTS):
            done += count
            if progress:
                progress(done, total)


def catch_up(engine: Engine, describe: Describe, limit: int) -> int:
    """Render up to `limit` messages, or, when all are, keep the words of as many; how many there were.

    One process at a time does it for an account, under a lock on the directory that nothing else asks for.
    """
    handle = os.open(engine.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _catch_up(engine, describe, limit)
    except BlockingIOError:
        return BUSY
    finally:
        os.close(handle)


def _catch_up(engine: Engine, describe: Describe, limit: int) -> int:
    done, found = 0, engine.read(index.boxes)
    for box in found:
        with suppress(NoSuchMailbox):  # it was removed in between
            if done < limit and (box.rendered_uid < box.uidnext or box.recovering):
                done += OpenMailbox(engine, describe, box).render_stragglers(limit - done)
    for box in found:
        with suppress(NoSuchMailbox):
            if not done and box.text_uid < box.uidnext:
                done = OpenMailbox(engine, describe, box).keep_words(min(limit, MAX_TEXTS))
    if not done and engine.read(fulltext.is_wasteful):
        with engine.writing() as tx:
            fulltext.forget(tx.db)
        done = 1
    return done


def check(engine: Engine, progress: Progress | None) -> list[str]:
    """Every message's file is read and its SHA-256 compared."""
    problems = _damage(engine)
    mailboxes = _mailboxes(engine, lambda _: {})
    total, done = sum(mailbox.state().messages for mailbox in mailboxes), 0
    for mailbox in mailboxes:
        mailbox.refresh()
        with engine.lock:
            pass  # whoever was changing something has finished
        found, files_there = _compare(engine, mailbox, partial(_tell, progress, done, total))
        problems += [f"{mailbox.name}: {problem}" for problem in found]
        done += files_there
    return problems


def _tell(progress: Progress | None, before: int, total: int, count: int) -> None:
    if progress:
        progress(before + count, total)


def _damage(engine: Engine) -> list[str]:
    found = engine.read(lambda db: [row[0] for row in db.execute("PRAGMA quick_check(10)")])
    there = folders.found(engine.root)
    strange = [
        entry.name
        for entry in os.scandir(engine.root)
        if entry.name.startswith(".") and entry.is_dir() and entry.name not in there
    ]
    return [f"index: {line}" for line in found if line != "ok"] + [
        f"the folder {name!a} has a name that no mailbox can have" for name in sorted(strange)
    ]


def _compare(engine: Engine, mailbox: OpenMailbox, tell: Callable[[int], None]) -> tuple[list[str], int]:
    """The problems of one mailbox, and how many messages it has."""
    box = engine.read(lambda db: index.box_by_id(db, mailbox.mailbox_id))
    if box is None:
        return [], 0
    cur = os.path.join(engine.root, box.folder, "cur")
    known = engine.read(lambda db: rows.file_rows(db, box, list(rows.uids(db, box, engine))))
    present = {name for name in os.listdir(cur) if not name.startswith(".")}
    problems = [f"a file that is no message: {name!a}" for name in sorted(present - set(map(rows.file_name, known)))]
    for count, row in enumerate(known, 1):
        problem = _file_problem(engine, box, f"{cur}/{rows.file_name(row)}", row)
        if problem:
            problems.append(f"message {row[0]}: {problem}")
        tell(count)
    return problems + _counter_problems(engine, box), len(known)


def _file_problem(engine: Engine, box: Box, path: str, row: rows.File) -> str:
    try:
        content = files.read(path)
    except FileNotFoundError:
        return "its file is gone"
    except StorageFailed:
        return "its file cannot be read"
    digest = hashlib.sha256(content).digest()
    sql = "SELECT sha256 FROM file WHERE key = ?"
    kept = engine.read(lambda db: db.execute(sql, (box.first_key + row[0],)).fetchone())
    if len(content) != row[2]:
        return f"it has {len(content)} octets instead of {row[2]}"
    if not files.unique_of("", "", digest, 0).endswith(files.parse(row[1]).sha) or (kept and kept[0] not in {None, digest}):
        return "its content is not what was delivered: the checksum differs"
    return ""


def _counter_problems(engine: Engine, box: Box) -> list[str]:
    sql = "SELECT count(*), total(flags & 1 = 0), total(flags & 8 != 0), total(size) FROM message WHERE key BETWEEN ? AND ?"
    counted = engine.read(lambda db: db.execute(sql, (box.first_key, box.last_key)).fetchone())
    kept = (box.messages, box.unseen, box.deleted, box.size)
    return [] if tuple(map(int, counted)) == kept else ["the index counts its messages wrongly: rebuild it"]
