"""What a protocol session tells the wire: these bytes go out, and that comes next. No socket in sight.

A session (smtp.Session, imap.Session) is fed what arrived and answers with a Reply. The wire (servers/wire.py) sends
`Reply.data` and then does what `Reply.then` says:

    COMMAND    read the next command line; the session is between commands and may be parked without a thread
    LINE       read one more line of a dialogue that is under way (AUTH, a command continued after a literal)
    MESSAGE    pass every block that arrives to session.data(block) until it answers (SMTP DATA): only the session
               knows where a message ends
    OCTETS     read exactly `size` octets into `sink` (BDAT, IMAP literal); then call session.octets_ended()
    IDLE       like LINE, but session.wake() may be called at any time to send what has changed (IMAP IDLE)
    TLS        send, drop every buffered input byte, start TLS, then call session.tls_started(...) (RFC 3207 §4.2)
    COMPRESS   send, then put DEFLATE under the dialogue in both directions (RFC 4978)
    CLOSE      send and close
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

START = 256  # octets of a line that is too long which its session gets to see


class Then(Enum):
    """What the wire does after a reply is sent."""

    COMMAND = auto()
    LINE = auto()
    MESSAGE = auto()
    OCTETS = auto()
    IDLE = auto()
    TLS = auto()
    COMPRESS = auto()
    CLOSE = auto()


class Sink(Protocol):
    """Where octets go that are too many for memory; a BytesIO, a SpooledTemporaryFile, or a counter."""

    def write(self, data: bytes, /) -> object:
        """Take some octets. Never raises: a sink that fails says so to its session when the octets have ended."""


@dataclass(slots=True)
class Output:
    """What one step of a session sends, and what comes next.

    `data` is bytes to send, in order; an iterator is drained lazily, so a FETCH of a thousand messages never stands in
    memory at once. `size` and `sink` go with OCTETS. `if_early` is sent instead when more input is there already, though
    the client had to wait for this answer (RFC 2920 §3.1).
    """

    data: Iterable[bytes]
    then: Then = Then.COMMAND
    size: int = 0
    sink: Sink | None = None
    if_early: Output | None = None


class Session(Protocol):
    """One side of one connection as a state machine, fed by the wire or by a test."""

    @property
    def line_limit(self) -> int:
        """Octets of a command line, CRLF included, that the state it is in allows."""

    def greet(self) -> Output:
        """The greeting, or a refusal with CLOSE."""

    def line(self, line: bytes) -> Output:
        """One line without its CRLF; a line that ends in LF alone keeps it, for the session to judge."""

    def line_too_long(self, start: bytes = b"") -> Output:
        """A line passed `line_limit`; the wire dropped it up to its end but for the first octets: a tag may be there."""

    def data(self, block: bytes) -> tuple[Output | None, bytes]:
        """A block of message text. None: go on; else the answer, and the octets of the block that come after the end."""

    def octets_ended(self) -> Output:
        """The OCTETS asked for are all in the sink."""

    def wake(self) -> Output:
        """Something changed while the session waits in IDLE: what to send; `then` stays IDLE."""

    def tls_started(self, description: str) -> None:
        """The handshake is done; whatever the client said before is forgotten. "TLSv1.3 TLS_AES_256_GCM_SHA384"."""

    def timed_out(self) -> Output:
        """Nothing came for too long: the farewell."""

    def shutting_down(self) -> Output:
        """The server stops or is overloaded: the farewell (421, BYE)."""

    def closed(self) -> None:
        """The connection is gone; let go of everything."""


class Pump:
    """Feeds a session with whatever arrived and hands on its answers: the only place that cuts input into lines.

    The wire pumps what it receives from a socket, a test what it likes, whole or byte by byte, with the same result.
    `then` is what the session waits for now. On TLS, COMPRESS and CLOSE pumping stops: the wire acts and, for the first
    two, calls tls_started() or compressed().
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.then = Then.CLOSE
        self._output = Output(())
        self._input = b""
        self._missing = 0  # octets an OCTETS still waits for
        self._skipping = False  # inside a line that passed the limit
        self._start = b""  # how that line began

    def start(self) -> Iterator[bytes]:
        """The greeting."""
        yield from self._send(self.session.greet())

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Everything the session answers to the next octets. Drain it before the next call."""
        self._input = self._input + block if self._input else block
        while self._input or (self.then is Then.OCTETS and not self._missing):
            output = self._step()
            if output is None:
                return
            yield from self._send(output.if_early if output.if_early and self._input else output)

    def wake(self) -> Iterator[bytes]:
        """What has changed, for a session in IDLE."""
        yield from self._send(self.session.wake())

    def say(self, output: Output) -> Iterator[bytes]:
        """Send what the session says of its own accord: timed_out(), shutting_down()."""
        yield from self._send(output)

    def tls_started(self, description: str) -> None:
        """TLS is on; what was buffered in clear was dropped when the session asked for it. RFC 3207 §4.2."""
        self._input = b""
        self.session.tls_started(description)
        self.then = Then.COMMAND

    def compressed(self) -> bytes:
        """DEFLATE is on: the octets that came after the command, still to be inflated and fed."""
        rest, self._input = self._input, b""
        self.then = Then.COMMAND
        return rest

    @property
    def buffered(self) -> bool:
        """Whether octets wait for the rest of their line."""
        return bool(self._input) or self._skipping

    def _send(self, output: Output) -> Iterator[bytes]:
        yield from output.data
        self._output, self.then, self._missing = output, output.then, output.size
        if self.then in (Then.TLS, Then.CLOSE):
            self._input = b""

    def _step(self) -> Output | None:
        """Give the session what it waits for, if it is all there."""
        if self.then in (Then.COMMAND, Then.LINE, Then.IDLE):
            return self._line()
        if self.then is Then.OCTETS:
            return self._octets()
        if self.then is Then.MESSAGE:
            output, self._input = self.session.data(self._input)
            return output
        return None

    def _line(self) -> Output | None:
        end = self._input.find(b"\n")
        limit = self.session.line_limit
        if end < 0:
            if not self._skipping and len(self._input) >= limit:
                self._skipping, self._start = True, self._input[:START]
            if self._skipping:
                self._input = b""
            return None
        line, self._input = self._input[:end], self._input[end + 1 :]
        if self._skipping or end >= limit:
            start = self._start if self._skipping else line[:START]
            self._skipping, self._start = False, b""
            return self.session.line_too_long(start)
        return self.session.line(line[:-1] if line.endswith(b"\r") else line + b"\n")

    def _octets(self) -> Output | None:
        taken, self._input = self._input[: self._missing], self._input[self._missing :]
        if taken and self._output.sink is not None:
            self._output.sink.write(taken)
        self._missing -= len(taken)
        return None if self._missing else self.session.octets_ended()
