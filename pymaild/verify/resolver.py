"""Questions to the domain name system, with a cache; every way they can fail is one of two errors. RFC 1034, RFC 1035.

    NoSuchName   the name does not exist (NXDOMAIN): it will not tomorrow either
    NoAnswer     nobody answered, or with an error: ask again later

A name that exists without records of the kind asked for is an Answer without records. `secure` means: the resolver checked
DNSSEC (the AD bit, RFC 4035 §3.2.3), and it sits on this machine, or the configuration says that the way to it is safe.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pymaild.status import MailError

if TYPE_CHECKING:
    import dns.message
    import dns.rdata
    import dns.resolver

SHORTEST, LONGEST = 5.0, 3600.0  # seconds an answer is kept, whatever its TTL says
_KEPT = 5000  # answers
_UDP_PAYLOAD = 1232  # octets: what no path cuts into pieces

T = TypeVar("T")


class NoSuchName(MailError):
    """RFC 3463 X.1.2: the domain does not exist."""

    def __init__(self, name: str) -> None:
        super().__init__("5.1.2", f"The domain {name} does not exist")
        self.name = name


class NoAnswer(MailError):
    """RFC 3463 X.4.3: the domain name system did not answer."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__("4.4.3", f"The domain name system has no answer about {name}: {why}")
        self.name = name


@dataclass(frozen=True, slots=True)
class Mx:
    """RFC 1035 §3.3.9; `host` without its last dot, empty for the root (RFC 7505)."""

    preference: int
    host: str


@dataclass(frozen=True, slots=True)
class Tlsa:
    """RFC 6698 §2.1."""

    usage: int
    selector: int
    matching: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Answer(Sequence[T]):
    """The records of one kind; a sequence of them."""

    records: tuple[T, ...]
    secure: bool = False
    name: str = ""  # the name they belong to, after CNAMEs
    ttl: float = SHORTEST  # seconds

    def __getitem__(self, index: int) -> T:  # type: ignore[override]  # no slices
        return self.records[index]

    def __len__(self) -> int:
        return len(self.records)


class Resolver:
    """Asks the name servers given, or the system's. Safe for many threads."""

    def __init__(
        self,
        nameservers: Sequence[tuple[str, int]] = (),
        timeout: float = 5.0,
        trusted: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._nameservers, self._timeout = tuple(nameservers), timeout
        self._trusted, self._clock = trusted, clock
        self._cache: OrderedDict[tuple[str, str], tuple[float, Answer[object] | MailError]] = OrderedDict()
        self._lock = threading.Lock()
        self._made: dns.resolver.Resolver | None = None

    # ---- the kinds of records

    def mx(self, domain: str) -> Answer[Mx]:
        """Mail exchangers, as they stand. Raises NoSuchName, NoAnswer, as all of these do."""
        return self._ask(domain, "MX", lambda rdata: Mx(rdata.preference, _name(rdata.exchange)))  # type: ignore[attr-defined]

    def ipv4(self, name: str) -> Answer[str]:
        """A records."""
        return self._ask(name, "A", lambda rdata: str(rdata.address))  # type: ignore[attr-defined]

    def ipv6(self, name: str) -> Answer[str]:
        """AAAA records."""
        return self._ask(name, "AAAA", lambda rdata: str(rdata.address))  # type: ignore[attr-defined]

    def txt(self, name: str) -> Answer[bytes]:
        """TXT records, the strings of each joined. RFC 7208 §3.3."""
        return self._ask(name, "TXT", lambda rdata: b"".join(rdata.strings))  # type: ignore[attr-defined]

    def tlsa(self, name: str) -> Answer[Tlsa]:
        """TLSA records."""
        return self._ask(name, "TLSA", lambda r: Tlsa(r.usage, r.selector, r.mtype, bytes(r.cert)))  # type: ignore[attr-defined]

    def reverse(self, ip: str) -> Answer[str]:
        """The names of an address, by PTR."""
        pointer = ipaddress.ip_address(ip).reverse_pointer
        return self._ask(pointer, "PTR", lambda rdata: _name(rdata.target))  # type: ignore[attr-defined]

    # ---- asking

    def _ask(self, name: str, kind: str, read: Callable[[dns.rdata.Rdata], T]) -> Answer[T]:
        key = (name.lower().rstrip("."), kind)
        with self._lock:
            until, known = self._cache.get(key, (0.0, None))
        if known is None or until < self._clock():
            known = self._answer(key[0], kind, read)
            with self._lock:
                self._cache[key] = (self._clock() + _ttl(known), known)
                self._cache.move_to_end(key)
                while len(self._cache) > _KEPT:
                    self._cache.popitem(last=False)
        if isinstance(known, MailError):
            raise known.with_traceback(None)
        return known  # type: ignore[return-value]  # what was kept under this kind

    def _answer(self, name: str, kind: str, read: Callable[[dns.rdata.Rdata], T]) -> Answer[T] | MailError:
        import dns.exception  # noqa: PLC0415 - a sixth of a second, and most commands ask nothing
        import dns.flags  # noqa: PLC0415
        import dns.resolver  # noqa: PLC0415

        try:
            found = self._resolver().resolve(name, kind, search=False, raise_on_no_answer=False, lifetime=self._timeout)
        except dns.resolver.NXDOMAIN:
            return NoSuchName(name)
        except dns.exception.Timeout:
            return NoAnswer(name, "no name server answered in time")
        except dns.exception.DNSException:
            return NoAnswer(name, "the name servers answer with an error")
        except (OSError, ValueError):  # no network; a name that cannot be one
            return NoAnswer(name, "the question could not be sent")
        secure = bool(found.response.flags & dns.flags.AD) and self._may_trust(found.nameserver or "")
        records = tuple(map(read, found.rrset)) if found.rrset else ()
        ttl = found.rrset.ttl if found.rrset else _negative_ttl(found.response)
        return Answer(records, secure, _name(found.canonical_name), float(ttl))

    def _may_trust(self, nameserver: str) -> bool:
        if self._trusted is not None:
            return self._trusted
        try:
            return ipaddress.ip_address(nameserver).is_loopback
        except ValueError:
            return False

    def _resolver(self) -> dns.resolver.Resolver:
        import dns.flags  # noqa: PLC0415
        import dns.nameserver  # noqa: PLC0415
        import dns.resolver  # noqa: PLC0415

        with self._lock:
            if self._made is None:
                made = dns.resolver.Resolver(configure=not self._nameservers)
                if self._nameservers:
                    made.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in self._nameservers]
                made.use_edns(0, dns.flags.DO, _UDP_PAYLOAD)  # DO: the answer's AD bit counts. RFC 6840 §5.7
                made.flags = dns.flags.RD | dns.flags.AD
                made.timeout = min(2.0, self._timeout)
                made.retry_servfail = False
                self._made = made
            return self._made


def _name(name: object) -> str:
    return str(name).rstrip(".").lower()


def _ttl(known: Answer[T] | MailError) -> float:
    if isinstance(known, Answer):
        return min(max(known.ttl, SHORTEST), LONGEST)
    return 60.0 if isinstance(known, NoSuchName) else SHORTEST


def _negative_ttl(response: dns.message.Message) -> float:
    """How long "there is none" holds: the SOA's word. RFC 2308 §5."""
    times = [min(rrset.ttl, rrset[0].minimum) for rrset in response.authority if rrset.rdtype == 6]  # SOA
    return float(min(times, default=SHORTEST))
