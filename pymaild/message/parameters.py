"""Fields with parameters: Content-Type and Content-Disposition. RFC 2045 §5.1, RFC 2183, RFC 2231.

BODYSTRUCTURE wants parameters in the header's own words: continuations joined, but values in their RFC 2231 encoding
and names with the * that says so. `text_value` decodes one for people.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from pymaild.message import charsets

Parameters = list[tuple[bytes, bytes]]
MAX_PARAMETERS = 1000  # of one field; real ones have two or three
_COMMENT_MARK = re.compile(rb"[()]|\\.?", re.DOTALL)
_BLANKS = re.compile(rb"[ \t\r\n]*")
# RFC 2045 §5.1 token, and every octet above 127
_TOKEN = re.compile(rb"[A-Za-z0-9!#$%&'*+\-.^_`{|}~\x80-\xff]+")
# In values real mail has characters that belong into quotes: everything is taken up to the next blank or semicolon
_VALUE = re.compile(rb"[^\s;\"()\x00-\x1f]+")
_QUOTED = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)|\r?\n", re.DOTALL)
_SECTION = re.compile(rb"([^*]+)\*(?:([0-9]{1,6})(\*?))?\Z")


def skip_blanks(body: bytes, at: int) -> int:
    """Behind white space and comments. RFC 5322 §3.2.2."""
    at = _blank_end(body, at)
    while body.startswith(b"(", at):
        depth = 0
        while True:
            found = _COMMENT_MARK.search(body, at)
            if found is None:
                return len(body)
            at = found.end()
            depth += {b"(": 1, b")": -1}.get(found.group(), 0)
            if not depth:
                break
        at = _blank_end(body, at)
    return at


def _blank_end(body: bytes, at: int) -> int:
    found = _BLANKS.match(body, at)
    return found.end() if found else at


def media_type(body: bytes) -> tuple[bytes, bytes, int]:
    """Type and subtype, and where the parameters begin; empty where the field is broken. RFC 2045 §5.1."""
    at = skip_blanks(body, 0)
    main, at = _token(body, at)
    if not body.startswith(b"/", at):
        return main, b"", at
    sub, at = _token(body, skip_blanks(body, at + 1))
    return main, sub, at


def token(body: bytes) -> tuple[bytes, int]:
    """The first word of a field, and where its parameters begin."""
    return _token(body, skip_blanks(body, 0))


def _token(body: bytes, at: int) -> tuple[bytes, int]:
    found = _TOKEN.match(body, at)
    if found is None:
        return b"", at
    return found.group(), skip_blanks(body, found.end())


def parse(body: bytes, at: int) -> Parameters:
    """The parameters from `at` on, continuations joined. What cannot be read is passed over. RFC 2231 §3."""
    plain: Parameters = []
    pieces: list[tuple[bytes, int, bool, bytes]] = []
    for name, value in _pairs(body, at):
        section = _SECTION.match(name) if b"*" in name else None
        if section is None:
            plain.append((name, value))
        elif section[2] is None:
            pieces.append((section[1], 0, True, value))
        else:
            pieces.append((section[1], int(section[2]), bool(section[3]), value))
    return plain + _joined(pieces) if pieces else plain


def _pairs(body: bytes, at: int) -> Parameters:
    pairs: Parameters = []
    while len(pairs) < MAX_PARAMETERS:
        at = body.find(b";", at)
        if at < 0:
            break
        name, at = _token(body, skip_blanks(body, at + 1))
        if not name or not body.startswith(b"=", at):
            continue
        value, at = _value(body, skip_blanks(body, at + 1))
        if value is not None:
            pairs.append((name, value))
    return pairs


def _value(body: bytes, at: int) -> tuple[bytes | None, int]:
    """A quoted string, or all up to the next blank or semicolon: senders forget quotes. None: a quote never ends."""
    quoted = _QUOTED.match(body, at)
    if quoted is not None:
        value = quoted.group(1)
        if b"\\" in value or b"\n" in value:
            value = _ESCAPED.sub(lambda found: found.group(1) or b"", value)
        return value, quoted.end()
    if body.startswith(b'"', at):
        return None, len(body)
    found = _VALUE.match(body, at)
    return (found.group(), found.end()) if found else (b"", at)


def _joined(pieces: list[tuple[bytes, int, bool, bytes]]) -> Parameters:
    """Continuations put together by number; a gap ends the value. RFC 2231 §3."""
    joined: Parameters = []
    pieces.sort(key=lambda piece: (piece[0].lower(), piece[1]))
    at = 0
    while at < len(pieces):
        name, expected, extended, values = pieces[at][0], 0, False, []
        while at < len(pieces) and pieces[at][0].lower() == name.lower() and pieces[at][1] == expected:
            extended = extended or pieces[at][2]
            values.append(pieces[at][3])
            expected, at = expected + 1, at + 1
        if values:
            joined.append((name + b"*" if extended else name, b"".join(values)))
        else:
            joined.append((b"%s*%d" % (name, pieces[at][1]) + b"*" * pieces[at][2], pieces[at][3]))
            at += 1
    return joined


def find(parameters: Parameters, name: bytes) -> bytes | None:
    """The raw value of the first parameter of this name."""
    return next((value for key, value in parameters if key.lower() == name), None)


def text_value(parameters: Parameters, name: str) -> str | None:
    """A parameter as people read it: RFC 2231 before a plain one, in which encoded words are tolerated."""
    key = name.encode("ascii")
    extended = find(parameters, key + b"*")
    if extended is not None:
        charset, _, rest = extended.partition(b"'")
        _language, quote, value = rest.partition(b"'")
        if not quote:
            charset, value = b"", extended
        return charsets.decode(unquote_to_bytes(value), charset.decode("latin-1"))
    plain = find(parameters, key)
    if plain is None:
        return None
    from pymaild.message.words import decode_words  # noqa: PLC0415

    return decode_words(plain)
