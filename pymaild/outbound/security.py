"""How safely a host must be talked to: DANE before MTA-STS before what it could do before. destination.Security.

DNSSEC names its certificate        DANE (RFC 7672): that one, or the message waits
the domain has an MTA-STS policy    enforce (RFC 8461): a certificate for its name, and only hosts the policy names
REQUIRETLS, or a smarthost's login  a certificate for its name
TLS worked lately                   TLS, whoever shows it: no silent way back to clear text
otherwise                           TLS if it can (RFC 7435)
"""

from __future__ import annotations

import ssl
from dataclasses import replace

from pymaild.outbound import dane
from pymaild.outbound.destination import Level, TlsPolicy, TlsResult
from pymaild.outbound.memory import Memory
from pymaild.outbound.mtasts import Policies, Policy
from pymaild.outbound.opportunistic import Opportunistic, is_loopback
from pymaild.outbound.route import Host, Route
from pymaild.status import MailError
from pymaild.verify.resolver import Resolver, Tlsa

_TESTING = "mta-sts testing"
_REPORTED_AS = {"dane": "tlsa", "mta-sts": "sts", _TESTING: "sts"}  # RFC 8460 §4.4


class NotInPolicy(MailError):
    """RFC 8461 §5: the domain's policy does not name this server."""

    def __init__(self, host: str) -> None:
        super().__init__("4.7.5", f"The domain's MTA-STS policy does not name {host} among its mail servers")


class Secured(Opportunistic):
    """With a memory and the DNS. One for all threads."""

    def __init__(self, resolver: Resolver, policies: Policies, memory: Memory, authorities: str | None = None) -> None:
        super().__init__(authorities)
        self._resolver, self._policies, self._memory = resolver, policies, memory

    def policy(self, route: Route, host: Host, require_tls: bool) -> TlsPolicy:
        """Asked before each connection. Raises MailError when the host may not be used."""
        if route.configured:
            return super().policy(route, host, require_tls)
        records = dane.records(self._resolver, host.name, host.port) if host.secure else None
        if records is not None:
            return self._by_dane(route, host, records, require_tls)
        sts = self._policies.of(route.domain) if not route.domain.startswith("[") else None
        if sts is not None and sts.mode != "none":
            return self._by_sts(host, sts, require_tls)
        if require_tls:
            return self._required(host)
        if self._memory.insists(host.name) and not is_loopback(host.name):
            return TlsPolicy(Level.ENCRYPT, why="")
        return TlsPolicy(Level.MAY)

    def _by_dane(self, route: Route, host: Host, records: tuple[Tlsa, ...], require_tls: bool) -> TlsPolicy:
        """Records that nobody can use still demand encryption. RFC 7672 §2.2."""
        usable = dane.usable(records)
        if not usable:
            return self._required(host) if require_tls else TlsPolicy(Level.ENCRYPT, why="")
        names = tuple(dict.fromkeys((host.name, route.domain)))  # §3.2.2
        return TlsPolicy(Level.DANE, names, tuple(map(dane.shown, usable)), "dane")

    def _by_sts(self, host: Host, sts: Policy, require_tls: bool) -> TlsPolicy:
        if not sts.allows(host.name) and (sts.mode == "enforce" or require_tls):
            raise NotInPolicy(host.name)
        if sts.mode == "enforce" or require_tls:
            return TlsPolicy(Level.PKIX, (host.name,), why="mta-sts")
        return TlsPolicy(Level.MAY, (host.name,), why=_TESTING)

    def _required(self, host: Host) -> TlsPolicy:
        """The name of the server must be as sure as its certificate. RFC 8689 §4.2."""
        if not host.secure:
            text = "The message demands a safe way, and the domain does not say in a safe way which its mail servers are"
            raise MailError("5.7.30", text)
        return TlsPolicy(Level.PKIX, (host.name,), why="pkix")

    def context(self, policy: TlsPolicy) -> ssl.SSLContext:
        """DANE is checked by hand, after the handshake."""
        return super().context(TlsPolicy(Level.ENCRYPT) if policy.level is Level.DANE else policy)

    def verify(self, tls: ssl.SSLSocket, host: Host, policy: TlsPolicy) -> str:
        """How the certificate was checked. Raises MailError."""
        if policy.why == _TESTING:
            return "" if dane.path_failure(dane.chain_of(tls), self._roots(), policy.names) else "mta-sts"
        if policy.level is not Level.DANE:
            return super().verify(tls, host, policy)
        why = dane.failure(dane.chain_of(tls), [dane.read(text) for text in policy.tlsa], policy.names)
        if why:
            raise MailError("4.7.5", f"{host.name} is not who DNSSEC says it is (DANE): {why}")
        return "dane"

    def _roots(self) -> list[bytes]:
        """The authorities that are trusted, as DER."""
        return super().context(TlsPolicy(Level.PKIX)).get_ca_certs(binary_form=True)

    def report(self, route: Route, host: Host, policy: TlsPolicy, result: TlsResult) -> None:
        """Remember it, and count it for the domain."""
        if route.configured:
            return
        self._memory.note(host.name, result)
        if policy.why == _TESTING and result.tls and not result.verified:  # it goes on all the same. RFC 8461 §5
            result = replace(result, failure="certificate-not-trusted", text="The certificate does not prove the name")
        self._memory.count(route.domain, _REPORTED_AS.get(policy.why, "no-policy-found"), host.name, result)
