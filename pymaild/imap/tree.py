"""What changed in the list of mailboxes between two looks: made, removed, renamed, subscribed. RFC 5465 §5.4, §5.5."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pymaild.imap.names import DELIMITER
from pymaild.imap.notify import Event, Events
from pymaild.mailstore import MailboxInfo

Infos = dict[str, MailboxInfo]


@dataclass(frozen=True, slots=True)
class Change:
    """One mailbox name that is affected."""

    info: MailboxInfo  # as it is now; of a name that is gone it says so
    events: Events
    was_subscribed: bool = False
    old_name: str = ""


def changes(old: Infos, new: Infos) -> Iterator[Change]:
    """Each affected name once, renamed ones first: what was below a renamed mailbox moved with it and is not named."""
    names_before = {info.mailbox_id: name for name, info in old.items() if info.mailbox_id}
    names_now = {info.mailbox_id: name for name, info in new.items() if info.mailbox_id}
    renamed = {name: source for name, info in new.items() if (source := names_before.get(info.mailbox_id, name)) != name}
    for name, source in sorted(renamed.items()):
        if not _moved_along(source, name, old, names_now):
            yield Change(new[name], frozenset({Event.MAILBOX_NAME}), old[source].subscribed, source)
    for name in sorted((old.keys() | new.keys()) - renamed.keys()):
        before, now = old.get(name), new.get(name)
        if now is None and before is not None and names_now.get(before.mailbox_id, name) != name:
            continue  # OLDNAME has said it
        if change := _change(name, before, now):
            yield change


def _moved_along(source: str, name: str, old: Infos, names_now: dict[str, str]) -> bool:
    """Whether the mailbox above was renamed, and this one only moved with it. RFC 5465 §5.4."""
    above, _, last = source.rpartition(DELIMITER)
    target, _, last_now = name.rpartition(DELIMITER)
    parent = old.get(above)
    return last == last_now and parent is not None and names_now.get(parent.mailbox_id) == target != above


def _change(name: str, before: MailboxInfo | None, now: MailboxInfo | None) -> Change | None:
    """Of a name that is where it was, came, or went. A mailbox that was removed and made again is another one."""
    info = now or replace(
        before or MailboxInfo(name), selectable=False, has_children=False, special_use=None, subscribed=False
    )
    was = before or MailboxInfo(name, selectable=False)
    events = set()
    if (was.mailbox_id, was.has_children) != (info.mailbox_id, info.has_children) or before is None or now is None:
        events.add(Event.MAILBOX_NAME)
    if was.subscribed != info.subscribed:
        events.add(Event.SUBSCRIPTION_CHANGE)
    only_subscribed = not was.selectable and not info.selectable and not (was.has_children or info.has_children)
    if only_subscribed:  # a name in the list of subscriptions, and no mailbox at any time
        events.discard(Event.MAILBOX_NAME)
    return Change(replace(info, mailbox_id=""), frozenset(events), was.subscribed) if events else None
