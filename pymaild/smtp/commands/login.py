"""Who is sending: AUTH, on the submission ports. RFC 4954."""

from __future__ import annotations

from collections.abc import Generator

from pymaild import sasl
from pymaild.dialogue import Output, Then
from pymaild.smtp.conversation import Conversation, Dialogue
from pymaild.smtp.reply import Refused, Reply

TOO_LONG = Reply(500, "5.5.6", "The authentication line is too long")  # RFC 4954 §6


def auth(conversation: Conversation, argument: str) -> Dialogue:
    """Let the client prove itself by a SASL dialogue. RFC 4954 §4."""
    client = conversation.client
    name, _, initial = argument.partition(" ")
    if client.account:
        raise Refused(503, "5.5.1", "You are logged in already")
    if not conversation.may_authenticate:
        raise Refused(538, "5.7.11", "A password must not travel in clear: STARTTLS first")
    steps = conversation.settings.offer.start(name.upper(), client)
    if steps is None:
        offered = conversation.settings.offer.names(client)
        raise Refused(504, "5.5.4", f"The mechanism is not offered: use {' or '.join(offered)}")
    try:
        outcome = yield from _exchange(steps, initial.encode("utf-8"))  # raises MailError
    except sasl.SaslCancelled as error:
        raise Refused(501, "5.7.0", str(error)) from None
    except sasl.BadBinding as error:
        raise Refused(535, "5.7.8", str(error)) from None
    except sasl.SaslError as error:
        raise Refused(501, "5.5.2", str(error)) from None
    if isinstance(outcome, sasl.Proven):
        client.account = outcome.account
    else:
        client.account = conversation.policy.login(client, outcome.username, outcome.password)  # raises MailError
    return Reply(235, "2.7.0", "Welcome")


def _exchange(steps: sasl.Dialogue, initial: bytes) -> Generator[Reply | Output, bytes, sasl.Outcome]:
    """Carry challenges and responses as base64 lines; an initial response answers the first challenge. RFC 4954 §4."""
    challenge = next(steps)
    response = sasl.decode_initial(initial) if initial else None
    while True:
        if response is None:
            response = sasl.decode((yield Reply(334, "", sasl.encode(challenge), Then.LINE)))
        try:
            challenge = steps.send(response)
        except StopIteration as done:
            outcome: sasl.Outcome = done.value
            return outcome
        response = None
