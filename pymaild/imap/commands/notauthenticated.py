"""Who is it: STARTTLS, AUTHENTICATE, LOGIN. RFC 3501 §6.2, RFC 4959 (SASL-IR); the mechanisms are in sasl.py."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from pymaild import sasl
from pymaild.dialogue import Then
from pymaild.imap.answers import Answer, Dialogue, Prompt
from pymaild.imap.capability import capabilities
from pymaild.imap.errors import Bad, No
from pymaild.imap.table import Command, Commands, Request, State
from pymaild.status import MailError

if TYPE_CHECKING:
    from pymaild.imap.session import Session


def starttls(session: Session, request: Request) -> Answer:
    """Everything after the answer is TLS. §6.2.1."""
    request.args.end()
    if session.client.tls:
        raise Bad("TLS is on already")
    if not session.tls_available:
        raise No("This server has no certificate: TLS cannot be started", "UNAVAILABLE")
    return Answer("Begin TLS negotiation now", then=Then.TLS)


def login(session: Session, request: Request) -> Dialogue:
    """User name and password in the command: what PLAIN says in one response. §6.2.3."""
    args = request.args
    args.space("a user name")
    username = args.astring("a user name")
    args.space("a password")
    password = args.astring("a password")
    args.end()
    _refuse_in_clear(session)
    with _refusals(session):
        credentials = yield from _exchange(sasl.plain(), b"\0%s\0%s" % (username, password))
    return _log_in(session, credentials)


def authenticate(session: Session, request: Request) -> Dialogue:
    """A SASL exchange in base64. §6.2.2; an initial response saves a round trip, RFC 4959 §3."""
    args = request.args
    args.space("a mechanism")
    mechanism = sasl.MECHANISMS.get(args.word("a mechanism"))
    initial = args.rest("an initial response") if args.accept(b" ") else None
    args.end()
    _refuse_in_clear(session)
    if mechanism is None:
        raise No(f"The mechanisms here are {', '.join(sasl.MECHANISMS)}", "CANNOT")
    with _refusals(session):
        response = None if initial is None else sasl.decode_initial(initial)
        credentials = yield from _exchange(mechanism.start(), response)
    return _log_in(session, credentials)


@contextmanager
def _refusals(session: Session) -> Iterator[None]:
    """What cannot be read as credentials is a failed login; a cancelled one is BAD. §6.2.2."""
    try:
        yield
    except sasl.SaslCancelled as error:
        raise Bad(str(error)) from None
    except sasl.SaslError as error:
        session.failed_logins += 1
        raise No(str(error), "AUTHENTICATIONFAILED") from None


def _exchange(mechanism: sasl.Dialogue, response: bytes | None) -> Generator[Prompt, bytes, sasl.Credentials]:
    """Challenges out, responses in; the first response may be there already."""
    challenge = next(mechanism)
    while True:
        if response is None:
            response = sasl.decode((yield Prompt(b"+ " + sasl.encode(challenge).encode("ascii") + b"\r\n")))
        try:
            challenge = mechanism.send(response)
        except StopIteration as end:
            credentials: sasl.Credentials = end.value
            return credentials
        response = None


def _refuse_in_clear(session: Session) -> None:
    """RFC 3501 §11.1; PRIVACYREQUIRED: RFC 5530 §3."""
    if not session.may_log_in:
        raise No("Start TLS before you send a password", "PRIVACYREQUIRED")


def _log_in(session: Session, credentials: sasl.Credentials) -> Answer:
    """The same answer whether the name or the password is wrong: the directory's. RFC 5530 §3."""
    try:
        account = session.backend.login(credentials.username, credentials.password, session.client.ip)
    except MailError:
        session.failed_logins += 1
        raise
    session.logged_in(account)
    return Answer("Logged in", f"CAPABILITY {capabilities(session)}")


COMMANDS: Final[Commands] = {
    "STARTTLS": Command(starttls, State.NOT_AUTHENTICATED, "RFC 3501 §6.2.1"),
    "AUTHENTICATE": Command(authenticate, State.NOT_AUTHENTICATED, "RFC 3501 §6.2.2"),
    "LOGIN": Command(login, State.NOT_AUTHENTICATED, "RFC 3501 §6.2.3"),
}
