"""The fields of a header that people search by, as they are compared: decoded and casemapped. RFC 9051 §6.4.4.

A text that is looked for is casemapped as well; then it is in the field if its octets are in these. Every body is put
behind a line end, which no decoded body has in it: so nothing is found across two of them, and a field that is empty
can be told from one that is not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pymaild.message import addresses, fields
from pymaild.message.casemap import casemap
from pymaild.message.words import decode_words

SEPARATOR: Final = "\n"
ADDRESSES: Final = ("from", "to", "cc", "bcc")
NAMES: Final = (*ADDRESSES, "subject", "message-id")


def folded(header: bytes) -> dict[str, bytes]:
    """For each of NAMES all its bodies; nothing where the header has no such field."""
    found: dict[str, str] = dict.fromkeys(NAMES, "")
    for name, body, _start, _end in fields.split(header):
        key = name.lower().decode("latin-1")
        if key in found:
            for text in _texts(key, fields.unfold(body)):
                text = casemap(text)  # noqa: PLW2901 - the same, to be compared
                if not text or text not in found[key]:
                    found[key] += SEPARATOR + text
    return {key: octets(text) for key, text in found.items()}


def _texts(name: str, body: bytes) -> Iterator[str]:
    """The decoded body; of address fields also each address without comments, quotes and blanks, as ENVELOPE has it."""
    yield decode_words(body)
    if name in ADDRESSES:
        yield from (addresses.shown(entry) for entry in addresses.parse(body) if not entry.is_group_mark)


def octets(text: str) -> bytes:
    """Text as it is kept."""
    return text.encode("utf-8", "surrogatepass")


def sought(text: str) -> bytes | None:
    """The octets to look for; None: the text cannot be in any field."""
    return None if SEPARATOR in text else octets(casemap(text) or SEPARATOR)
