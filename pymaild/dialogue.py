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

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol


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
        """Take some octets. May raise OSError: the wire keeps reading and the session hears of it."""


@dataclass(slots=True)
class Output:
    """What one step of a session sends, and what comes next.

    `data` is bytes to send, in order; an iterator is drained lazily, so a FETCH of a thousand messages never stands in
    memory at once. `size` and `sink` go with OCTETS.
    """

    data: Iterable[bytes]
    then: Then = Then.COMMAND
    size: int = 0
    sink: Sink | None = None


class Session(Protocol):
    """One side of one connection as a state machine, fed by the wire or by a test."""

    line_limit: int  # octets of a command line, CRLF included, that the state it is in allows

    def greet(self) -> Output:
        """The greeting, or a refusal with CLOSE."""

    def line(self, line: bytes) -> Output:
        """One line without its CRLF."""

    def line_too_long(self) -> Output:
        """A line passed `line_limit`; the wire dropped it up to its end."""

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
