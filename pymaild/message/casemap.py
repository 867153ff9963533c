"""Text as it is compared: the collation i;unicode-casemap, which IMAP searches and sorts with. RFC 5051, RFC 5255 §4.3."""

from __future__ import annotations

import unicodedata


class _Casemap(dict[int, str]):
    """Code point -> its titlecase, decomposed; worked out when a character is met for the first time. RFC 5051 §2."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        title = char.title()
        # A letter that becomes two (German sharp s) has no titlecase of its own in UnicodeData.txt and stays as it is
        mapped = self[code] = unicodedata.normalize("NFKD", title if len(title) == 1 else char)
        return mapped


_CASEMAP = _Casemap()


def casemap(text: str) -> str:
    """Equal for texts that differ only in case or in how an accent is put; their order is that of the collation."""
    return text.upper() if text.isascii() else text.translate(_CASEMAP)
