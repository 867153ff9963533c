"""One mailbox, opened: mailstore.Mailbox over the Maildir and its index."""

from __future__ import annotations

import os
import sqlite3
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from pymaild.mailstore import (
    ALL_RIGHTS,
    Changes,
    Column,
    Describe,
    Fact,
    FlagChange,
    MailboxState,
    MessageGone,
    NoSuchMailbox,
    OrderBy,
    Query,
    Row,
    StorageFailed,
    Table,
    Upload,
)
from pymaild.progress import counted
from pymaild.store import delivery, files, find, fulltext, index, names, rows, scan, tables, transfer
from pymaild.store.engine import Engine
from pymaild.store.find import RowKey
from pymaild.store.index import Box
from pymaild.store.rows import File

if TYPE_CHECKING:
    from pymaild.search.words import Piece, Words

T = TypeVar("T")
_BATCH = 200  # messages rendered, or asked for, at a time
_TRIES = 3  # looks at the Maildir before a file that other programs keep renaming counts as gone


class OpenMailbox:
    """Safe to use from one thread at a time; holds nothing open."""

    def __init__(self, engine: Engine, describe: Describe, box: Box) -> None:
        self._engine = engine
        self._describe = describe
        self._name = box.name
        self._id = box.mailbox_id
        self._tag = (box.mailbox_id, box.folder)
        self.stood_at = 0

    @property
    def name(self) -> str:
        """Its name when it was opened."""
        return self._name

    @property
    def mailbox_id(self) -> str:
        """An id that outlives a rename. RFC 8474 §5.1."""
        return self._id

    @property
    def rights(self) -> str:
        """To the owner everything is allowed; whoever else comes, comes through guarded.py."""
        return ALL_RIGHTS

    def need(self, rights: str) -> None:
        """Nothing is missing."""

    def _ask(self, question: Callable[[sqlite3.Connection, Box], T]) -> T:
        """Ask about the mailbox as it is at one moment; after a crash the Maildir is looked at first."""

        def whole(db: sqlite3.Connection) -> T | None:
            db.execute("BEGIN")
            try:
                box = index.box_by_id(db, self._id)
                if box is None:
                    raise NoSuchMailbox
                return None if box.recovering else question(db, box)
            finally:
                db.execute("COMMIT")

        for _ in range(_TRIES):
            answer = self._engine.read(whole)
            if answer is not None:
                return answer
            self._look()
        raise StorageFailed

    def _look(self) -> None:
        more = True
        while more:
            with self._engine.writing() as tx:
                box = tx.box(self._id)
                more = self._moved(box) and scan.take_in(tx, box)

    def _moved(self, box: Box) -> bool:
        folder = f"{self._engine.root}/{box.folder}"
        new, cur = files.marked(f"{folder}/new"), files.marked(f"{folder}/cur")
        return bool(box.recovering) or new != box.new_mark or cur != box.cur_mark

    def refresh(self) -> None:
        """Look at the Maildir, if anything in it moved that was not our doing."""
        box = self._engine.read(lambda db: index.box_by_id(db, self._id))
        if box is None:
            raise NoSuchMailbox
        if self._moved(box):
            self._look()

    def state(self) -> MailboxState:
        """The numbers of now."""
        return self._ask(rows.state)

    def uids(self) -> array[int]:
        """Every uid, rising."""
        return self._ask(lambda db, box: rows.uids(db, box, self._engine))

    def claim_recent(self) -> range:
        """The uids no session has been told of; now they all have been."""
        first, uidnext = self._ask(lambda db, box: (box.recent_uid, box.uidnext))
        if first == uidnext:
            return range(first, uidnext)
        with self._engine.writing() as tx:
            box = tx.box(self._id)
            first, box.recent_uid = box.recent_uid, box.uidnext
            tx.save(box)
            return range(first, box.recent_uid)

    def rows(self, uids: Sequence[int] | None = None) -> Iterator[Row]:
        """Rows by rising uid."""
        return iter(self._ask(lambda db, box: rows.rows(db, box, uids)))

    def changes(self, since: int) -> Changes:
        """What changed after a modseq."""
        return self._ask(lambda db, box: rows.changes(db, box, since))

    def table(self, uids: Sequence[int], wanted: Sequence[Fact | Column]) -> Table:
        """Some messages column by column, rendered first where they were not yet."""
        found, missing = self._ask(lambda db, box: tables.table(db, box, uids, wanted))
        if missing and self.render(missing):
            found, _ = self._ask(lambda db, box: tables.table(db, box, uids, wanted))
        return found

    # ---- contents

    def read(self, uid: int) -> bytes:
        """The whole message, exact."""
        for _ in range(_TRIES):
            folder, found = self._files([uid])
            if not found:
                raise MessageGone
            try:
                return files.read(os.path.join(self._engine.root, folder, "cur", rows.file_name(found[0])))
            except FileNotFoundError:
                self._look()
        raise MessageGone

    def messages(self, uids: Sequence[int]) -> Iterator[bytes | None]:
        """Each whole message; the files of many are asked for at once."""
        for start in range(0, len(uids), _BATCH):
            batch = uids[start : start + _BATCH]
            folder, found = self._files(batch)
            there = {row[0]: row for row in found}
            with files.Folder(os.path.join(self._engine.root, folder, "cur")) as cur:
                for uid in batch:
                    row = there.get(uid)
                    content = cur.read(rows.file_name(row), row[2]) if row else None
                    yield self._found(uid) if content is None else content

    def _files(self, uids: Sequence[int]) -> tuple[str, list[File]]:
        return self._ask(lambda db, box: (box.folder, rows.file_rows(db, box, uids)))

    def _found(self, uid: int) -> bytes | None:
        try:
            return self.read(uid)
        except MessageGone:
            return None

    def columns(self, uids: Sequence[int], wanted: Sequence[Column]) -> Iterator[tuple[int, tuple[bytes, ...]]]:
        """What the index holds of each message, rendered first where it was not yet."""
        ordered = sorted(set(uids))
        for start in counted(range(0, len(ordered), _BATCH)):
            some = ordered[start : start + _BATCH]
            found = self._columns(some, wanted)
            missing = [uid for uid in some if uid not in found]
            if missing and self.render(missing):
                found = self._columns(some, wanted)
            yield from found.items()

    def digests(self, uids: Sequence[int]) -> dict[int, bytes]:
        """SHA-256 of each message; made now where a rebuild of the index left it out."""
        found = self._ask(lambda db, box: rows.digests(db, box, uids))
        missing = [uid for uid, digest in found.items() if digest is None]
        if missing and self.render(missing):
            found = self._ask(lambda db, box: rows.digests(db, box, uids))
        return {uid: digest for uid, digest in found.items() if digest is not None}

    def _columns(self, some: Sequence[int], wanted: Sequence[Column]) -> dict[int, tuple[bytes, ...]]:
        return self._ask(lambda db, box: rows.columns(db, box, some, wanted))

    def render(self, uids: Sequence[int]) -> int:
        """Make and keep the Columns of messages that have none; how many could be made."""
        made, digests = {}, {}
        unknown = {uid for uid, digest in self._ask(lambda db, box: rows.digests(db, box, uids)).items() if digest is None}
        for uid, message in zip(counted(uids), self.messages(uids), strict=True):
            if message is None:
                continue
            made[uid] = self._describe(message)
            if uid in unknown:
                digests[uid] = sha256(message).digest()
        if made:
            with self._engine.writing() as tx:
                rows.keep_rendered(tx.db, tx.box(self._id), made, digests)
        return len(made)

    def render_stragglers(self, limit: int) -> int:
        """Render up to `limit` messages that nobody has asked for yet; how many there were."""
        found, below = self._ask(lambda db, box: rows.unrendered(db, box, limit))
        if found:
            self.render(found)
        with self._engine.writing() as tx:
            box = tx.box(self._id)
            box.rendered_uid = max(box.rendered_uid, below)
            tx.save(box)
        return len(found)

    def keep_words(self, limit: int) -> int:
        """Read up to `limit` messages whose words are not in the index yet, and keep those; how many there were."""
        from pymaild.search.words import words  # noqa: PLC0415 - as below

        found, below = self._ask(lambda db, box: fulltext.unread(db, box, limit))
        made: dict[int, Words | None] = {}
        for uid in found:
            with suppress(MessageGone):
                made[uid] = words(self.read(uid))
        with self._engine.writing() as tx:
            box = tx.box(self._id)
            if made:
                fulltext.keep(tx.db, box, made)
            box.text_uid = max(box.text_uid, below)
            tx.save(box)
        return len(found)

    # ---- searching

    def having(self, key: RowKey) -> tuple[array[int], bytes]:
        """Every uid, rising, and for each an octet: 1 if the message's row answers the key with yes."""
        return self._ask(lambda db, box: find.having(db, box, key, self._engine))

    def containing(self, column: Column, text: bytes) -> array[int]:
        """The uids of the messages that have the octets in a column of casemapped text, rising."""
        return self._described(lambda db, box: find.containing(db, box, column, text))

    def sent(self, first: int | None, before: int | None) -> array[int]:
        """The uids of the messages sent within these days, rising."""
        return self._described(lambda db, box: find.sent(db, box, first, before))

    def candidates(self, pieces: Sequence[Piece], in_header: bool) -> tuple[array[int], array[int]]:
        """The uids of the messages that have all these pieces in their words, and of those whose words are unknown."""
        return self._ask(lambda db, box: fulltext.candidates(db, box, pieces, in_header))

    def ordered(self, by: Sequence[tuple[OrderBy, bool]]) -> array[int]:
        """Every uid in this order."""
        return self._described(lambda db, box: find.ordered(db, box, by))

    def _described(self, question: Callable[[sqlite3.Connection, Box], T]) -> T:
        """Ask when every message of this moment has its Columns."""
        uidnext = self._ask(lambda db, box: box.uidnext)
        while self._ask(lambda db, box: box.rendered_uid < min(uidnext, box.uidnext)):
            self.render_stragglers(_BATCH)
        return self._ask(question)

    def search(self, query: Query, scores: dict[int, int] | None = None) -> list[int]:
        """The uids a query holds for, rising."""
        from pymaild.search.query import evaluate  # noqa: PLC0415 - search stands on store's interface, not below it

        return evaluate(query, self, scores=scores)

    # ---- changes

    def append(
        self,
        message: BinaryIO | bytes,
        flags: int = 0,
        keywords: Iterable[str] = (),
        internal_date: int | None = None,
    ) -> int:
        """Take in a message; its uid."""
        folder = self._folder()
        return delivery.deliver(self._engine, folder, message, b"", flags, tuple(keywords), internal_date)

    def append_all(self, uploads: Sequence[Upload]) -> list[int]:
        """Take in several messages, all or none."""
        return delivery.deliver_all(self._engine, self._folder(), uploads)

    def replace(self, uid: int, upload: Upload, to: str) -> int:
        """Take a message into the mailbox `to` and remove `uid` here, in one step. RFC 8508."""
        name = names.canonical(to)
        target = self._engine.read(lambda db: index.box_by_name(db, name))
        if target is None:
            raise NoSuchMailbox
        return delivery.replace(self._engine, self._id, uid, (target.mailbox_id, target.folder), upload)

    def _folder(self) -> tuple[str, str]:
        """The id and the directory, which another session may have renamed."""
        if self._name == names.INBOX:
            return self._tag
        return self._ask(lambda db, box: (box.mailbox_id, box.folder))

    def change_flags(
        self,
        uids: Sequence[int],
        change: FlagChange,
        flags: int,
        keywords: Iterable[str] = (),
        unchanged_since: int | None = None,
    ) -> tuple[list[Row], list[int]]:
        """Set, add or remove flags. RFC 9051 §6.4.6, RFC 7162 §3.1.3."""
        wish = transfer.Wish(change, flags, tuple(keywords), unchanged_since)
        with self._engine.writing() as tx:
            box = tx.box(self._id)
            tx.look(box)
            self.stood_at = box.modseq
            return transfer.change_flags(tx, box, uids, wish)

    def copy(self, uids: Sequence[int], to: str) -> tuple[int, list[tuple[int, int]]]:
        """Copy with flags and internal date; all or none."""
        limits = self._engine.limits(self._engine.address)
        with self._engine.writing() as tx:
            return transfer.copy(tx, tx.box(self._id), uids, tx.named(names.canonical(to)), limits)

    def move(self, uids: Sequence[int], to: str) -> tuple[int, list[tuple[int, int]]]:
        """As copy, and then gone from here. RFC 6851."""
        with self._engine.writing() as tx:
            return transfer.move(tx, tx.box(self._id), uids, tx.named(names.canonical(to)))

    def vanish_again(self, uids: Sequence[int]) -> None:
        """For a client that left before it was told."""
        with self._engine.writing() as tx:
            tx.vanish(tx.box(self._id), uids)

    def expunge(self, uids: Sequence[int] | None = None) -> list[int]:
        """Remove the messages that have \\Deleted; the uids removed."""
        with self._engine.writing() as tx:
            return transfer.expunge(tx, tx.box(self._id), uids)
