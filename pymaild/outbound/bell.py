"""Wakes the queue's process: whoever puts mail into the queue rings, and it looks at once instead of within a second."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path

LOOK = b"look"
TRY_NOW = b"try now"  # and no route counts as down


class Bell:
    """A datagram socket in run_dir. Without anybody listening, ringing does nothing."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "queue"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def ring(self, message: bytes = LOOK) -> None:
        """There is something to do."""
        with suppress(OSError):  # nobody is there, or a hundred rings wait already
            self._socket.sendto(message, str(self.path))

    def answer(self) -> None:
        """Be the one who is woken."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        self._socket.bind(str(self.path))
        self._socket.settimeout(None)

    def wait(self, seconds: float) -> set[bytes]:
        """What was rung, at the latest after so many seconds; empty: nothing."""
        heard = set()
        self._socket.settimeout(max(seconds, 0.001))
        with suppress(TimeoutError, BlockingIOError):
            heard.add(self._socket.recv(16))
            self._socket.setblocking(False)
            while True:
                heard.add(self._socket.recv(16))
        return heard

    def close(self) -> None:
        """No more."""
        self._socket.close()
