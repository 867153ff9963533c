"""Looking at a Maildir: what other programs delivered, renamed, copied or removed becomes part of the mailbox.

The same look rebuilds a lost index and heals one that a crash left behind the files. A uid in a name is believed only
where it cannot be somebody else's: the name carries this mailbox's tag, the number was reserved, no other message has or
had it, and the size is right. Everything else gets a new uid. Files that are no plain files are left alone.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pymaild.mailstore import StoreError
from pymaild.store import files, sidecar
from pymaild.store.files import FileName
from pymaild.store.index import CUT, LOST

if TYPE_CHECKING:
    from pymaild.store.index import Box
    from pymaild.store.transaction import Transaction

MAX_FILES = 20_000  # unknown files taken in by one transaction, in about three seconds; the rest follows in the next
MAX_UNKNOWN = 20_000  # uids that a crash leaves in doubt and that are said to have vanished, one by one
_TRIES = 5
_FEW, _FLUSHES = 8, 16  # files that are flushed one after the other; how many side by side otherwise


@dataclass(slots=True)
class Known:
    """What the index says of one message of the mailbox."""

    uid: int
    unique: str
    size: int
    flags: int
    keywords: int
    others: str

    @property
    def name(self) -> str:
        """The file it should be in."""
        return files.render(self.unique, self.size, self.uid, files.letters_of(self.flags, self.keywords, self.others))


def take_in(tx: Transaction, box: Box) -> bool:
    """Make the index say what the files say; True: there is more, call again in a new transaction."""
    if box.recovering:
        _recover(tx, box)
    cur, new = tx.cur(box), os.path.join(tx.path(box), "new")
    tx.soil()
    new_mark = files.mark(new)
    arrived = sorted(name for name in os.listdir(new) if not name.startswith("."))
    present, cur_mark = _listing(cur)
    known = {entry.name: entry for entry in _known(tx, box)}
    strangers = sorted(present.difference(known))
    missing = {known[name].uid: known[name] for name in known.keys() - present}
    tx.touch(box)
    look = _Look(tx, box, cur, missing, {entry.uid: entry for entry in known.values()})
    for name in strangers:
        look.sort_out(name)
    if missing and cur_mark:  # a listing that others disturbed may have overlooked a renamed file
        tx.vanish(box, missing)
    look.adopted(cur_mark != 0)
    newcomers = [("cur", name) for name in look.unknown] + [("new", name) for name in arrived]
    look.take(newcomers[:MAX_FILES])
    look.write()
    more = len(newcomers) > MAX_FILES
    settled = cur_mark != 0 and not more and files.marked(cur) == cur_mark
    box.cur_mark = cur_mark if settled else 0  # 0: look once more; what we renamed may hide what others did meanwhile
    box.new_mark = new_mark if not more and files.marked(new) == new_mark else 0
    tx.trust(box, settled)
    tx.save(box)
    return more


def _recover(tx: Transaction, box: Box) -> None:
    """After a crash: what was reserved may have been used."""
    numbers = sidecar.load_numbers(tx.root / box.folder)
    if numbers and numbers.mailbox_id == box.mailbox_id:
        box.uid_bound = max(box.uid_bound, numbers.uid_bound)
        box.modseq_bound = max(box.modseq_bound, numbers.modseq_bound)
    box.keywords = " ".join(word or "-" for word in sidecar.load_keywords(tx.root / box.folder))
    sql = "SELECT name FROM doomed WHERE folder = ?"
    for (name,) in tx.db.execute(sql, (box.folder,)).fetchall():
        files.unlink(os.path.join(tx.path(box), name))
    tx.db.execute("DELETE FROM doomed WHERE folder = ?", (box.folder,))


def _listing(cur: str) -> tuple[set[str], int]:
    """The names in cur/ and the mark it bore meanwhile; 0 when others changed it each time we looked."""
    for _ in range(_TRIES):
        before = files.mark(cur)
        names = {name for name in os.listdir(cur) if not name.startswith(".")}
        if files.marked(cur) == before:
            return names, before
    return names, 0


def _known(tx: Transaction, box: Box) -> list[Known]:
    sql = (
        "SELECT key & 4294967295, name, size, flags, keywords, others FROM message JOIN file USING (key)"
        " WHERE key BETWEEN ? AND ?"
    )
    return [Known(*row) for row in tx.db.execute(sql, (box.first_key, box.last_key))]


class _Look:
    """One look: the files nobody knows are told apart."""

    def __init__(self, tx: Transaction, box: Box, cur: str, missing: dict[int, Known], known: dict[int, Known]) -> None:
        self.tx, self.box, self.cur = tx, box, cur
        self.missing = missing  # messages whose file is not where it should be
        self.known = known
        self.unknown: list[str] = []  # names in cur/ that get a new uid
        self._messages: list[tuple[int, ...]] = []  # rows that come into the index
        self._files: list[tuple[int, str, str, bytes | None]] = []
        self.ours: dict[int, tuple[str, FileName, os.stat_result]] = {}  # uid in the name -> a file to adopt

    def sort_out(self, name: str) -> None:
        """A file of cur/ that the index does not know under this name."""
        found = files.parse(name)
        there = self.missing.get(found.uid or 0)
        if there and _same(there, found):
            self._renamed(name, found, there)
        elif found.uid and found.tag == self.box.mailbox_id and self._may_be_ours(found.uid):
            self._candidate(name, found, found.uid)
        else:
            self.unknown.append(name)

    def _renamed(self, name: str, found: FileName, known: Known) -> None:
        """Another program changed its flags, or the front of its name."""
        flags, keywords, others = files.flags_of(found.letters)
        canonical = files.render(found.unique, known.size, known.uid, files.letters_of(flags, keywords, others))
        if canonical != name:
            self.tx.rename(f"{self.cur}/{name}", f"{self.cur}/{canonical}")
        del self.missing[known.uid]
        key = self.box.first_key + known.uid
        sql = "UPDATE message SET flags = ?, keywords = ?, modseq = ? WHERE key = ?"
        self.tx.db.execute(sql, (flags, keywords, self.tx.modseq(self.box), key))
        self.tx.db.execute("UPDATE file SET name = ?, others = ? WHERE key = ?", (found.unique, others, key))
        self.tx.count(self.box, known.flags, known.size, sign=-1)
        self.tx.count(self.box, flags, known.size)

    def _may_be_ours(self, uid: int) -> bool:
        """Whether a file with this uid can be one that we wrote and the index has lost."""
        box = self.box
        if not box.recovering or uid in self.known or uid >= box.uid_bound or uid <= box.pruned_uid:
            return False
        sql = "SELECT 1 FROM vanished WHERE key = ?"
        return self.tx.db.execute(sql, (box.first_key + uid,)).fetchone() is None

    def _candidate(self, name: str, found: FileName, uid: int) -> None:
        """Of two files with one uid the older name is the message, the other a copy of it."""
        status = _regular(f"{self.cur}/{name}")
        if status is None:
            return
        other = self.ours.get(uid)
        if status.st_size != found.size or (other and other[0] <= name):
            self.unknown.append(name)
            return
        if other:
            self.unknown.append(other[0])
        self.ours[uid] = (name, found, status)

    def adopted(self, settled: bool) -> None:
        """Put the files that keep their uid into the index, and leave the recovery behind."""
        box, tx = self.box, self.tx
        if box.recovering:
            self._recount(settled)
        for uid, (name, found, status) in sorted(self.ours.items()):
            flags, keywords, others = files.flags_of(found.letters)
            canonical = files.render(found.unique, status.st_size, uid, files.letters_of(flags, keywords, others))
            if canonical != name:
                tx.rename(f"{self.cur}/{name}", f"{self.cur}/{canonical}")
            dates = (int(status.st_mtime), found.saved or int(status.st_mtime))
            self._insert(uid, found.unique, others, (flags, keywords, status.st_size, *dates), None)
        if box.recovering and settled:
            box.recovering = 0
        tx.save(box)

    def _recount(self, settled: bool) -> None:
        """Numbers go on above what may have been given out, and what a client may have heard of is told it again."""
        box, tx = self.box, self.tx
        unknown = range(box.uidnext, box.uid_bound)  # may have come and gone without the index
        box.uidnext = max(box.uidnext, box.uid_bound)
        if box.recovering < LOST:
            tx.modseq(box)
            return
        new = box.modseq == 1
        box.modseq = max(box.modseq, box.modseq_bound)
        modseq = tx.modseq(box)
        if new or not settled or len(unknown) > MAX_UNKNOWN:
            box.history = modseq
        else:
            values = [(box.first_key + uid, modseq) for uid in set(unknown).difference(self.ours, self.known)]
            tx.db.executemany("INSERT OR REPLACE INTO vanished VALUES (?, ?)", values)
        if box.recovering == CUT:
            here = (modseq, box.first_key, box.last_key)
            tx.db.execute("UPDATE message SET modseq = ? WHERE key BETWEEN ? AND ?", here)

    def take(self, newcomers: list[tuple[str, str]]) -> None:
        """Give files of other programs (directory and name) uids and names of ours, once all of them are flushed."""
        folder = self.tx.path(self.box)
        paths = [f"{folder}/{directory}/{name}" for directory, name in newcomers]
        tokens = [self.tx.engine.uniques.token() for _ in paths]
        strangers = _each(partial(_stranger, os.path.join(folder, "tmp")), paths, tokens)
        now = int(time.time())
        for (_, name), token, stranger in zip(newcomers, tokens, strangers, strict=True):
            if stranger is not None:
                self._place(name, token, stranger, now)

    def _place(self, name: str, token: str, stranger: _Stranger, now: int) -> None:
        tx, box = self.tx, self.box
        flags, keywords, others = files.flags_of(files.parse(name).letters)
        unique = files.unique_of(token, box.mailbox_id, stranger.sha256, now)
        uid = tx.take_uid(box)
        target = files.render(unique, stranger.size, uid, files.letters_of(flags, keywords, others))
        try:
            tx.rename(stranger.path, f"{self.cur}/{target}")
        except FileNotFoundError:
            return  # another program renamed it meanwhile: it is met again at the next look
        row = (flags, keywords, stranger.size, stranger.internal_date, now)
        self._insert(uid, unique, others, row, stranger.sha256)

    def _insert(
        self, uid: int, unique: str, others: str, row: tuple[int, int, int, int, int], sha256: bytes | None
    ) -> None:
        tx, box = self.tx, self.box
        flags, keywords, size, internal_date, save_date = row
        key = box.first_key + uid
        self._messages.append((key, flags, keywords, tx.modseq(box), size, internal_date, save_date))
        self._files.append((key, unique, others, sha256))
        box.rendered_uid = min(box.rendered_uid, uid)
        tx.count(box, flags, size)

    def write(self) -> None:
        """Put all that was found into the index."""
        self.tx.db.executemany("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?)", self._messages)
        self.tx.db.executemany("INSERT INTO file VALUES (?, ?, ?, ?)", self._files)


@dataclass(frozen=True, slots=True)
class _Stranger:
    """A file of another program, read and flushed."""

    path: str
    size: int
    sha256: bytes
    internal_date: int


def _stranger(tmp: str, path: str, token: str) -> _Stranger | None:
    """Read a file, give it line ends of the wire, and make it durable; nothing where it is no file that can be read."""
    status = _regular(path)
    if status is None:
        return None
    try:
        content = files.read(path)
    except (OSError, StoreError):
        return None  # unreadable or gone: `pymaild index check` tells
    wire, internal_date = _crlf(content), int(status.st_mtime)
    if wire is content:
        files.flush(path)
    else:  # in its own place first: a crash leaves one file, the old or the new
        written = files.write(tmp, token, iter([wire]), internal_date)
        os.rename(written.path, path)
    return _Stranger(path, len(wire), hashlib.sha256(wire).digest(), internal_date)


def _each(do: Callable[[str, str], _Stranger | None], paths: list[str], tokens: list[str]) -> Iterable[_Stranger | None]:
    """Many are flushed side by side: one after the other would take as many turns of the disk as there are files."""
    if len(paths) < _FEW:
        return map(do, paths, tokens)
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - rarely needed

    with ThreadPoolExecutor(_FLUSHES) as pool:
        return list(pool.map(do, paths, tokens))


def _same(known: Known, found: FileName) -> bool:
    """Whether a file is the message: its name may have changed, what it says of the content has not."""
    return known.unique == found.unique or (known.size == found.size and files.parse(known.unique).sha == found.sha)


def _regular(path: str) -> os.stat_result | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _crlf(content: bytes) -> bytes:
    """Other programs write LF line ends; a message here has those of the wire. Those that have CRLF stay as they are."""
    end = content.find(b"\n")
    if end < 0 or content[end - 1 : end] == b"\r":
        return content
    return content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
