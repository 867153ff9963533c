"""The selected mailbox as one connection has been told of it: which sequence number is which uid. RFC 3501 §2.3.1.2.

The store speaks of uids; sequence numbers exist only here. A message that somebody else expunges keeps its number
until the client is told (EXPUNGE may not be sent during FETCH, STORE and SEARCH, §7.4.1), and a new message has none before
its EXISTS. So a view changes in sync() alone.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import compress, count
from typing import Final

from pymaild.imap import sequences
from pymaild.imap.answers import defined_flags, flags_list, ok, permanent_flags
from pymaild.imap.context import Context
from pymaild.imap.errors import Bad
from pymaild.imap.wanted import EVERYTHING, Wanted
from pymaild.mailstore import Mailbox, MailboxState, Row
from pymaild.status import MailError

FEW: Final = 32  # one in so many is looked up one by one


class View:
    """Sequence number n is the message uids[n - 1]."""

    def __init__(self, mailbox: Mailbox, read_only: bool, enabled: set[str] | None = None) -> None:
        mailbox.refresh()
        self.mailbox = mailbox
        self.read_only = read_only
        self.enabled = set() if enabled is None else enabled  # the session's: ENABLE changes it while the view lives
        self.initial: MailboxState = mailbox.state()  # before the uids: what changes in between is told by sync()
        claimed = range(0) if read_only else mailbox.claim_recent()
        self.uids = mailbox.uids()  # shared with others: never changed in place
        self.recent: set[int] = {uid for uid in self.uids[bisect_left(self.uids, claimed.start) :] if uid in claimed}
        if read_only and self.initial.recent:
            self.recent.update(self.uids[-self.initial.recent :])
        self.modseq = self.initial.highestmodseq
        self.keywords = self.initial.keywords
        self._rights = mailbox.rights  # that the client has been told of
        self.wanted: Wanted = EVERYTHING  # what NOTIFY left of it
        self.own: set[int] = set()  # uids that this client brought or removed itself, until that is told
        self.told: dict[int, int] = {}  # uid -> modseq of flags the client knows already (its own STORE)
        self.contexts: dict[bytes, Context] = {}  # by tag: searches that are kept up to date. RFC 5267 §4.3
        self.saved: array[int] = array("I")  # uids that $ stands for. RFC 5182 §2.1
        self._claimed = claimed
        self._gone: set[int] = set()  # expunged, and the client does not know yet
        self._modseq_told = self.condstore

    # ---- numbers

    def __len__(self) -> int:
        return len(self.uids)

    @property
    def condstore(self) -> bool:
        """Whether FETCH of changed flags has MODSEQ. RFC 7162 §3.1."""
        return "CONDSTORE" in self.enabled

    @property
    def rev2(self) -> bool:
        r"""Whether there is neither RECENT nor \Recent. RFC 9051 §E (changes from RFC 3501)."""
        return "IMAP4REV2" in self.enabled

    def is_recent(self, uid: int) -> bool:
        r"""Whether the message has \Recent for this client."""
        return uid in self.recent and not self.rev2

    def exists(self) -> bytes:
        """How many messages there are, and how many of them are recent. §7.3.1, §7.3.2."""
        exists = b"* %d EXISTS\r\n" % len(self.uids)
        return exists if self.rev2 else exists + b"* %d RECENT\r\n" % len(self.recent)

    @property
    def qresync(self) -> bool:
        """Whether VANISHED stands for EXPUNGE. RFC 7162 §3.2.10."""
        return "QRESYNC" in self.enabled

    @property
    def largest_uid(self) -> int:
        """What * stands for in a set of uids; 0 in an empty mailbox."""
        return self.uids[-1] if self.uids else 0

    def number(self, uid: int) -> int:
        """The sequence number of a uid of this view."""
        return bisect_left(self.uids, uid) + 1

    def numbers(self, uids: Iterable[int]) -> list[int]:
        """Sequence numbers of rising uids; those the client does not know of are left out."""
        known, size, wanted = self.uids, len(self.uids), uids if isinstance(uids, Sequence) else list(uids)
        if not wanted or not size:
            return []
        if self._gapless:
            return self.numbered(self.known(wanted))
        if len(wanted) * FEW > size:
            return list(compress(range(1, size + 1), map(set(wanted).__contains__, known)))
        return [at + 1 for at in self._places(wanted)]

    @property
    def _gapless(self) -> bool:
        """No uid is missing between the first and the last."""
        return bool(self.uids) and self.uids[-1] - self.uids[0] == len(self.uids) - 1

    def numbered(self, uids: Sequence[int]) -> list[int]:
        """Sequence numbers of uids that the client knows of, in whatever order."""
        if self._gapless:
            before = self.uids[0] - 1
            return [uid - before for uid in uids]
        if len(uids) * FEW > len(self.uids):
            return list(map(dict(zip(self.uids, count(1), strict=False)).__getitem__, uids))
        return list(map(self.number, uids))

    def _places(self, uids: Iterable[int]) -> Iterator[int]:
        known, size, at = self.uids, len(self.uids), 0
        for uid in uids:
            at = bisect_left(known, uid, at)
            if at == size:
                break
            if known[at] == uid:
                yield at

    def known(self, uids: Sequence[int]) -> Sequence[int]:
        """Those of some rising uids that the client knows of."""
        known, size = self.uids, len(self.uids)
        if not uids or not size:
            return []
        if self._gapless:
            first, last = bisect_left(uids, known[0]), bisect_right(uids, known[-1])
            return uids if last - first == len(uids) else uids[first:last]
        if len(uids) * FEW > size:
            return list(compress(known, map(set(uids).__contains__, known)))
        return [known[at] for at in self._places(uids)]

    def uid_ranges(self, ranges: sequences.Ranges, by_uid: bool) -> list[sequences.Range]:
        """A message set as ranges of uids. Numbers that do not exist: BAD; uids that do not: nothing. §6.4.8."""
        size = len(self.uids)
        if ranges == sequences.SAVED:
            return [(uid, uid) for uid in self.saved]
        if by_uid:
            return sequences.resolve(ranges, self.largest_uid)
        if not size and all(0 in pair for pair in ranges):
            return []  # 1:* of an empty mailbox: clients ask for it
        resolved = sequences.resolve(ranges, size)
        if resolved[0][0] < 1 or resolved[-1][1] > size:
            raise Bad(f"Expected message numbers up to {size}: the mailbox has no more messages")
        return [(self.uids[low - 1], self.uids[high - 1]) for low, high in resolved]

    def select(self, ranges: sequences.Ranges, by_uid: bool) -> list[int]:
        """The uids a message set stands for, rising."""
        return sequences.select(self.uids, self.uid_ranges(ranges, by_uid))

    # ---- what changed

    def sync(self, expunges: bool, with_uids: bool = False) -> Iterator[bytes]:
        """Everything that happened since the last time, as untagged responses. §5.2, §7.3, §7.4."""
        if not self.wanted.messages:
            yield from self._own_expunges() if expunges else ()
            return
        changes = self.mailbox.changes(self.modseq)
        yield from self._new_rights()
        self._gone.update(changes.vanished)
        last = self.largest_uid
        changed = [row for row in changes.rows if row.uid <= last]
        arrived = [row.uid for row in changes.rows if row.uid > last]
        self.modseq = changes.highestmodseq
        if arrived:
            arrived += self._claim(arrived)
        for context in self.contexts.values():
            context.look(self.mailbox, [*(row.uid for row in changed), *arrived])
        if self.wanted.flags:  # before ESEARCH: RFC 5465 §5.1
            yield from self.new_keywords(changed)
            yield from self._flags(changed, with_uids)
        for context in self.contexts.values():
            yield from context.left(self, self._gone if expunges else ())
        if expunges and self._gone:
            yield from self._expunged()
        if arrived:
            yield from self._came(arrived, changes.rows)
        else:
            yield from self._joined()
        self.own.clear()
        self.told.clear()
        if self.condstore and not self._modseq_told:
            self._modseq_told = True
            yield self.highestmodseq()

    def _came(self, arrived: list[int], rows: Iterable[Row]) -> Iterator[bytes]:
        """EXISTS, then ADDTO, then FETCH of those that this client did not bring itself. RFC 5465 §5.2."""
        self._now(self.uids + array("I", arrived))
        yield self.exists()
        yield from self.new_keywords(rows)
        foreign = [uid for uid in arrived if uid not in self.own]
        yield from self._joined(foreign)
        if self.wanted.arrivals is not None and foreign:
            yield from self.wanted.arrivals(self, foreign)

    def _joined(self, arrived: Sequence[int] = ()) -> Iterator[bytes]:
        for context in self.contexts.values():
            yield from context.came(self, arrived)

    def _own_expunges(self) -> Iterator[bytes]:
        """Who wants no news hears of what it removes itself all the same; the rest is told later. RFC 5465 §3.1."""
        if self.own:
            others, self._gone = self._gone, set(self.own)
            yield from self._expunged()
            self._gone, self.own = others, set()

    def highestmodseq(self) -> bytes:
        """Up to where the client knows everything. RFC 7162 §3.1.2.1."""
        return ok(f"HIGHESTMODSEQ {self.modseq}", "Changes up to here are told")

    def leave(self) -> None:
        """The client leaves, perhaps before EXPUNGE could be told, but with modseqs of later changes.

        When it is back it asks for what changed after those (RFC 7162 §3.2.5): so what it missed vanishes once more.
        """
        with suppress(MailError):  # the mailbox is gone, too, or the disk is full
            if self.qresync and not self.wanted.messages:
                self._gone.update(self.mailbox.changes(self.modseq).vanished)
            missed = self.known(sorted(self._gone)) if self.qresync else []
            if missed:
                self.mailbox.vanish_again(missed)

    def _claim(self, arrived: Sequence[int]) -> list[int]:
        """Decide which new messages are recent here; more may have come while we asked. §2.3.2."""
        if self.read_only:
            recent = self.mailbox.state().recent
            self.recent.update(arrived[-recent:] if recent else ())
            return []
        before, self._claimed = self._claimed, self.mailbox.claim_recent()  # some came after the last look: they are ours
        changes = self.mailbox.changes(self.modseq)
        more = [row.uid for row in changes.rows if row.uid > arrived[-1]]
        if len(more) < len(changes.rows) or changes.vanished or (more and more[-1] not in self._claimed):
            more = []  # not only news, or some of another session: the next sync tells all of it
        else:
            self.modseq = changes.highestmodseq
        self.recent.update(uid for uid in (*arrived, *more) if uid in self._claimed or uid in before)
        return more

    def _expunged(self) -> Iterator[bytes]:
        """EXPUNGE from the highest number down, so that no number shifts another, §7.4.1; or VANISHED, RFC 7162 §3.2.10."""
        uids = self.known(sorted(self._gone))
        numbers = self.numbers(uids)
        self.recent -= self._gone
        self._gone.clear()
        kept: array[int] = array("I")
        start = 0
        for number in numbers:
            kept += self.uids[start : number - 1]
            start = number
        self._now(kept + self.uids[start:])
        if self.qresync and uids:
            yield b"* VANISHED %s\r\n" % sequences.compact(uids)
        elif not self.qresync:
            yield from (b"* %d EXPUNGE\r\n" % number for number in reversed(numbers))

    def _now(self, uids: array[int]) -> None:
        """The view changes. One array serves all clients who know the same messages: the store's."""
        stored = self.mailbox.uids()
        self.uids = stored if stored == uids else uids

    def new_keywords(self, rows: Iterable[Row]) -> Iterator[bytes]:
        """Keywords the client has not heard of are announced before they are used. §7.2.6."""
        yield from self.announce({row.keywords for row in rows})

    def announce(self, used: Iterable[frozenset[str]]) -> Iterator[bytes]:
        """If it has not heard of all of these."""
        if not frozenset[str]().union(*used) <= set(self.keywords):
            yield from self.flags_responses(self.mailbox.state())

    def _new_rights(self) -> Iterator[bytes]:
        """The owner of the mailbox gave or took rights. RFC 4314 §5.1.1."""
        before, self._rights = self._rights, self.mailbox.rights
        if self._rights != before:
            yield from self.flags_responses(self.mailbox.state())

    def flags_responses(self, state: MailboxState) -> Iterator[bytes]:
        """FLAGS and PERMANENTFLAGS; \\* while new keywords can be made. §7.1, §7.2.6."""
        self.keywords = state.keywords
        yield b"* FLAGS " + defined_flags(state.keywords) + b"\r\n"
        star = () if state.keywords_full else (b"\\*",)
        permanent = b"()" if self.read_only else permanent_flags(self._rights, state.keywords, star)
        yield ok(f"PERMANENTFLAGS {permanent.decode('ascii')}", "Flags that can be changed here")

    def _flags(self, rows: Iterable[Row], with_uids: bool) -> Iterator[bytes]:
        news = [row for row in rows if self.told.get(row.uid) != row.modseq]
        known = set(self.known([row.uid for row in news]))
        yield from self.flags_lines([row for row in news if row.uid in known], with_uids)

    def flags_lines(self, rows: Sequence[Row], with_uid: bool, silent: bool = False) -> list[bytes]:
        """* 3 FETCH (FLAGS (\\Seen)) of messages the client knows of. §7.4.2.

        UID and MODSEQ for those who enabled them, RFC 7162 §3.2.4, §3.1. What follows is made once for all alike.
        """
        tails: dict[tuple[int, frozenset[str], int, bool], bytes] = {}
        with_uid = with_uid or self.qresync or self.wanted.with_uids
        lines = []
        for row, number in zip(rows, self.numbered([row.uid for row in rows]), strict=True):
            alike = row.flags, row.keywords, row.modseq, self.is_recent(row.uid)
            tail = tails.get(alike) or tails.setdefault(alike, self._tail(row, silent))
            lines.append(
                b"* %d FETCH (UID %d %s" % (number, row.uid, tail) if with_uid else b"* %d FETCH (%s" % (number, tail)
            )
        return lines

    def _tail(self, row: Row, silent: bool) -> bytes:
        items = [] if silent else [b"FLAGS " + flags_list(row.flags, row.keywords, self.is_recent(row.uid))]
        if self.condstore:
            items.append(b"MODSEQ (%d)" % row.modseq)
        return b" ".join(items) + b")\r\n"

    def told_of(self, rows: Sequence[Row]) -> None:
        """The client has heard of these rows, which it changed: it is not told twice.

        If nobody did anything since it was told everything, there is no other news, and the index need not be asked.
        """
        if not self.contexts and self.mailbox.stood_at == self.modseq:
            self.modseq = max(self.modseq, *(row.modseq for row in rows)) if rows else self.modseq
        else:
            self.told.update((row.uid, row.modseq) for row in rows)
