"""How well a text fits what a person looks for: without accents, words in any order, one letter wrong. RFC 6203 §3."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from pymaild.message.casemap import casemap

EXACT: Final = 100
LOOSE: Final = 80  # the same without accents; a sharp s as two
WORDS: Final = 60  # every word, in any order
ALMOST: Final = 30  # words with one letter wrong, missing or too many
SHORTEST: Final = 4  # letters of a word that may have one wrong
_WORD = re.compile(r"\w+")


def loosen(text: str) -> str:
    """Without case and accents."""
    if text.isascii():
        return text.lower()
    return "".join(char for char in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(char))


class Wanted:
    """What is looked for, prepared once."""

    def __init__(self, text: str) -> None:
        self._exact = casemap(text)
        self._loose = loosen(text)
        self._words = _WORD.findall(self._loose)

    def relevancy(self, texts: Iterable[str]) -> int:
        """1 to 100 for the text that fits best; 0: none does. RFC 6203 §4."""
        best = 0
        for text in texts:
            best = max(best, self._one(text))
            if best == EXACT:
                break
        return best

    def _one(self, text: str) -> int:
        if self._exact in casemap(text):
            return EXACT
        loose = loosen(text)
        if self._loose in loose:
            return LOOSE
        if not self._words:
            return 0
        missing = [word for word in self._words if word not in loose]
        if not missing:
            return WORDS
        if any(len(word) < SHORTEST for word in missing):
            return 0
        there = set(_WORD.findall(loose))
        return ALMOST if all(any(almost(word, other) for other in there) for word in missing) else 0


def almost(one: str, other: str) -> bool:
    """Equal but for one letter."""
    if abs(len(one) - len(other)) > 1:
        return False
    if len(one) > len(other):
        one, other = other, one
    at = next((place for place, char in enumerate(one) if char != other[place]), len(one))
    return one[at:] == other[at + 1 :] or one[at + 1 :] == other[at + 1 :]
