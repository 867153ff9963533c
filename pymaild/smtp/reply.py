"""Replies: a code, an enhanced status, words. RFC 5321 §4.2, RFC 2034, RFC 3463."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pymaild.dialogue import Then
from pymaild.status import MailError

_MAX_TEXT = 480  # of the 512 octets a reply line may have. RFC 5321 §4.5.3.1.5
_NOT_PRINTABLE = re.compile(r"[^\x20-\x7e]")


class Refused(MailError):
    """A refusal that only SMTP knows: order of commands, syntax. The code is given, not derived."""

    def __init__(self, code: int, status: str, text: str) -> None:
        super().__init__(status, text, code)


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply; lines of `text` are parted by newlines. `status` is empty where RFC 2034 §4 wants none."""

    code: int
    status: str
    text: str
    then: Then = Then.COMMAND

    @classmethod
    def of(cls, error: MailError, then: Then = Then.COMMAND) -> Reply:
        """The one place where a refusal becomes a reply."""
        return cls(error.code, error.status, error.text, then)

    @property
    def is_error(self) -> bool:
        """Whether it refuses something. RFC 5321 §4.2.1."""
        return self.code >= 400

    def render(self) -> bytes:
        """As it goes over the wire: every line has code and status, the last one a space after the code. §4.2.1."""
        prefix = f"{self.status} " if self.status else ""
        *first, last = self.text.split("\n")
        lines = [f"{self.code}-{prefix}{_clean(line)}\r\n" for line in first]
        lines.append(f"{self.code} {prefix}{_clean(last)}\r\n")
        return "".join(lines).encode("ascii")


def _clean(text: str) -> str:
    """A text from anywhere as a safe reply line: printable ASCII, not too long."""
    if not (text.isascii() and text.isprintable()):
        text = _NOT_PRINTABLE.sub("?", text)
    return text[:_MAX_TEXT]
