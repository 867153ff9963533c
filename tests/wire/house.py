"""A small house to knock at: real services over a fresh data_dir, served in threads or by the real processes."""

from __future__ import annotations

import contextlib
import imaplib
import os
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from pymaild import config as configuration
from pymaild.accounts.directory import Directory
from pymaild.assembly import Services, assemble
from pymaild.cli.keys import certificate
from pymaild.daemon import Threaded, start_in_thread
from pymaild.servers import log
from pymaild.servers.limits import Timeouts
from pymaild.servers.running import Surroundings

PASSWORDS = {"ann@example.org": "ann-secret-1", "bob@example.org": "bob-secret-1"}
ANN, BOB = PASSWORDS
LISTEN = """
smtp = 127.0.0.1:0
submission = 127.0.0.1:0
submissions = 127.0.0.1:0
imap = 127.0.0.1:0
imaps = 127.0.0.1:0
lmtp =
http =
https =
"""
MESSAGE = b"From: ann@example.org\r\nTo: bob@example.org\r\nSubject: hello\r\n\r\nHello.\r\n"


@cache
def template() -> Path:
    """A data_dir with a domain, two accounts and a certificate; copied for each test."""
    folder = Path(mkdtemp(prefix="pymaild-house-"))
    directory = Directory(folder / "pymaild.sqlite3", "mail.example.org", cost=4)
    directory.add_domain("example.org")
    for address, password in PASSWORDS.items():
        directory.add_account(address, password)
    directory.close()
    certificate(folder / "tls" / "certificate.pem", folder / "tls" / "key.pem", ("mail.example.org",))
    return folder


def write_config(folder: Path, listen: str = LISTEN, more: str = "", workers: int = 1) -> Path:
    """A data_dir and a configuration in `folder`."""
    shutil.copytree(template(), folder / "data")
    file = folder / "pymaild.conf"
    server = f"[server]\nhostname = mail.example.org\ndata_dir = data\nworkers = {workers}\n"
    file.write_text(f"{server}[listen]{listen}\n{more}")
    return file


@dataclass
class House:
    """Servers in threads of this process."""

    services: Services
    threaded: Threaded
    lines: list[str] = field(default_factory=list)  # of the log
    traced: list[str] = field(default_factory=list)

    def port(self, name: str) -> int:
        return self.threaded.addresses[name][1]

    def logged(self, event: str) -> list[str]:
        return [line for line in self.lines if f"event={event} " in line]


@contextlib.contextmanager
def house(
    folder: Path, timeouts: Timeouts | None = None, listen: str = LISTEN, more: str = "", trace: bool = False
) -> Iterator[House]:
    """A house for the length of a with statement."""
    services = assemble(configuration.load(write_config(folder, listen, more)))
    lines: list[str] = []
    traced: list[str] = []
    original = log.redirect(lines.append)
    around = Surroundings(timeouts=timeouts or Timeouts(moment=0.05, linger=0.5), trace=traced.append if trace else None)
    threaded = start_in_thread(services, around=around)
    try:
        yield House(services, threaded, lines, traced)
    finally:
        threaded.stop()
        services.close()
        log.redirect(original)


class Peer:
    """A client that says octets and reads lines."""

    def __init__(self, port: int, tls: bool = False, timeout: float = 10) -> None:
        self.sock: socket.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.input = b""
        if tls:
            self.start_tls()

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def say(self, data: bytes) -> None:
        self.sock.sendall(data)

    def line(self) -> bytes:
        """The next line; b"" at the end."""
        while b"\n" not in self.input:
            try:
                block = self.sock.recv(65536)
            except ConnectionError:
                block = b""
            if not block:
                rest, self.input = self.input, b""
                return rest
            self.input += block
        line, _, self.input = self.input.partition(b"\n")
        return line + b"\n"

    def reply(self) -> bytes:
        """One SMTP reply: its last line."""
        while (line := self.line())[3:4] == b"-":
            pass
        return line

    def tagged(self, tag: bytes) -> list[bytes]:
        """IMAP responses up to and with the tagged one."""
        lines = [self.line()]
        while lines[-1] and not lines[-1].startswith(tag + b" "):
            lines.append(self.line())
        return lines

    def command(self, command: bytes) -> bytes:
        """An SMTP command's reply."""
        self.say(command + b"\r\n")
        return self.reply()

    def imap(self, command: bytes) -> bytes:
        """A tagged IMAP command (the first word is its tag): the tagged response."""
        self.say(command + b"\r\n")
        return self.tagged(command.split(b" ", 1)[0])[-1]

    def rest(self) -> bytes:
        """Everything until the server closes."""
        said = b""
        while line := self.line():
            said += line
        return said

    def start_tls(self) -> None:
        self.sock = client_context().wrap_socket(self.sock)


def client_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def smtp(port: int) -> smtplib.SMTP:
    return smtplib.SMTP("127.0.0.1", port, "client.example.net", timeout=10)


def imap(port: int, user: str = ANN) -> imaplib.IMAP4:
    client = imaplib.IMAP4("127.0.0.1", port, timeout=10)
    client.login(user, PASSWORDS[user])
    return client


def until(condition: Callable[[], object], seconds: float = 10) -> None:
    """Wait for something; fail when it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


# ---- the real processes


class Daemon:
    """`pymaild serve` as a process group of its own."""

    def __init__(
        self,
        file: Path,
        *options: str,
        prefix: Sequence[str] = ("-m", "pymaild"),
        env: dict[str, str] | None = None,
        pass_fds: tuple[int, ...] = (),
    ) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, *prefix, "-c", str(file), "serve", *options],
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, **(env or {})},
            pass_fds=pass_fds,
        )
        assert self.process.stderr is not None
        self._stderr = self.process.stderr
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._stderr:
            self.lines.append(line.decode())

    def __enter__(self) -> Daemon:
        self.ready()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        self._reader.join(5)
        self._stderr.close()

    def ready(self) -> None:
        until(lambda: self.logged("ready") or self.process.poll() is not None, 20)
        assert self.logged("ready"), "".join(self.lines)

    def logged(self, event: str) -> list[str]:
        return [line for line in self.lines if f"event={event} " in line or line.endswith(f"event={event}\n")]

    def port(self, name: str) -> int:
        line = next(line for line in self.lines if line.startswith(f"listening {name} "))
        return int(line.rpartition(":")[2])

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def children(self) -> list[int]:
        tasks = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in tasks.read_text().split()]

    def wait(self, seconds: float = 10) -> int:
        code = int(self.process.wait(seconds))
        self._reader.join(5)
        return code
