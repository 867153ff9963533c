"""What another server offers: the keywords of its answer to EHLO. RFC 5321 §4.1.1.1, RFC 9422."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pymaild.smtp.answer import Answer

_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-]*")
_NUMBER = re.compile(r"[0-9]{1,18}")
_LIMIT = re.compile(r"([A-Z]+)=([0-9]{1,6})")


@dataclass(frozen=True, slots=True)
class Offers:
    """What we make use of. Of a server that knows only HELO it is empty.

    RCPTDOMAINMAX of LIMITS is always kept: what goes in one transaction goes to one domain.
    """

    keywords: frozenset[str] = frozenset()
    size: int = 0  # octets of the biggest message; 0: not said (RFC 1870 §4)
    mechanisms: frozenset[str] = frozenset()  # of AUTH (RFC 4954 §3)
    recipients: int = 0  # in one transaction: LIMITS RCPTMAX (RFC 9422 §4); 0: not said
    transactions: int = 0  # on one connection: LIMITS MAILMAX

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.keywords

    @classmethod
    def read(cls, answer: Answer) -> Offers:
        """The lines after the first, which greets; a keyword that stands twice counts once, with all its words."""
        words: dict[str, list[str]] = {}
        for line in answer.lines[1:]:
            keyword, *values = line.replace("AUTH=", "AUTH ", 1).split()[:64] or [""]  # AUTH= was said before RFC 2554
            if _KEYWORD.fullmatch(keyword):
                words.setdefault(keyword.upper(), []).extend(value.upper() for value in values)
        matches = map(_LIMIT.fullmatch, words.get("LIMITS", ()))
        limits = {match[1]: match[2] for match in matches if match}
        return cls(
            frozenset(words),
            next((int(value) for value in words.get("SIZE", ()) if _NUMBER.fullmatch(value)), 0),
            frozenset(words.get("AUTH", ())),
            int(limits.get("RCPTMAX", 0)),
            int(limits.get("MAILMAX", 0)),
        )
