"""Who may use a mailbox: SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS. RFC 4314 §3.

The owner of a mailbox has every right, always. Others are named by the address of their account, or all together as
"anyone"; a "-" before an identifier takes rights away. What the old letters c and d stand for is in OLD.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

from pymaild.imap.answers import Answer
from pymaild.imap.commands.authenticated import mailbox_argument
from pymaild.imap.errors import Bad
from pymaild.imap.grammar import Parser
from pymaild.imap.table import LOGGED_IN, Command, Commands, Request
from pymaild.imap.values import string
from pymaild.mailstore import ALL_RIGHTS, NoSuchMailbox

if TYPE_CHECKING:
    from pymaild.imap.session import Session

OLD: Final = {"c": "kx", "d": "te"}  # RFC 4314 §2.1.1
_PLAIN: Final = re.compile(rb"[A-Za-z0-9.@_$+=~^&'|-]+\Z")
KNOWING: Final = frozenset("lrikxa")  # who has one of these may ask for his rights. §4


def told(rights: str) -> bytes:
    """Rights as they are told: with the old letters wherever one of their members is there. §2.1.1."""
    old = "".join(letter for letter, members in OLD.items() if set(members) & set(rights))
    return (rights + old).encode("ascii") or b'""'


def _identified(identifier: bytes) -> bytes:
    """An identifier as a bare word where it can be one: there are clients that keep the quotes."""
    return identifier if _PLAIN.match(identifier) else string(identifier)


def my_rights(session: Session, name: str) -> bytes:
    """* MYRIGHTS "INBOX" lrs. §3.8; who may do nothing with the mailbox does not hear that it is there."""
    rights = session.store.open(name).rights
    if not KNOWING & set(rights):
        raise NoSuchMailbox
    return b"* MYRIGHTS %s %s\r\n" % (session.quoted(name), told(rights))


def _mailbox(args: Parser) -> str:
    args.space("a mailbox name")
    return args.mailbox()


def _identifier(args: Parser) -> tuple[str, bytes]:
    """SP identifier: as it is compared, and as the client wrote it. §3."""
    args.space("an identifier")
    wire = args.astring("an identifier")
    try:
        text = unicodedata.normalize("NFC", wire.decode("utf-8"))
    except UnicodeDecodeError:
        raise Bad("Expected an identifier in UTF-8") from None
    if not text.removeprefix("-") or not text.isprintable():
        raise Bad("Expected an identifier: the address of an account, or anyone")
    return text, wire


def _rights(args: Parser) -> tuple[str, str]:
    """SP [+-]rights. Letters that are no rights are refused, never passed over. §3.1."""
    args.space("rights")
    text = args.astring("rights").decode("latin-1")
    change = text[:1] if text[:1] in ("+", "-") else ""
    letters = set(text[len(change) :])
    if not letters <= {*ALL_RIGHTS, *OLD}:
        raise Bad(f"Expected rights, of the letters {ALL_RIGHTS}{''.join(OLD)}")
    meant = letters.union(*(OLD[letter] for letter in letters & OLD.keys()))
    return change, "".join(right for right in ALL_RIGHTS if right in meant)


def set_acl(session: Session, request: Request) -> Answer:
    """Give somebody rights, or take them away. §3.1."""
    args = request.args
    name = _mailbox(args)
    identifier, _ = _identifier(args)
    change, rights = _rights(args)
    args.end()
    session.store.change_acl(name, identifier, change, rights)
    return Answer("Rights changed")


def delete_acl(session: Session, request: Request) -> Answer:
    """Remove an identifier's entry. §3.2."""
    name = _mailbox(request.args)
    identifier, _ = _identifier(request.args)
    request.args.end()
    session.store.change_acl(name, identifier, "", "")
    return Answer("Entry removed")


def get_acl(session: Session, request: Request) -> Answer:
    """Everybody's rights. §3.3, §3.6."""
    name = mailbox_argument(request.args)
    entries = session.store.acl(name)
    pairs = b" ".join(b"%s %s" % (_identified(identifier.encode()), told(rights)) for identifier, rights in entries)
    return Answer("Done", untagged=(b"* ACL %s %s\r\n" % (session.quoted(name), pairs),))


def list_rights(session: Session, request: Request) -> Answer:
    """Which rights somebody always has, and which he can be given; none are tied together. §3.4, §3.7."""
    name = _mailbox(request.args)
    identifier, wire = _identifier(request.args)
    request.args.end()
    required = session.store.required_rights(name, identifier)
    rights = [told(required)]
    rights += [letter.encode("ascii") for letter in (*ALL_RIGHTS, *OLD)] if not required else []
    line = b"* LISTRIGHTS %s %s %s\r\n" % (session.quoted(name), _identified(wire), b" ".join(rights))
    return Answer("Done", untagged=(line,))


def rights_of_mine(session: Session, request: Request) -> Answer:
    """What the client itself may do. §3.5."""
    return Answer("Done", untagged=(my_rights(session, mailbox_argument(request.args)),))


COMMANDS: Final[Commands] = {
    "SETACL": Command(set_acl, LOGGED_IN, "RFC 4314 §3.1"),
    "DELETEACL": Command(delete_acl, LOGGED_IN, "RFC 4314 §3.2"),
    "GETACL": Command(get_acl, LOGGED_IN, "RFC 4314 §3.3"),
    "LISTRIGHTS": Command(list_rights, LOGGED_IN, "RFC 4314 §3.4"),
    "MYRIGHTS": Command(rights_of_mine, LOGGED_IN, "RFC 4314 §3.5"),
}
