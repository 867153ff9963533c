"""Values as they stand on the wire: NIL, numbers, atoms, strings and lists. RFC 9051 §4, RFC 3501 §4."""

from __future__ import annotations

import re

MAX_QUOTED = 1000  # a longer string goes as a literal: some clients have line buffers of a few kilobytes
_NOT_QUOTED = re.compile(rb"[\r\n\0\x80-\xff]")
_ESCAPE = re.compile(rb'(["\\])')


class Atom(str):
    """A word that goes out without quotes. A type of its own, so that no text can become one by accident."""

    __slots__ = ()


class Run(list["Value"]):
    """Values that follow one another without a space: the addresses of an ENVELOPE, the parts of a multipart. §9."""


Value = None | int | Atom | bytes | list["Value"]


def render(value: Value) -> bytes:
    """The value as octets. §4."""
    if isinstance(value, bytes):  # most are, and a match looks longer
        return string(value)
    match value:
        case None:
            return b"NIL"
        case int():
            return b"%d" % value
        case Atom():
            return value.encode("ascii", "replace")
        case Run():
            return b"".join(map(render, value))
        case list():
            return b"(" + b" ".join(map(render, value)) + b")"


def string(text: bytes) -> bytes:
    """A quoted string where it can be one, else a literal. §4.3.

    Without UTF8=ACCEPT a quoted string holds 7-bit characters only. NUL may stand in neither form.
    """
    if len(text) > MAX_QUOTED or _NOT_QUOTED.search(text):
        text = text.replace(b"\0", b"\xef\xbf\xbd")
        return b"{%d}\r\n%s" % (len(text), text)
    return b'"' + (_ESCAPE.sub(rb"\\\1", text) if b'"' in text or b"\\" in text else text) + b'"'
