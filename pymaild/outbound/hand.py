"""The jobs that the sending process has in hand: some are being carried, the next ones are ready beside them.

What is ready is marked in the queue in one commit for many, so that a fast destination is not held up by a commit for each
message; how many are ready follows how many the destination took within the last second, so that a slow one has none.
"""

from __future__ import annotations

import threading
from collections import Counter, deque

from pymaild.outbound.job import Job
from pymaild.outbound.queue import Lane


class Hand:
    """Between the dispatcher, who puts jobs in, and the carriers, who take them."""

    def __init__(self, per_route: int) -> None:
        self._per_route = per_route  # carried at a time
        self._ready: dict[str, deque[tuple[Lane, Job]]] = {}  # by route; the route that was served last stands last
        self._carried: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, lane: Lane, job: Job) -> None:
        """One more is ready."""
        with self._changed:
            self._ready.setdefault(lane.route, deque()).append((lane, job))
            self._changed.notify()

    def take(self) -> tuple[Lane, Job] | None:
        """The next one to carry, of a route that has room; waits for it. None: there are no more."""
        with self._changed:
            while True:
                for route, jobs in self._ready.items():
                    if self._carried[route] < self._per_route:
                        return self._taken(route, jobs)
                if self._closed:
                    return None
                self._changed.wait()

    def _taken(self, route: str, jobs: deque[tuple[Lane, Job]]) -> tuple[Lane, Job]:
        lane, job = jobs.popleft()
        del self._ready[route]
        if jobs:
            self._ready[route] = jobs
        self._carried[route] += 1
        return lane, job

    def ended(self, route: str) -> bool:
        """One is not carried any more; whether it is time to look for more of this route."""
        with self._changed:
            self._carried[route] -= 1
            if not self._carried[route]:
                del self._carried[route]
            self._changed.notify()
            return len(self._ready.get(route, ())) < self._per_route

    def close(self) -> list[Job]:
        """No more: what was ready and is not carried yet."""
        with self._changed:
            self._closed = True
            left = [job for jobs in self._ready.values() for _, job in jobs]
            self._ready.clear()
            self._changed.notify_all()
            return left
