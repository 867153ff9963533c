"""One change of one account: files and index together, under the account's lock.

The order is always the same, and is what the durability contract rests on:

    1. numbers are reserved in pymaild-mailbox (flushed) before the first uid or modseq of a block is used
    2. files appear or are renamed in cur/ under their final names
    3. cur/ is flushed; where several files make one change the journal is written before 2, and ends here
    4. the index commits: from here on others see it
    5. files that the commit declared dead are removed, and cur/ is flushed once more

What fails before 4 is undone; what dies before 4 is found by the next holder of the lock, who looks at the Maildir.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pymaild.mailstore import Flag, LimitReached, NoSuchMailbox, OverQuota, StoreError
from pymaild.store import files, index, journal, scan, sidecar
from pymaild.store.index import SHIFT, Box

if TYPE_CHECKING:
    from pymaild.store.engine import Engine

UID_BLOCK = 1000
MODSEQ_BLOCK = 10_000
MAX_UID = 0xFFFFFFFE
MAX_KEYWORDS = len(files.KEYWORDS)
SEEN, DELETED = int(Flag.SEEN), int(Flag.DELETED)  # numbers: counting them is what is done for each of very many messages
_THESE = " WHERE key IN (SELECT value FROM json_each(?))"
MAX_HISTORY = 200_000  # expunged uids remembered for each mailbox


class Transaction:
    """Made by Engine.writing(); finish() is the end of a good one, abandon() of a bad one."""

    def __init__(self, engine: Engine, db: sqlite3.Connection) -> None:
        self.engine = engine
        self.root: Path = engine.root
        self._directory = engine.directory
        self.db = db
        self.changed: set[str] = set()  # names of mailboxes whose sessions should look
        self._boxes: dict[str, Box] = {}
        self._trusted: dict[str, bool] = {}  # boxes whose files we changed: did we know their cur/ until then?
        self._bumped: set[str] = set()
        self._asked: dict[str, int] = {}  # mailbox id -> keywords, as bits, that were asked for here
        self._undo: list[Callable[[], None]] = []
        self._dead: dict[str, list[str]] = {}  # mailbox id -> names in its directory, removed after the commit
        self._dirty: set[str] = set()
        self._committed = self._soiled = self._journalled = False
        self._came = False  # messages of which there is something to be made afterwards
        self._used: tuple[int, int] | None = None  # octets and messages of the account, with what came in here

    # ---- mailboxes

    def box(self, mailbox_id: str) -> Box:
        """The mailbox as of now; after a crash the Maildir is looked at first. Raises NoSuchMailbox."""
        box = self._boxes.get(mailbox_id)
        if box is None:
            box = index.box_by_id(self.db, mailbox_id)
            if box is None:
                raise NoSuchMailbox
            self._boxes[mailbox_id] = box
            if box.recovering:
                scan.take_in(self, box)
                self._bumped.discard(box.mailbox_id)
        return box

    def named(self, name: str) -> Box:
        """The mailbox of a canonical name. Raises NoSuchMailbox."""
        box = index.box_by_name(self.db, name)
        if box is None:
            raise NoSuchMailbox
        return self.box(box.mailbox_id)

    def path(self, box: Box) -> str:
        """The directory of a mailbox."""
        return f"{self._directory}/{box.folder}"

    def cur(self, box: Box) -> str:
        """Where its messages are."""
        return f"{self._directory}/{box.folder}/cur"

    def save(self, box: Box) -> None:
        """Its row has to be written at the end."""
        self._dirty.add(box.mailbox_id)

    def forget(self, box: Box) -> None:
        """It was deleted: no row to write."""
        self._boxes.pop(box.mailbox_id, None)
        self._dirty.discard(box.mailbox_id)
        self._trusted.pop(box.mailbox_id, None)

    # ---- numbers

    def take_uid(self, box: Box) -> int:
        """The next uid; never one that may have been given out before. RFC 9051 §2.3.1.1."""
        if box.uidnext >= box.uid_bound:
            box.uid_bound = min(box.uidnext + UID_BLOCK, MAX_UID + 1)
            self._reserve(box)
        if box.uidnext > MAX_UID:
            raise LimitReached("5.2.2", "The mailbox has used up its message numbers: make a new mailbox")
        uid = box.uidnext
        box.uidnext += 1
        self.save(box)
        return uid

    def modseq(self, box: Box) -> int:
        """The modseq of everything this transaction changes in the mailbox. RFC 7162 §3.1."""
        if box.mailbox_id not in self._bumped:
            self._bumped.add(box.mailbox_id)
            if box.modseq + 1 >= box.modseq_bound:
                box.modseq_bound = box.modseq + 1 + MODSEQ_BLOCK
                self._reserve(box)
            box.modseq += 1
            self.save(box)
            self.changed.add(box.name)
        return box.modseq

    def _reserve(self, box: Box) -> None:
        self.save_numbers(box)

    def save_numbers(self, box: Box) -> None:
        """Write pymaild-mailbox; the bounds in it never fall."""
        folder = self.root / box.folder
        numbers = sidecar.Numbers(box.uidvalidity, box.mailbox_id, box.uid_bound, box.modseq_bound, box.special_use)
        there = sidecar.load_numbers(folder)
        if there and there.mailbox_id == box.mailbox_id:
            box.uid_bound = max(box.uid_bound, there.uid_bound)
            box.modseq_bound = max(box.modseq_bound, there.modseq_bound)
            numbers = replace(numbers, uid_bound=box.uid_bound, modseq_bound=box.modseq_bound)
        sidecar.save_numbers(folder, numbers)
        self.save(box)

    # ---- keywords

    def mask(self, box: Box, keywords: Iterable[str], define: bool = True) -> int:
        """The keywords as bits; unknown ones get a letter, or count as none where `define` is false."""
        mask = 0
        for keyword in keywords:
            words = [word.lower() for word in box.words]
            if keyword.lower() in words:
                mask |= 1 << words.index(keyword.lower())
            elif define:
                mask |= 1 << self._define(box, keyword)
            self._asked[box.mailbox_id] = self._asked.get(box.mailbox_id, 0) | mask
        return mask

    def _define(self, box: Box, keyword: str) -> int:
        words = list(box.words)
        letter = words.index("") if "" in words else len(words)
        if letter >= MAX_KEYWORDS:
            letter = self._unused_letter(box)
        words[letter : letter + 1] = [keyword]
        sidecar.save_keywords(self.root / box.folder, tuple(words))
        box.keywords = " ".join(word or "-" for word in words)
        self.save(box)
        self.changed.add(box.name)
        return letter

    def _unused_letter(self, box: Box) -> int:
        """A letter no message carries any more, nor one of this transaction is to carry, may stand for a new keyword."""
        used = self._asked.get(box.mailbox_id, 0)
        sql = "SELECT DISTINCT keywords FROM message WHERE key BETWEEN ? AND ?"
        for (mask,) in self.db.execute(sql, (box.first_key, box.last_key)):
            used |= mask
        for letter in range(MAX_KEYWORDS):
            if not used >> letter & 1:
                return letter
        raise LimitReached("5.0.0", f"The mailbox has {MAX_KEYWORDS} keywords already, and cannot have more")

    # ---- files

    def soil(self) -> None:
        """Files are changed from here on: whoever finds the lock so, after we died, looks at the Maildir."""
        self._soiled = True
        self.engine.lock.soil()

    def touch(self, box: Box) -> None:
        """Call it before a change in cur/: remembers whether other programs had been there before us."""
        if box.mailbox_id not in self._trusted:
            self.soil()
            self._trusted[box.mailbox_id] = files.marked(self.cur(box)) == box.cur_mark

    def trust(self, box: Box, settled: bool) -> None:
        """After a look: whether cur/ is known to be as the rows say."""
        self._trusted[box.mailbox_id] = settled

    def look(self, box: Box) -> None:
        """Take in what other programs did, so that the rows say what the files say. Our own change has another modseq."""
        if files.marked(self.cur(box)) != box.cur_mark:
            scan.take_in(self, box)
            self._bumped.discard(box.mailbox_id)

    def undo(self, step: Callable[[], None]) -> None:
        """What to do if this transaction fails."""
        self._undo.append(step)

    def rename(self, source: str, target: str) -> None:
        """Rename a file, and back if the transaction fails. Raises FileNotFoundError."""
        try:
            os.rename(source, target)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise files.failed(error) from error
        self._undo.append(lambda: os.rename(target, source))

    def rename_all(self, directory: str, names: Iterable[tuple[str, str]]) -> None:
        """Rename files of a directory, and back if the transaction fails. Raises FileNotFoundError."""
        done: list[tuple[str, str]] = []
        self._undo.append(lambda: _back(directory, done))
        try:
            handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:  # names within the directory: the way to it is not looked up for each of them
                for pair in names:
                    os.rename(*pair, src_dir_fd=handle, dst_dir_fd=handle)
                    done.append(pair)
            finally:
                os.close(handle)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise files.failed(error) from error

    def arrive(self, source: str, target: str) -> None:
        """A new message comes out of tmp/; it is removed if the transaction fails. Raises FileNotFoundError."""
        try:
            os.rename(source, target)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise files.failed(error) from error
        self._undo.append(lambda: files.unlink(target))

    def announce(self, lines: list[str]) -> None:
        """What is about to be done to several files is done to all or to none of them, whoever dies: see journal.py."""
        self.soil()
        self._journalled = True
        journal.write(self.root, lines)

    def together(self, box: Box, count: int) -> None:
        """So many messages are about to come into a mailbox, all or none."""
        if count > 1:
            self.announce(["\t".join(map(str, ("new", box.folder, box.mailbox_id, box.uidnext, box.uidnext + count - 1)))])

    def admit(self, octets: int, messages: int, limits: tuple[int, int]) -> None:
        """Raises OverQuota when so much more would be too much. No limits: nothing is asked."""
        if not limits[0] and not limits[1]:
            return
        if self._used is None:
            self._used = index.usage(self.db)
        used = (self._used[0] + octets, self._used[1] + messages)
        if (limits[0] and used[0] > limits[0]) or (limits[1] and used[1] > limits[1]):
            raise OverQuota
        self._used = used

    def link(self, source: str, target: str) -> None:
        """A second name for a file, removed if the transaction fails. Raises FileNotFoundError."""
        try:
            os.link(source, target, follow_symlinks=False)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise files.failed(error) from error
        self._undo.append(lambda: files.unlink(target))

    def doom(self, box: Box, names: Sequence[str]) -> None:
        """Remove files (names within the mailbox's directory) once the commit says that they are dead."""
        self._dead.setdefault(box.mailbox_id, []).extend(names)
        self.db.executemany("INSERT OR IGNORE INTO doomed VALUES (?, ?)", [(box.folder, name) for name in names])
        self.touch(box)

    # ---- counters

    def count(self, box: Box, flags: int, size: int, sign: int = 1) -> None:
        """A message of these flags came (1) or went (-1)."""
        self._came = self._came or sign > 0
        box.messages += sign
        box.size += sign * size
        box.unseen += 0 if flags & SEEN else sign
        box.deleted += sign if flags & DELETED else 0
        self.save(box)

    def recount(self, box: Box, before: int, after: int, messages: int) -> None:
        """So many messages have other flags now."""
        box.unseen += messages * ((after & SEEN == 0) - (before & SEEN == 0))
        box.deleted += messages * ((after & DELETED != 0) - (before & DELETED != 0))
        self.save(box)

    def vanish(self, box: Box, uids: Iterable[int]) -> None:
        """Forget the messages and remember that they are gone. RFC 7162 §3.2.10."""
        modseq, keys = self.modseq(box), json.dumps([box.first_key + uid for uid in uids])
        for flags, size in self.db.execute(f"SELECT flags, size FROM message{_THESE}", (keys,)):  # noqa: S608 - see below
            self.count(box, flags, size, sign=-1)
        for table in index.TABLES:
            self.db.execute(f"DELETE FROM {table}{_THESE}", (keys,))  # noqa: S608 - names of ours
        self.db.execute("INSERT OR REPLACE INTO vanished SELECT value, ? FROM json_each(?)", (modseq, keys))
        self._prune(box)

    def _prune(self, box: Box) -> None:
        """Keep the list of the vanished from growing for ever: the oldest fifth of a full one goes."""
        here = (box.first_key, box.last_key)
        count = self.db.execute("SELECT count(*) FROM vanished WHERE key BETWEEN ? AND ?", here).fetchone()[0]
        if count <= MAX_HISTORY:
            return
        sql = "SELECT modseq FROM vanished WHERE key >> 32 = ? ORDER BY modseq LIMIT 1 OFFSET ?"
        box.history = self.db.execute(sql, (box.id, MAX_HISTORY // 5)).fetchone()[0]
        sql = "SELECT max(key) FROM vanished WHERE key >> 32 = ? AND modseq <= ?"
        newest = self.db.execute(sql, (box.id, box.history)).fetchone()[0]
        box.pruned_uid = max(box.pruned_uid, newest - box.first_key)
        self.db.execute("DELETE FROM vanished WHERE key >> 32 = ? AND modseq <= ?", (box.id, box.history))

    # ---- the end

    def finish(self) -> None:
        """Flush, commit, and then remove what is dead."""
        for mailbox_id, trusted in self._trusted.items():
            self._settle(self._boxes[mailbox_id], trusted)
        for mailbox_id in self._dirty:
            index.update_box(self.db, self._boxes[mailbox_id])
        self._end_journal()
        self.db.execute("COMMIT")
        self._committed = True
        self._undo.clear()
        self.engine.unrendered = self.engine.unrendered or self._came
        if self._dead:
            self._bury()
        if self._soiled:
            self.engine.lock.clean()

    def _end_journal(self) -> None:
        if self._journalled:
            journal.end(self.root)
            self._journalled = False

    def _settle(self, box: Box, trusted: bool) -> None:
        """Mark cur/ as known, if it was until we came, and flush it. A folder that loses files later is marked later."""
        if trusted:
            box.cur_mark = time.time_ns() if box.mailbox_id in self._dead else files.mark(self.cur(box))
            self.save(box)
        files.sync_directory(self.cur(box))

    def _bury(self) -> None:
        for mailbox_id, names in self._dead.items():
            box = self._boxes[mailbox_id]
            for name in names:
                files.unlink(os.path.join(self.path(box), name))
            if self._trusted[mailbox_id]:
                files.mark(self.cur(box), box.cur_mark)
            files.sync_directory(self.cur(box))
        folders = [(self._boxes[mailbox_id].folder,) for mailbox_id in self._dead]
        self.db.executemany("DELETE FROM doomed WHERE folder = ?", folders)

    def abandon(self) -> None:
        """Undo what can be undone; the lock stays soiled if files were touched, so the next holder looks."""
        if self.db.in_transaction:
            self.db.execute("ROLLBACK")
        steps, self._undo = self._undo, []
        try:
            for step in reversed(steps):
                step()
            for mailbox_id in self._trusted:  # a uid taken back is used again, so its file must be gone for good
                files.sync_directory(self.cur(self._boxes[mailbox_id]))
            self._end_journal()
        except (OSError, StoreError):
            return
        if self._soiled and not self._committed:
            self.engine.lock.clean()


def _back(directory: str, done: list[tuple[str, str]]) -> None:
    for old, new in reversed(done):
        os.rename(f"{directory}/{new}", f"{directory}/{old}")


def key_of(box: Box, uid: int) -> int:
    """The key of a message in the index."""
    return (box.id << SHIFT) + uid
