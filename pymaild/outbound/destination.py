"""How safely a host must be talked to, in words; and what a Relay asks of those who know.

Router.find("example.net")          -> Route: hosts in the order in which to try them
Security.policy(route, host, ...)   -> TlsPolicy: what the host must show before it gets mail
Security.context(policy), .verify   -> used in the handshake
Security.report(...)                <- what came of it
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from pymaild.outbound.route import Host, Route


class Level(IntEnum):
    """What TLS a host must show; each asks for more than the one before."""

    NONE = 0  # TLS is not tried
    MAY = 1  # if it can: RFC 7435
    ENCRYPT = 2  # TLS, whoever it is
    PKIX = 3  # a certificate of a known authority for one of the names: MTA-STS (RFC 8461), a smarthost
    DANE = 4  # what DNSSEC says: RFC 7672


@dataclass(frozen=True, slots=True)
class TlsPolicy:
    """What a host must show, and why."""

    level: Level = Level.MAY
    names: tuple[str, ...] = ()  # that the certificate may be for; *.example.net stands for one label more
    tlsa: tuple[str, ...] = ()  # records as DNS shows them: "3 1 1 0123abcd..."
    why: str = ""  # "dane", "mta-sts", "pkix"; empty: nobody asked


@dataclass(frozen=True, slots=True)
class TlsResult:
    """What came of TLS on one connection. `failure` is a result type of RFC 8460 §4.3, empty when all went well."""

    failure: str = ""
    ip: str = ""
    tls: str = ""  # "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty in clear
    verified: str = ""  # what verify() said
    text: str = ""  # more about the failure


class Router(Protocol):
    """Knows where mail for a domain goes."""

    def find(self, domain: str) -> Route:
        """Its hosts, in order. Raises MailError: there is no way, for now or at all."""

    def addresses(self, host: Host, configured: bool = False) -> Sequence[str]:
        """Of one host, in order. Raises MailError."""


class Security(Protocol):
    """Knows what TLS a host must show."""

    def policy(self, route: Route, host: Host, require_tls: bool) -> TlsPolicy:
        """Asked before each connection. Raises MailError when the host may not be used."""

    def context(self, policy: TlsPolicy) -> ssl.SSLContext:
        """What the handshake is made with."""

    def verify(self, tls: ssl.SSLSocket, host: Host, policy: TlsPolicy) -> str:
        """How the certificate was checked: "dane", "mta-sts", "pkix", or "" when it was not. Raises MailError."""

    def report(self, route: Route, host: Host, policy: TlsPolicy, result: TlsResult) -> None:
        """What came of a connection that was made with this policy."""
