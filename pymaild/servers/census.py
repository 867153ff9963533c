"""How many connections there are, in all, from one address and logged in as one account, over all worker processes.

A piece of shared memory, made before the workers are forked: one row of counters for each worker, one column for each
(hashed) address, the first for the total, and as many columns for accounts. Every worker writes only its own row, so no
lock is shared; a worker that died has its row cleared. Two addresses in one column would be counted together: with 16,384
columns that is rare, and it errs on the strict side.
"""

from __future__ import annotations

import ipaddress
import mmap
import threading
import zlib
from collections.abc import Callable
from functools import lru_cache

from pymaild.servers.limits import Caps, is_loopback
from pymaild.status import MailError

_COLUMNS = 16_384
_WIDTH = 2 * _COLUMNS  # the second half counts logins


class TooManyConnections(MailError):
    """An account has as many connections as one may have."""

    def __init__(self, most: int) -> None:
        text = f"The account has {most} connections open, as many as it may have: close a mail program, then try again"
        super().__init__("4.7.0", text)


class Census:
    """Counts connections; `row` is the calling worker's own."""

    def __init__(self, caps: Caps, rows: int = 1) -> None:
        self.caps = caps
        self._rows = rows
        self._counts = memoryview(mmap.mmap(-1, rows * _WIDTH * 4)).cast("I")
        self._lock = threading.Lock()
        self.row = 0

    def enter(self, ip: str) -> str:
        """Count one more; or why not: "all" when the server is full, "address" when this peer has enough."""
        column = _column(ip)
        with self._lock:
            if self.total() >= self.caps.connections:
                return "all"
            if not is_loopback(ip) and self._sum(column) >= self.caps.per_address:
                return "address"
            self._add(0, 1)
            self._add(column, 1)
        return ""

    def leave(self, ip: str) -> None:
        """The connection is gone."""
        with self._lock:
            self._add(0, -1)
            self._add(_column(ip), -1)

    def place(self, account: str) -> Callable[[], None]:
        """Count one more login; what says that it is over. Raises TooManyConnections."""
        column = _COLUMNS + zlib.crc32(account.encode()) % _COLUMNS
        with self._lock:
            if self._sum(column) >= self.caps.per_account:
                raise TooManyConnections(self.caps.per_account)
            self._add(column, 1)

        def leave() -> None:
            with self._lock:
                self._add(column, -1)

        return leave

    def clear(self, row: int) -> None:
        """A worker died: its connections are gone too."""
        for column in range(_WIDTH):
            self._counts[row * _WIDTH + column] = 0

    def busiest(self) -> bool:
        """Whether another worker has fewer connections than this one."""
        mine = self._counts[self.row * _WIDTH]
        return any(self._counts[row * _WIDTH] < mine for row in range(self._rows))

    def total(self) -> int:
        """All connections."""
        return self._sum(0)

    def _sum(self, column: int) -> int:
        return sum(self._counts[row * _WIDTH + column] for row in range(self._rows))

    def _add(self, column: int, change: int) -> None:
        self._counts[self.row * _WIDTH + column] += change


@lru_cache(1024)
def _column(ip: str) -> int:
    """One host: an IPv4 address, or the /64 that an IPv6 site gives to one machine."""
    if ":" in ip:
        address = int(ipaddress.IPv6Address(ip.partition("%")[0])) >> 64
    else:
        address = int(ipaddress.IPv4Address(ip)) if ip else 0
    return hash((address, 1)) % (_COLUMNS - 1) + 1
