"""Wrong passwords slow their senders down, and nobody else.

Every password that is checked goes into three buckets that leak with time, and is taken out again if it was right: one
for the account as seen from one network, one for the network whatever the account, one for the account whatever the
network. A full bucket means: not now. From a network where somebody of this server has logged in before nothing is ever
refused: while a bucket is full, passwords from there are checked one after the other with a pause between, and the right
one gets in. (Somebody, not the owner of this account: or a stranger could learn there who has an account.)

The buckets are in logins.sqlite3, so that all processes count together and a restart forgets nothing.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from pymaild.accounts.database import Value
from pymaild.accounts.networks import network
from pymaild.accounts.tally import Tally
from pymaild.mailstore import StoreError
from pymaild.status import MailError

SLOWED = 3.0  # seconds between two checks for a known network while a bucket is full
LONGEST = 15.0  # seconds that anybody waits, however many wait: mail programs give up after thirty


@dataclass(frozen=True, slots=True)
class Rule:
    """How many wrong passwords a bucket holds, and how fast they leak out."""

    most: int
    leak: float  # seconds for one


PER_ACCOUNT_AND_NETWORK = Rule(10, 60)
PER_NETWORK = Rule(50, 20)
PER_ACCOUNT = Rule(200, 30)

_Read = Callable[[str, Sequence[Value]], list[tuple[Value, ...]]]

_LEVELS = "SELECT bucket, level, at, turn FROM buckets WHERE bucket IN (?, ?, ?)"
_FILL = "INSERT OR REPLACE INTO buckets VALUES (?, ?, ?, ?)"


class TooManyWrongPasswords(MailError):
    """RFC 3463 X.7.0, RFC 4954 §6 (454)."""

    def __init__(self) -> None:
        super().__init__("4.7.0", "Too many wrong passwords came from your network: try again in some minutes")


@dataclass(slots=True)
class _Bucket:
    key: bytes
    rule: Rule
    now: float
    level: float = 0.0
    turn: float = 0.0  # when the next one of those who wait may be checked

    @property
    def is_full(self) -> bool:
        return self.level > self.rule.most - 1


class Throttle:
    """The buckets of all processes. `secret` makes their keys: names that were typed are not written down."""

    def __init__(
        self,
        tally: Tally,
        secret: Callable[[], bytes],
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._tally, self._secret, self._clock, self._pause = tally, secret, clock, pause

    def admit(self, name: str, ip: str, known: bool) -> None:
        """Count a password that is to be checked. Raises TooManyWrongPasswords, or waits for a turn."""
        wait = 0.0
        try:
            if not known and any(bucket.is_full for bucket in self._buckets(self._tally.read, name, ip)):
                raise TooManyWrongPasswords  # a flood of them only reads
            with self._changing(name, ip) as buckets:
                if any(bucket.is_full for bucket in buckets):
                    wait = self._turn(buckets[0], known)
                for bucket in buckets:
                    bucket.level = min(bucket.level + 1, bucket.rule.most)
        except StoreError:  # a full disk keeps nobody out, but who cannot be counted is slowed
            wait = SLOWED
        if wait:
            self._pause(wait)

    def _turn(self, bucket: _Bucket, known: bool) -> float:
        """Seconds until the next one in a row may be checked."""
        if not known:
            raise TooManyWrongPasswords
        wait = min(max(bucket.turn - bucket.now, 0.0) + SLOWED, LONGEST)
        bucket.turn = bucket.now + wait
        return wait

    def right(self, name: str, ip: str) -> None:
        """It was the right password: what its owner mistyped before is forgiven."""
        with suppress(StoreError), self._changing(name, ip) as buckets:
            for bucket in buckets:
                bucket.level = max(bucket.level - 1, 0.0)
            buckets[0].level = 0.0

    def unchecked(self, name: str, ip: str) -> None:
        """It was not checked after all."""
        with suppress(StoreError), self._changing(name, ip) as buckets:
            for bucket in buckets:
                bucket.level = max(bucket.level - 1, 0.0)

    @contextmanager
    def _changing(self, name: str, ip: str) -> Iterator[list[_Bucket]]:
        """The buckets of one attempt, to be changed: no other process comes between."""
        with self._tally.noting(self._clock()) as connection:
            buckets = self._buckets(lambda sql, keys: connection.execute(sql, keys).fetchall(), name, ip)
            yield buckets
            connection.executemany(_FILL, [(b.key, b.level, b.now, b.turn) for b in buckets])

    def _rules(self, name: str, ip: str) -> list[tuple[str, str, Rule]]:
        """The buckets of one attempt. Behind a reverse proxy everybody is "here": no bucket for that network as such."""
        net = network(ip)
        rules = [(name, net, PER_ACCOUNT_AND_NETWORK), (name, "", PER_ACCOUNT)]
        return rules if net == "here" else [*rules, ("", net, PER_NETWORK)]

    def _buckets(self, read: _Read, name: str, ip: str) -> list[_Bucket]:
        """What is in the buckets of one attempt now, that of account and network first."""
        now = self._clock()
        found = [_Bucket(self._key(name, net), rule, now) for name, net, rule in self._rules(name, ip)]
        keys = [bucket.key for bucket in found]
        rows = {row[0]: row[1:] for row in read(_LEVELS, (*keys, *keys)[:3])}
        for bucket in found:
            level, at, bucket.turn = (float(value or 0) for value in rows.get(bucket.key, (0, now, 0)))
            bucket.level = max(0.0, level - max(0.0, now - at) / bucket.rule.leak)
        return found

    def _key(self, name: str, net: str) -> bytes:
        text = f"{name}\0{net}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._secret(), b"bucket\0" + text, "sha256")[:16]
