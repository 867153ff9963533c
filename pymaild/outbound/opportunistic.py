"""Security without a memory or DNS: TLS where it is offered; checked only where a login or REQUIRETLS depends on it."""

from __future__ import annotations

import ipaddress
import ssl
import threading

from pymaild.outbound.destination import Level, TlsPolicy, TlsResult
from pymaild.outbound.route import Host, Route


class Opportunistic:
    """A destination.Security. RFC 7435; RFC 8314 §3 for a smarthost; RFC 8689 §4.2."""

    def __init__(self, authorities: str | None = None) -> None:
        self._authorities = authorities  # a file of certificates besides the system's
        self._contexts: dict[bool, ssl.SSLContext] = {}
        self._lock = threading.Lock()

    def policy(self, _route: Route, host: Host, require_tls: bool) -> TlsPolicy:
        """A password and a message that asks for it only go to a host that has proved its name."""
        if require_tls or (host.login and not is_loopback(host.name)):
            return TlsPolicy(Level.PKIX, (host.name,), why="pkix")
        return TlsPolicy(Level.MAY)

    def context(self, policy: TlsPolicy) -> ssl.SSLContext:
        """Two contexts, each made when it is first needed: reading the authorities takes a while."""
        checks = policy.level >= Level.PKIX
        with self._lock:
            if checks not in self._contexts:
                self._contexts[checks] = _context(checks, self._authorities)
            return self._contexts[checks]

    def verify(self, _tls: ssl.SSLSocket, _host: Host, policy: TlsPolicy) -> str:
        """The handshake did it: its context checks the name too."""
        return policy.why if policy.level >= Level.PKIX else ""

    def report(self, route: Route, host: Host, policy: TlsPolicy, result: TlsResult) -> None:
        """Nobody asks."""


def _context(checks: bool, authorities: str | None) -> ssl.SSLContext:
    if checks:
        context = ssl.create_default_context()
        if authorities:
            context.load_verify_locations(authorities)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996
    return context


def is_loopback(address: str) -> bool:
    """Whether what is sent there never leaves the machine."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
