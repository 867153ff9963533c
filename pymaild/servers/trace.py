"""serve --trace: every protocol line, as transcripts are written, with what proves an identity replaced.

    3f2a90c1 S: 220 mail.example.org ESMTP
    3f2a90c1 C: EHLO client.example.net

A traced session stands between the Pump and the real one, so it sees lines exactly as they were cut. What follows AUTH,
LOGIN or AUTHENTICATE, and every line and literal of that command, is written as {credentials}: a player that is given
credentials of its own under this name plays the trace again. What the server says in SCRAM would let a password be
guessed, and is written as {challenge}. Message text is written as it is.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

from pymaild.dialogue import Output, Session, Sink, Then

MASK, CHALLENGE = b"{credentials}", b"{challenge}"

# The verb is the first word (SMTP) or the second (IMAP, after the tag); a mechanism's name is no secret.
_SECRET = re.compile(
    rb"(?i)\s*((?:\S{1,64}\s+)??(?:AUTHENTICATE|AUTH)\s+[A-Z0-9_-]{1,20}|(?:\S{1,64}\s+)?(?:LOGIN|AUTH\w*))(?=\s|\Z)"
)
_ASKED = re.compile(rb"(\+ |334 )[^ ]")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

_CRLF = b"\r\n"

Write = Callable[[str], object]


def to_stderr(text: str) -> None:
    """One line of several at once, in one piece."""
    try:
        os.write(sys.stderr.fileno(), text.encode("utf-8", "surrogateescape"))
    except (OSError, ValueError):
        return


def to_file(path: Path) -> Write:
    """The same into a file, after what is in it. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(text: str) -> None:
        with suppress(OSError):  # a full disk ends the trace, not the service
            os.write(descriptor, text.encode("utf-8", "surrogateescape"))

    return write


class Traced:
    """A session that tells all it hears and says."""

    def __init__(self, session: Session, session_id: str, write: Write) -> None:
        self._session, self._id, self._write = session, session_id, write
        self._secret = False  # inside a command that proves an identity
        self._scram = False  # and that by SCRAM
        self._heard = b""  # octets of the client whose line is not complete
        self._said = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def __setattr__(self, name: str, value: object) -> None:
        if name == "on_change":
            setattr(self._session, name, value)
        elif name == "on_progress":
            setattr(self._session, name, partial(self._progress, cast("Callable[[bytes], object]", value)))
        else:
            object.__setattr__(self, name, value)

    def _progress(self, say: Callable[[bytes], object], line: bytes) -> None:
        self._tell("S", line.removesuffix(_CRLF))
        say(line)

    @property
    def line_limit(self) -> int:
        """As the session's own."""
        return self._session.line_limit

    # ---- what the Pump calls

    def greet(self) -> Output:
        """As the session\'s own."""
        return self._told(self._session.greet())

    def line(self, line: bytes) -> Output:
        """As the session\'s own."""
        if not self._heard and not self._secret and (match := _SECRET.match(line)):
            self._secret, self._scram = True, b"SCRAM" in match[1].upper()
            rest = line[match.end() :].strip()
            self._tell("C", match[1] + (b" " + MASK if rest else b""))
        elif self._secret:
            self._heard = b""
            self._tell("C", MASK if line not in (b"*", b"") else line)
        else:
            heard, self._heard = self._heard + line, b""
            for part in heard.split(b"\n"):
                self._tell("C", part.removesuffix(b"\r"))
        return self._told(self._session.line(line))

    def line_too_long(self, start: bytes = b"") -> Output:
        """As the session\'s own."""
        self._heard = b""
        self._tell("#", b"a line that is too long")
        return self._told(self._session.line_too_long(start))

    def data(self, block: bytes) -> tuple[Output | None, bytes]:
        """As the session\'s own."""
        output, rest = self._session.data(block)
        self._heard += block[: len(block) - len(rest)]
        *lines, self._heard = self._heard.split(b"\n")
        for line in lines:
            self._tell("C", line.removesuffix(b"\r"))
        return (self._told(output) if output else None), rest

    def octets_ended(self) -> Output:
        """As the session\'s own."""
        return self._told(self._session.octets_ended())

    def wake(self) -> Output:
        """As the session\'s own."""
        return self._told(self._session.wake())

    def timed_out(self) -> Output:
        """As the session\'s own."""
        return self._told(self._session.timed_out())

    def shutting_down(self) -> Output:
        """As the session\'s own."""
        return self._told(self._session.shutting_down())

    def tls_started(self, description: str) -> None:
        """As the session\'s own."""
        self._write(f"-- TLS {self._id} --\n")
        self._session.tls_started(description)

    def closed(self) -> None:
        """As the session\'s own."""
        self._tell("S", b"<closed>")
        self._session.closed()

    # ---- the telling

    def _told(self, output: Output) -> Output:
        """The output, told while it is sent; `then` may still change until its last octet."""
        traced = Output((), output.then, output.size, output.sink)
        traced.if_early = output.if_early and self._told(output.if_early)
        if output.then is Then.OCTETS:
            traced.sink = _Overheard(output.sink, self._overhear)
        traced.data = self._passing(output, traced)
        return traced

    def _passing(self, output: Output, traced: Output) -> Iterator[bytes]:
        self._flush_heard(output)
        for piece in output.data:
            self._say(piece)
            yield piece
        traced.then = output.then
        if self._said:
            self._tell("S", self._said)
            self._said = b""
        if output.then not in (Then.LINE, Then.OCTETS):
            self._secret = self._scram = False

    def _flush_heard(self, output: Output) -> None:
        """What ends without a line end, such as BDAT's octets."""
        if output.then in (Then.LINE, Then.OCTETS) or not self._heard:
            return
        *lines, rest = self._heard.split(b"\n")
        self._heard = b""
        self._tell_all("C", lines)
        if rest:
            self._write(f"{self._id} C| {rest!r}\n")

    def _overhear(self, octets: bytes) -> None:
        if not self._secret:
            self._heard += octets

    def _say(self, piece: bytes) -> None:
        *lines, self._said = (self._said + piece).split(b"\n")
        self._tell_all("S", lines)

    def _tell_all(self, who: str, lines: Iterable[bytes]) -> None:
        for line in lines:
            self._tell(who, line.removesuffix(b"\r"))

    def _tell(self, who: str, line: bytes) -> None:
        if self._scram and who == "S" and (match := _ASKED.match(line)):
            line = match[1] + CHALLENGE
        text = line.decode("utf-8", "surrogateescape")
        if not _UNPRINTABLE.search(text):
            self._write(f"{self._id} {who}: {text}\n")
        elif who == "C":
            self._write(f"{self._id} C| {line + _CRLF!r}\n")
        else:
            self._write(f"{self._id} {who}: {_shown(text)}\n")


def _shown(text: str) -> str:
    """Nothing a terminal would obey."""
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape", "surrogateescape").decode(), text)


class _Overheard:
    """A sink that lets somebody listen."""

    def __init__(self, sink: Sink | None, overhear: Callable[[bytes], None]) -> None:
        self._sink, self._overhear = sink, overhear

    def write(self, data: bytes, /) -> object:
        self._overhear(data)
        return self._sink.write(data) if self._sink else None
