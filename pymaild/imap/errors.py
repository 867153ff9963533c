"""Why a command fails: Bad (the client's mistake) or No (it cannot be done), with its response code. RFC 5530."""

from __future__ import annotations

from typing import Final

from pymaild import mailstore
from pymaild.status import MailError


class Refusal(Exception):
    """A command ends here, with a tagged NO or BAD."""

    word = "NO"

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.code = code


class No(Refusal):
    """The command is right, but cannot be done. RFC 3501 §7.1.2."""


class Bad(Refusal):
    """The command is wrong: unknown, out of place or not in the grammar. RFC 3501 §7.1.3."""

    word = "BAD"


# What each fact about storage is called on the wire. RFC 5530 §3, RFC 9051 §7.1 (HASCHILDREN).
STORE_CODES: Final[dict[type[MailError], str]] = {
    mailstore.NoSuchMailbox: "NONEXISTENT",
    mailstore.MailboxExists: "ALREADYEXISTS",
    mailstore.MailboxHasChildren: "HASCHILDREN",
    mailstore.InvalidName: "CANNOT",
    mailstore.NotPermitted: "CANNOT",
    mailstore.AccessDenied: "NOPERM",
    mailstore.TooManyEntries: "METADATA TOOMANY",
    mailstore.LimitReached: "LIMIT",
    mailstore.OverQuota: "OVERQUOTA",
    mailstore.NoSpace: "UNAVAILABLE",
    mailstore.StorageFailed: "UNAVAILABLE",
    mailstore.MessageGone: "EXPUNGEISSUED",
}

# The same for errors that have no class of their own: logging in above all.
STATUS_CODES: Final = {
    "5.7.8": "AUTHENTICATIONFAILED",
    "5.7.9": "AUTHENTICATIONFAILED",
    "4.7.0": "LIMIT",
    "5.7.1": "NOPERM",
    "5.7.0": "NOPERM",
}


def refusal(error: Refusal | MailError) -> Refusal:
    """The one place that translates what storage and accounts say into IMAP."""
    if isinstance(error, Refusal):
        return error
    for kind in type(error).__mro__:
        if kind in STORE_CODES:
            return No(error.text, STORE_CODES[kind])
    return No(error.text, STATUS_CODES.get(error.status) or ("UNAVAILABLE" if error.temporary else "CANNOT"))
