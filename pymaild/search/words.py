"""The words of a message, by which the index finds texts; and what a text that is looked for says of them.

A search is for any run of characters (RFC 9051 §6.4.4), an index is of words. Both go together: whatever is in a text lies
in one of its words or spans several. "eti" is in a message if a word of it has "eti" in it: the index says so for certain.
"the meet" needs a word that ends in "the" and one that begins with "meet": then the message decides.

    text     casemapped: THE MEETING IS AT 10:30
    words    THE MEETING IS AT 10 30
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from pymaild.message import fields
from pymaild.message.casemap import casemap
from pymaild.message.text import searchable_body
from pymaild.message.words import decode_words

# Everything but the ASCII that is no letter or digit, Latin-1's signs, spaces and marks of any script. Where a word ends
# changes how much the index can say, never what is found.
_WORD = re.compile(
    r"[^\x00-/:-@\[-`{-\xbf\u2000-\u206f\u3000-\u3003\u3008-\u3020\ufe10-\ufe6f\ufeff\uff00-\uff0f\U0010ffff]+"
)
MAX_WORDS: Final = 50_000  # of one message: with more (a book, or junk) it is read itself whenever something is looked for
MAX_CHARACTERS: Final = 4_000_000  # of one text part: the same
_SURROGATES = re.compile("[\ud800-\udfff]")


class Piece(NamedTuple):
    """Part of a text that is looked for, as far as a word reaches."""

    text: str
    begins_inside: bool  # the word may have begun before it
    ends_inside: bool  # the word may go on


def pieces(text: str) -> list[Piece]:
    """What every message with this casemapped text has among its words; nothing: the text has no letter or digit."""
    return [Piece(found[0], not found.start(), found.end() == len(text)) for found in _WORD.finditer(text)]


def is_one_word(text: str) -> bool:
    """Whether a message has the text if and only if one of its words has it."""
    return _WORD.fullmatch(text) is not None


class Words(NamedTuple):
    """The casemapped words of one message."""

    header: frozenset[str]
    body: frozenset[str]


def words(message: bytes) -> Words | None:
    """None: there are too many, or some that cannot be kept."""
    header, body = _all([header_text(message)]), _all(searchable_body(message))
    return None if header is None or body is None else Words(header, body)


def _all(texts: Iterable[str]) -> frozenset[str] | None:
    found: set[str] = set()
    for text in texts:
        if len(text) > MAX_CHARACTERS:
            return None
        found.update(_WORD.findall(casemap(text)))
        if len(found) > MAX_WORDS:
            return None
    return None if any(map(_SURROGATES.search, found)) else frozenset(found)


def header_text(message: bytes) -> str:
    """The decoded header, on one line."""
    return decode_words(message[: fields.header_end(message)])


def whole_texts(message: bytes) -> Iterator[str]:
    """Everything that TEXT looks through. RFC 9051 §6.4.4."""
    yield header_text(message)
    yield from searchable_body(message)
