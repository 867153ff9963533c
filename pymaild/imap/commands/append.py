"""APPEND: a message comes in from a client. RFC 3501 §6.3.11, RFC 4315 §3 (APPENDUID), RFC 7889 §4 (TOOBIG), RFC 3516 §4.4.

The arguments before the message are read twice: when the literal is announced, so that a message that cannot be taken
is refused before it is sent, and when the command is complete.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pymaild.imap.answers import FLAG_NAMED, Answer
from pymaild.imap.errors import Bad, No
from pymaild.imap.grammar import Parser
from pymaild.imap.input import Announced, Spool
from pymaild.imap.table import LOGGED_IN, Command, Commands, Request
from pymaild.mailstore import Mailbox, NoSuchMailbox

if TYPE_CHECKING:
    from pymaild.imap.session import Session


@dataclass(slots=True)
class Options:
    """What stands between the mailbox name and the message."""

    flags: int = 0
    keywords: tuple[str, ...] = ()
    internal_date: int | None = None


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


def _options(args: Parser) -> Options:
    """SP [flag-list SP] [date-time SP]. §9 (append)."""
    options = Options()
    args.space("a message")
    if args.peek() == b"(":
        options.flags, options.keywords = flags_argument(args.items("a flag", args.flag))
        args.space("a message")
    if args.peek() == b'"':
        options.internal_date = args.date_time()
        args.space("a message")
    return options


def announce(session: Session, args: Parser, literal: Announced) -> Spool | None:
    """Whether the literal that is announced is the message, and may come. RFC 7888 §4, RFC 7889 §4."""
    args.space("a mailbox name")
    if args.at_end():
        return None  # the mailbox name comes as a literal
    name = args.mailbox()
    _options(args)
    if not args.at_end():
        raise Bad("Expected a literal with the message")
    if not literal.size:
        raise No("A message without a single octet cannot be stored", "CANNOT")
    if literal.size > session.limits.message:
        raise No(f"The message is too big: at most {session.limits.message} octets", "TOOBIG")
    target(session, name)
    return Spool(session.spool(), literal.size, literal.binary)


def target(session: Session, name: str) -> Mailbox:
    """The mailbox that messages go to; TRYCREATE when it could be made. §6.3.11, §6.4.7."""
    try:
        return session.store.open(name)
    except NoSuchMailbox as error:
        raise No(error.text, "TRYCREATE") from None


def append(session: Session, request: Request) -> Answer:
    """Store a message as the last of a mailbox. §6.3.11."""
    args = request.args
    args.space("a mailbox name")
    name = args.mailbox()
    options = _options(args)
    message = args.message()
    args.end()
    if message.failed:
        raise No("The server could not store the message: try again later", "UNAVAILABLE")
    mailbox = target(session, name)
    uid = mailbox.append(message.file, options.flags, options.keywords, options.internal_date)
    return Answer("Message stored", f"APPENDUID {mailbox.state().uidvalidity} {uid}")


COMMANDS: Final[Commands] = {"APPEND": Command(append, LOGGED_IN, "RFC 3501 §6.3.11", literal=announce)}
