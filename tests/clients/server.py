"""A real server process for the tests of real programs: its own folder, free ports, four accounts, one log that is checked."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"
SERVICES = ("smtp", "submission", "submissions", "imap", "imaps", "http")
PASSWORD = "correct horse"
ANN, BOB, CARL, DORA = (f"{name}@example.org" for name in ("ann", "bob", "carl", "dora"))
PATIENCE = 30.0


def wait_for(what: str, condition: object, timeout: float = PATIENCE) -> None:
    """Until the condition (a callable) holds; the test fails with `what` when it does not in time."""
    assert callable(condition)
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout} s in vain: {what}"
        time.sleep(0.02)


def run(*command: str | Path, input: bytes | None = None, timeout: float = 60, env: dict[str, str] | None = None) -> str:
    """A program's standard output and error together; the test fails with them when it does."""
    done = subprocess.run(
        [str(word) for word in command],
        input=input,
        stdin=subprocess.DEVNULL if input is None else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout,
        env=os.environ | (env or {}),
        check=False,
    )
    text = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, f"{command[0]} exited with {done.returncode}:\n{text}"
    return text


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for opened in sockets:
            opened.bind((HOST, 0))
        return [int(opened.getsockname()[1]) for opened in sockets]


@dataclass
class Server:
    """`pymaild serve` in a folder of its own."""

    folder: Path
    ports: dict[str, int] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def conf(self) -> Path:
        return self.folder / "pymaild.conf"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def lmtp(self) -> Path:
        return self.folder / "lmtp.sock"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

    def url(self, service: str) -> str:
        """imap://127.0.0.1:1143 and the like, as curl takes it."""
        scheme = {"submission": "smtp", "submissions": "smtps"}.get(service, service)
        return f"{scheme}://{HOST}:{self.ports[service]}"

    def pymaild(self, *words: str, password: str = "") -> str:
        """One command of the command line on this server's configuration."""
        return run(sys.executable, "-m", "pymaild", "-c", self.conf, *words, input=f"{password}\n".encode())

    def make(self, workers: int = 2, more: str = "") -> None:
        """What an administrator does: a configuration, to which `more` is added, init, three more accounts."""
        self.ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
        listen = "\n".join(f"{name} = {HOST}:{port}" for name, port in self.ports.items())
        self.conf.write_text(
            f"[server]\nhostname = mail.example.org\ndata_dir = data\nworkers = {workers}\n"
            f"[listen]\n{listen}\nhttps =\nlmtp = unix:lmtp.sock\n{more}",
            "utf-8",
        )
        self.pymaild("init", "--domain", "example.org", "--admin", ANN, "--password-stdin", password=PASSWORD)
        for address in (BOB, CARL, DORA):
            self.pymaild("account", "add", address, "--password-stdin", password=PASSWORD)

    def start(self, *words: str) -> None:
        """Until every port listens and the workers are there."""
        with (self.folder / "log").open("ab") as log:
            before = self.log.count("event=ready")
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pymaild", "-c", str(self.conf), "serve", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        for port in self.ports.values():
            wait_for(f"port {port} listens; log:\n{self.log}", lambda port=port: self._listens(port))
        wait_for("the server is ready", lambda: self.log.count("event=ready") > before)

    def _listens(self, port: int) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"serve ended:\n{self.log}"
        with contextlib.suppress(OSError):
            socket.create_connection((HOST, port), 1).close()
            return True
        return False

    def stop(self) -> None:
        """SIGTERM; it must end by itself, in time, and have nothing on its conscience."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            assert self.process.wait(PATIENCE) == 0, f"serve failed:\n{self.log}"
        finally:
            with contextlib.suppress(ProcessLookupError):  # whatever is left of its session
                os.killpg(self.process.pid, signal.SIGKILL)
        faults = [line for line in self.log.splitlines() if re.search(r"Traceback|level=error|CRITICAL|event=fault", line)]
        assert not faults, "\n".join(faults)


@contextlib.contextmanager
def serving(folder: Path, workers: int = 2) -> Iterator[Server]:
    """A server with ann, bob, carl and dora at example.org."""
    server = Server(folder)
    server.make(workers)
    server.start()
    try:
        yield server
    except BaseException:
        if server.process is not None:
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(PATIENCE)
        raise
    server.stop()


def needs(program: str) -> str:
    """The path of a program, or a failure that says which package brings it."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    assert found, f"{program} is not installed; scripts/test installs the packages that the clients' tests need"
    return found
