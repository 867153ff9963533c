"""A mailbox as one account may use it: mailstore.Mailbox behind a check of rights. RFC 4314 §4.

Rights are looked up anew for each question, so what is taken away is gone at once. To its owner everything is allowed; his
mailboxes are behind this, too, because messages may go from them to a mailbox of somebody else.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, BinaryIO, Final, Generic, TypeVar, overload

from pymaild.mailstore import (
    AccessDenied,
    Changes,
    Column,
    Fact,
    Flag,
    FlagChange,
    Mailbox,
    MailboxState,
    MessageGone,
    NoSuchMailbox,
    OrderBy,
    Query,
    Row,
    Table,
    Upload,
)

if TYPE_CHECKING:
    from pymaild.store.sharing import GuestStore

OTHERS: Final = Flag.ANSWERED | Flag.FLAGGED | Flag.DRAFT  # what the right to write covers, with keywords
EVERY_FLAG: Final = int(OTHERS | Flag.SEEN | Flag.DELETED)
_TRIES: Final = 5  # times flags are read again because somebody changed them meanwhile
T = TypeVar("T")
Copied = tuple[int, list[tuple[int, int]]]


def flags_of(rights: str) -> int:
    """The system flags that may be changed. RFC 4314 §2.1."""
    granted = {"s": Flag.SEEN, "t": Flag.DELETED, "w": OTHERS}
    return sum(int(flags) for right, flags in granted.items() if right in rights)


def lacking(rights: str) -> AccessDenied | NoSuchMailbox:
    """How a refusal sounds to somebody with these rights. RFC 4314 §6."""
    return AccessDenied() if "l" in rights else NoSuchMailbox()


class GuardedMailbox:
    """One mailbox, opened; `granted` says what this account may do with it now. Raises as Mailbox, and AccessDenied."""

    def __init__(self, store: GuestStore, inner: Mailbox, prefix: str, granted: Callable[[], str]) -> None:
        self._store = store
        self._mailbox = inner
        self._prefix = prefix
        self._granted = granted

    @property
    def name(self) -> str:
        """Its name when it was opened, as this account sees it."""
        return self._prefix + self._mailbox.name

    @property
    def mailbox_id(self) -> str:
        """An id that outlives a rename. RFC 8474 §5.1."""
        return self._mailbox.mailbox_id

    @property
    def stood_at(self) -> int:
        """The highest modseq just before the last change_flags."""
        return self._mailbox.stood_at

    @property
    def rights(self) -> str:
        """What this account may do with it at this moment."""
        return self._granted()

    def need(self, rights: str) -> None:
        """Refuse, unless all these rights are there."""
        have = self._granted()
        if not set(rights) <= set(have):
            raise lacking(have)

    @property
    def _readable(self) -> Mailbox:
        """The mailbox, for those who may read it."""
        self.need("r")
        return self._mailbox

    # ---- what is in it

    def refresh(self) -> None:
        """Look at the Maildir."""
        self._mailbox.refresh()

    def state(self) -> MailboxState:
        """The numbers of now. To guests no message is recent: the owner's programs are told of those."""
        state = self._readable.state()
        return replace(state, recent=0) if self._prefix else state

    def uids(self) -> array[int]:
        """Every uid, rising."""
        return self._readable.uids()

    def claim_recent(self) -> range:
        """As state(): a guest claims none."""
        return range(0) if self._prefix else self._mailbox.claim_recent()

    def rows(self, uids: Sequence[int] | None = None) -> Iterator[Row]:
        """Rows by rising uid."""
        return self._readable.rows(uids)

    def columns(self, uids: Sequence[int], wanted: Sequence[Column]) -> Iterator[tuple[int, tuple[bytes, ...]]]:
        """What the index holds of each message."""
        return self._readable.columns(uids, wanted)

    def table(self, uids: Sequence[int], wanted: Sequence[Fact | Column]) -> Table:
        """The same, column by column."""
        return self._readable.table(uids, wanted)

    def read(self, uid: int) -> bytes:
        """The whole message."""
        return self._readable.read(uid)

    def messages(self, uids: Sequence[int]) -> Iterator[bytes | None]:
        """Each whole message."""
        return self._readable.messages(uids)

    def digests(self, uids: Sequence[int]) -> dict[int, bytes]:
        """SHA-256 of each message."""
        return self._readable.digests(uids)

    def changes(self, since: int) -> Changes:
        """What changed after a modseq."""
        return self._readable.changes(since)

    def ordered(self, by: Sequence[tuple[OrderBy, bool]]) -> array[int]:
        """Every uid in this order."""
        return self._readable.ordered(by)

    def search(self, query: Query, scores: dict[int, int] | None = None) -> list[int]:
        """The uids a query holds for."""
        return self._readable.search(query, scores)

    # ---- messages come in

    def append(
        self,
        message: BinaryIO | bytes,
        flags: int = 0,
        keywords: Iterable[str] = (),
        internal_date: int | None = None,
    ) -> int:
        """Take in a message, with the flags that may be set here. RFC 4314 §4."""
        one = self._permitted(Upload(message, flags, tuple(keywords), internal_date))
        return self._mailbox.append(one.message, one.flags, one.keywords, one.internal_date)

    def append_all(self, uploads: Sequence[Upload]) -> list[int]:
        """The same for several: all or none."""
        self.need("i")
        return self._mailbox.append_all(_Mapped(uploads, self._permitted))

    def _permitted(self, upload: Upload) -> Upload:
        """The flags that may not be set are left out, and that is no error. RFC 4314 §4."""
        self.need("i")
        rights = self._granted()
        keywords = upload.keywords if "w" in rights else ()
        return replace(upload, flags=upload.flags & flags_of(rights), keywords=keywords)

    # ---- flags

    def change_flags(
        self,
        uids: Sequence[int],
        change: FlagChange,
        flags: int,
        keywords: Iterable[str] = (),
        unchanged_since: int | None = None,
    ) -> tuple[list[Row], list[int]]:
        """What may be changed is; who may change nothing of it is refused. RFC 4314 §4."""
        self.need("r")
        rights = self._granted()
        mask, words = flags_of(rights), tuple(keywords)
        if "w" in rights and mask == EVERY_FLAG:
            return self._mailbox.change_flags(uids, change, flags, words, unchanged_since)
        permitted, known = flags & mask, words if "w" in rights else ()
        if not permitted and not known and (flags or words or not mask):
            raise lacking(rights)
        if change is FlagChange.REPLACE:
            return self._replace(uids, permitted, known, rights, unchanged_since)
        return self._mailbox.change_flags(uids, change, permitted, known, unchanged_since)

    def _replace(
        self, uids: Sequence[int], flags: int, words: tuple[str, ...], rights: str, since: int | None
    ) -> tuple[list[Row], list[int]]:
        """Replace flags, but those that may not be changed stay as each message has them, whoever changes them just now."""
        done: list[Row] = []
        left = list(uids)
        for _ in range(_TRIES):
            now = self._mailbox.state().highestmodseq
            rows = sorted(self._mailbox.rows(left), key=_flags)
            if since is not None and any(row.modseq > since for row in rows):
                left = [row.uid for row in rows if row.modseq <= since]
                rows = [row for row in rows if row.modseq <= since]
            again: list[int] = []
            for (kept, have), group in groupby(rows, key=_flags):
                some = sorted(row.uid for row in group)
                after = flags | (kept & ~flags_of(rights))
                known = words if "w" in rights else tuple(have)
                changed, refused = self._mailbox.change_flags(some, FlagChange.REPLACE, after, known, now)
                done += changed
                again += refused
            left = again
            if not left:
                break
        told = {row.uid for row in done}
        there = {row.uid for row in self._mailbox.rows(uids)}
        return sorted(done, key=lambda row: row.uid), sorted(uid for uid in uids if uid in there - told)

    # ---- messages go

    def expunge(self, uids: Sequence[int] | None = None) -> list[int]:
        """Remove the messages that have \\Deleted."""
        self.need("re")
        return self._mailbox.expunge(uids)

    def vanish_again(self, uids: Sequence[int]) -> None:
        """For a client that left before it was told; nothing but the modseq of what is gone changes."""
        self._mailbox.vanish_again(uids)

    def copy(self, uids: Sequence[int], to: str) -> Copied:
        """Copy messages, also to another account; all or none. Flags that may not be set there are lost. RFC 4314 §4."""
        target, inside = self._target(to)
        copied = self._carry(uids, target) if inside is None else self._readable.copy(uids, inside)
        return _told(copied, target)

    def move(self, uids: Sequence[int], to: str) -> Copied:
        """As copy, and then gone from here. Messages that change hands are all there before any of them goes here."""
        self.need("rte")
        target, inside = self._target(to)
        if inside is not None:
            return _told(self._mailbox.move(uids, inside), target)
        copied = self._carry(uids, target)
        self._remove([uid for uid, _ in copied[1]])
        return _told(copied, target)

    def replace(self, uid: int, upload: Upload, to: str) -> int:
        """Take a message into another mailbox and remove one here. RFC 8508 §3."""
        self.need("rte")
        target, inside = self._target(to)
        if inside is not None:
            return self._mailbox.replace(uid, upload, inside)
        if not list(self._mailbox.rows([uid])):
            raise MessageGone
        new = target.append(upload.message, upload.flags, upload.keywords, upload.internal_date)
        self._remove([uid])
        return new

    def _target(self, to: str) -> tuple[GuardedMailbox, str | None]:
        """The mailbox that messages go to; its own name, where the account's store can do all of it by itself."""
        target = self._store.opened(to)
        target.need("i")
        alone = target._prefix == self._prefix and set("stw") <= set(target.rights)
        return target, target._mailbox.name if alone else None

    def _carry(self, uids: Sequence[int], target: GuardedMailbox) -> Copied:
        """Read here, written there, one message at a time."""
        rows = list(self._readable.rows(uids))
        if not rows:
            return 0, []
        new = target.append_all(_Mapped(rows, self._upload))
        uidvalidity = target._mailbox.state().uidvalidity
        return uidvalidity, list(zip((row.uid for row in rows), new, strict=True))

    def _upload(self, row: Row) -> Upload:
        return Upload(self._mailbox.read(row.uid), row.flags, tuple(sorted(row.keywords)), row.internal_date)

    def _remove(self, uids: Sequence[int]) -> None:
        self._mailbox.change_flags(uids, FlagChange.ADD, Flag.DELETED)
        self._mailbox.expunge(uids)


def _told(copied: Copied, target: GuardedMailbox) -> Copied:
    """Who may put messages into a mailbox, but not see them, is not told where they are. RFC 4315 §3."""
    return copied if "r" in target.rights else (0, copied[1])


def _flags(row: Row) -> tuple[int, list[str]]:
    return row.flags, sorted(row.keywords)


class _Mapped(Sequence[Upload], Generic[T]):
    """Uploads that are made one at a time, when each is asked for: memory holds one message."""

    def __init__(self, things: Sequence[T], make: Callable[[T], Upload]) -> None:
        self._things = things
        self._make = make

    def __len__(self) -> int:
        return len(self._things)

    @overload
    def __getitem__(self, at: int) -> Upload: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[Upload]: ...

    def __getitem__(self, at: int | slice) -> Upload | Sequence[Upload]:
        if isinstance(at, slice):
            return _Mapped(self._things[at], self._make)
        return self._make(self._things[at])
