"""Wrong passwords slow their senders down, and nobody else.

Every wrong password fills three buckets that leak with time: one for the account as seen from one network, one for the
network whatever the account, one for the account whatever the network. A full bucket means: not now. An address from
which the account's owner has logged in before is never refused, only made to wait while its bucket is full. Buckets
are few and old ones fall out, so a million addresses cost no more memory than ten thousand. The same wrong password
again (a phone after a change of password) counts once.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from pymaild.status import MailError

BUCKETS = 10_000
SLOWED = 3.0  # seconds that a known address waits while its bucket is full


@dataclass(frozen=True, slots=True)
class Rule:
    """How many wrong passwords a bucket holds, and how fast they leak out."""

    most: int
    leak: float  # seconds for one


PER_ACCOUNT_AND_NETWORK = Rule(10, 60)
PER_NETWORK = Rule(50, 20)
PER_ACCOUNT = Rule(200, 30)


class TooManyWrongPasswords(MailError):
    """RFC 3463 X.7.0, RFC 4954 §6 (454)."""

    def __init__(self) -> None:
        super().__init__("4.7.0", "Too many wrong passwords came from your network: try again in some minutes")


def network(ip: str) -> str:
    """Who is likely one person: IPv4 /24, IPv6 /48; this machine itself is one."""
    try:
        address = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return "here"
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback:
        return "here"
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False))


def host(ip: str) -> str:
    """One machine: an IPv4 address, an IPv6 /64."""
    try:
        address = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return "here"
    address = getattr(address, "ipv4_mapped", None) or address
    return str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))


@dataclass(slots=True)
class _Bucket:
    level: float = 0.0
    at: float = 0.0
    seen: list[bytes] = field(default_factory=list)  # fingerprints of the latest wrong passwords


class Throttle:
    """The buckets of one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, pause: Callable[[float], None] = time.sleep) -> None:
        self._clock, self._pause = clock, pause
        self._buckets: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()
        self._lock = threading.Lock()
        self._waiting = threading.BoundedSemaphore(4)  # guesses from a known address come no faster by coming in parallel

    def admit(self, name: str, ip: str, known: bool) -> None:
        """Before a password is checked. Raises TooManyWrongPasswords, or waits a little."""
        with self._lock:
            full = any(self._level(key, rule) > rule.most - 1 for key, rule in self._keys(name, ip))
        if full and not known:
            raise TooManyWrongPasswords
        if full:
            with self._waiting:
                self._pause(SLOWED)

    def wrong(self, name: str, ip: str, fingerprint: bytes) -> None:
        """A wrong password."""
        with self._lock:
            keys = self._keys(name, ip)
            latest = self._bucket(keys[0][0]).seen
            if fingerprint in latest:
                return
            latest.append(fingerprint)
            del latest[:-20]
            for key, rule in keys:
                self._level(key, rule)
                self._bucket(key).level += 1

    def right(self, name: str, ip: str) -> None:
        """The right password: what its owner mistyped before is forgiven."""
        with self._lock:
            self._buckets.pop((name, network(ip)), None)

    @staticmethod
    def _keys(name: str, ip: str) -> list[tuple[tuple[str, str], Rule]]:
        """The buckets of one attempt. Behind a reverse proxy everybody is "here": no bucket for that network as such."""
        net = network(ip)
        keys = [((name, net), PER_ACCOUNT_AND_NETWORK), ((name, ""), PER_ACCOUNT)]
        return keys if net == "here" else [*keys, (("", net), PER_NETWORK)]

    def _bucket(self, key: tuple[str, str]) -> _Bucket:
        bucket = self._buckets.setdefault(key, _Bucket(at=self._clock()))
        self._buckets.move_to_end(key)
        while len(self._buckets) > BUCKETS:
            self._buckets.popitem(last=False)
        return bucket

    def _level(self, key: tuple[str, str], rule: Rule) -> float:
        """What is in a bucket now."""
        bucket = self._buckets.get(key)
        if bucket is None:
            return 0.0
        now = self._clock()
        bucket.level = max(0.0, bucket.level - (now - bucket.at) / rule.leak)
        bucket.at = now
        return bucket.level
