"""Who are you, and shall we whisper: HELO, EHLO, LHLO, STARTTLS. RFC 5321 §4.1.1.1, RFC 2033 §4.1, RFC 3207."""

from __future__ import annotations

from datetime import UTC, datetime

from pymaild.dialogue import Then
from pymaild.smtp.conversation import Conversation, State
from pymaild.smtp.grammar import helo_name
from pymaild.smtp.reply import Refused, Reply


def helo(conversation: Conversation, argument: str) -> Reply:
    """A client that knows no extensions. RFC 5321 §4.1.1.1."""
    _introduce(conversation, argument, extended=False)
    return Reply(250, "", conversation.settings.hostname)


def ehlo(conversation: Conversation, argument: str) -> Reply:
    """A client that does; tell it what is offered. Any transaction is dropped, a login is not. RFC 5321 §4.1.1.1."""
    _introduce(conversation, argument, extended=True)
    return Reply(250, "", "\n".join([conversation.settings.hostname, *extensions(conversation)]))


def _introduce(conversation: Conversation, argument: str, extended: bool) -> None:
    conversation.client.helo = helo_name(argument)
    conversation.client.extended = extended
    conversation.state = State.READY
    conversation.reset()


def extensions(conversation: Conversation) -> list[str]:
    """The keywords that are true for this connection now. RFC 5321 §2.2."""
    limits = conversation.limits
    keywords = [
        "PIPELINING",  # RFC 2920
        f"SIZE {limits.message_size}",  # RFC 1870
        "8BITMIME",  # RFC 6152
        "SMTPUTF8",  # RFC 6531
        "ENHANCEDSTATUSCODES",  # RFC 2034
        "CHUNKING",  # RFC 3030
        "DSN",  # RFC 3461
        f"LIMITS RCPTMAX={limits.recipients}",  # RFC 9422
    ]
    if conversation.settings.tls_available and not conversation.client.tls:
        keywords.append("STARTTLS")  # RFC 3207
    if conversation.is_submission and conversation.may_authenticate:
        keywords.append("AUTH " + " ".join(conversation.settings.offer.names(conversation.client)))  # RFC 4954
    if conversation.client.tls:
        keywords.append("REQUIRETLS")  # RFC 8689 §2
    if conversation.may_hold:
        furthest = datetime.fromtimestamp(conversation.settings.clock() + limits.hold, UTC)
        keywords.append(f"FUTURERELEASE {limits.hold} {furthest:%Y-%m-%dT%H:%M:%SZ}")  # RFC 4865 §4
    return [*keywords, "HELP"]


def starttls(conversation: Conversation, _argument: str) -> Reply:
    """Switch to TLS; what the client said before is forgotten once it is on. RFC 3207 §4."""
    if conversation.client.tls:
        raise Refused(503, "5.5.1", "TLS is on already")
    if conversation.client.account:
        raise Refused(503, "5.5.1", "STARTTLS comes before AUTH")
    if not conversation.settings.tls_available:
        raise Refused(502, "5.5.1", "TLS is not available on this port")
    conversation.reset()
    return Reply(220, "2.0.0", "Ready to start TLS", Then.TLS)
