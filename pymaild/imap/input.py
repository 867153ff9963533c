"""A command as it arrives: lines, and between them literals. RFC 3501 §4.3, RFC 7888 (LITERAL+), RFC 3516 (literal8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

HUGE = 1 << 63  # a size with more digits than any message has octets


@dataclass(frozen=True, slots=True)
class Announced:
    """`{size}`, `{size+}` or `~{size}` at the end of a line."""

    size: int
    synchronising: bool  # the client waits for our go-ahead
    binary: bool  # literal8
    start: int  # where in the line the announcement begins


def announced(line: bytes) -> Announced | None:
    """The literal a line announces, if it does. RFC 7888 §4."""
    if not line.endswith(b"}"):
        return None
    start = line.rfind(b"{")
    digits = line[start + 1 : -1]
    synchronising = not digits.endswith(b"+")
    if not synchronising:
        digits = digits[:-1]
    if start < 0 or not digits.isdigit():
        return None
    binary = line[:start].endswith(b"~")
    size = int(digits) if len(digits) <= 19 else HUGE
    return Announced(size, synchronising, binary, start - binary)


class Memory:
    """A literal that is an argument: kept in memory, its size is limited."""

    def __init__(self) -> None:
        self.value = b""
        self._blocks: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Take some octets."""
        self._blocks.append(data)

    def end(self) -> None:
        """It is all there."""
        self.value, self._blocks = b"".join(self._blocks), []


class Spool:
    """A literal that is a message: in a file the wire side provides, because it may be large."""

    def __init__(self, file: BinaryIO, size: int, binary: bool) -> None:
        self.file = file
        self.size = size
        self.binary = binary
        self.failed = False  # the disk was full while it was written

    def write(self, data: bytes) -> None:
        """Take some octets; a sink never raises (dialogue.Sink)."""
        if self.failed:
            return
        try:
            self.file.write(data)
        except OSError:
            self.failed = True

    def end(self) -> None:
        """It is all there; whoever reads it starts at the beginning."""
        self.file.seek(0)

    def close(self) -> None:
        """Let go of the file."""
        self.file.close()


class Discard:
    """A literal that was refused but comes all the same ({n+}): read and dropped, so that the dialogue stays in step."""

    def write(self, data: bytes) -> None:
        """Drop some octets."""

    def end(self) -> None:
        """Nothing is kept."""


Literal = Memory | Spool | Discard


class Input:
    """The lines and literals of one command, until its last line is there."""

    def __init__(self) -> None:
        self.texts: list[bytes] = []
        self.literals: list[Literal] = []

    @property
    def size(self) -> int:
        """Octets it holds in memory."""
        literals = (len(literal.value) for literal in self.literals if isinstance(literal, Memory))
        return sum(map(len, self.texts)) + sum(literals)

    def close(self) -> None:
        """Let go of what it spooled."""
        for literal in self.literals:
            if isinstance(literal, Spool):
                literal.close()
