"""NOTIFY SET: which events of which mailboxes a client wants to hear of, as it says it. RFC 5465 §3.1, §6, §8.

    NOTIFY SET STATUS (selected (MessageNew (UID FLAGS) MessageExpunge)) (personal (MailboxName SubscriptionChange))

What then is told, and when, is in notifier.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Final

from pymaild.imap.errors import Bad, No
from pymaild.imap.fetch import ITEMS, Items, fetch_items, responses
from pymaild.imap.grammar import Parser
from pymaild.imap.names import DELIMITER
from pymaild.imap.view import View
from pymaild.imap.wanted import NOTHING, Wanted
from pymaild.mailstore import OTHER_USERS

if TYPE_CHECKING:
    from pymaild.imap.session import Session


class Event(Enum):
    """What can be heard of, as it is spelt. RFC 5465 §5; there are no annotations (RFC 5257) that could change."""

    MESSAGE_NEW = "MessageNew"
    MESSAGE_EXPUNGE = "MessageExpunge"
    FLAG_CHANGE = "FlagChange"
    MAILBOX_NAME = "MailboxName"
    SUBSCRIPTION_CHANGE = "SubscriptionChange"
    MAILBOX_METADATA = "MailboxMetadataChange"
    SERVER_METADATA = "ServerMetadataChange"


Events = frozenset[Event]
NAMED: Final = {event.value.upper(): event for event in Event}
ARRIVALS: Final[Events] = frozenset({Event.MESSAGE_NEW, Event.MESSAGE_EXPUNGE})
OF_MESSAGES: Final[Events] = ARRIVALS | {Event.FLAG_CHANGE}
SELECTED: Final = ("SELECTED", "SELECTED-DELAYED")


@dataclass(frozen=True, slots=True)
class Place:
    """A mailbox, as the filters see it."""

    name: str
    subscribed: bool = False

    @property
    def is_personal(self) -> bool:
        """Whether it is not one of another account. RFC 2342 §4."""
        return not f"{self.name}/".startswith(f"{OTHER_USERS}/")


# Which mailboxes a filter means, and whether names come with it. Mail is delivered to any of them: inboxes are all. §6
FILTERS: Final[dict[str, Callable[[Place, frozenset[str]], bool]]] = {
    "INBOXES": lambda place, names: place.is_personal,
    "PERSONAL": lambda place, names: place.is_personal,
    "SUBSCRIBED": lambda place, names: place.subscribed,
    "SUBTREE": lambda place, names: place.name in names or any(place.name.startswith(name + DELIMITER) for name in names),
    "MAILBOXES": lambda place, names: place.name in names,
}
WITH_NAMES: Final = frozenset({"SUBTREE", "MAILBOXES"})


@dataclass(frozen=True, slots=True)
class Group:
    """Some events of some mailboxes."""

    filter: str
    names: frozenset[str]
    events: Events

    def holds(self, place: Place) -> bool:
        """Whether the filter means this mailbox."""
        return FILTERS[self.filter](place, self.names)


@dataclass(slots=True)
class Wishes:
    """One NOTIFY SET."""

    status: bool = False
    selected: str = ""  # SELECTED or SELECTED-DELAYED, if it was there
    selected_events: Events = frozenset()
    items: Items | None = None  # what to fetch of a new message
    groups: list[Group] = field(default_factory=list)

    def events(self, place: Place) -> Events:
        """Everything that is wanted of a mailbox that is not selected: groups add up. §6."""
        return frozenset().union(*(group.events for group in self.groups if group.holds(place)))

    @property
    def of_server(self) -> bool:
        """Whether changes of the server's metadata are to be told, whatever mailboxes the filter means. §5.7."""
        return any(Event.SERVER_METADATA in group.events for group in self.groups)

    def wanted(self) -> Wanted:
        """The same for the selected one. §3.1: without SELECTED nothing is."""
        if not self.selected_events:
            return NOTHING
        arrivals = partial(fetched, items=self.items) if self.items is not None else None
        at_once, flags = self.selected == "SELECTED", Event.FLAG_CHANGE in self.selected_events
        return Wanted(flags=flags, expunges_at_once=at_once, with_uids=True, arrivals=arrivals)


def fetched(view: View, uids: Sequence[int], items: Items) -> Iterator[bytes]:
    """FETCH of what came in; it does not count as read. §5.2; UID and MODSEQ where enabled: RFC 7162 §3.2.4, §3.1."""
    more = [word for word, on in (("UID", view.qresync), ("MODSEQ", view.condstore)) if on and word not in items.names]
    added = [ITEMS[word](Parser([b""], ())) for word in more]
    wanted = [replace(item, sees=False) for item in (*added, *items.items)]
    yield from responses(view, uids, Items(wanted, items.names | set(more)))


# ---- reading


def wishes(session: Session, args: Parser) -> Wishes:
    """["STATUS" SP] 1*(event-group). §8 (notify-set)."""
    found = Wishes(status=args.accept(b"STATUS "))
    _group(session, args, found)
    while args.accept(b" "):
        _group(session, args, found)
    args.end()
    return found


def _group(session: Session, args: Parser, found: Wishes) -> None:
    """(filter-mailboxes SP events). §8 (event-group)."""
    args.expect(b"(", "( and then which mailboxes")
    word = args.word("which mailboxes")
    args.space("what is asked for")
    if word in SELECTED:
        if found.selected:
            raise Bad("Expected SELECTED or SELECTED-DELAYED only once")
        found.selected = word
        found.selected_events = _events(args, lambda: _items(session, args, found))
        if not found.selected_events <= OF_MESSAGES:
            raise Bad("Expected only events of messages with SELECTED or SELECTED-DELAYED")
    elif word in FILTERS:
        names = _names(args) if word in WITH_NAMES else frozenset()
        found.groups.append(Group(word, names, _events(args)))
    else:
        raise Bad(f"Expected one of {' '.join((*SELECTED, *FILTERS))}")
    args.expect(b")", ")")


def _names(args: Parser) -> frozenset[str]:
    """A name or a list of names, and a space. §8 (one-or-more-mailbox)."""
    names = args.items("a mailbox name", args.mailbox) if args.peek() == b"(" else [args.mailbox()]
    if not names:
        raise Bad("Expected at least one mailbox name")
    args.space("what is asked for")
    return frozenset(names)


def _events(args: Parser, items: Callable[[], None] | None = None) -> Events:
    """NONE, or a list of events; those that need one another must come together. §5, §8."""
    if args.accept(b"NONE"):
        return frozenset()
    found = frozenset(args.items("an event", lambda: _event(args, items), limit=50))
    if not found:
        raise Bad("Expected at least one event")
    if found & OF_MESSAGES and not found >= ARRIVALS:
        raise Bad("Expected MessageNew and MessageExpunge together, and FlagChange only with them")
    return found


def _event(args: Parser, items: Callable[[], None] | None) -> Event:
    """One event, perhaps with what is to be fetched. An unknown one is NO, with all that are known. §3.1."""
    event = NAMED.get(args.word("an event"))
    if event is None:
        known = " ".join(event.value for event in Event)
        raise No("This server cannot tell of such an event", f"BADEVENT ({known})")
    if event is Event.MESSAGE_NEW and items is not None and args.follows(b" ("):
        args.space()
        items()
    return event


def _items(session: Session, args: Parser, found: Wishes) -> None:
    found.items = fetch_items(args, by_uid=False, limit=session.limits.fetch_items)
