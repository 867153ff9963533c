"""The message of a job as a transaction wants it: a small one in memory, a big one block by block from its file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pymaild.message import fields
from pymaild.message.binary import without_nul
from pymaild.message.sevenbit import seven_bit
from pymaild.smtp.wiretext import canonical
from pymaild.status import MailError

BLOCK = 1 << 20


class Letter:
    """A request.Text. A part with a NUL is base64 from the start: no server takes that octet. RFC 2045 §2.7, §2.8."""

    def __init__(self, path: Path | None, first: bytes, is_whole: bool) -> None:
        self._path, self._first, self._is_whole = path, first, is_whole
        self.size = len(first)
        self.is_8bit = not first.isascii()

    @classmethod
    def open(cls, path: Path) -> Letter:
        """Look through the file once. Raises MailError when it cannot be read."""
        try:
            with path.open("rb", buffering=0) as file:
                first = file.read(BLOCK)
                second = file.read(BLOCK) if len(first) == BLOCK else b""
                letter = cls(path, first, not second)
                has_nul = b"\0" in first
                while second:
                    letter.size += len(second)
                    letter.is_8bit = letter.is_8bit or not second.isascii()
                    has_nul = has_nul or b"\0" in second
                    second = file.read(BLOCK)
        except OSError as error:
            raise _unreadable() from error
        return cls.of(without_nul(letter.whole()).replace(b"\0", b"?")) if has_nul else letter

    @classmethod
    def of(cls, message: bytes) -> Letter:
        """A message that is in memory."""
        return cls(None, message, True)

    @property
    def has_utf8_header(self) -> bool:
        """RFC 6532 §3; a header in another charset is nobody's standard, and goes as it came."""
        if not self.is_8bit:
            return False
        header = self._first[: fields.header_end(self._first)]
        return not header.isascii() and _is_utf8(header)

    def blocks(self) -> Iterator[bytes]:
        """All of it. Raises MailError."""
        if self._is_whole or self._path is None:
            yield self._first
            return
        try:
            with self._path.open("rb", buffering=0) as file:
                while block := file.read(BLOCK):
                    yield block
        except OSError as error:
            raise _unreadable() from error

    def whole(self) -> bytes:
        """All of it at once. Raises MailError."""
        return b"".join(self.blocks())

    def as_7bit(self) -> Letter:
        """RFC 6152 §3. Raises MailError."""
        return Letter.of(seven_bit(b"".join(canonical(self.blocks()))))


def _is_utf8(octets: bytes) -> bool:
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _unreadable() -> MailError:
    return MailError("4.3.0", "The queue cannot read the message: look at the disk")
