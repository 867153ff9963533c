"""What a submission server mends in a message of its own people before it goes on. RFC 6409 §8."""

from __future__ import annotations

import io
import uuid
from typing import BinaryIO, cast

from pymaild.message import fields, trace
from pymaild.message.dates import format_date
from pymaild.status import MailError

MAX_HEADER = 1 << 24
# Bcc is for the sender's eyes alone (RFC 5322 §3.6.3); Return-Path is for the last server to write (RFC 5321 §4.4).
_REMOVED = frozenset({b"bcc", b"resent-bcc", b"return-path"})


def repair(message: BinaryIO, domain: str, at: float) -> BinaryIO:
    """The message with Date and Message-ID, without Bcc, at its start. The body is not copied. RFC 6409 §8.2, §8.3."""
    header = trace.header_block(message, MAX_HEADER)
    if header is None:
        raise MailError("5.3.4", "The header of the message is too long")
    return cast(BinaryIO, io.BufferedReader(_Joined(mended(header, domain, at), message, len(header)), trace.BLOCK))


def mended(header: bytes, domain: str, at: float) -> bytes:
    """The header block, empty line included, with what was missing at its end."""
    kept, names = [], set()
    rest = 0
    for field in fields.split(header):
        rest = field.end
        name = field.name.lower()
        if name not in _REMOVED:
            names.add(name)
            kept.append(header[field.start : field.end])
    if kept and not kept[-1].endswith(b"\n"):
        kept.append(b"\r\n")
    if b"date" not in names:
        kept.append(f"Date: {format_date(at)}\r\n".encode("ascii"))
    if b"message-id" not in names:
        kept.append(f"Message-ID: {new_message_id(domain)}\r\n".encode("ascii", "replace"))
    return b"".join(kept) + (header[rest:] or b"\r\n")


def new_message_id(domain: str) -> str:
    """One that nobody else has. RFC 5322 §3.6.4."""
    return f"<{uuid.uuid4()}@{trace.host_name(domain)}>"


class _Joined(io.RawIOBase):
    """A new header in front of the body of another message, read as one file."""

    def __init__(self, header: bytes, message: BinaryIO, body_start: int) -> None:
        self._header = header
        self._message = message
        self._shift = body_start - len(header)
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_CUR:
            offset += self._at
        elif whence == io.SEEK_END:
            self._message.seek(0, io.SEEK_END)
            offset += self._message.tell() - self._shift
        if offset < 0:
            raise ValueError("negative seek position")
        self._at = offset
        return offset

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        if self._at < len(self._header):
            block = self._header[self._at : self._at + len(buffer)]
        else:
            self._message.seek(self._at + self._shift)
            block = self._message.read(len(buffer))
        buffer[: len(block)] = block
        self._at += len(block)
        return len(block)
