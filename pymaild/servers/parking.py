"""Where connections wait that have nothing to say: no thread each, one for all of them.

A parked connection is an entry in a dictionary and in the kernel's list of watched descriptors. It leaves when its peer
says something, when something has changed that it waits for, when it is overdue, or when the server stops; then a thread
takes it up.
"""

from __future__ import annotations

import select
import threading
import time
from functools import partial
from typing import Protocol

from pymaild.servers import log
from pymaild.servers.threads import Threads


class Parked(Protocol):
    """What waits here."""

    deadline: float
    changed: bool

    def fileno(self) -> int:
        """Its socket's descriptor."""

    def resume(self, readable: bool) -> None:
        """Go on, in a thread of its own; whether there is something to read."""

    def wakeable(self) -> bool:
        """Whether changes are to be told at once."""


class Parking:
    """The lot of one process."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._watched: dict[int, Parked] = {}
        self._lock = threading.Lock()
        self._watcher = _Epoll() if hasattr(select, "epoll") else _Poll()
        self._stopped = False
        threading.Thread(target=self._watch, name="parking", daemon=True).start()

    def park(self, connection: Parked) -> bool:
        """Watch it until something happens; False: something happened already."""
        with self._lock:
            if self._stopped or (connection.changed and connection.wakeable()):
                return False
            descriptor = connection.fileno()
            self._watched[descriptor] = connection
            self._watcher.add(descriptor)
        return True

    def wake(self, connection: Parked) -> None:
        """Something changed that it waits for. Quick, and callable from any thread."""
        connection.changed = True
        if connection.wakeable():
            self._leave(connection.fileno(), connection)

    def stop(self) -> None:
        """Send everybody on: nobody may stay."""
        with self._lock:
            self._stopped = True
            left = list(self._watched.items())
        for descriptor, connection in left:
            self._leave(descriptor, connection)

    def __len__(self) -> int:
        return len(self._watched)

    def _leave(self, descriptor: int, expected: Parked | None = None, readable: bool = False) -> None:
        """Hand one to a thread, unless it is gone already or the machine has no thread: then the next look tries again."""
        with self._lock:
            connection = self._watched.get(descriptor)
            if connection is None or (expected is not None and connection is not expected):
                return
            del self._watched[descriptor]  # first: once it runs, its descriptor may be closed at any moment
            self._watcher.remove(descriptor)
            try:
                self._threads.run(partial(connection.resume, readable))
            except RuntimeError:
                log.event("no_threads", "warning", parked=len(self._watched))
                self._watched[descriptor] = connection
                self._watcher.add(descriptor)

    def _watch(self) -> None:
        looked = time.monotonic()
        while not (self._stopped and not self._watched):
            for descriptor in self._watcher.poll(1.0):
                self._leave(descriptor, readable=True)
            now = time.monotonic()
            if now - looked >= 1.0:
                looked = now
                for descriptor in self._overdue(now):
                    self._leave(descriptor)

    def _overdue(self, now: float) -> list[int]:
        with self._lock:
            return [fd for fd, connection in self._watched.items() if connection.deadline <= now or self._stopped]


class _Epoll:
    """Linux: costs nothing for those who are silent."""

    def __init__(self) -> None:
        self._epoll = select.epoll()

    def add(self, descriptor: int) -> None:
        self._epoll.register(descriptor, select.EPOLLIN | select.EPOLLRDHUP)

    def remove(self, descriptor: int) -> None:
        self._epoll.unregister(descriptor)

    def poll(self, timeout: float) -> list[int]:
        return [descriptor for descriptor, _ in self._epoll.poll(timeout)]


class _Poll:
    """Other systems: looks again every tenth of a second, since poll() does not see what is added while it waits."""

    def __init__(self) -> None:
        self._poll = select.poll()

    def add(self, descriptor: int) -> None:
        self._poll.register(descriptor, select.POLLIN)

    def remove(self, descriptor: int) -> None:
        self._poll.unregister(descriptor)

    def poll(self, timeout: float) -> list[int]:
        return [descriptor for descriptor, _ in self._poll.poll(min(timeout, 0.1) * 1000)]
