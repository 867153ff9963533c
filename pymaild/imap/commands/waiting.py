"""How a client hears of changes: IDLE, RFC 2177, and NOTIFY, RFC 5465."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pymaild.dialogue import Then
from pymaild.imap.answers import Answer, Dialogue, Prompt
from pymaild.imap.errors import Bad
from pymaild.imap.notifier import Notifier
from pymaild.imap.notify import Wishes, wishes
from pymaild.imap.table import LOGGED_IN, Command, Commands, Request
from pymaild.imap.wanted import EVERYTHING

if TYPE_CHECKING:
    from pymaild.imap.session import Session


def idle(session: Session, request: Request) -> Dialogue:
    """Wait for news until the client says DONE; after NOTIFY they come anyway, and are the same. §3, RFC 5465 §4."""
    request.args.end()
    view = session.view
    end = None
    if view is not None and session.notifier is None and session.wanted.messages:
        end = session.backend.feed.subscribe(session.store.address, view.mailbox.name, session.changed)
    try:
        said = yield Prompt(b"+ idling\r\n", Then.IDLE)
    finally:
        if end is not None:
            end()
    if said.upper() != b"DONE":
        raise Bad("Expected DONE at the end of IDLE")
    return Answer("Done")


def notify(session: Session, request: Request) -> Answer:
    """Say what is to be heard of from now on, at any time. RFC 5465 §3.1."""
    args = request.args
    args.space("SET or NONE")
    if args.accept(b"NONE"):
        args.end()
        session.notify(None)
        return Answer("Nothing will be told")
    args.expect(b"SET ", "SET and what is to be told, or NONE")
    found = wishes(session, args)
    before, notifier = session.notifier, Notifier(session, found)
    earlier = list(before.news()) if before is not None else []  # asked last: nothing falls between the two
    session.notify(notifier)
    return Answer("Done", untagged=_begin(session, notifier, found, earlier))


def _begin(session: Session, notifier: Notifier, found: Wishes, earlier: list[bytes]) -> Iterator[bytes]:
    """First what has happened in the selected mailbox, as NOOP would tell it, and where others stand. RFC 5465 §3.1."""
    yield from earlier
    wanted, view = found.wanted(), session.view
    if view is not None:
        view.wanted = replace(EVERYTHING, with_uids=True, arrivals=wanted.arrivals)
        view.mailbox.refresh()
        yield from view.sync(expunges=True)
    yield from notifier.denied()
    if found.status:
        yield from notifier.statuses()
    session.want(wanted)


COMMANDS: Final[Commands] = {
    "IDLE": Command(idle, LOGGED_IN, "RFC 2177 §3"),
    "NOTIFY": Command(notify, LOGGED_IN, "RFC 5465 §3.1"),
}
