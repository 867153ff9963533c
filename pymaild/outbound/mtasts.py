"""MTA-STS: a domain says over HTTPS which servers take its mail, and that they must prove their names. RFC 8461."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

from pymaild.outbound.commit import Commits
from pymaild.status import MailError
from pymaild.verify.resolver import Resolver

SCHEMA = """
CREATE TABLE sts (
    domain TEXT PRIMARY KEY, id TEXT NOT NULL, mode TEXT NOT NULL, mx TEXT NOT NULL, until REAL NOT NULL,
    fetched REAL NOT NULL, tried REAL NOT NULL) WITHOUT ROWID
"""
MOST_OCTETS = 1 << 16  # §3.3
LONGEST_AGE = 31_557_600  # seconds. §3.2
PATIENCE = 60.0  # seconds for all of a fetch. §3.3
REFRESH = 86400.0  # seconds after which a policy is asked for again while it still holds. §10.2
TRY_AGAIN = 300.0  # seconds after a fetch that came to nothing
_ID = re.compile(rb"v=STSv1\s*;(?:.*;)?\s*id=([A-Za-z0-9]{1,32})\s*(?:;.*)?\Z", re.DOTALL)
_MX = re.compile(r"(?:\*\.)?[A-Za-z0-9](?:[A-Za-z0-9\-.]{0,251}[A-Za-z0-9])?\Z")


@dataclass(frozen=True, slots=True)
class Policy:
    """What a domain wants. RFC 8461 §3.2."""

    mode: str  # enforce, testing, none
    mx: tuple[str, ...]
    max_age: int  # seconds

    def allows(self, host: str) -> bool:
        """Whether a mail exchanger is one of those named; *.example.net stands for one label more. §4.1."""
        parent = host.partition(".")[2]
        return any(pattern == host or (pattern.startswith("*.") and pattern[2:] == parent) for pattern in self.mx)


def parse(text: bytes) -> Policy:
    """A policy file. Raises ValueError with what is wrong. §3.2."""
    found: dict[str, list[str]] = {}
    for line in text.decode("utf-8").replace("\r\n", "\n").split("\n"):
        key, colon, value = line.partition(":")
        if colon:
            found.setdefault(key.strip(), []).append(value.strip())
        elif line.strip():
            raise ValueError("a line without a colon")
    mode, age, mx = found.get("mode", [""])[0], found.get("max_age", [""])[0], found.get("mx", [])
    if found.get("version", [""])[0] != "STSv1":
        raise ValueError("the version is not STSv1")
    if mode not in ("enforce", "testing", "none"):
        raise ValueError("the mode is none of enforce, testing and none")
    if not re.fullmatch(r"[0-9]{1,10}", age):
        raise ValueError("max_age is no number of seconds")
    if not all(map(_MX.match, mx)) or (not mx and mode != "none"):
        raise ValueError("mx names no mail servers")
    return Policy(mode, tuple(name.lower() for name in mx), min(int(age), LONGEST_AGE))


# Fetches https://<host>/<path> from an address; what it raises means that there is no policy to be had.
Fetch = Callable[[str, str, str], bytes]


def fetcher(authorities: str | None, port: int = 443) -> Fetch:
    """Fetch with the system's authorities, or those of a file as well. Follows nothing, reads little. §3.3."""

    def fetch(host: str, path: str, ip: str) -> bytes:
        context = ssl.create_default_context()
        if authorities:
            context.load_verify_locations(authorities)
        end = time.monotonic() + PATIENCE
        connection = _Pinned(host, ip, port, context)
        try:
            connection.request("GET", path, headers={"Host": host, "Accept": "text/plain"})
            answer = connection.getresponse()
            if answer.status != http.client.OK:
                raise OSError(f"the answer is {answer.status}, not 200")
            if answer.headers.get_content_type() != "text/plain":
                raise OSError("the policy is not text/plain")
            return _read(answer, end)
        finally:
            connection.close()

    return fetch


def _read(answer: http.client.HTTPResponse, end: float) -> bytes:
    text = b""
    while block := answer.read1(4096):
        text += block
        if len(text) > MOST_OCTETS:
            raise OSError("the policy is too long")
        if time.monotonic() > end:
            raise OSError("the policy comes too slowly")
    return text


class _Pinned(http.client.HTTPSConnection):
    """A connection to an address that was looked at before, for a name that the certificate must have."""

    def __init__(self, host: str, ip: str, port: int, context: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=10, context=context)
        self._ip, self._tls = ip, context

    def connect(self) -> None:
        """To the address, not to whatever the name leads to by now."""
        sock = socket.create_connection((self._ip, self.port), self.timeout)
        self.sock = self._tls.wrap_socket(sock, server_hostname=self.host)


class Policies:
    """The policies of domains, kept as long as they say: who takes away the DNS record changes nothing."""

    def __init__(
        self,
        resolver: Resolver,
        commits: Commits,
        addresses: Callable[[str], list[str]],
        fetch: Fetch,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._resolver, self._commits, self._addresses = resolver, commits, addresses
        self._fetch, self._clock = fetch, clock

    def of(self, domain: str) -> Policy | None:
        """The policy in force; None: there is none. A newer one is fetched when the DNS says that there is one. §5.1."""
        now = self._clock()
        id, known, fetched, tried = self._known(domain, now)
        if known and now - fetched < REFRESH and now - tried < TRY_AGAIN:
            return known
        announced = self._announced(domain)
        stale = announced != id or now - fetched > REFRESH
        if announced and stale and now - tried >= TRY_AGAIN:
            return self._refreshed(domain, announced, now) or known
        return known

    def _known(self, domain: str, now: float) -> tuple[str, Policy | None, float, float]:
        sql = "SELECT id, mode, mx, until, fetched, tried FROM sts WHERE domain = ?"
        row = self._commits.read(sql, (domain,))
        if not row:
            return "", None, 0.0, 0.0
        id, mode, mx, until, fetched, tried = row[0]
        policy = Policy(mode, tuple(mx.split()), int(until - fetched)) if until > now and mode else None
        return (id if policy else ""), policy, fetched, tried

    def _announced(self, domain: str) -> str:
        """The id in the TXT record; empty: there is none, or it cannot be asked for. §3.1."""
        try:
            records = [text for text in self._resolver.txt(f"_mta-sts.{domain}") if text.startswith(b"v=STSv1")]
        except MailError:
            return ""
        found = _ID.match(records[0]) if len(records) == 1 else None
        return found[1].decode("ascii") if found else ""

    def _refreshed(self, domain: str, id: str, now: float) -> Policy | None:
        try:
            host = f"mta-sts.{domain}"
            ip = self._addresses(host)[0]
            policy = parse(self._fetch(host, "/.well-known/mta-sts.txt", ip))
        except (MailError, OSError, ValueError, http.client.HTTPException):
            self._keep("UPDATE sts SET tried = ? WHERE domain = ?", (now, domain))
            self._keep("INSERT OR IGNORE INTO sts VALUES (?, '', '', '', 0, 0, ?)", (domain, now))
            return None
        row = (domain, id, policy.mode, " ".join(policy.mx), now + policy.max_age, now, now)
        self._keep("INSERT OR REPLACE INTO sts VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        return policy

    def _keep(self, sql: str, values: tuple[str | float, ...]) -> None:
        self._commits.run(lambda db: db.execute(sql, values).rowcount)
