"""What ends a message: CRLF "." CRLF and nothing else. RFC 5321 §2.3.8, §4.1.1.4, §4.5.2.

Servers that take a lone LF or CR for a line end and servers that do not can be played against each other: what one
reads as the text of a message is a second message for the other (SMTP smuggling, CVE-2023-51764). So there is one home
for the question here. A message with a bare CR or LF is read to its true end, refused, and the connection closed: the
lines behind a false end are never commands.

Message takes the text in, from DATA and from BDAT. TextReader finds the end of DATA's text and removes the dots that
were stuffed in; it works on whole blocks, never line by line, and gives the same text however the blocks are cut.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import BinaryIO

from pymaild.smtp.reply import Refused
from pymaild.status import MailError

_END = b"\r\n.\r\n"
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Message:
    """The text of one message while it arrives: counts, looks for bare line ends, and spools.

    A dialogue.Sink: write() never raises. What went wrong is kept, the rest of the text is read and dropped, and
    finish() says it when the client waits for an answer.
    """

    def __init__(self, spool: Callable[[], BinaryIO], limit: int) -> None:
        self.size = 0
        self.has_bare_line_ends = False
        self._spool = spool
        self._limit = limit
        self._file: BinaryIO | None = None
        self._error: MailError | None = None
        self._after_cr = False  # the last octet was a CR whose LF may follow

    def write(self, block: bytes) -> None:
        """Take the next octets of the text."""
        self.size += len(block)
        self._look_for_bare_line_ends(block)
        if self._error is None and self.size > self._limit:
            self._fail(too_big(self._limit))
        if self._error is None and not self.has_bare_line_ends:
            try:
                self._opened().write(block)
            except OSError as error:
                self._fail(_no_room(error))

    def finish(self) -> BinaryIO:
        """The whole text, at its beginning. Raises MailError when it cannot be taken."""
        if self.has_bare_line_ends or self._after_cr:
            self.has_bare_line_ends = True
            raise Refused(554, "5.6.0", "The message has a bare CR or LF: every line must end in CR LF")
        if self._error is not None:
            raise self._error
        try:
            file = self._opened()
            file.seek(0)
        except OSError as error:
            raise _no_room(error) from error
        return file

    def close(self) -> None:
        """Let go of the text."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self) -> BinaryIO:
        if self._file is None:
            self._file = self._spool()
        return self._file

    def _fail(self, error: MailError) -> None:
        self._error = error
        try:
            self.close()
        except OSError:  # closing flushes, and the disk is full: what it held is given up anyway
            self._file = None

    def _look_for_bare_line_ends(self, block: bytes) -> None:
        """Three counts agree when every CR has its LF and every LF its CR; a CR at the end waits for the next block."""
        if self._after_cr:
            block = b"\r" + block
        self._after_cr = block.endswith(b"\r")
        pairs = block.count(b"\r\n")
        if block.count(b"\n") != pairs or block.count(b"\r") - self._after_cr != pairs:
            self.has_bare_line_ends = True


class TextReader:
    """Reads the text that follows DATA, up to the line with only a dot. RFC 5321 §4.1.1.4, §4.5.2.

    The line end of the DATA command counts as the CRLF before a first dot, so an empty message ends as well.
    """

    def __init__(self, message: Message) -> None:
        self._message = message
        self._held = b"\r\n"  # the end of the last block, as far as it could begin the end of the text
        self._skip = 2  # octets of that first CRLF, which are not part of the text

    def feed(self, block: bytes) -> bytes | None:
        """Take a block. None: the text goes on; else the octets that come after its end."""
        text = self._held + block
        end = text.find(_END)
        if end >= 0:
            self._pass_on(text[: end + 2])
            return text[end + len(_END) :]
        held = _possible_end(text)
        self._held = text[len(text) - held :]
        self._pass_on(text[: len(text) - held])
        return None

    def _pass_on(self, text: bytes) -> None:
        """Remove the stuffed dots (§4.5.2); the CRLF before a dot is never cut from it, because it is held."""
        if text:
            self._message.write(text.replace(b"\r\n.", b"\r\n")[self._skip :])
            self._skip = 0


def _possible_end(text: bytes) -> int:
    """How many octets at the end could be the beginning of CRLF "." CRLF."""
    return next((size for size in (4, 3, 2, 1) if text.endswith(_END[:size])), 0)


class Discard:
    """A sink for octets nobody wants: those of a chunk that is refused. RFC 3030 §2."""

    def write(self, block: bytes, /) -> None:
        """Gone."""


def too_big(limit: int) -> MailError:
    """RFC 1870 §6."""
    return MailError("5.3.4", f"The message is too big: this server takes up to {limit} octets")


def _no_room(error: OSError) -> MailError:
    """The disk says no: the sender keeps the message and tries again. RFC 5321 §4.2.3."""
    if error.errno in _NO_SPACE:
        return MailError("4.3.1", "The disk of this server is full: try again later")
    return MailError("4.3.0", "This server cannot store the message now: try again later")
