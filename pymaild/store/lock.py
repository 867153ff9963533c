"""The two locks of an account, both flock(2), which the kernel gives back when a process dies.

pymaild-lock    held while something is changed. Its first byte is "1" from the first file that is touched to the
                commit: whoever finds it so takes over from a process that died in between.
pymaild-users   shared by every process that has the account open. Whoever can have it alone is the first to come
                (was the last run closed cleanly?) or the last to go (then this one was).
"""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path
from types import TracebackType

from pymaild.store.files import failed

LOCK = "pymaild-lock"
USERS = "pymaild-users"


class AccountLock:
    """Held with `with`. One object for each account and process; not reentrant."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._threads = threading.Lock()
        self._handle = -1
        self._users = -1

    def __enter__(self) -> AccountLock:
        self._threads.acquire()
        try:
            self._open()
            fcntl.flock(self._handle, fcntl.LOCK_EX)
        except OSError as error:
            self._threads.release()
            raise failed(error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._handle >= 0:
            fcntl.flock(self._handle, fcntl.LOCK_UN)
        self._threads.release()

    def _open(self) -> None:
        if self._handle < 0:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._handle = os.open(self._root / LOCK, flags, 0o600)
            self._users = os.open(self._root / USERS, flags, 0o600)

    def close(self) -> None:
        """Close both files. Call it while holding the lock."""
        for handle in (self._handle, self._users):
            if handle >= 0:
                os.close(handle)
        self._handle = self._users = -1

    @property
    def soiled(self) -> bool:
        """Whether the last holder died, or failed, with files changed and nothing committed."""
        return os.pread(self._handle, 1, 0) == b"1"

    def soil(self) -> None:
        """From here on files are changed."""
        os.pwrite(self._handle, b"1", 0)

    def clean(self) -> None:
        """Index and files agree again."""
        os.pwrite(self._handle, b"0", 0)

    def alone(self) -> bool:
        """Whether no other process has the account open; joins its users. Call it while holding the lock."""
        try:
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone = True
        except BlockingIOError:
            alone = False
        fcntl.flock(self._users, fcntl.LOCK_SH)
        return alone

    def close_files(self) -> None:
        """Give up both files, when nobody in this process holds the lock."""
        with self._threads:
            self.close()
