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
        outcome = yield from _exchange(sasl.plain(), b"\0%s\0%s" % (username, password))
        return _log_in(session, outcome)


def authenticate(session: Session, request: Request) -> Dialogue:
    """A SASL exchange in base64. §6.2.2; an initial response saves a round trip, RFC 4959 §3."""
    args = request.args
    args.space("a mechanism")
    name = args.word("a mechanism")
    initial = args.rest("an initial response") if args.accept(b" ") else None
    args.end()
    _refuse_in_clear(session)
    mechanism = session.offer.start(name, session.client)
    if mechanism is None:
        raise No(f"The mechanisms here are {', '.join(session.offer.names(session.client))}", "CANNOT")
    with _refusals(session):
        response = None if initial is None else sasl.decode_initial(initial)
        outcome = yield from _exchange(mechanism, response)
        return _log_in(session, outcome)


@contextmanager
def _refusals(session: Session) -> Iterator[None]:
    """What cannot be read as credentials is a failed login, as are wrong ones; a cancelled one is BAD. §6.2.2."""
    try:
        yield
    except sasl.SaslCancelled as error:
        raise Bad(str(error)) from None
    except sasl.SaslError as error:
        session.failed_logins += 1
        raise No(str(error), "AUTHENTICATIONFAILED") from None
    except MailError:
        session.failed_logins += 1
        raise


def _exchange(mechanism: sasl.Dialogue, response: bytes | None) -> Generator[Prompt, bytes, sasl.Outcome]:
    """Challenges out, responses in; the first response may be there already."""
    challenge = next(mechanism)
    while True:
        if response is None:
            response = sasl.decode((yield Prompt(b"+ " + sasl.encode(challenge).encode("ascii") + b"\r\n")))
        try:
            challenge = mechanism.send(response)
        except StopIteration as end:
            outcome: sasl.Outcome = end.value
            return outcome
        response = None


def _refuse_in_clear(session: Session) -> None:
    """RFC 3501 §11.1; PRIVACYREQUIRED: RFC 5530 §3."""
    if not session.may_log_in:
        raise No("Start TLS before you send a password", "PRIVACYREQUIRED")


def _log_in(session: Session, outcome: sasl.Outcome) -> Answer:
    """The same answer whether the name or the password is wrong: the directory's. RFC 5530 §3."""
    if isinstance(outcome, sasl.Proven):
        session.logged_in(outcome.account)
    else:
        session.logged_in(session.backend.login(outcome.username, outcome.password, session.client.ip))
    return Answer("Logged in", f"CAPABILITY {capabilities(session)}")


COMMANDS: Final[Commands] = {
    "STARTTLS": Command(starttls, State.NOT_AUTHENTICATED, "RFC 3501 §6.2.1"),
    "AUTHENTICATE": Command(authenticate, State.NOT_AUTHENTICATED, "RFC 3501 §6.2.2"),
    "LOGIN": Command(login, State.NOT_AUTHENTICATED, "RFC 3501 §6.2.3"),
}
