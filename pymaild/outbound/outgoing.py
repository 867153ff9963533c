"""The door of the queue: may it be sent, sign it, put it in, wake whoever sends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from pymaild.envelope import Address, Envelope
from pymaild.message import dkim, fields, trace
from pymaild.outbound.bell import LOOK, Bell
from pymaild.outbound.job import LOCAL, Order
from pymaild.outbound.queue import Queue, Routed
from pymaild.outbound.sign import Keys
from pymaild.outbound.srs import Srs, secret_of
from pymaild.outbound.suppression import NotAgain
from pymaild.smtp import wiretext
from pymaild.status import MailError

MAX_HEADER = 1 << 24
_BLOCK = 1 << 16


class TooMuch(MailError):
    """RFC 3463 X.7.1: more than the account may send within a day."""

    def __init__(self, what: str) -> None:
        text = (
            f"Your account has sent {what} within 24 hours, which is its limit: try again later, or ask who runs the server"
        )
        super().__init__("4.7.1", text, 450)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an account may send within 24 hours; 0: as much as it likes."""

    messages: int = 0
    strangers: int = 0


class Outgoing:
    """One per process. The queue is opened at its first use, so that it is never carried through a fork."""

    def __init__(
        self,
        data_dir: Path,
        run_dir: Path,
        hostname: str,
        allowance: Allowance | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.hostname, self.allowance = hostname, allowance or Allowance()
        self.keys = Keys(data_dir / "dkim")
        self.bell = Bell(run_dir)
        self._folder, self._clock = data_dir / "queue", clock
        self._queue: Queue | None = None
        self._lock = threading.Lock()

    @property
    def queue(self) -> Queue:
        """The queue of this process."""
        with self._lock:
            if self._queue is None:
                self._queue = Queue(self._folder, self._clock)
            return self._queue

    def close(self) -> None:
        """Let go of files and sockets."""
        with self._lock:
            if self._queue:
                self._queue.close()
                self._queue = None
        self.bell.close()

    # ---- may it be sent

    def recipient(self, envelope: Envelope, address: Address) -> None:
        """Whether the account may write to one more address of another server. Raises TooMuch, NotAgain."""
        account, allowed = envelope.client.account, self.allowance
        row = self.queue.suppressed(account, str(address)) if account else None
        if row:
            raise NotAgain(row)
        if not account or not (allowed.messages or allowed.strangers):
            return
        used = self.queue.allowance(account)
        if allowed.messages and used.messages >= allowed.messages:
            raise TooMuch(f"{used.messages} messages")
        if allowed.strangers:
            addresses = [str(recipient.address) for recipient in envelope.recipients] + [str(address)]
            new = self.queue.strangers(account, addresses)
            if new and used.strangers + new > allowed.strangers:
                raise TooMuch(f"mail to {used.strangers} people it had never written to before")

    # ---- mail that is forwarded

    @cached_property
    def _srs(self) -> Srs:
        return Srs(secret_of(self._folder.parent), self._clock)

    def rewritten(self, sender: Address, domain: str) -> Address:
        """The sender's address as one of `domain`."""
        return self._srs.forward(sender, domain)

    def restored(self, address: Address) -> Address | None:
        """Whose address was rewritten; None: it is no rewritten one."""
        return self._srs.reverse(address)

    # ---- put it in

    def take(self, envelope: Envelope, routes: Routed, message: BinaryIO, order: Order) -> None:
        """Into the queue, durable on return. Mail of our own people is signed. Raises MailError."""
        now = self._clock()
        only = routes[0][0].address if len(routes) == 1 else None
        top = trace.delivered_to(order.forwarded) if order.forwarded else b""
        top += trace.received(envelope, self.hostname, now, only)
        if order.account and any(route != LOCAL for _, route in routes):
            top += self._signatures(message, now)
        if order.account:
            order = replace(order, written_as=_message_id(message))
        message.seek(0)
        self.queue.add(envelope, routes, message, order, top)
        self.bell.ring(LOOK)

    def _signatures(self, message: BinaryIO, now: float) -> bytes:
        """DKIM-Signature fields for the domain of the message's first author. RFC 6376 §5."""
        authors = trace.authors(message)
        header = trace.header_block(message, MAX_HEADER)
        if not authors or header is None:
            return b""
        try:
            keys = self.keys.of(authors[0].domain)
        except (OSError, ValueError) as error:
            text = "The server cannot read the key that signs mail of your domain: tell who runs it"
            raise MailError("4.3.5", text) from error
        message.seek(len(header))
        return dkim.signatures(header, wiretext.canonical(_blocks(message)), keys, int(now))


def _message_id(message: BinaryIO) -> str:
    """What a report will call it. RFC 5322 §3.6.4."""
    bodies = fields.bodies(trace.header_block(message, MAX_HEADER) or b"", "message-id")
    return bodies[0].strip().decode("ascii", "replace")[:1000] if len(bodies) == 1 else ""


def _blocks(message: BinaryIO) -> Iterator[bytes]:
    while block := message.read(_BLOCK):
        yield block
