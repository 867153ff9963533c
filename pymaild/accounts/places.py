"""Two places for expensive work, shared by all processes of the machine: a flood of logins takes no more than two cores.

A place is a lock on a file: it is free again when its process dies. One of the two is for those who come from where
somebody has logged in before, so that a flood from elsewhere does not keep them waiting.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pymaild.status import MailError

PLACES = 2
_PATIENCE = 30.0  # seconds to wait for one
_LOOK_AGAIN = 0.005


class TooBusy(MailError):
    """RFC 3463 X.7.0, RFC 4954 §6 (454)."""

    def __init__(self) -> None:
        super().__init__("4.7.0", "The server is busy with other logins: try again in a minute")


class Places:
    """The places of one process, or with a folder of all processes that name the same one."""

    def __init__(self, folder: Path | None = None, patience: float = _PATIENCE) -> None:
        self._folder, self._patience = folder, patience
        self._locks = [threading.Lock() for _ in range(PLACES)]
        self._files: dict[int, tuple[int, int]] = {}  # place -> process that opened it, descriptor

    @contextmanager
    def one(self, known: bool = True) -> Iterator[None]:
        """Hold a place; raises TooBusy. `known`: any of them, otherwise not the last."""
        place = self._take(range(PLACES) if known else range(PLACES - 1))
        try:
            yield
        finally:
            self._leave(place)

    def _take(self, places: range) -> int:
        deadline = time.monotonic() + self._patience
        while True:
            for place in reversed(places):
                if self._is_mine(place):
                    return place
            if time.monotonic() > deadline:
                raise TooBusy
            time.sleep(_LOOK_AGAIN)

    def _is_mine(self, place: int) -> bool:
        if not self._locks[place].acquire(blocking=False):
            return False
        try:
            if self._folder:
                fcntl.flock(self._file(self._folder, place), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._locks[place].release()
            return False
        except OSError:  # the disk has no room for an empty file: then the limit is one of this process
            pass
        return True

    def _leave(self, place: int) -> None:
        if self._folder:
            with suppress(OSError):
                fcntl.flock(self._file(self._folder, place), fcntl.LOCK_UN)
        self._locks[place].release()

    def _file(self, folder: Path, place: int) -> int:
        """Opened by this very process: a descriptor from before a fork would share its lock with others."""
        process, descriptor = self._files.get(place, (0, -1))
        if process != os.getpid():
            descriptor = os.open(folder / f"login-{place}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            self._files[place] = os.getpid(), descriptor
        return descriptor

    def close(self) -> None:
        """Let go of the files."""
        for process, descriptor in self._files.values():
            if process == os.getpid():
                os.close(descriptor)
        self._files.clear()
