"""One connection: a stream, a Pump that feeds its session, and deadlines. The thread belongs to it only while it works.

`deadline` is when patience ends. It moves with every answer, by what the session waits for then (Timeouts). Octets that do
not lead to an answer move it less: a line that has begun must end within `line` seconds, a message must come with `rate`
octets a second. So one octet now and then keeps nobody here (slowloris).
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from pymaild.dialogue import Pump, Session, Then
from pymaild.envelope import Client
from pymaild.servers import log
from pymaild.servers.limits import Timeouts
from pymaild.servers.parking import Parking
from pymaild.servers.stream import Stream

_LONGEST_LINE = 64 << 20  # octets of one line that are skipped before patience ends

_LINES = (Then.COMMAND, Then.LINE, Then.IDLE)
_BULK = (Then.MESSAGE, Then.OCTETS)


@dataclass(frozen=True, slots=True)
class Manner:
    """What the connections of one listener have in common."""

    name: str  # of the listener in [listen]
    timeouts: Timeouts
    parking: Parking
    context: ssl.SSLContext | None = None
    tls_first: bool = False  # TLS from the first octet
    login_needed: bool = False
    patient: bool = False  # an IMAP client that has logged in may be silent for half an hour
    fault: bytes = b"421 4.3.0 The server has a problem with this command. Try again later\r\n"


class Connection:
    """From the accepted socket to its end."""

    __slots__ = (
        "_closed", "_listens", "_manner", "_on_close", "_opened", "_pump", "_skipped", "_stopping", "changed", "client",
        "deadline", "session", "stream",
    )  # fmt: skip

    def __init__(
        self, stream: Stream, session: Session, client: Client, manner: Manner, on_close: Callable[[Connection], None]
    ) -> None:
        self.stream, self.session, self.client = stream, session, client
        self._manner, self._on_close = manner, on_close
        self._pump = Pump(session)
        self._opened = time.monotonic()
        self._skipped = 0  # octets since the last answer
        self._stopping = self._closed = self._listens = False
        self.changed = False  # its mailbox changed and it has not been told
        self.deadline = self._opened + manner.timeouts.handshake

    # ---- entries: each is called in a thread that is the connection's own until it returns

    def start(self) -> None:
        """Handshake, greeting, and on."""
        log.event("connect", session=self.client.session_id, listener=self._manner.name, ip=self.client.ip)
        self._guarded(self._greet)

    def resume(self, readable: bool) -> None:
        """Go on after the parking lot."""
        self._guarded(partial(self._converse, readable))

    def _guarded(self, step: Callable[[], str]) -> None:
        """The only place that meets errors nobody expected. An empty reason to end: it is parked, and another's."""
        try:
            reason = step()
        except OSError as error:
            reason = f"lost: {error}" if str(error) else "lost"
        except Exception as error:
            log.failure(error, session=self.client.session_id)
            self._apologise()
            reason = "fault"
        if reason:
            self._close(reason)

    def _apologise(self) -> None:
        """Something broke: the peer may try again later, and this connection ends."""
        try:
            self.stream.send([self._manner.fault])
        except OSError:
            return

    # ---- the conversation

    def _greet(self) -> str:
        if self._manner.tls_first:
            self._handshake()
        self._send(self._pump.start())
        return self._converse()

    def _converse(self, readable: bool = False) -> str:
        """Read and answer until there is silence or an end; why it ended, or nothing when it is parked.

        Who can be told of news is parked at once, unless there is something to read: the thread does not wait for a moment.
        """
        while True:
            if reason := self._follow_up():
                return reason
            parks = self.wakeable() and not (readable or self.stream.pending)
            block = None if parks else self.stream.receive()
            readable = False
            if block is None:
                if time.monotonic() >= self.deadline:
                    self._send(self._pump.say(self.session.timed_out()))
                elif not self.stream.pending and self._manner.parking.park(self):
                    return ""
            elif block:
                self._take(block)
            else:
                return "peer closed"

    def _follow_up(self) -> str:
        """What the last answer asks for besides the next octets; a reason when it was the last one."""
        then = self._pump.then
        if then is Then.TLS:
            self._pump.tls_started(self._handshake())
            self._be_patient()
        elif then is Then.COMPRESS:
            self.stream.start_deflate()
            self._take(self._pump.compressed())
            return self._follow_up()
        elif self.changed and self.wakeable():
            self.changed = False
            self._send(self._pump.wake())
        if self._stopping and self._pump.then in (Then.COMMAND, Then.IDLE):
            self._send(self._pump.say(self.session.shutting_down()))
        return "bye" if self._pump.then is Then.CLOSE else ""

    def _handshake(self) -> str:
        if self._manner.context is None:
            raise ConnectionError("no certificate")
        description = self.stream.start_tls(self._manner.context)
        log.event("tls", "debug", session=self.client.session_id, agreed=description)
        if self._manner.tls_first:
            self.session.tls_started(description)
        return description

    def _take(self, block: bytes) -> None:
        """Feed the session, send its answers."""
        for piece in self.stream.inflated(block):
            if self._send(self._pump.feed(piece)):
                self._skipped = 0
                continue
            self._skipped += len(piece)
            if self._pump.then in _LINES and self._skipped > _LONGEST_LINE:
                raise ConnectionError("a line without end")
            self._be_strict(len(piece))

    def _send(self, pieces: Iterable[bytes]) -> int:
        before = self.client.account
        sent = self.stream.send(pieces)
        if sent:
            self._be_patient()
        if before and not self.client.account:
            self._opened = time.monotonic()  # IMAP UNAUTHENTICATE: time for another login
        elif self.client.account != before:
            log.event("login", session=self.client.session_id, account=self.client.account, ip=self.client.ip)
        return sent

    # ---- patience

    def _be_patient(self) -> None:
        """An answer went out: time for what comes next."""
        timeouts, now = self._manner.timeouts, time.monotonic()
        if self._pump.then in _BULK:
            self.deadline = now + timeouts.block
        elif self._manner.patient and self.client.account:
            self.deadline = now + timeouts.idle
        else:
            self.deadline = now + timeouts.command
        self._hurry_login()

    def _be_strict(self, received: int) -> None:
        """Octets came, but nothing that could be answered."""
        timeouts, now = self._manner.timeouts, time.monotonic()
        if self._pump.then in _BULK:
            self.deadline = min(now + timeouts.block, self.deadline + received / timeouts.rate)
        else:
            self.deadline = min(self.deadline, now + timeouts.line)
        self._hurry_login()

    def _hurry_login(self) -> None:
        if self._manner.login_needed and not self.client.account:
            self.deadline = min(self.deadline, self._opened + self._manner.timeouts.login)

    # ---- for the parking lot and the server

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self.stream.sock.fileno()

    def wakeable(self) -> bool:
        """Whether the session may be told of changes now: in IDLE, and between two commands after NOTIFY. RFC 5465 §3.1."""
        then = self._pump.then
        return then is Then.IDLE or (then is Then.COMMAND and self._listens and self.session.listening)  # type: ignore[attr-defined]

    def listen_for_changes(self) -> None:
        """Have the session say, from any thread, when its mailbox changed, and in this one how far a command is."""
        self._listens = True
        self.session.on_change = lambda: self._manner.parking.wake(self)  # type: ignore[attr-defined]
        self.session.on_progress = self._say_now  # type: ignore[attr-defined]

    def _say_now(self, line: bytes) -> None:
        """A peer that is gone is noticed when the answer goes out."""
        with suppress(OSError):
            self.stream.send_now(line)

    def stop(self) -> None:
        """Say farewell as soon as the command under way is done; a parked connection is sent on by its parking lot."""
        self._stopping = True

    def abort(self) -> None:
        """End it now, whatever it does."""
        try:
            self.stream.sock.shutdown(2)
        except OSError:
            return

    def _close(self, reason: str) -> None:
        self._closed = True
        try:
            self.session.closed()
        except Exception as error:
            log.failure(error, session=self.client.session_id)
        self.stream.close(politely=reason in ("bye", "fault"))
        seconds = round(time.monotonic() - self._opened, 3)
        log.event("disconnect", session=self.client.session_id, account=self.client.account, reason=reason, seconds=seconds)
        self._on_close(self)
