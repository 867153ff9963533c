"""Threads that are used again: a connection borrows one while it has something to do."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

_SPARE = 10.0  # seconds a thread waits for its next job

Job = Callable[[], object]


class Threads:
    """Runs each job at once, in a thread that waits for one or in a new one; there is no upper limit and no queue."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiting = 0  # threads that wait for a job nobody has promised them yet
        self._all = 0

    @property
    def busy(self) -> int:
        """How many jobs are running."""
        return self._all - self._waiting

    def run(self, job: Job) -> None:
        """Raises RuntimeError when the machine gives no more threads."""
        with self._lock:
            spare = self._waiting > 0
            self._waiting -= spare
            self._all += not spare
        if spare:
            self._jobs.put(job)
            return
        try:
            threading.Thread(target=self._work, args=(job,), daemon=True).start()
        except RuntimeError:
            with self._lock:
                self._all -= 1
            raise

    def _work(self, job: Job | None) -> None:
        while job:
            job()
            job = None  # hold on to no connection while waiting
            with self._lock:
                self._waiting += 1
            job = self._next()

    def _next(self) -> Job | None:
        try:
            return self._jobs.get(timeout=_SPARE)
        except queue.Empty:
            with self._lock:
                if self._waiting:
                    self._waiting -= 1
                    self._all -= 1
                    return None
            return self._jobs.get()  # one was promised in this instant
