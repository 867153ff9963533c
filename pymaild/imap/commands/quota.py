"""How much an account keeps and may keep: GETQUOTA, GETQUOTAROOT, SETQUOTA. RFC 9208.

An account is one quota root, with STORAGE (units of 1024 octets) and MESSAGE where they are limited; without a limit there
is none. The mailboxes of other users count for those, who alone can look at that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pymaild.imap.answers import Answer
from pymaild.imap.errors import No
from pymaild.imap.grammar import Parser
from pymaild.imap.table import LOGGED_IN, Command, Commands, Request
from pymaild.imap.values import string
from pymaild.mailstore import OTHER_USERS, Quota

if TYPE_CHECKING:
    from pymaild.imap.session import Session

ROOT: Final = b"Account"
UNIT: Final = 1024  # octets of STORAGE. RFC 9208 §5.1
MAX_RESOURCES: Final = 100


def resources(quota: Quota) -> list[tuple[str, int, int]]:
    """What is limited: its name, how much is used, and the limit. RFC 9208 §5."""
    found = []
    if quota.octets_limit:
        found.append(("STORAGE", -(-quota.octets // UNIT), max(quota.octets_limit // UNIT, 1)))
    if quota.messages_limit:
        found.append(("MESSAGE", quota.messages, quota.messages_limit))
    return found


def _line(limited: list[tuple[str, int, int]]) -> bytes:
    """* QUOTA "Account" (STORAGE 10 512). RFC 9208 §4.2.1."""
    listed = " ".join(f"{name} {used} {limit}" for name, used, limit in limited)
    return b"* QUOTA %s (%s)\r\n" % (string(ROOT), listed.encode("ascii"))


def get_quota(session: Session, request: Request) -> Answer:
    """Use and limits of a quota root. RFC 9208 §4.1.1."""
    name = _root(request.args)
    request.args.end()
    limited = resources(session.store.quota())
    if name != ROOT or not limited:
        raise No("There is no such quota root", "NONEXISTENT")
    return Answer("Done", untagged=(_line(limited),))


def get_quota_root(session: Session, request: Request) -> Answer:
    """The quota roots of a mailbox, or of one that could be made, and what they say. RFC 9208 §4.1.2."""
    args = request.args
    args.space("a mailbox name")
    name = args.mailbox()
    args.end()
    limited = [] if name.partition("/")[0] == OTHER_USERS else resources(session.store.quota())
    root = b" " + string(ROOT) if limited else b""
    said = b"* QUOTAROOT %s%s\r\n" % (session.quoted(name), root)
    return Answer("Done", untagged=(said, _line(limited)) if limited else (said,))


def set_quota(session: Session, request: Request) -> Answer:
    """Nobody sets limits over IMAP, so QUOTASET is not announced. RFC 9208 §4.1.3."""
    args = request.args
    _root(args)
    args.space("a list of resources and limits")
    args.items("a resource", lambda: _resource(args), MAX_RESOURCES)
    args.end()
    raise No("Limits are set by the administrator of the server", "NOPERM")


def _root(args: Parser) -> bytes:
    args.space("a quota root")
    return args.astring("a quota root")


def _resource(args: Parser) -> tuple[str, int]:
    name = args.word("a resource")
    args.space("a limit")
    return name, args.number("a limit", (1 << 63) - 1)


COMMANDS: Final[Commands] = {
    "GETQUOTA": Command(get_quota, LOGGED_IN, "RFC 9208 §4.1.1"),
    "GETQUOTAROOT": Command(get_quota_root, LOGGED_IN, "RFC 9208 §4.1.2"),
    "SETQUOTA": Command(set_quota, LOGGED_IN, "RFC 9208 §4.1.3"),
}
