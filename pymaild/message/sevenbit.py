"""A message with octets above 127 as one without: for a server that does not take 8 bits. RFC 6152 §3, RFC 2045 §6.

Each part with such octets gets a transfer encoding: quoted-printable for text, base64 for all else; what encloses it is
then 7bit. A DKIM signature does not survive that (RFC 6376 §5.3 therefore tells signers to send ASCII); it goes on
nevertheless: a signature that fails counts as none (§6.1), while a bounce would be certain. What is signed inside the
message (multipart/signed, RFC 1847 §2.1) is not touched: there the reader would be told of a forgery.
"""

from __future__ import annotations

import base64
import binascii
import re

from pymaild.message import fields
from pymaild.message.structure import Part, scan
from pymaild.status import MailError

_IDENTITY = (b"7bit", b"8bit", b"binary")
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_LF = re.compile(rb"\r?\n")


def seven_bit(message: bytes) -> bytes:
    """The message in ASCII; its lines end in CRLF. Raises MailError."""
    converter = _Converter(message)
    converter.part(scan(message), is_signed=False, is_root=True)
    return b"".join(converter.pieces)


class _Converter:
    def __init__(self, message: bytes) -> None:
        self.message = message
        self.pieces: list[bytes] = []

    def part(self, part: Part, is_signed: bool, is_root: bool = False) -> None:
        """One part with all inside it."""
        if self.message[part.header_start : part.body_end].isascii():
            self.pieces.append(self.message[part.header_start : part.body_end])
            return
        header = self.message[part.header_start : part.body_start]
        if not header.isascii():
            raise MailError("5.6.7", "The header has letters beyond ASCII, and the server does not take these")
        if is_signed or (part.type, part.subtype) in (("message", "partial"), ("message", "external-body")):
            raise MailError("5.6.3", "The message would have to be re-encoded for the server, which would break it")
        if part.children:
            self._enclosing(part, header)
        else:
            self._leaf(part, header, is_root)

    def _enclosing(self, part: Part, header: bytes) -> None:
        """A multipart or a message: what lies between its children is for nobody to read. RFC 2046 §5.1.1."""
        self.pieces.append(_with_fields(header, {b"Content-Transfer-Encoding": b"7bit"}))
        is_signed = (part.type, part.subtype) == ("multipart", "signed")
        at = part.body_start
        for child in part.children:
            self.pieces.append(_NOT_ASCII.sub(b"?", self.message[at : child.header_start]))
            self.part(child, is_signed)
            at = child.body_end
        self.pieces.append(_NOT_ASCII.sub(b"?", self.message[at : part.body_end]))

    def _leaf(self, part: Part, header: bytes, is_root: bool) -> None:
        body = self.message[part.body_start : part.body_end]
        encoding = (part.encoding or b"8bit").strip().lower()
        if encoding not in _IDENTITY:
            self.pieces += [header, _repaired(body, encoding)]
            return
        is_text = part.type in ("text", "message")
        changed = {b"Content-Transfer-Encoding": b"quoted-printable" if is_text else b"base64"}
        if is_root:
            changed[b"MIME-Version"] = b"1.0"
        if not part.typed:
            changed[b"Content-Type"] = b"text/plain; charset=" + _charset(body)
        self.pieces.append(_with_fields(header, changed))
        self.pieces.append(quoted_printable(body) if is_text else _base64(body))


def quoted_printable(body: bytes) -> bytes:
    """Text in ASCII; the line ends stay. RFC 2045 §6.7."""
    encoded = binascii.b2a_qp(_LF.sub(b"\n", body), istext=True)
    return encoded.replace(b"\n", b"\r\n")


def _base64(body: bytes) -> bytes:
    """The line end before the boundary is no part of the body, so none is added. RFC 2046 §5.1.1."""
    return base64.encodebytes(body).rstrip(b"\n").replace(b"\n", b"\r\n")


def _repaired(body: bytes, encoding: bytes) -> bytes:
    """A body that should be ASCII already: its odd octets as its encoding would have them, or left out. §6.7, §6.8."""
    if encoding == b"quoted-printable":
        return _NOT_ASCII.sub(lambda match: b"=%02X" % match[0][0], body)
    if encoding == b"base64":
        return _NOT_ASCII.sub(b"", body)
    raise MailError("5.6.3", "The message has a part in an encoding that is not known here and not in ASCII")


def _charset(body: bytes) -> bytes:
    """What to call the charset of a text that does not say. RFC 1428 §3."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return b"unknown-8bit"
    return b"utf-8"


def _with_fields(header: bytes, changed: dict[bytes, bytes]) -> bytes:
    """The header with these fields: each in the place of the first of its name, or at the end."""
    lines = {name.lower(): b"%s: %s\r\n" % (name, body) for name, body in changed.items()}
    missing = dict(lines)
    kept, end = [], 0
    for field in fields.split(header):
        end, name = field.end, field.name.lower()
        kept.append(missing.pop(name, b"") if name in lines else header[field.start : field.end])
    if missing and kept and not kept[-1].endswith(b"\n"):
        kept.append(b"\r\n")
    return b"".join([*kept, *missing.values(), header[end:] or b"\r\n"])
