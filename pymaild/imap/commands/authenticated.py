"""What an account's mailboxes are asked: CREATE to STATUS, NAMESPACE, COMPRESS. RFC 3501 §6.3."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pymaild.dialogue import Then
from pymaild.imap import names
from pymaild.imap.answers import Answer, ok
from pymaild.imap.errors import Bad, No
from pymaild.imap.grammar import Parser
from pymaild.imap.table import LOGGED_IN, Command, Commands, Request
from pymaild.mailstore import OTHER_USERS, Flag, HasFlag, Mailbox, MailboxState, NoSuchMailbox, SpecialUse

if TYPE_CHECKING:
    from pymaild.imap.session import Session

SPECIAL_USES: Final = {f"\\{use.value.upper()}": use for use in SpecialUse}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a status item is worked out from."""

    mailbox: Mailbox
    state: MailboxState
    session: Session


def _deleted_storage(asked: Asked) -> int:
    """Octets that EXPUNGE would free. RFC 9208 §4.1.4."""
    if not asked.state.deleted:
        return 0
    return sum(row.size for row in asked.mailbox.rows(asked.mailbox.search(HasFlag(Flag.DELETED))))


def _append_limit(asked: Asked) -> int:
    """The largest message that APPEND takes. RFC 7889 §3.1."""
    return asked.session.limits.message


STATUS_ITEMS: Final[dict[str, Callable[[Asked], int | str]]] = {
    "MESSAGES": lambda asked: asked.state.messages,
    "RECENT": lambda asked: asked.state.recent,
    "UIDNEXT": lambda asked: asked.state.uidnext,
    "UIDVALIDITY": lambda asked: asked.state.uidvalidity,
    "UNSEEN": lambda asked: asked.state.unseen,
    "SIZE": lambda asked: asked.state.size,  # RFC 8438 §2
    "DELETED": lambda asked: asked.state.deleted,  # RFC 9051 §6.3.11, RFC 9208 §4.1.4
    "DELETED-STORAGE": _deleted_storage,
    "HIGHESTMODSEQ": lambda asked: asked.state.highestmodseq,  # RFC 7162 §3.1.7
    "MAILBOXID": lambda asked: f"({asked.mailbox.mailbox_id})",  # RFC 8474 §4.3
    "APPENDLIMIT": _append_limit,
}


def mailbox_argument(args: Parser) -> str:
    """SP mailbox, and nothing more."""
    args.space("a mailbox name")
    name = args.mailbox()
    args.end()
    return name


def _new_name(args: Parser) -> str:
    """A name for a mailbox to be made; the delimiter at its end only says that there will be more below. §6.3.3."""
    args.space("a mailbox name")
    name = args.mailbox()
    return name[:-1] if name.endswith(names.DELIMITER) else name


def create(session: Session, request: Request) -> Answer:
    """Make a mailbox, perhaps for a special use. §6.3.3, RFC 6154 §3."""
    args = request.args
    name = _new_name(args)
    use = _use(args) if args.accept(b" ") else None
    args.end()
    typed = args.typed.removesuffix(names.DELIMITER)
    session.store.create(name, use)
    session.did(name)
    mailbox = session.store.open(name)
    listed = session.normalised(typed, mailbox.name)
    return Answer("Mailbox created", f"MAILBOXID ({mailbox.mailbox_id})", listed)  # RFC 8474 §4.1


def _use(args: Parser) -> SpecialUse | None:
    args.expect(b"(USE ", "(USE and a list of special uses")
    wanted = args.items("a special use", args.flag)
    args.expect(b")", ")")
    if len(wanted) > 1 or any(use.upper() not in SPECIAL_USES for use in wanted):
        raise No("A mailbox can have one of the special uses Archive, Drafts, Junk, Sent and Trash", "USEATTR")
    return SPECIAL_USES[wanted[0].upper()] if wanted else None


def delete(session: Session, request: Request) -> Answer:
    """Remove a mailbox; if it is the selected one, it is closed first. §6.3.4."""
    name = mailbox_argument(request.args)
    selected = session.view is not None and session.view.mailbox.mailbox_id == _id_of(session, name)
    session.store.delete(name)
    session.did(name)
    if not selected:
        return Answer("Mailbox deleted")
    session.unselect()
    return Answer("Mailbox deleted", untagged=(ok("CLOSED", "The selected mailbox was deleted"),))


def _id_of(session: Session, name: str) -> str:
    return session.store.open(name).mailbox_id


def _name_of(session: Session, name: str) -> str:
    """As the server spells it; a name that is only a level in others is as it is."""
    try:
        return session.store.open(name).name
    except NoSuchMailbox:
        return name


def rename(session: Session, request: Request) -> Answer:
    """Rename a mailbox and everything below it. §6.3.5."""
    request.args.space("a mailbox name")
    old = request.args.mailbox()
    new = _new_name(request.args)
    request.args.end()
    typed = request.args.typed.removesuffix(names.DELIMITER)
    session.store.rename(old, new)
    session.did(old, new)
    return Answer("Mailbox renamed", untagged=session.normalised(typed, _name_of(session, new)) if session.rev2 else ())


def subscribe(session: Session, request: Request) -> Answer:
    """Remember a name, whether or not a mailbox has it. §6.3.6."""
    name = mailbox_argument(request.args)
    session.store.subscribe(name)
    session.did(name)
    return Answer("Subscribed")


def unsubscribe(session: Session, request: Request) -> Answer:
    """Forget a name. §6.3.7."""
    name = mailbox_argument(request.args)
    session.store.subscribe(name, subscribed=False)
    session.did(name)
    return Answer("Unsubscribed")


def status(session: Session, request: Request) -> Answer:
    """The numbers of a mailbox without selecting it. §6.3.10."""
    args = request.args
    args.space("a mailbox name")
    name = args.mailbox()
    args.space("a list of status items")
    items = status_items(args)
    args.end()
    return Answer("Done", untagged=(status_line(session, name, items),))


def status_items(args: Parser) -> list[str]:
    """(MESSAGES UNSEEN ...). §9 (status-att)."""
    items = args.items("a status item", lambda: args.word("a status item"), limit=20)
    if not items or any(item not in STATUS_ITEMS for item in items):
        raise Bad(f"Expected status items: {' '.join(STATUS_ITEMS)}")
    return items


def status_line(session: Session, name: str, items: Sequence[str]) -> bytes:
    """* STATUS "name" (MESSAGES 3). §7.2.4."""
    mailbox = session.store.open(name)
    mailbox.refresh()
    asked = Asked(mailbox, mailbox.state(), session)
    values = " ".join(f"{item} {STATUS_ITEMS[item](asked)}" for item in items)
    return b"* STATUS %s (%s)\r\n" % (session.quoted(name), values.encode("ascii"))


def namespace(session: Session, request: Request) -> Answer:
    """One personal namespace, without a prefix, and one for the mailboxes of other users. RFC 2342 §5."""
    request.args.end()
    others = session.quoted(f"{OTHER_USERS}/")
    return Answer("Done", untagged=(b'* NAMESPACE (("" "/")) ((%s "/")) NIL\r\n' % others,))


def compress(session: Session, request: Request) -> Answer:
    """DEFLATE in both directions from here on. RFC 4978 §3."""
    request.args.space("DEFLATE")
    if request.args.word("DEFLATE") != "DEFLATE":
        raise Bad("Expected DEFLATE: no other compression is known")
    request.args.end()
    if session.compressed:
        raise No("The connection is compressed already", "COMPRESSIONACTIVE")
    session.compressed = True
    return Answer("DEFLATE active", then=Then.COMPRESS)


COMMANDS: Final[Commands] = {
    "CREATE": Command(create, LOGGED_IN, "RFC 3501 §6.3.3"),
    "DELETE": Command(delete, LOGGED_IN, "RFC 3501 §6.3.4"),
    "RENAME": Command(rename, LOGGED_IN, "RFC 3501 §6.3.5"),
    "SUBSCRIBE": Command(subscribe, LOGGED_IN, "RFC 3501 §6.3.6"),
    "UNSUBSCRIBE": Command(unsubscribe, LOGGED_IN, "RFC 3501 §6.3.7"),
    "STATUS": Command(status, LOGGED_IN, "RFC 3501 §6.3.10"),
    "NAMESPACE": Command(namespace, LOGGED_IN, "RFC 2342 §5"),
    "COMPRESS": Command(compress, LOGGED_IN, "RFC 4978 §3"),
}
