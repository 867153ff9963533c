"""The daemon of the demo, in a process of its own: started, waited for, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from pymaild.config import Config

HOST = "127.0.0.1"
PATIENCE = 20.0  # seconds until the servers must listen, and until they must have ended


class DemoError(Exception):
    """Why the demo cannot run, and what to do."""


@contextlib.contextmanager
def servers(config: Config, log: Path, ports: Iterable[int]) -> Iterator[None]:
    """Every port listens while this lasts; afterwards all processes have ended. Raises DemoError."""
    daemon = Daemon(config, log)
    try:
        daemon.wait_until_listening(ports)
        yield
    finally:
        daemon.stop()


class Daemon:
    """One forked child that runs what `pymaild serve` runs."""

    def __init__(self, config: Config, log: Path) -> None:
        self._log = log
        self._ended = False
        self._pid = os.fork()
        if not self._pid:
            _become_daemon(config, log)

    def wait_until_listening(self, ports: Iterable[int]) -> None:
        """Every port takes a connection. Raises DemoError when the daemon ends instead, or takes too long."""
        deadline = time.monotonic() + PATIENCE
        for port in ports:
            while not _listens(port):
                if self._has_ended() or time.monotonic() > deadline:
                    raise DemoError(f"the servers did not start: {_last_line(self._log)}")
                time.sleep(0.02)

    def stop(self) -> None:
        """SIGTERM, patience, and then SIGKILL for whatever is left in its session."""
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while not self._has_ended():
            if time.monotonic() > deadline:
                self._signal(signal.SIGKILL)
            time.sleep(0.02)

    def _signal(self, number: signal.Signals) -> None:
        if self._ended:
            return
        with contextlib.suppress(ProcessLookupError):
            if number is signal.SIGKILL:
                os.killpg(self._pid, number)
            else:
                os.kill(self._pid, number)

    def _has_ended(self) -> bool:
        if not self._ended:
            self._ended = os.waitpid(self._pid, os.WNOHANG)[0] != 0
        return self._ended


def _listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), 1).close()
    except OSError:
        return False
    return True


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").splitlines() if log.is_file() else []
    return lines[-1] if lines else f"nothing is listening yet after {PATIENCE:.0f} seconds"


def _become_daemon(config: Config, log: Path) -> NoReturn:
    """Away from the terminal's Ctrl-C, what it says into the log, and never back into the caller's code."""
    status = 70  # EX_SOFTWARE
    try:
        os.setsid()
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        from pymaild.cli.errors import report  # noqa: PLC0415 -- the parent needs none of these
        from pymaild.daemon import serve  # noqa: PLC0415

        status = report(lambda: serve(config))
    finally:
        if error := sys.exception():
            sys.excepthook(type(error), error, error.__traceback__)
        os._exit(status)
