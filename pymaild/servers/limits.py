"""How long a peer may take, and how much one may have. RFC 5321 §4.5.3.2, RFC 9051 §5.4."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. Tests use small ones; people get those of the RFCs."""

    moment: float = 0.5  # silence after which a connection gives its thread back
    handshake: float = 30  # a TLS handshake, from its first octet to its last
    login: float = 60  # from the connection to a login, where one is needed
    command: float = 300  # the next command (RFC 5321 §4.5.3.2.7)
    idle: float = 1860  # the next command of an IMAP client that has logged in: 30 minutes and some (RFC 9051 §5.4)
    line: float = 60  # the rest of a line that has begun
    block: float = 180  # the next octets of a message or literal (RFC 5321 §4.5.3.2.5)
    rate: float = 500  # octets per second that a message or literal makes at least, measured over `block`
    write: float = 120  # until the peer has taken the next 64 KiB of what it asked for
    linger: float = 2  # for a peer to read our last words


@dataclass(frozen=True, slots=True)
class Caps:
    """Connections at a time, over all processes."""

    connections: int = 2000
    per_address: int = 100
    per_account: int = 50


LOOPBACK = ("127.", "::1")


def is_loopback(ip: str) -> bool:
    """Whether the peer is on this machine; a unix socket's peer is."""
    return not ip or ip.startswith(LOOPBACK)
