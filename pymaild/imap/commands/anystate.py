"""CAPABILITY, NOOP, LOGOUT, ID. RFC 3501 §6.1, RFC 2971."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pymaild import __version__
from pymaild.dialogue import Then
from pymaild.imap.answers import Answer, line
from pymaild.imap.capability import capabilities
from pymaild.imap.grammar import Parser
from pymaild.imap.table import ANY, LOGGED_IN, Command, Commands, Request

if TYPE_CHECKING:
    from pymaild.imap.session import Session

IDENTITY: Final = f'("name" "pymaild" "version" "{__version__}")'.encode("ascii")


def capability(session: Session, request: Request) -> Answer:
    """What the server can do now. §6.1.1."""
    request.args.end()
    return Answer("Done", untagged=(b"* CAPABILITY %s\r\n" % capabilities(session).encode("ascii"),))


def noop(session: Session, request: Request) -> Answer:
    """Nothing, but look for news, also in the Maildir. §6.1.2."""
    request.args.end()
    if session.view is not None:
        session.view.mailbox.refresh()
    return Answer("Done")


def logout(session: Session, request: Request) -> Answer:
    """Say goodbye. §6.1.3."""
    request.args.end()
    session.unselect()
    session.leave()
    return Answer("Goodbye", untagged=(line(b"*", "BYE", "The client has logged out"),), then=Then.CLOSE)


def unauthenticate(session: Session, request: Request) -> Answer:
    """Log out and stay, so that another account can log in on this connection. RFC 8437 §2."""
    request.args.end()
    session.unauthenticate()
    return Answer("Logged out", f"CAPABILITY {capabilities(session)}")


def identify(session: Session, request: Request) -> Answer:
    """ID: who the programs are; what the client says is read and forgotten. RFC 2971 §3.1."""
    args = request.args
    args.space("NIL or a list of names and values")
    if not args.accept(b"NIL"):
        args.items("a name or a value", lambda: _field(args), limit=60)
    args.end()
    return Answer("Done", untagged=(b"* ID %s\r\n" % IDENTITY,))


def _field(args: Parser) -> bytes | None:
    return args.nstring("a name or a value")


COMMANDS: Final[Commands] = {
    "CAPABILITY": Command(capability, ANY, "RFC 3501 §6.1.1"),
    "NOOP": Command(noop, ANY, "RFC 3501 §6.1.2"),
    "LOGOUT": Command(logout, ANY, "RFC 3501 §6.1.3"),
    "UNAUTHENTICATE": Command(unauthenticate, LOGGED_IN, "RFC 8437 §2"),
    "ID": Command(identify, ANY, "RFC 2971 §3.1"),
}
