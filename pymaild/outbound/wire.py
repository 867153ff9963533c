"""A socket to another server: connect, send, receive, TLS; every fault is a Lost. RFC 5321 §4.5.3.2."""

from __future__ import annotations

import errno
import math
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from pymaild.status import MailError

BLOCK = 65_536


class Lost(MailError):
    """The connection is gone or worth nothing: 4.4.1 nobody answers, 4.4.2 it broke, 4.5.0 no SMTP. RFC 3463 §3.5."""


class NoTls(Exception):
    """The handshake failed. `failure` is a result type of RFC 8460 §4.3."""

    def __init__(self, failure: str, text: str) -> None:
        super().__init__(text)
        self.failure, self.text = failure, text


class Wire(Protocol):
    """What a connection talks through."""

    def send(self, data: bytes | memoryview, timeout: float) -> None:
        """All of it. Raises Lost."""

    def receive(self, timeout: float) -> bytes | None:
        """Some octets; b"" at the end; None: nothing came in time. Raises Lost."""

    def start_tls(self, context: ssl.SSLContext, name: str, timeout: float) -> ssl.SSLSocket:
        """Shake hands as a client that calls the server by this name. Raises NoTls."""

    def close(self) -> None:
        """Hang up."""


# ip, port, our own addresses, seconds -> Wire; raises Lost (4.4.1)
Connect = Callable[[str, int, Sequence[str], float], Wire]


class SocketWire:
    """A Wire over TCP."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what is sent is whole; waiting would only hurt
        self._sock = sock
        self._timeout = -1.0  # that the socket has

    def _within(self, timeout: float) -> None:
        """Set the socket's timeout, in whole seconds where those do: most often it has it already."""
        timeout = float(math.ceil(timeout)) if timeout > 10 else max(timeout, 0.0)
        if timeout != self._timeout:
            self._sock.settimeout(timeout)
            self._timeout = timeout

    def send(self, data: bytes | memoryview, timeout: float) -> None:
        """All of it, within the time; a peer that reads too slowly is lost."""
        try:
            self._within(max(timeout, 0.001))
            self._sock.sendall(data)  # one deadline for all of it
        except OSError as error:
            raise _lost(error) from error

    def receive(self, timeout: float) -> bytes | None:
        """What there is, or what comes within the time."""
        try:
            self._within(timeout)
            return self._sock.recv(BLOCK)
        except (TimeoutError, BlockingIOError, ssl.SSLWantReadError):
            return None
        except OSError as error:
            raise _lost(error) from error

    def start_tls(self, context: ssl.SSLContext, name: str, timeout: float) -> ssl.SSLSocket:
        """Shake hands, within the time."""
        self._within(max(timeout, 0.001))
        try:
            tls = context.wrap_socket(self._sock, server_hostname=name, do_handshake_on_connect=False)
            self._sock = tls
            tls.do_handshake()
        except ssl.SSLCertVerificationError as error:
            raise NoTls(_certificate_failure(error), f"Its certificate is not good: {error.verify_message}") from error
        except (OSError, ValueError) as error:
            raise NoTls("validation-failure", f"The TLS handshake failed: {_reason(error)}") from error
        return tls

    def close(self) -> None:
        """Hang up."""
        with suppress(OSError):
            self._sock.close()


def connect(ip: str, port: int, source: Sequence[str], timeout: float) -> Wire:
    """A connection from the source address of the right family, if there is one. Raises Lost."""
    family = ":" in ip
    local = next(((address, 0) for address in source if (":" in address) is family), None)
    try:
        return SocketWire(socket.create_connection((ip, port), max(timeout, 0.001), local))
    except OSError as error:
        raise Lost("4.4.1", f"No connection: {_connect_reason(error)}") from error


_CONNECT_REASONS = {
    errno.ECONNREFUSED: "nothing listens there (connection refused)",
    errno.ENETUNREACH: "this machine has no way to that network",
    errno.EHOSTUNREACH: "no way leads to that host",
    errno.EADDRNOTAVAIL: "this machine has no such address to send from",
    errno.ECONNRESET: "it hung up at once",
}


def _connect_reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "nobody answered in time"
    return _CONNECT_REASONS.get(error.errno or 0) or _reason(error)


def _lost(error: OSError) -> Lost:
    if isinstance(error, TimeoutError):
        return Lost("4.4.2", "The server does not read what it is sent")
    return Lost("4.4.2", "The connection broke")


def _reason(error: Exception) -> str:
    """OpenSSL's or the system's own short words."""
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return (getattr(error, "strerror", None) or type(error).__name__).lower()


# OpenSSL's X509_V_ERR_ codes. RFC 8460 §4.3.2.
_EXPIRED = (9, 10)
_OTHER_NAME = (62, 64)


def _certificate_failure(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _EXPIRED:
        return "certificate-expired"
    return "certificate-host-mismatch" if error.verify_code in _OTHER_NAME else "certificate-not-trusted"
