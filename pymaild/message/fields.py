"""A header block cut into its fields, and the text of a field. RFC 5322 §2.2, RFC 2047, RFC 6532."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

# One line with its continuation lines. A line without a colon is a field with a name and no body, as Dovecot has it.
_FIELD = re.compile(rb"([^\n:]*)(?::(.*(?:\n[ \t].*)*)|)(?:\n|\Z)")
_EMPTY_LINE = re.compile(rb"\r?\n")
_END_OF_HEADER = re.compile(rb"\n\r?\n")
_FOLD = re.compile(rb"\r*\n")


class Field(NamedTuple):
    """One header field as it stands in the message."""

    name: bytes  # as written, without white space behind it
    body: bytes  # raw, still folded, without the blanks after the colon and the last line end
    start: int  # where its line begins in the block
    end: int  # behind its last line end


def header_end(message: bytes | bytearray, start: int = 0) -> int:
    """Where the body begins: behind the first empty line, or at the end of the message. RFC 5322 §2.1."""
    found = _EMPTY_LINE.match(message, start) or _END_OF_HEADER.search(message, start)
    return found.end() if found else len(message)


def split(header: bytes) -> Iterator[Field]:
    """The fields of a header block in their order, up to the empty line. RFC 5322 §2.2."""
    return iter(_remembered(header)) if len(header) <= _SMALL else _split(header)


_SMALL = 1 << 16


@lru_cache(maxsize=4)
def _remembered(header: bytes) -> tuple[Field, ...]:
    """Whoever takes a message in looks at its header from several sides."""
    return tuple(_split(header))


def _split(header: bytes) -> Iterator[Field]:
    position, size = 0, len(header)
    while position < size:
        found = _FIELD.match(header, position)
        if found is None:  # cannot be: the pattern matches the empty text
            return
        name, body = found.group(1), found.group(2) or b""
        if name in (b"", b"\r") and found.group(2) is None:
            return
        yield Field(name.rstrip(b" \t\r"), body.lstrip(b" \t").rstrip(b"\r"), position, found.end())
        position = found.end()


def unfold(body: bytes) -> bytes:
    """The body on one line: line ends go, the white space that follows them stays. RFC 5322 §2.2.3."""
    return _FOLD.sub(b"", body) if b"\n" in body else body


def bodies(header: bytes, name: str) -> list[bytes]:
    """The unfolded bodies of all fields of this name, in their order."""
    wanted = name.lower().encode("ascii", "replace")
    return [unfold(field.body) for field in split(header) if field.name.lower() == wanted]
