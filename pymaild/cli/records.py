"""The DNS records a domain needs, as lines of a zone file: NAME TTL IN TYPE DATA, with a comment above each."""

from __future__ import annotations

from collections.abc import Iterable

from pymaild.accounts.names import shown_domain
from pymaild.cli.keys import DkimKey
from pymaild.config import Config, Endpoint

_TTL = 3600
_SERVICES = (  # listener, name of the service (RFC 6186 §3.1, §3.2; RFC 8314 §5.1)
    ("submissions", "_submissions"),
    ("submission", "_submission"),
    ("imaps", "_imaps"),
    ("imap", "_imap"),
)


def zone(config: Config, domain: str, keys: Iterable[DkimKey]) -> str:
    """The records of one domain."""
    host = config.server.hostname
    lines = [
        f"; DNS records for {shown_domain(domain)}. Put them into its zone; a web form has a field for each part.",
        "",
        "; Mail for the domain goes to this server (RFC 5321 §5.1).",
        _line(domain, "MX", f"10 {host}."),
        "; Where this server is. Put its public address in place of 192.0.2.1 and take the ; away (IPv6: an AAAA record).",
        ";" + _line(host, "A", "192.0.2.1"),
        "; Only this server sends mail of the domain (SPF, RFC 7208).",
        _line(domain, "TXT", text("v=spf1 mx -all")),
    ]
    for key in keys:
        lines += [
            "; The public key that proves its signatures (DKIM, RFC 6376).",
            _line(f"{key.selector}._domainkey.{domain}", "TXT", text(key.record)),
        ]
    lines += [
        "; What others do with mail that fails both, and where they report to (DMARC, RFC 9989).",
        _line(f"_dmarc.{domain}", "TXT", text(f"v=DMARC1; p=quarantine; rua=mailto:postmaster@{domain}")),
    ]
    for listener, service in _SERVICES:
        endpoints: tuple[Endpoint, ...] = getattr(config.listen, listener)
        ports = [endpoint.port for endpoint in endpoints if endpoint.port]
        if ports:
            lines += [
                f"; Mail programs find {listener} by themselves (RFC 6186, RFC 8314).",
                _line(f"{service}._tcp.{domain}", "SRV", f"0 1 {ports[0]} {host}."),
            ]
    return "\n".join(lines)


def _line(name: str, kind: str, data: str) -> str:
    return f"{name}. {_TTL} IN {kind} {data}"


def text(value: str) -> str:
    """A TXT record's strings: 255 octets at most each. RFC 1035 §3.3.14, RFC 6376 §3.6.2.2."""
    return " ".join(f'"{value[start : start + 255]}"' for start in range(0, len(value), 255))
