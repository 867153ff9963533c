"""One error for the whole path: made where the fact is known, rendered as SMTP reply, DSN or page. RFC 3463."""

from __future__ import annotations

# The reply code that goes with a status where the plain rule (4 -> 451, 5 -> 550) would mislead. RFC 5321 §4.2.3,
# RFC 5248 (registry of enhanced status codes).
_REPLY_CODES = {
    "4.2.2": 452,
    "4.3.1": 452,
    "4.5.3": 452,
    "4.3.2": 421,
    "4.4.2": 421,
    "4.7.0": 454,
    "5.1.3": 501,
    "5.1.7": 501,
    "5.2.2": 552,
    "5.3.4": 552,
    "5.5.1": 503,
    "5.5.2": 500,
    "5.5.4": 501,
    "5.6.0": 554,
    "5.6.7": 553,
    "5.4.6": 554,
    "5.7.0": 530,
    "5.7.8": 535,
}


class MailError(Exception):
    """Why a message, recipient or command is refused.

    `status` is an RFC 3463 code ("5.1.1"; a leading 4 means: try again later). `text` is one plain sentence for the
    person who reads it; it never repeats raw input. `code` is the SMTP reply code, derived from the status unless
    given.
    """

    def __init__(self, status: str, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.code = code or _REPLY_CODES.get(status) or (451 if status.startswith("4") else 550)

    @property
    def temporary(self) -> bool:
        """Whether the same attempt may succeed later (RFC 3463 §2, class 4)."""
        return self.status.startswith("4")


class NoSuchUser(MailError):
    """RFC 3463 §3.2, X.1.1: the local part names nobody here."""

    def __init__(self) -> None:
        super().__init__("5.1.1", "There is no such user here")
