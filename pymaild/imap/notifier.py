"""What a client hears of mailboxes that are not selected: STATUS and LIST, unasked. RFC 5465 §5.

    feed ---- names of mailboxes that changed, from any thread ----> Notifier
                                                                        | news(): what is there now, and what was told
    client <--- * STATUS "Lists" (MESSAGES 4 UIDNEXT 5 UNSEEN 1) -------+
           <--- * LIST (\\HasNoChildren) "/" "New" ("OLDNAME" ("Old"))

A notice says no more than where to look. So several changes of a mailbox make one response, and a client that does not read
costs no more memory than the names of its mailboxes. Mailboxes are told apart by their ids, which outlive a rename.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pymaild.imap import tree
from pymaild.imap.answers import ok
from pymaild.imap.errors import No
from pymaild.imap.names import DELIMITER
from pymaild.imap.noted import Noted
from pymaild.imap.notify import OF_MESSAGES, Event, Events, Place, Wishes
from pymaild.mailstore import AccessDenied, Mailbox, MailboxInfo, MailboxState, NoSuchMailbox

if TYPE_CHECKING:
    from pymaild.imap.session import Session
    from pymaild.imap.view import View

OVERFLOW: Final = "NOTIFICATIONOVERFLOW"


@dataclass(frozen=True, slots=True)
class Told:
    """The numbers of a mailbox that the client knows."""

    uidvalidity: int
    uidnext: int
    messages: int
    unseen: int
    modseq: int

    @classmethod
    def of(cls, state: MailboxState) -> Told:
        """All of now."""
        return cls(state.uidvalidity, state.uidnext, state.messages, state.unseen, state.highestmodseq)


# What STATUS says of each event. §3.1 (initial), §5.1, §5.2, §5.3; HIGHESTMODSEQ for those who enabled CONDSTORE.
OF_ARRIVALS: Final = ("MESSAGES", "UIDNEXT", "UNSEEN")
OF_FLAGS: Final = ("UIDVALIDITY", "UNSEEN")
OF_ALL: Final = ("MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN")


class Notifier:
    """Lives from a NOTIFY SET to the next NOTIFY, or to the end of the session."""

    def __init__(self, session: Session, wishes: Wishes) -> None:
        self._session = session
        self._wishes = wishes
        self._changed: dict[str, None] = {}  # names to look at; single operations on a dict need no lock
        self._own: dict[str, set[int]] = {}  # what this client did itself: names, with uids of messages it brought
        self._end = session.backend.feed.subscribe_account(session.store.address, self._hear)
        self._told: dict[str, Told] = {}  # by mailbox id, of those that are watched
        self._denied: set[str] = set()  # names of those that would be, if they could be read
        self._noted = Noted(session)
        try:
            self._infos = self._listing()
            self._watch()
        except BaseException:
            self._end()
            raise

    def close(self) -> None:
        """Hear no more."""
        self._end()

    def _hear(self, name: str) -> None:
        """From any thread: a mailbox changed."""
        view = self._session.view
        if not self._wishes.groups and view is not None and name not in ("", view.mailbox.name):
            return
        self._changed[name] = None
        self._session.changed()

    # ---- what the session tells

    def did(self, names: Iterable[str], uids: Iterable[int]) -> None:
        """The client itself made, removed or renamed mailboxes, or brought messages into one: that is no news. §5."""
        for name in names:
            self._own.setdefault(name, set()).update(uids)

    def left(self, view: View) -> None:
        """A mailbox is selected no more: the client knows it as its view showed it."""
        told = Told(view.initial.uidvalidity, view.largest_uid + 1, len(view), -1, view.modseq)
        self._told[view.mailbox.mailbox_id] = told
        self._hear(view.mailbox.name)

    # ---- what the client is told

    def statuses(self) -> Iterator[bytes]:
        """STATUS of every mailbox that is watched, for NOTIFY SET STATUS. §3.1."""
        for name, info in self._infos.items():
            told = self._told.get(info.mailbox_id)
            if told is not None and not self._is_selected(info.mailbox_id):
                flags = ("HIGHESTMODSEQ",) if Event.FLAG_CHANGE in self._events(info) else ()
                yield self._status(name, told, (*OF_ALL, *flags))

    def denied(self) -> Iterator[bytes]:
        """LIST of every mailbox that cannot be watched, because the client may see it, but not read it. §3.1."""
        for name in sorted(self._denied):
            yield self._list(tree.Change(self._infos[name], frozenset()), (b"\\NoAccess",))

    def news(self) -> Iterator[bytes]:
        """What changed since the last time."""
        names = list(self._names())
        try:
            if any(self._is_strange(name) for name in names):
                yield from self._tree()
            for name in names:
                yield from self._messages(name)
                yield from self._metadata(name)
        except No as overflow:
            yield ok(overflow.code, overflow.text)
            self._session.notify(None)
        self._own.clear()

    def _names(self) -> Iterator[str]:
        while self._changed:
            yield self._changed.popitem()[0]

    def _events(self, info: MailboxInfo) -> Events:
        return self._wishes.events(Place(info.name, info.subscribed))

    def _is_selected(self, mailbox_id: str) -> bool:
        view = self._session.view
        return view is not None and view.mailbox.mailbox_id == mailbox_id

    # ---- messages

    def _state(self, name: str) -> tuple[Mailbox, MailboxState] | None:
        """The mailbox as it is now; nothing if it went away, or may not be read."""
        try:
            mailbox = self._session.store.open(name)
            state = mailbox.state()
        except (NoSuchMailbox, AccessDenied) as error:
            if isinstance(error, AccessDenied):
                self._denied.add(name)
            return None
        self._denied.discard(name)
        return mailbox, state

    def _messages(self, name: str) -> Iterator[bytes]:
        """STATUS, if messages came, went or changed. §5.1 to §5.3."""
        info = self._infos.get(name)
        if info is None or self._is_selected(info.mailbox_id):
            return
        events, before, denied = self._events(info), self._told.get(info.mailbox_id), name in self._denied
        found = self._state(name) if (before is not None or denied) and events & OF_MESSAGES else None
        if found is None:
            return
        mailbox, state = found
        self._told[info.mailbox_id] = after = Told.of(state)
        if before is None:
            yield from self._granted(name, after)
            return
        items = self._items(events, before, after)
        if items and not self._is_own(mailbox, before):
            yield self._status(name, after, items)

    def _items(self, events: Events, before: Told, after: Told) -> tuple[str, ...]:
        modseq = self._modseq()
        if after.uidvalidity != before.uidvalidity:
            return (*OF_ALL, *modseq)
        if after.modseq == before.modseq:
            return ()
        if (after.uidnext, after.messages) != (before.uidnext, before.messages):
            return (*OF_ARRIVALS, *modseq)
        tells = Event.FLAG_CHANGE in events and (modseq or after.unseen != before.unseen)
        return (*OF_FLAGS, *modseq) if tells else ()

    def _modseq(self) -> tuple[str, ...]:
        """For those who follow mod-sequences. §5.1 to §5.3."""
        return ("HIGHESTMODSEQ",) if "CONDSTORE" in self._session.enabled else ()

    def _is_own(self, mailbox: Mailbox, before: Told) -> bool:
        """Whether all that came are messages that this client brought itself."""
        own = self._own.get(mailbox.name)
        if not own:
            return False
        changes = mailbox.changes(before.modseq)
        return not changes.vanished and all(row.uid in own for row in changes.rows)

    def _status(self, name: str, told: Told, items: Iterable[str]) -> bytes:
        values = {
            "MESSAGES": told.messages,
            "UIDNEXT": told.uidnext,
            "UIDVALIDITY": told.uidvalidity,
            "UNSEEN": told.unseen,
            "HIGHESTMODSEQ": told.modseq,
        }
        text = " ".join(f"{item} {values[item]}" for item in items)
        return b"* STATUS %s (%s)\r\n" % (self._session.quoted(name), text.encode("ascii"))

    # ---- metadata

    def _metadata(self, name: str) -> Iterator[bytes]:
        """METADATA, if somebody else noted something. RFC 5465 §5.6, §5.7."""
        if self._noted.knows(name) and (line := self._noted.news(name)) and name not in self._own:
            yield line

    def _watch_metadata(self) -> None:
        """Know what is noted of the mailboxes, and of the server, where that matters."""
        wanted = {name for name, info in self._infos.items() if Event.MAILBOX_METADATA in self._events(info)}
        for name in wanted | ({""} if self._wishes.of_server else set()):
            if not self._noted.knows(name):
                self._noted.learn(name)

    # ---- the list of mailboxes

    def _listing(self) -> tree.Infos:
        """Every name by itself: mailboxes, levels, and what is subscribed without being either."""
        infos = {info.name: info for info in self._session.store.mailboxes()}
        for name in self._session.store.subscriptions():
            infos.setdefault(name, MailboxInfo(name, selectable=False, subscribed=True))
        return infos

    def _is_strange(self, name: str) -> bool:
        """Whether the list of mailboxes is not what it was, as far as this name tells."""
        info = self._infos.get(name)
        try:
            return not name or info is None or info.mailbox_id != self._session.store.open(name).mailbox_id
        except NoSuchMailbox:
            return info is not None and info.selectable

    def _tree(self) -> Iterator[bytes]:
        """LIST of every name that is affected; STATUS where messages came with it, or another mailbox is in its place."""
        old, self._infos = self._infos, self._listing()
        for change in tree.changes(old, self._infos):
            wanted = self._wishes.events(Place(change.info.name, change.info.subscribed or change.was_subscribed))
            if change.old_name:
                wanted |= self._wishes.events(Place(change.old_name, change.was_subscribed))
            if wanted & change.events and not self._is_own_name(change):
                yield self._list(change)
        known, denied = {info.mailbox_id for info in old.values()}, set(self._denied)
        for name, told in self._watch().items():
            another = name in old and old[name].selectable
            if name in denied:
                yield from self._granted(name, told)
            elif self._infos[name].mailbox_id not in known and (another or told.uidnext > 1):
                yield self._status(name, told, (*OF_ALL, *self._modseq()))

    def _granted(self, name: str, told: Told) -> Iterator[bytes]:
        """A mailbox may be read now: LIST without \\NoAccess, and where it stands. §5.9."""
        yield self._list(tree.Change(self._infos[name], frozenset()))
        yield self._status(name, told, (*OF_ALL, *self._modseq()))

    def _is_own_name(self, change: tree.Change) -> bool:
        """Whether this client did it, or did something below or above that name."""
        name = change.info.name + DELIMITER
        return any(name.startswith(own + DELIMITER) or (own + DELIMITER).startswith(name) for own in self._own)

    def _list(self, change: tree.Change, more: Iterable[bytes] = ()) -> bytes:
        """As LIST-EXTENDED says it. RFC 5258 §3."""
        info = change.info
        words = [*more] if info.selectable else [b"\\NonExistent"]
        words += [b"\\Subscribed"] if info.subscribed else []
        words.append(b"\\HasChildren" if info.has_children else b"\\HasNoChildren")
        words += [b"\\" + info.special_use.value.encode("ascii")] if info.special_use else []
        line = b'* LIST (%s) "/" %s' % (b" ".join(words), self._session.quoted(info.name))
        old_name = b' ("OLDNAME" (%s))' % self._session.quoted(change.old_name) if change.old_name else b""
        return line + old_name + b"\r\n"

    def _watch(self) -> dict[str, Told]:
        """Know the numbers of every mailbox whose messages matter, and of no other; those that are new among them."""
        watched = {name: info for name, info in self._infos.items() if info.selectable and self._events(info) & OF_MESSAGES}
        most = self._session.limits.notify_mailboxes
        if len(watched) > most:
            raise No(f"There are too many mailboxes to watch: at most {most}. Name those that matter most", OVERFLOW)
        self._denied &= watched.keys()
        ids = {info.mailbox_id for info in watched.values()}
        self._watch_metadata()
        self._told = {mailbox_id: told for mailbox_id, told in self._told.items() if mailbox_id in ids}
        new = {}
        for name, info in watched.items():
            if info.mailbox_id not in self._told and (found := self._state(name)):
                new[name] = self._told[info.mailbox_id] = Told.of(found[1])
        return new
