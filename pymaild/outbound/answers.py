"""What an answer means, in words for the person who wrote the message: what happened, and who can do what about it."""

from __future__ import annotations

from dataclasses import dataclass

from pymaild.message.dsn import Action
from pymaild.outbound import answers_known
from pymaild.outbound.job import Result

_MAX_LOOKED_AT = 2000  # characters


@dataclass(frozen=True, slots=True)
class Told:
    """Two sentences; the second may be empty."""

    what: str
    advice: str = ""


# By status without its class, the longest that fits. RFC 3463 §3, RFC 7505 §4, RFC 7372, RFC 8689 §5.
_BY_STATUS = {
    "1.1": Told(
        "{to} does not exist there.", "Look for a typing error in the address, or ask the person for the right one."
    ),
    "1.2": Told("The domain of {to} does not exist.", "Look for a typing error behind the @."),
    "1.10": Told("The domain of {to} takes no mail at all.", "Ask the person for another address."),
    "2.1": Told("The mailbox of {to} is switched off.", "Only the person, or who runs their mail server, can change that."),
    "2.2": Told(
        "The mailbox of {to} is full.", "The person has to make room; tell them another way, and send it again later."
    ),
    "3.4": Told(
        "The message is too large for the server of {to}.", "Send it without its attachments, or give a link to them."
    ),
    "2.3": Told("The message is too large for {to}.", "Send it without its attachments, or give a link to them."),
    "4.1": Told("The mail server of {to} does not answer.", "Nothing is wrong with your message; try again another day."),
    "4.3": Told("The domain name system has no answer about the domain of {to}.", "Try again another day."),
    "4.4": Told("The domain of {to} has no mail server that could be reached.", "Look for a typing error behind the @."),
    "4.6": Told("Mail to {to} goes in a circle.", "Who runs their mail server has to put that right."),
    "4.7": Told("The server of {to} could not be reached for days.", "Tell the person another way, or try again later."),
    "6.7": Told(
        "The server of {to} cannot handle addresses with letters beyond ASCII.", "Ask the person for a plain address."
    ),
    "7.1": Told("The server of {to} refuses the message.", "Its words are below; who runs it can say why."),
    "7.30": Told(
        "The message may only travel encrypted to servers that have proved their name, and the one of {to} does not.",
        "Send it without that demand if you can do so.",
    ),
    "7": Told("The server of {to} refuses the message.", "Its words are below; they may say what to change."),
    "": Told("The server of {to} did not take the message.", "Its words are below."),
}
_DELAYED = Told(
    "Your message to {to} has not been delivered yet.",
    "You need not do anything: it is tried again for some days, and you hear of it if it cannot be delivered.",
)
_DELIVERED = Told("Your message is in the mailbox of {to}.")
_RELAYED = Told(
    "Your message was handed to the mail server of {to}.",
    "That server makes no reports: whether it was read nobody can say.",
)


def explain(to: str, result: Result, action: Action) -> Told:
    """What to tell the author of a message to `to`."""
    fixed = {Action.DELAYED: _DELAYED, Action.DELIVERED: _DELIVERED, Action.RELAYED: _RELAYED}.get(action)
    told = fixed or _by_answer(result) or _by_status(result.status)
    return Told(told.what.format(to=to), told.advice.format(to=to))


def _by_answer(result: Result) -> Told | None:
    """What a server said, where it is known; words of our own say what they mean by their status."""
    if not result.code:
        return None
    said = " ".join(f"{result.code} {result.status} {result.text[:_MAX_LOOKED_AT]}".split())
    row = answers_known.find(result.host, said)
    return Told(row.what, row.advice) if row else None


def _by_status(status: str) -> Told:
    detail = status.partition(".")[2]
    return _BY_STATUS.get(detail) or _BY_STATUS.get(detail.partition(".")[0]) or _BY_STATUS[""]
