"""What a person reads in a part: transfer encodings undone, charsets decoded, HTML turned into text. RFC 2045 §6."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

from pymaild.message import charsets, fields, parameters
from pymaild.message.html import html_to_text
from pymaild.message.structure import Part, scan, walk
from pymaild.message.words import decode_words

__all__ = ["decode_part", "html_to_text", "part_text", "preview", "searchable_body", "searchable_header"]

MAX_PREVIEW = 200  # characters
MAX_LOOKED_AT = 20_000  # octets of a text part that a preview is made of
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]+")
_ODD_BASE64 = re.compile(rb"=+(?=[^=])")
_UU_BEGIN = re.compile(rb"(?m)^begin [0-7]{3,4} [^\r\n]*\r?\n")
_PADDING = re.compile(rb"(?<![ \t])[ \t]+(?=\r?\n|\Z)")
_QUOTED_MARKS = (">", "wrote:", "Message")  # without any of these there is no such line
_QUOTED_LINES = re.compile(r"(?m)^(?:>.*|On .{1,100} wrote:|-{2,} ?Original Message ?-{2,})$")


def decode_part(message: bytes, part: Part) -> bytes:
    """The octets of a part with its transfer encoding undone; as they are where it is unknown or none. RFC 2045 §6."""
    body = message[part.body_start : part.body_end]
    if part.is_multipart or part.message is not None:
        return body
    return decode(body, part.encoding)


def decode(body: bytes, encoding: bytes | None) -> bytes:
    """Undo a Content-Transfer-Encoding; errors in it cost as little of the text as possible."""
    match (encoding or b"").lower():
        case b"base64":
            return _base64(body)
        case b"quoted-printable":
            return quoted_printable(body)
        case b"x-uuencode" | b"uuencode" | b"x-uue":
            return _uuencode(body)
    return body


def quoted_printable(body: bytes) -> bytes:
    """White space at the end of a line was added on the way: it goes, also behind a soft break. RFC 2045 §6.7 (3)."""
    return binascii.a2b_qp(_PADDING.sub(b"", body))


def _base64(body: bytes) -> bytes:
    """Junk is passed over (§6.8), padding in the middle ends a group, missing padding is added."""
    digits = _NOT_BASE64.sub(b"", body)
    pieces = _ODD_BASE64.split(digits) if b"=" in digits.rstrip(b"=") else [digits]
    return b"".join(map(_base64_piece, pieces))


def _base64_piece(digits: bytes) -> bytes:
    digits = digits.rstrip(b"=")
    if len(digits) % 4 == 1:
        digits = digits[:-1]
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def _uuencode(body: bytes) -> bytes:
    """Lines between begin and end; one that is damaged is cut where it breaks."""
    begin = _UU_BEGIN.search(body)
    out = []
    for raw in body[begin.end() if begin else 0 :].split(b"\n"):
        line = raw.rstrip(b"\r")
        if line in (b"end", b"`") or not line:
            break
        size = (((line[0] - 32) & 63) * 4 + 5) // 3
        try:
            out.append(binascii.a2b_uu(line[:size]))
        except binascii.Error:
            break
    return b"".join(out)


def part_text(message: bytes, part: Part) -> str:
    """The text of a text part in its charset, with \\n line ends. RFC 2046 §4.1."""
    return _text(part, decode_part(message, part))


def _text(part: Part, body: bytes) -> str:
    charset = (parameters.find(part.parameters, b"charset") or b"").decode("latin-1")
    if body[:2] in (b"\xff\xfe", b"\xfe\xff") and not charset.lower().startswith("utf-"):
        charset = "utf-16"
    text = charsets.decode(body, charset.strip(" \"'"))
    return text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")


def searchable_header(header: bytes, name: str) -> list[str]:
    """The decoded bodies of all fields of a name. RFC 9051 §6.4.4."""
    return [decode_words(body) for body in fields.bodies(header, name)]


def searchable_body(message: bytes) -> Iterator[str]:
    """The decoded text of every text part, HTML as text, and the header of every message inside. RFC 9051 §6.4.4."""
    root = scan(message)
    for part in walk(root):
        if part.message is not None:
            inner = part.message
            yield decode_words(message[inner.header_start : inner.body_start])
        elif part.type in ("text", "message"):  # message/delivery-status is for people, too. RFC 3464
            text = part_text(message, part)
            yield html_to_text(text) if part.subtype in ("html", "xhtml") else text


def preview(message: bytes, root: Part | None = None) -> str:
    """The first words of the text, on one line: what a list of messages shows. RFC 8970."""
    part = _readable(root or scan(message))
    if part is None:
        return ""
    end = min(part.body_end, part.body_start + MAX_LOOKED_AT)
    text = _text(part, decode(message[part.body_start : end], part.encoding))
    text = html_to_text(text) if part.subtype == "html" else text
    own = _QUOTED_LINES.sub("", text) if any(mark in text for mark in _QUOTED_MARKS) else text
    words = (_first_words(own) or _first_words(text))[: 2 * MAX_PREVIEW]
    if not words.isprintable():
        words = "".join(filter(str.isprintable, words))
    return words[:MAX_PREVIEW].rstrip()


def _first_words(text: str) -> str:
    """More of them than a preview can show."""
    return " ".join(text.split(None, 2 * MAX_PREVIEW)[: 2 * MAX_PREVIEW])


def _readable(root: Part) -> Part | None:
    """The first text with something in it: of alternatives the plainest comes first. RFC 2046 §5.1.4."""
    texts = (part for part in walk(root) if part.type == "text" and not part.is_attachment)
    return next((part for part in texts if part.body_end > part.body_start), None)
