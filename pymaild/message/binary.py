"""Binary parts as base64: what IMAP shows of a message must not have a NUL. RFC 3516 §4.4, RFC 2045 §6.8."""

from __future__ import annotations

import base64

from pymaild.message import fields
from pymaild.message.structure import Part, scan, walk

_IDENTITY = (None, b"7bit", b"8bit", b"binary")
_NAME = b"content-transfer-encoding"
_ENCODING = b"Content-Transfer-Encoding: base64\r\n"


def without_nul(message: bytes) -> bytes:
    """Every part that has a NUL gets the transfer encoding base64; all else stays as it is."""
    pieces, at = [], 0
    for part in walk(scan(message)):
        if _has_nul(message, part):
            pieces += [message[at : part.header_start], _header(message[part.header_start : part.body_start])]
            pieces.append(base64.encodebytes(message[part.body_start : part.body_end]).replace(b"\n", b"\r\n"))
            at = part.body_end
    return b"".join([*pieces, message[at:]])


def _has_nul(message: bytes, part: Part) -> bool:
    if part.children or (part.encoding and part.encoding.lower()) not in _IDENTITY:
        return False
    return message.find(b"\0", part.body_start, part.body_end) >= 0


def _header(header: bytes) -> bytes:
    """The header with the new encoding, at its end, in place of the old one."""
    kept, end = [], 0
    for field in fields.split(header):
        end = field.end
        if field.name.lower() != _NAME:
            kept.append(header[field.start : field.end])
    return b"".join(kept) + _ENCODING + header[end:]
