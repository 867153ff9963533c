"""Storage: the Maildir is the truth, the index is a cache.

    data_dir/mail/<domain>/<user>/          the account, and its INBOX
        cur/ new/ tmp/                      messages: one file each, never rewritten
        .Sent/ .A.B/                        the other mailboxes, Maildir++
        pymaild-mailbox pymaild-keywords    in each folder: what must survive the index and fits into no file name
        subscriptions pymaild-uidvalidity
        index.sqlite3                       can be deleted at any time
        pymaild-lock pymaild-users          flock(2)

A message's life:

    delivery.py     written to tmp/, flushed; then, with all that wait, renamed into cur/, cur/ flushed, committed: 250
    transaction.py  that order, for every change; what fails is undone, what dies is found by the next one
    transfer.py     flags (a rename), copy (a hard link), move (a rename), expunge (commit, then remove)
    scan.py         what other programs did; also how a lost index comes back with the same uids and flags
    rows.py         what clients ask: one query each
    mailbox.py account.py     these together, as the Protocols of mailstore.py

Nothing but the account's own lock serialises deliveries, and never a flush of a message. docs/storage.md is the proof:
what is on disk at which moment, and why no crash can lose, double or renumber an acknowledged message.
"""

from __future__ import annotations

import os
import resource
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from pymaild.mailstore import ChangeFeed, Describe, SpecialUse
from pymaild.store import folders, names, recover
from pymaild.store.account import Account
from pymaild.store.engine import Engine, Limits
from pymaild.store.files import Uniques, free_space
from pymaild.store.watched import Leaving

__all__ = ["Stores", "free_space"]

STALE = 36 * 3600  # seconds until a file in tmp/ counts as left behind
Progress = Callable[[int, int], None]  # messages done, messages in all
_HANDLES = 12  # an open account's file descriptors, about
_PLAIN = "!#$&'*+-=^_`{|}~ "  # of a local part, what may stand in a directory's name


def _unlimited(_: str) -> tuple[int, int]:
    return 0, 0


class Stores:
    """Every account's mail, for one process. Make it after the fork. Safe to use from any thread."""

    def __init__(
        self,
        data_dir: Path,
        describe: Describe,
        feed: ChangeFeed | None = None,
        quota: Limits = _unlimited,
        run_id: str = "",
    ) -> None:
        self._mail = data_dir / "mail"
        self._describe = describe
        self._feed = feed
        self._quota = quota
        self.leaving: dict[str, Leaving] = {}  # by mailbox: who is asked before messages leave it
        self._run_id = run_id
        self._lock = threading.Lock()
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._pid = os.getpid()
        self._uniques = Uniques(run_id)
        self._most = max(8, min(200, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // (2 * _HANDLES)))

    def __call__(self, address: str) -> Account:
        """The mail of one account; made, with an INBOX, if there is none yet."""
        return Account(self._engine(address), self._describe)

    def _engine(self, address: str) -> Engine:
        if self._pid != os.getpid():
            self._after_fork()
        closing = None
        with self._lock:
            engine = self._engines.get(address)
            if engine:
                self._engines.move_to_end(address)
            else:
                root = self.directory(address)
                folders.make_account(root)
                engine = Engine(root, address, self._quota, self._feed, self._uniques)
                engine.leaving = self.leaving
                self._engines[address] = engine
                if len(self._engines) > self._most:
                    _, closing = self._engines.popitem(last=False)
        if closing:
            closing.close()
        return engine

    def _after_fork(self) -> None:
        """A child shares nothing with its parent: flocks and SQLite connections must not be."""
        self._lock = threading.Lock()
        self._pid, self._uniques = os.getpid(), Uniques(self._run_id)
        _inherited.append(self._engines)
        self._engines = OrderedDict()

    def directory(self, address: str) -> Path:
        """Where an account's mail is; no address can name a place outside of mail/."""
        local, _, domain = address.rpartition("@")
        return self._mail / _component(domain) / _component(local)

    def folder(self, address: str, mailbox: str) -> Path:
        """The Maildir of one mailbox."""
        return self.directory(address) / names.folder_of(mailbox)

    def create_account(self, address: str) -> None:
        """Make the folders of a new account: Drafts Sent Junk Trash Archive, subscribed. Harmless when they are there."""
        account = self(address)
        for use in (SpecialUse.DRAFTS, SpecialUse.SENT, SpecialUse.JUNK, SpecialUse.TRASH, SpecialUse.ARCHIVE):
            account.subscribe(account.special(use))
        account.subscribe(names.INBOX)

    def remove_account(self, address: str) -> None:
        """Remove all mail of an account."""
        with self._lock:
            engine = self._engines.pop(address, None)
        if engine:
            engine.close()
        root = self.directory(address)
        if root.is_dir():
            folders.destroy(folders.move_away(root.parent, root.name))
            folders.destroy(root.parent / folders.GONE)

    def rebuild(self, address: str, progress: Progress | None = None) -> None:
        """Make the index anew from the Maildir, with the Columns."""
        recover.rebuild(self._engine(address), self._describe, progress)

    def check(self, address: str, progress: Progress | None = None) -> list[str]:
        """Hold index, Maildir and checksums against each other; what is wrong, a sentence each."""
        return recover.check(self._engine(address), progress)

    def catch_up(self, limit: int = 100) -> int:
        """Render some of the messages that nobody has asked for yet. 0: nothing is left to do."""
        with self._lock:
            engine = next((engine for engine in self._engines.values() if engine.unrendered), None)
        if engine is None:
            return 0
        engine.unrendered = False
        done = recover.catch_up(engine, self._describe, limit)
        if done:
            engine.unrendered = True
        engine.checkpoint()
        return max(done, 1)

    def sweep(self) -> None:
        """Remove what interrupted deliveries left in tmp/ more than 36 hours ago, and what is left of deleted mailboxes."""
        for root in self._mail.glob("*/*"):
            if (root / "cur").is_dir():
                folders.sweep(root, time.time() - STALE)

    def close(self) -> None:
        """Close every index; the last process to do so notes that all is in order."""
        with self._lock:
            engines, self._engines = self._engines, OrderedDict()
        if self._pid == os.getpid():
            for engine in engines.values():
                engine.close()


_inherited: list[object] = []  # kept alive: closing a parent's SQLite connection in a child could harm the parent


def _component(text: str) -> str:
    safe = quote(text, safe=_PLAIN)
    return "%2E" + safe[1:] if safe.startswith(".") else safe or "%"
