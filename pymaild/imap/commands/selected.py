"""Which mailbox is open: SELECT, EXAMINE, CHECK, CLOSE, UNSELECT, EXPUNGE. RFC 3501 §6.3.1, §6.4, RFC 3691, RFC 4315."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pymaild.imap import resync
from pymaild.imap.answers import Answer, ok
from pymaild.imap.errors import Bad, No
from pymaild.imap.grammar import Parser
from pymaild.imap.table import LOGGED_IN, Command, Commands, Request, State
from pymaild.imap.view import View

if TYPE_CHECKING:
    from pymaild.imap.session import Session

CHANGING: Final = frozenset("istwe")  # rights that make a mailbox READ-WRITE. RFC 4314 §5.2


def select(session: Session, request: Request) -> Answer:
    """Open a mailbox to read and change it. §6.3.1."""
    return _open(session, request, read_only=False)


def examine(session: Session, request: Request) -> Answer:
    """Open a mailbox to read it; nothing changes, no message stops being recent. §6.3.2."""
    return _open(session, request, read_only=True)


def _open(session: Session, request: Request, read_only: bool) -> Answer:
    """Whatever comes of it, the mailbox that was selected before is not selected any more. §6.3.1."""
    args = request.args
    args.space("a mailbox name")
    name = args.mailbox()
    client = _parameters(session, args)
    args.end()
    closed = [ok("CLOSED", "The mailbox that was selected is closed")] if session.view is not None else []
    session.unselect()
    mailbox = session.store.open(name)
    read_only = read_only or not CHANGING & set(mailbox.rights)
    view = session.select(mailbox, read_only)
    lines = (
        *closed,
        *_description(view),
        *_listed(session, args.typed),
        *(resync.responses(view, client) if client else ()),
    )
    return Answer("Mailbox opened", "READ-ONLY" if read_only else "READ-WRITE", untagged=lines)


def _listed(session: Session, typed: str) -> tuple[bytes, ...]:
    """LIST names the mailbox as the server spells it. RFC 9051 §6.3.2."""
    name = session.selected.mailbox.name
    plain = (b'* LIST () "/" %s\r\n' % session.quoted(name),) if session.rev2 else ()
    return session.normalised(typed, name) or plain


def _parameters(session: Session, args: Parser) -> resync.Known | None:
    """[SP (CONDSTORE QRESYNC (...))]; what the client knows, if it says so. RFC 4466 §2.1."""
    if not args.accept(b" "):
        return None
    found: list[resync.Known | None] = args.items("CONDSTORE or QRESYNC", lambda: _parameter(session, args), limit=10)
    return next((known for known in found if known is not None), None)


def _parameter(session: Session, args: Parser) -> resync.Known | None:
    """CONDSTORE, RFC 7162 §3.1.8; QRESYNC, which must have been enabled: §3.2.5."""
    word = args.word("CONDSTORE or QRESYNC")
    if word == "CONDSTORE":
        session.enable(word)
        return None
    if word != "QRESYNC":
        raise Bad("Expected CONDSTORE or QRESYNC")
    if word not in session.enabled:
        raise Bad("Enable QRESYNC first")
    args.space("what is known of the mailbox")
    return resync.known(args)


def _description(view: View) -> Iterator[bytes]:
    """What is in it. §7.2.6, §7.3.1, §7.3.2, §7.1."""
    state = view.initial
    yield from view.flags_responses(state)
    yield view.exists()
    if state.first_unseen and not view.rev2:
        yield ok(f"UNSEEN {view.number(state.first_unseen)}", "First message without \\Seen")
    yield ok(f"UIDVALIDITY {state.uidvalidity}", "UIDs are valid")
    yield ok(f"UIDNEXT {max(state.uidnext, view.largest_uid + 1)}", "Predicted next UID")
    yield ok(f"HIGHESTMODSEQ {state.highestmodseq}", "Every message has a mod-sequence")
    yield ok(f"MAILBOXID ({view.mailbox.mailbox_id})", "The id stays when the mailbox is renamed")


def check(session: Session, request: Request) -> Answer:
    """Everything is on the disk already; a look for news. §6.4.1."""
    request.args.end()
    session.selected.mailbox.refresh()
    return Answer("Done")


def close(session: Session, request: Request) -> Answer:
    """Remove what is marked \\Deleted, silently, and leave the mailbox. §6.4.2."""
    request.args.end()
    view = session.selected
    if not view.read_only and "e" in view.mailbox.rights:  # without the right it is no error: RFC 4314 §4
        view.mailbox.expunge()
    session.unselect()
    return Answer("Mailbox closed")


def unselect(session: Session, request: Request) -> Answer:
    """Leave the mailbox as it is. RFC 3691 §2."""
    request.args.end()
    session.unselect()
    return Answer("Mailbox closed")


def expunge(session: Session, request: Request) -> Answer:
    """Remove what is marked \\Deleted; of a set of uids only, if one is given. §6.4.3, RFC 4315 §2.1."""
    view = session.selected
    ranges = None
    if request.by_uid:
        request.args.space("a message set")
        ranges = request.args.sequence_set()
    request.args.end()
    refuse_read_only(view)
    gone = view.mailbox.expunge(None if ranges is None else view.select(ranges, by_uid=True))
    view.own.update(gone)
    if not gone or not view.qresync:
        return Answer("Done")
    return Answer("Done", lambda: f"HIGHESTMODSEQ {view.modseq}")  # RFC 7162 §3.2.7


def refuse_read_only(view: View) -> None:
    """EXAMINE promised that nothing changes, §6.3.2; or there is no right to change anything: RFC 4314 §5.2."""
    if view.read_only and not CHANGING & set(view.mailbox.rights):
        raise No("You may read this mailbox, but not change it: ask its owner", "NOPERM")
    if view.read_only:
        raise No("The mailbox was opened with EXAMINE: it cannot be changed", "READ-ONLY")


COMMANDS: Final[Commands] = {
    "SELECT": Command(select, LOGGED_IN, "RFC 3501 §6.3.1", news=False),
    "EXAMINE": Command(examine, LOGGED_IN, "RFC 3501 §6.3.2", news=False),
    "CHECK": Command(check, State.SELECTED, "RFC 3501 §6.4.1"),
    "CLOSE": Command(close, State.SELECTED, "RFC 3501 §6.4.2"),
    "UNSELECT": Command(unselect, State.SELECTED, "RFC 3691 §2"),
    "EXPUNGE": Command(expunge, State.SELECTED, "RFC 3501 §6.4.3"),
    "UID EXPUNGE": Command(expunge, State.SELECTED, "RFC 4315 §2.1", by_uid=True),
}
