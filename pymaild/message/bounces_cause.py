"""Why a message came back: from what the remote said, then from its status. RFC 3463.

The words decide where they say something definite, since a status is often no more than "it failed".
"""

from __future__ import annotations

import re
from functools import lru_cache

from pymaild.message.bounces_causes import Cause
from pymaild.message.bounces_said import SAID

MAX_LOOKED_AT = 3000  # characters


def _pattern(rows: str) -> re.Pattern[str]:
    """One pattern of many: a line that is indented further than the others goes on with the one above."""
    joined = re.sub(r"\n {9,}", "", rows)
    return re.compile("|".join(f"(?:{row.strip()})" for row in joined.splitlines() if row.strip()), re.I)


_PATTERNS = [(cause, _pattern(rows)) for cause, rows in SAID]

# Status without its class, longest first.
_BY_STATUS = {
    "1.1": Cause.USER_UNKNOWN,
    "1.2": Cause.HOST_UNKNOWN,
    "1.3": Cause.USER_UNKNOWN,
    "1.0": Cause.USER_UNKNOWN,
    "1.6": Cause.MOVED,
    "1.7": Cause.REJECTED,
    "1.8": Cause.REJECTED,
    "1.10": Cause.USER_UNKNOWN,
    "2.0": Cause.USER_UNKNOWN,
    "2.1": Cause.DISABLED,
    "2.2": Cause.MAILBOX_FULL,
    "2.3": Cause.TOO_LARGE,
    "3.1": Cause.SYSTEM,
    "3.2": Cause.NO_MAIL,
    "3.4": Cause.TOO_LARGE,
    "3": Cause.SYSTEM,
    "4.1": Cause.NETWORK,
    "4.2": Cause.NETWORK,
    "4.3": Cause.SYSTEM,
    "4.4": Cause.HOST_UNKNOWN,
    "4.6": Cause.NETWORK,
    "4.7": Cause.EXPIRED,
    "4": Cause.NETWORK,
    "5.3": Cause.RATE,
    "5.1": Cause.PROTOCOL,
    "5.2": Cause.PROTOCOL,
    "5.4": Cause.PROTOCOL,
    "6": Cause.CONTENT,
    "7.23": Cause.AUTH_FAILURE,
    "7.20": Cause.AUTH_FAILURE,
    "7.26": Cause.AUTH_FAILURE,
    "7.25": Cause.BLOCKED,
    "7.28": Cause.RATE,
    "7.509": Cause.AUTH_FAILURE,
    "7.515": Cause.AUTH_FAILURE,
    "7.606": Cause.BLOCKED,
    "7": Cause.REJECTED,
}
# A status that is never used loosely speaks before the words do.
_CERTAIN = {"2.2", "2.3", "3.4", "1.6", "1.7", "1.8", "1.2", "7.25", "7.26", "7.509", "7.515"}
_STATUS_FOR = {
    Cause.USER_UNKNOWN: "1.1",
    Cause.HOST_UNKNOWN: "1.2",
    Cause.NO_MAIL: "1.10",
    Cause.MOVED: "1.6",
    Cause.DISABLED: "2.1",
    Cause.MAILBOX_FULL: "2.2",
    Cause.TOO_LARGE: "3.4",
    Cause.CONTENT: "6.0",
    Cause.AUTH_FAILURE: "7.26",
    Cause.BLOCKED: "7.1",
    Cause.RATE: "7.28",
    Cause.REJECTED: "7.1",
    Cause.RELAYING: "7.1",
    Cause.NETWORK: "4.1",
    Cause.EXPIRED: "4.7",
    Cause.SYSTEM: "3.0",
    Cause.PROTOCOL: "5.0",
}
_REPLY = re.compile(r"\b[45]\d\d[ -]|\b[45]\.\d{1,3}\.\d{1,3}\b")  # where a server's own words begin
_CODES = re.compile(r"\b[45]\d\d[ -](?:#?[45]\.\d{1,3}\.\d{1,3}[ -])?")  # they stand in the middle of sentences, too
# What programs say in front of every reason: it tells nothing.
_STOCK = re.compile(
    r"(?i)this message was created automatically|this is a permanent (?:fatal )?error[;,.]?|(?:i've|"
    r"have) given up|unknown address error|this message has been in the queue too long|sorry it didn't work out|"
    r"could not be delivered to|permanent fatal errors?|"
    r"the following address(?:es|\(es\))?|i'm afraid i wasn't able to deliver|returned (?:mail|message)|"
    r"smtp error from remote (?:mail )?server after|"
    r"(?:in reply to|after) (?:rcpt to|mail from|end of data)|technical details of \w+ failure|"
    r"delivery has failed|delivery status notification|was rejected by a remote mail server|"
    r"it was rejected by the (?:recipient|server)"
)
_AFTER_MAIL = re.compile(r"(?i)(?:after|reply to) mail from|\[mail_from\]")
_OF_A_RECIPIENT = {Cause.USER_UNKNOWN, Cause.HOST_UNKNOWN}
_DONE = {"delivered", "relayed", "expanded"}


def cause_of(said: str, status: str, action: str) -> Cause:
    """The one word for it."""
    if action in _DONE:
        return Cause.DELIVERED
    detail = status.partition(".")[2]
    if detail in _CERTAIN and detail in _BY_STATUS:
        return _BY_STATUS[detail]
    text = said[:MAX_LOOKED_AT]
    reply = _REPLY.search(text)
    found = _spoken(text[reply.start() :]) if reply else None
    if found in (None, Cause.REJECTED, Cause.SYSTEM, Cause.EXPIRED):
        found = _spoken(text) or found
    if found in (None, Cause.REJECTED, Cause.SYSTEM):
        found = _by_status(detail, found)
    if found in _OF_A_RECIPIENT and _AFTER_MAIL.search(text):
        return Cause.REJECTED  # it was the sender's address that did not please
    if found is Cause.DISABLED and detail == "1.1":
        return Cause.USER_UNKNOWN
    return found or (Cause.DELAY if action == "delayed" else Cause.UNKNOWN)


@lru_cache(maxsize=64)
def _spoken(text: str) -> Cause | None:
    plain = " ".join(_CODES.sub(" ", _STOCK.sub(" ", text)).split())
    return next((cause for cause, pattern in _PATTERNS if pattern.search(plain)), None)


def _by_status(detail: str, found: Cause | None) -> Cause | None:
    """The status decides where the words are silent or general."""
    exact = _BY_STATUS.get(detail) or (Cause.SYSTEM if detail.startswith("3.") else None)
    if exact and (found is None or (detail.partition(".")[0] in ("1", "2", "3") and detail not in ("1.0", "2.0"))):
        return exact
    return found or _BY_STATUS.get(detail.partition(".")[0])


def status_for(cause: Cause, action: str) -> str:
    """A status for a report that has none. RFC 3463."""
    kind = "2" if action in _DONE else "4" if action == "delayed" else "5"
    return f"{kind}.{_STATUS_FOR.get(cause, '0.0')}"
