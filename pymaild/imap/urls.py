"""IMAP URLs of messages of the own account, as CATENATE names them. RFC 5092 §6, RFC 4469 §3."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote, unquote_to_bytes

from pymaild.imap import names
from pymaild.imap.errors import Bad, No
from pymaild.imap.grammar import Parser
from pymaild.imap.section import section
from pymaild.mailstore import MessageGone, StoreError

if TYPE_CHECKING:
    from pymaild.imap.session import Session

MAX_URL: Final = 4096
_URL: Final = re.compile(
    r"(?:imap://(?:(?P<user>[^/@;]*)(?:;AUTH=[^/@]*)?@)?(?P<host>[^/:;@]+)(?::\d{1,5})?)?"
    r"/(?P<mailbox>[^;]+?)(?:;UIDVALIDITY=(?P<uidvalidity>\d{1,10}))?"
    r"/;UID=(?P<uid>\d{1,10})(?:/;SECTION=(?P<section>[^;]+?))?"
    r"(?:/;PARTIAL=(?P<offset>\d{1,19})(?:\.(?P<length>\d{1,19}))?)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class MessageUrl:
    """A message, or a part of one."""

    mailbox: str
    uidvalidity: int | None
    uid: int
    section: bytes
    offset: int
    length: int | None


def octets(session: Session, url: bytes) -> bytes:
    """What a URL stands for; BADURL when there is no such thing. RFC 4469 §3, §5."""
    try:
        found = _fetch(session, _parse(session, url))
    except (Bad, No, StoreError, ValueError):
        found = None
    if found is None:
        raise No("The URL names no part of a message of this account", f"BADURL {_repeated(url)}")
    return found


def _repeated(url: bytes) -> str:
    """The URL in the answer, with everything that could break the line encoded. RFC 4469 §5 (url-resp-text)."""
    return quote(url[:MAX_URL], safe="/;=:@.%&+,!*~$-_")


def _parse(session: Session, url: bytes) -> MessageUrl:
    """Absolute on this server, or an absolute path. RFC 5092 §7."""
    match = _URL.fullmatch(url.decode("ascii")) if len(url) <= MAX_URL else None
    if match is None:
        raise ValueError
    user, host = match["user"], match["host"]
    if host is not None and host.lower() != session.hostname.lower():
        raise ValueError
    if user and unquote(user).lower() != session.store.address:
        raise ValueError
    return MessageUrl(
        names.canonical(unquote(match["mailbox"], errors="strict")),
        int(match["uidvalidity"]) if match["uidvalidity"] else None,
        int(match["uid"]),
        unquote_to_bytes(match["section"] or ""),
        int(match["offset"] or 0),
        int(match["length"]) if match["length"] else None,
    )


def _fetch(session: Session, url: MessageUrl) -> bytes | None:
    mailbox = session.store.open(url.mailbox)
    if url.uidvalidity is not None and url.uidvalidity != mailbox.state().uidvalidity:
        raise MessageGone
    args = Parser([b"[" + url.section + b"]"], ())
    wanted, _ = section(args)
    args.end()
    found = wanted.octets(mailbox.read(url.uid))
    if found is None:
        return None
    return found[url.offset :] if url.length is None else found[url.offset : url.offset + url.length]
