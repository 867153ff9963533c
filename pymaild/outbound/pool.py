"""Connections that wait a moment for more mail to the same host. RFC 5321 §4.5.4.1."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable

from pymaild.outbound.connection import Connection

IDLE = 5.0  # seconds; other servers do not like to wait for nothing
MESSAGES = 100  # over one connection: then another of the hosts of one preference may have its turn
MOST = 64  # idle connections; sockets are few


def is_used_up(connection: Connection) -> bool:
    """Whether it has carried enough: by our measure, or by the server's. RFC 9422 §4: MAILMAX."""
    client = connection.client
    return client.transactions >= min(client.offers.transactions or MESSAGES, MESSAGES)


class Pool:
    """Idle connections by what they are good for. A thread ends them when their time is over, and then itself."""

    def __init__(self, idle: float = IDLE) -> None:
        self._idle = idle
        self._waiting: dict[Hashable, list[Connection]] = {}
        self._changed = threading.Condition()
        self._is_swept = False
        self._is_closed = False

    def take(self, key: Hashable) -> Connection | None:
        """One that is still alive; it is the caller's alone."""
        while True:
            with self._changed:
                waiting = self._waiting.get(key)
                if not waiting:
                    return None
                connection = waiting.pop()
                if not waiting:
                    del self._waiting[key]
            if connection.is_alive:
                connection.is_reused = True
                return connection
            connection.close(politely=False)

    def put(self, key: Hashable, connection: Connection) -> None:
        """Keep it for others, or end it when it has carried enough."""
        with self._changed:
            count = sum(map(len, self._waiting.values()))
            keep = not (connection.is_broken or is_used_up(connection) or self._is_closed or count >= MOST)
            if keep:
                connection.idle_since = time.monotonic()
                self._waiting.setdefault(key, []).append(connection)
                self._sweep()
        if not keep:
            connection.close()

    def close(self) -> None:
        """End all that wait; what is under way ends when it is put back."""
        with self._changed:
            self._is_closed = True
            connections = [connection for waiting in self._waiting.values() for connection in waiting]
            self._waiting.clear()
            self._changed.notify_all()
        for connection in connections:
            connection.close()

    def _sweep(self) -> None:
        if not self._is_swept:
            self._is_swept = True
            threading.Thread(target=self._sweeper, name="idle connections", daemon=True).start()

    def _sweeper(self) -> None:
        while True:
            with self._changed:
                self._changed.wait(self._idle / 4)
                over = self._expired(time.monotonic() - self._idle)
                if not self._waiting:
                    self._is_swept = False
            for connection in over:
                connection.close()
            if not self._is_swept:
                return

    def _expired(self, limit: float) -> list[Connection]:
        """Take out those that wait since before `limit`."""
        over: list[Connection] = []
        for key, waiting in list(self._waiting.items()):
            over += [connection for connection in waiting if connection.idle_since < limit]
            waiting[:] = [connection for connection in waiting if connection.idle_since >= limit]
            if not waiting:
                del self._waiting[key]
        return over
