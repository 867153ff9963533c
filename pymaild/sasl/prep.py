"""One spelling for every name and password. RFC 4013, RFC 3454."""

from __future__ import annotations

import unicodedata


class SaslError(Exception):
    """A response that cannot be read. The text says why and never what it was."""


def saslprep(text: str) -> str:
    """One spelling for a name or password however the keyboard made it; raises SaslError. RFC 4013 §2.

    Unassigned code points pass, as in a query (RFC 3454 §7): passwords hold characters newer than Unicode 3.2. Whoever
    stores a password has to store saslprep(password).
    """
    if text.isascii():
        if not text.isprintable():
            raise SaslError("The user name or the password has control characters")
        return text
    import stringprep  # noqa: PLC0415  its tables are only worth loading for the few who need them

    mapped = "".join(
        " " if stringprep.in_table_c12(c) else c for c in text if not stringprep.in_table_b1(c)
    )  # §2.1: other spaces become a space, soft hyphens and the like vanish
    normal = unicodedata.normalize("NFKC", mapped)  # §2.2
    prohibited = (
        stringprep.in_table_c12,
        stringprep.in_table_c21_c22,
        stringprep.in_table_c3,
        stringprep.in_table_c4,
        stringprep.in_table_c5,
        stringprep.in_table_c6,
        stringprep.in_table_c7,
        stringprep.in_table_c8,
        stringprep.in_table_c9,
    )  # §2.3
    if any(table(c) for c in normal for table in prohibited):
        raise SaslError("The user name or the password has characters that are not allowed")
    if not _is_bidi_sound(normal):
        raise SaslError("The user name or the password mixes writing directions")
    return normal


def _is_bidi_sound(text: str) -> bool:
    """Right-to-left text is so from its first to its last character and holds nothing left-to-right. RFC 3454 §6."""
    import stringprep  # noqa: PLC0415

    right_to_left = [stringprep.in_table_d1(c) for c in text]
    if not any(right_to_left):
        return True
    return right_to_left[0] and right_to_left[-1] and not any(stringprep.in_table_d2(c) for c in text)
