"""The words of outgoing mail: what waits in the queue, what is sent in one go, what came of it, and who does it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol

from pymaild.envelope import Address, Recipient

LOCAL = "local"  # the route of people who live here and could not be delivered to at once


class Kind(Enum):
    """What an attempt came to for one recipient. RFC 5321 §4.2.1: 2yz, 4yz, 5yz."""

    SENT = "sent"
    DEFERRED = "deferred"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Result:
    """The end of one attempt for one recipient."""

    kind: Kind
    status: str  # RFC 3463
    text: str  # the remote's words, one line per line of its reply; ours when nobody answered
    code: int = 0  # the remote's reply code; 0: nobody answered, and `text` is ours
    host: str = ""  # the name of the server that was spoken to
    ip: str = ""
    tls: str = ""  # "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty in clear
    verified: str = ""  # how the server's certificate was checked: "dane", "mta-sts", "pkix"; empty: it was not
    reports: bool = False  # the server took over the report of success (it offers DSN). RFC 3461 §5.2.1
    at: float = 0.0  # seconds since 1970 UTC

    @property
    def final(self) -> bool:
        """Whether there is nothing left to try."""
        return self.kind is not Kind.DEFERRED


@dataclass(slots=True)
class Addressee:
    """One recipient of a queued message."""

    recipient: Recipient
    route: str  # the domain it is sent to, or LOCAL: what is sent in one transaction has one route
    attempts: int = 0
    next_try: float = 0.0  # seconds since 1970 UTC
    last: Result | None = None
    delay_told: bool = False  # the author knows that it takes long
    number: int = 0  # the queue's own


@dataclass(slots=True)
class Job:
    """A message and those of its recipients that share a route: what one attempt is about."""

    id: str  # the queue's; the envelope's message_id, so that the journey has one name
    account: str  # whose mail it is; empty: a forward or a report of the server itself
    reverse_path: Address | None  # None: the null reverse-path
    addressees: list[Addressee]
    path: Path  # the message as it goes out: trace and signatures on top, CRLF line ends
    size: int  # octets of that file
    created: float  # seconds since 1970 UTC: what give_up_after counts from
    body: str = "7BIT"  # 7BIT, 8BITMIME
    smtputf8: bool = False  # RFC 6531
    require_tls: bool = False  # RFC 8689
    ret: str = ""  # RFC 3461 §4.3
    envid: str = ""  # RFC 3461 §4.4
    details: dict[str, str] = field(default_factory=dict)  # "trace": octets this server put on top of the message
    outbox: str = ""  # its copy in the account's Outbox: "uidvalidity uid"

    @property
    def route(self) -> str:
        """Where all of it goes."""
        return self.addressees[0].route


@dataclass(frozen=True, slots=True)
class Order:
    """What a message in the queue wants besides its envelope."""

    account: str = ""  # whose it is; empty: a forward, or a report of the server itself
    not_before: float = 0.0  # seconds since 1970 UTC: RFC 4865, undo, send later
    hold: str = ""  # why it waits for somebody's decision; empty: it does not
    require_tls: bool = False  # RFC 8689
    written_as: str = ""  # its Message-ID: what comes back is tied to it
    forwarded: str = ""  # the address here that it came to and goes on from
    details: dict[str, str] | None = None


class Courier(Protocol):
    """Carries one job to where it goes."""

    def send(self, job: Job) -> list[Result]:
        """One result per addressee, in their order. Blocks as long as RFC 5321 §4.5.3.2 lets it."""
