"""Drives the dialogues of smtp/client.py over a wire: writes, reads answers, keeps the times of RFC 5321 §4.5.3.2.

Each answer has the time of its phase from its first to its last octet, and the whole attempt has a time of its own: a
server that sends an octet now and then gains nothing. An answer that comes before it was asked for is never taken for a
yes; a refusal that comes while the message is still being written is one, and the rest is not written.
"""

from __future__ import annotations

import secrets
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from pymaild.outbound.destination import Level, TlsPolicy
from pymaild.outbound.route import Host
from pymaild.outbound.wire import BLOCK, Lost, Wire
from pymaild.smtp.answer import Answer, Answers, Garbled
from pymaild.smtp.client import Client, Dialogue, Phase, Turn

Returned = TypeVar("Returned")
Trace = Callable[[str], object]
_JUST = 0.1  # seconds
MASK = b"{credentials}"  # as in `serve --trace`


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that are waited. RFC 5321 §4.5.3.2 gives each its least; `attempt` bounds all of them together."""

    connect: float = 30
    handshake: float = 60
    greeting: float = 300
    command: float = 300  # EHLO, STARTTLS, AUTH, MAIL, RCPT, RSET
    data: float = 120  # the answer to DATA
    block: float = 180  # 64 KiB of the message are taken
    end: float = 600  # the answer to the end of the message
    quit: float = 2  # longer than that nobody has to say goodbye
    attempt: float = 3600

    def of(self, phase: Phase) -> float:
        """How long the answer of a phase may take."""
        match phase:
            case Phase.GREETING:
                return self.greeting
            case Phase.DATA:
                return self.data
            case Phase.END | Phase.CHUNK:
                return self.end
            case Phase.QUIT:
                return self.quit
        return self.command


class Connection:
    """One connection to one address of a host, and how it is protected."""

    def __init__(self, wire: Wire, client: Client, patience: Patience, trace: Trace | None = None) -> None:
        self.client, self.patience = client, patience
        self.host = Host("")
        self.ip = ""
        self.policy = TlsPolicy(Level.NONE)
        self.tls = ""
        self.verified = ""
        self.is_broken = False  # nothing more can be said on it
        self.is_reused = False
        self.messages = 0
        self.idle_since = 0.0
        self.deadline = float("inf")  # of the attempt that uses it
        self._wire = wire
        self._answers = Answers()
        self._trace, self._id = trace, secrets.token_hex(4) if trace else ""

    # ---- dialogues

    def run(self, dialogue: Dialogue[Returned]) -> Returned:
        """To its end. Raises Lost when the connection is, and whatever the dialogue raises."""
        try:
            turn = next(dialogue)
            while True:
                turn = dialogue.send(self._take(turn))
        except StopIteration as done:
            result: Returned = done.value
            return result
        except Garbled as error:
            self.is_broken = True
            raise Lost("4.5.0", str(error)) from error

    def _take(self, turn: Turn) -> Answer:
        """One turn; what goes wrong inside it leaves the connection between two commands, so it is over then."""
        try:
            if turn.data:
                self._write(turn)
            answer = self._read(turn.phase)
        except _Early as early:
            self.is_broken = True
            answer = early.answer
        except BaseException:
            self.is_broken = True
            raise
        self.is_broken = self.is_broken or answer.code == 421
        return answer

    # ---- out

    def _write(self, turn: Turn) -> None:
        if self._answers.pending:
            raise _Early(self._refusal(turn.phase))
        first = True
        for piece in turn.data:
            if self._trace:
                self._tell("C", MASK + b"\r\n" if turn.is_secret else piece)
            view = piece if len(piece) <= BLOCK else memoryview(piece)
            for start in range(0, len(piece), BLOCK):
                if not first:
                    self._listen(turn.phase)
                first = False
                self._send(view[start : start + BLOCK] if len(piece) > BLOCK else piece, turn.phase)

    def _send(self, data: bytes | memoryview, phase: Phase) -> None:
        try:
            self._wire.send(data, min(self.patience.block, self.deadline - time.monotonic()))
        except Lost as lost:
            refusal = self._last_words(phase)
            if refusal is None:
                raise Lost(lost.status, f"{lost.text} while it {phase.value}") from lost
            raise _Early(refusal) from lost

    def _listen(self, phase: Phase) -> None:
        """Whether the server has something to say while a long message is written."""
        block = self._wire.receive(0)
        if block is not None:
            self._heard(block, phase)
            raise _Early(self._refusal(phase))

    def _refusal(self, phase: Phase) -> Answer:
        """An answer that nobody has asked for yet: only a refusal is believed."""
        answer = self._read(phase)
        if answer.code < 400:
            raise Lost("4.5.0", "It answers before it is asked")
        return answer

    def _last_words(self, phase: Phase) -> Answer | None:
        """What the server said before it hung up on us."""
        try:
            while (block := self._wire.receive(0)) is not None:
                self._heard(block, phase)
                if (answer := self._answers.next()) is not None:
                    return answer if answer.code >= 400 else None
        except (Lost, Garbled):
            return None
        return None

    # ---- in

    def _read(self, phase: Phase) -> Answer:
        """The next answer, whole."""
        answer = self._answers.next()
        deadline = 0.0
        while answer is None:
            now = time.monotonic()
            deadline = deadline or min(now + self.patience.of(phase), self.deadline)
            block = self._wire.receive(deadline - now) if now < deadline else None
            if block is None:
                raise Lost("4.4.2", f"The server gave no answer in time while it {phase.value}")
            self._heard(block, phase)
            answer = self._answers.next()
        return answer

    def _heard(self, block: bytes, phase: Phase) -> None:
        if not block:
            raise Lost("4.4.2", f"The server closed the connection while it {phase.value}")
        if self._trace:
            self._tell("S", block)
        self._answers.feed(block)

    # ---- layers and the end

    def shake_hands(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        """TLS from here on. Octets that came behind the 220 in clear are somebody else's: Lost. RFC 3207 §4.2."""
        if self._answers.pending:
            self.is_broken = True
            raise Lost("4.7.0", "Somebody put words into the server's mouth before TLS began")
        patience = min(self.patience.handshake, self.deadline - time.monotonic())
        tls = self._wire.start_tls(context, self.host.name, patience)
        self.tls = _description(tls)
        if self._trace:
            self._trace(f"-- TLS {self._id} --\n")
        return tls

    @property
    def is_alive(self) -> bool:
        """Whether an idle connection is still there, and silent as it should be; one that was just used is not asked."""
        if self.is_broken or self._answers.pending:
            return False
        try:
            return time.monotonic() - self.idle_since < _JUST or self._wire.receive(0) is None
        except Lost:
            return False

    def close(self, politely: bool = True) -> None:
        """Say QUIT where that can still be said; never waits for long, never raises."""
        if politely and not self.is_broken:
            self.deadline = time.monotonic() + self.patience.quit
            with suppress(Lost):
                self.run(self.client.quit())
        self.is_broken = True
        self._wire.close()

    def _tell(self, who: str, octets: bytes) -> None:
        if self._trace is None:
            return
        for line in octets.decode("utf-8", "backslashreplace").removesuffix("\r\n").split("\r\n"):
            shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
            self._trace(f"{self._id} {who}: {shown}\n")


class _Early(Exception):
    """The server refused before all was written: nothing more can be written."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.text)
        self.answer = answer


def _description(tls: ssl.SSLSocket) -> str:
    cipher = tls.cipher()
    return f"{tls.version()} {cipher[0] if cipher else ''}"
