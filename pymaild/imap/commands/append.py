"""Messages come in from a client: APPEND, REPLACE. RFC 3501 §6.3.11, RFC 3502 (several), RFC 4469 (CATENATE), RFC 8508.

The arguments before a message are read twice: when its literal is announced, so that a message that cannot be taken
is refused before it is sent (RFC 7889 §4), and when the command is complete.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO, Final

from pymaild.imap import urls
from pymaild.imap.answers import FLAG_NAMED, Answer, ok
from pymaild.imap.commands.selected import refuse_read_only
from pymaild.imap.errors import Bad, No
from pymaild.imap.grammar import Parser
from pymaild.imap.input import Announced, Spool
from pymaild.imap.sequences import compact
from pymaild.imap.table import LOGGED_IN, Command, Commands, Request, State
from pymaild.mailstore import OTHER_USERS, Mailbox, NoSuchMailbox, OverQuota, Upload
from pymaild.message.binary import without_nul

if TYPE_CHECKING:
    from pymaild.imap.session import Session

MAX_PARTS: Final = 100  # messages and parts of messages in one command: each literal may be an open file
MOST: Final = 4  # all messages of one command together, in largest messages
EXPECTED: Final = "a literal with the message"


@dataclass(slots=True)
class Draft:
    """One message as the command brings it."""

    flags: int = 0
    keywords: tuple[str, ...] = ()
    internal_date: int | None = None
    parts: list[Spool | bytes] = field(default_factory=list)  # literals, and URLs
    catenated: bool = False
    unfinished: str = ""  # what the literal is for that comes next: "message" or "url"


def flags_argument(words: list[str]) -> tuple[int, tuple[str, ...]]:
    r"""System flags as bits, the others as keywords; \Recent and unknown \Words cannot be set. §2.3.2."""
    flags, keywords = 0, []
    for word in words:
        if not word.startswith("\\"):
            keywords.append(word)
        elif word.upper() in FLAG_NAMED:
            flags |= FLAG_NAMED[word.upper()]
        else:
            raise Bad("Expected flags that can be set: \\Answered \\Flagged \\Deleted \\Seen \\Draft or keywords")
    return flags, tuple(dict.fromkeys(keywords))


# ---- the arguments


def _drafts(args: Parser, single: bool = False) -> list[Draft]:
    """One message or several, up to the end or to a literal that is still to come. RFC 3502 §6.3.11."""
    drafts: list[Draft] = []
    parts = 0
    while not drafts or not (single or drafts[-1].unfinished or args.is_done()):
        drafts.append(_draft(args))
        parts += len(drafts[-1].parts)
        if max(parts, len(drafts)) > MAX_PARTS:
            raise No(f"One command can bring at most {MAX_PARTS} messages and parts of messages", "LIMIT")
    return drafts


def _draft(args: Parser) -> Draft:
    """SP [flag-list SP] [date-time SP] message. RFC 3501 §9 (append), RFC 4466 §6 (append-message)."""
    draft = Draft()
    args.space("a message")
    if args.peek() == b"(":
        draft.flags, draft.keywords = flags_argument(args.items("a flag", args.flag))
        args.space("a message")
    if args.peek() == b'"':
        draft.internal_date = args.date_time()
        args.space("a message")
    if args.accept(b"CATENATE "):
        draft.catenated = True
        _parts(args, draft)
    else:
        _text(args, draft)
    return draft


def _parts(args: Parser, draft: Draft) -> None:
    """(TEXT literal URL astring ...). RFC 4469 §5 (cat-part)."""
    args.expect(b"(", "( and parts of a message")
    while True:
        if args.accept(b"URL "):
            if args.at_end():
                draft.unfinished = "url"
            else:
                draft.parts.append(args.astring("a URL"))
        elif args.peek().upper() == b"U" or args.accept(b"TEXT "):
            _text(args, draft)
        else:
            raise Bad("Expected TEXT and a literal, or URL and a URL")
        if draft.unfinished or args.accept(b")"):
            return
        args.space("TEXT or URL")


def _text(args: Parser, draft: Draft) -> None:
    """A literal, or UTF8 (literal8). RFC 9755 §4."""
    utf8 = args.accept(b"UTF8 (")
    if args.at_end():
        draft.unfinished = "message"
        return
    draft.parts.append(args.message())
    if utf8:
        args.expect(b")", ") after the literal")


# ---- a literal is announced


def announce_append(session: Session, args: Parser, literal: Announced) -> Spool | None:
    """Whether the literal that is announced is a message, and may come. RFC 7888 §4, RFC 7889 §4."""
    args.space("a mailbox name")
    if args.at_end():
        return None  # the mailbox name comes as a literal
    name = args.mailbox()
    drafts = _drafts(args)
    coming = _coming(session, drafts, literal)
    if coming is None:
        return None
    mailbox = target(session, name)
    quota = session.store.quota()
    if mailbox.name.startswith(f"{OTHER_USERS}/"):
        return coming  # it counts for the owner of the mailbox
    if quota.octets_limit and quota.octets + _size(drafts) + literal.size > quota.octets_limit:
        raise OverQuota
    if quota.messages_limit and quota.messages + len(drafts) > quota.messages_limit:
        raise OverQuota
    return coming


def announce_replace(session: Session, args: Parser, literal: Announced) -> Spool | None:
    """The same for REPLACE. RFC 8508 §3.2."""
    args.space("a message number")
    args.sequence_set()
    args.space("a mailbox name")
    if args.at_end():
        return None
    name = args.mailbox()
    coming = _coming(session, _drafts(args, single=True), literal)
    refuse_read_only(session.selected)
    target(session, name)
    return coming


def _coming(session: Session, drafts: list[Draft], literal: Announced) -> Spool | None:
    last = drafts[-1]
    if last.unfinished == "url":
        return None
    if not last.unfinished:
        raise Bad(f"Expected {EXPECTED}")
    if not literal.size and not last.catenated:
        raise No("A message without a single octet cannot be stored", "CANNOT")
    if literal.size > session.limits.message:
        raise No(f"The message is too big: at most {session.limits.message} octets", "TOOBIG")
    if _size(drafts) + literal.size > MOST * session.limits.message:
        raise No(f"The messages are too big: together at most {MOST * session.limits.message} octets", "TOOBIG")
    return Spool(session.spool(), literal.size, literal.binary)


def _size(drafts: list[Draft]) -> int:
    """Octets that have come already."""
    return sum(part.size for draft in drafts for part in draft.parts if isinstance(part, Spool))


def target(session: Session, name: str) -> Mailbox:
    """The mailbox that messages go to; TRYCREATE when it could be made. §6.3.11, §6.4.7."""
    try:
        mailbox = session.store.open(name)
        mailbox.need("i")  # RFC 4314 §4
    except NoSuchMailbox as error:
        raise No(error.text, "TRYCREATE") from None
    return mailbox


def append_uid(mailbox: Mailbox, uids: Sequence[int]) -> str:
    """APPENDUID 3857529045 7; nothing for those who may put messages in, but not see them. RFC 4315 §3."""
    if "r" not in mailbox.rights:
        return ""
    return f"APPENDUID {mailbox.state().uidvalidity} {compact(uids).decode('ascii')}"


# ---- the command is complete


def append(session: Session, request: Request) -> Answer:
    """Store messages as the last of a mailbox: all of them or none. §6.3.11, RFC 3502 §6.3.11, RFC 4315 §3."""
    args = request.args
    args.space("a mailbox name")
    name = args.mailbox()
    drafts = _drafts(args)
    _finished(args, drafts)
    mailbox = target(session, name)
    with ExitStack() as files:
        uploads = [_upload(session, draft, files) for draft in drafts]
        if len(uploads) > 1:
            uids = mailbox.append_all(uploads)
        else:
            (one,) = uploads
            uids = [mailbox.append(one.message, one.flags, one.keywords, one.internal_date)]
    session.did(mailbox.name, uids=uids)
    return Answer("Message stored" if len(uids) == 1 else "Messages stored", append_uid(mailbox, uids))


def replace(session: Session, request: Request) -> Answer:
    """Store a message and remove the one it replaces, in one step. RFC 8508 §3."""
    args, view = request.args, session.selected
    args.space("a message number")
    ranges = args.sequence_set()
    args.space("a mailbox name")
    name = args.mailbox()
    drafts = _drafts(args, single=True)
    _finished(args, drafts)
    if len(ranges) != 1 or ranges[0][0] != ranges[0][1]:
        raise Bad("Expected the number of one message")
    replaced = view.select(ranges, request.by_uid)
    refuse_read_only(view)
    mailbox = target(session, name)
    if not replaced:
        raise No("There is no such message to replace", "NONEXISTENT")
    with ExitStack() as files:
        uid = view.mailbox.replace(replaced[0], _upload(session, drafts[0], files), name)
    session.did(mailbox.name, uids=[uid])
    view.own.add(replaced[0])
    code = append_uid(mailbox, [uid])
    return Answer("Message replaced", untagged=(ok(code, "The new message is there"),) if code else ())


def _finished(args: Parser, drafts: list[Draft]) -> None:
    if drafts[-1].unfinished:
        raise Bad(f"Expected {EXPECTED}")
    args.end()


def _upload(session: Session, draft: Draft, files: ExitStack) -> Upload:
    """The message in one piece."""
    if any(isinstance(part, Spool) and part.failed for part in draft.parts):
        raise No("The server could not store the message: try again later", "UNAVAILABLE")
    first = draft.parts[0] if len(draft.parts) == 1 else None
    message = first.file if isinstance(first, Spool) and first.size else _catenate(session, draft, files)
    if any(isinstance(part, Spool) and part.binary for part in draft.parts):
        message = _sendable(message)
    return Upload(message, draft.flags, draft.keywords, draft.internal_date)


def _sendable(message: BinaryIO) -> BinaryIO:
    """A literal8 may hold NUL, which BODY[] cannot show: such parts are stored in base64. RFC 3516 §4.4."""
    octets = message.read()
    return BytesIO(without_nul(octets) if b"\0" in octets else octets)


def _catenate(session: Session, draft: Draft, files: ExitStack) -> BinaryIO:
    """The parts one after the other. RFC 4469 §3."""
    whole = files.enter_context(session.spool())
    try:
        for part in draft.parts:
            if isinstance(part, Spool):
                shutil.copyfileobj(part.file, whole)
            else:
                whole.write(urls.octets(session, part))
            if whole.tell() > session.limits.message:
                raise No(f"The message is too big: at most {session.limits.message} octets", "TOOBIG")
        size = whole.tell()
        whole.seek(0)
    except OSError:
        raise No("The server could not store the message: try again later", "UNAVAILABLE") from None
    if not size:
        raise No("A message without a single octet cannot be stored", "CANNOT")
    return whole


COMMANDS: Final[Commands] = {
    "APPEND": Command(append, LOGGED_IN, "RFC 3501 §6.3.11", literal=announce_append),
    "REPLACE": Command(replace, State.SELECTED, "RFC 8508 §3", literal=announce_replace),
    "UID REPLACE": Command(replace, State.SELECTED, "RFC 8508 §3", by_uid=True, literal=announce_replace),
}
