"""scripts/bench relay: messages a second that leave, to smtp-sink; ours and Postfix's by turns on the same disk.

path    4 KB, 10 sessions: submitted, queued durably, carried to smtp-sink. The clock stops when the sink has them all.
        Both servers get the same load from the same few lines below; ours wants a login and signs each message (DKIM).
alone   our relay by itself, ten threads and one file: what carrying costs without queue and submission
"""

from __future__ import annotations

import base64
import contextlib
import re
import resource
import socket
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pymaild.envelope import Address, Recipient
from pymaild.outbound.job import Addressee, Job, Kind
from pymaild.outbound.relay import Relay
from pymaild.outbound.route import Host, Route
from scripts.measure.servers import ADDRESS, PASSWORD, Postfix, Pymaild, Server, free_port, until

MESSAGES, WARM_UP, SESSIONS = 2000, 100, 10
OTHER = "example.net"
LETTER = f"From: {ADDRESS}\r\nTo: x@{OTHER}\r\nSubject: bench\r\n\r\n".encode() + (b"x" * 70 + b"\r\n") * 55
ROWS = ("path", "alone")


class Sink:
    """smtp-sink, and how many messages it has."""

    def __init__(self) -> None:
        self.port = free_port()
        command = ["smtp-sink", "-u", "nobody", "-c", f"127.0.0.1:{self.port}", "1024"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0)
        self._counting = threading.Thread(target=self._count)
        self.messages = 0
        self._counting.start()
        until(lambda: _listens(self.port), 10, "smtp-sink does not listen")

    def _count(self) -> None:
        assert self._process.stdout
        said = b""
        while block := self._process.stdout.read(4096):
            said = (said + block)[-4096:]
            found = re.findall(rb"mesg=([0-9]+)\r", said)
            self.messages = int(found[-1]) if found else 0

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()
        self._counting.join()


@contextlib.contextmanager
def sink() -> Iterator[Sink]:
    running = Sink()
    try:
        yield running
    finally:
        running.stop()


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


# ---- the load


def submit(port: int, messages: int, login: bool) -> None:
    """So many messages over ten connections, with PIPELINING."""
    threads = [threading.Thread(target=_session, args=(port, messages // SESSIONS, login)) for _ in range(SESSIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _session(port: int, messages: int, login: bool) -> None:
    envelope = f"MAIL FROM:<{ADDRESS}>\r\nRCPT TO:<x@{OTHER}>\r\nDATA\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), 60) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _await(sock, b"220 ")
        sock.sendall(b"EHLO client.example.org\r\n")
        _await(sock, b"\r\n250 ")
        if login:
            sock.sendall(b"AUTH PLAIN " + base64.b64encode(f"\0{ADDRESS}\0{PASSWORD}".encode()) + b"\r\n")
            _await(sock, b"235 ")
        for _ in range(messages):
            sock.sendall(envelope)
            _await(sock, b"354 ")
            sock.sendall(LETTER + b".\r\n")
            _await(sock, b"250 ")
        sock.sendall(b"QUIT\r\n")


def _await(sock: socket.socket, wanted: bytes) -> None:
    got = b""
    while wanted not in got or not got.endswith(b"\r\n"):
        block = sock.recv(65536)
        got += block
        if not block or b"\r\n5" in got or got.startswith((b"4", b"5")):
            raise RuntimeError(f"the server said {got!r}")


# ---- the servers


def pymaild(folder: Path, sink_port: int) -> Pymaild:
    """Ours; the load comes by submission."""
    more = (
        f"[outbound]\nroutes = {OTHER}=127.0.0.1:{sink_port}\n[limits]\nmessages_per_day = 0\nnew_recipients_per_day = 0\n"
    )
    server = Pymaild(folder, more=more, also=("submission",))
    server.port = server.ports["submission"]
    return server


def postfix(folder: Path, sink_port: int) -> Postfix:
    """Postfix as a relay."""
    return Postfix(folder, f"relayhost = [127.0.0.1]:{sink_port}\nsmtp_host_lookup = native\n")


def path_once(start: Callable[[Path, int], Server], folder: Path, login: bool) -> tuple[float, float]:
    """Messages a second, and processor milliseconds a message."""
    folder.mkdir()
    with sink() as there:
        server = start(folder, there.port)
        try:
            submit(server.port, WARM_UP, login)
            until(lambda: there.messages == WARM_UP, 60, f"{server.name} lost messages")
            used, began = server.cpu(), time.monotonic()
            submit(server.port, MESSAGES, login)
            accepted = time.monotonic() - began
            until(lambda: there.messages == WARM_UP + MESSAGES, 120, f"{server.name} lost messages")
            seconds = time.monotonic() - began
            print(f"  {server.name}: accepted in {accepted:.2f} s, sent in {seconds:.2f} s", flush=True)
            return MESSAGES / seconds, (server.cpu() - used) / MESSAGES * 1000
        finally:
            server.stop()


def path(folder: Path, rounds: int) -> dict[str, object]:
    """A B A B ..."""
    ours, theirs = [], []
    for number in range(rounds):
        ours.append(path_once(pymaild, folder / f"path-{number}-pymaild", True))
        theirs.append(path_once(postfix, folder / f"path-{number}-postfix", False))
    ratios = [one[0] / two[0] for one, two in zip(ours, theirs, strict=True)]
    print(
        f"path: pymaild {_shown([r for r, _ in ours], 0)}/s  postfix {_shown([r for r, _ in theirs], 0)}/s"
        f"  ratio {_shown(ratios, 2)}  CPU ms {_shown([c for _, c in ours], 2)} / {_shown([c for _, c in theirs], 2)}",
        flush=True,
    )
    return {"row": "path", "pymaild": ours, "postfix": theirs, "ratio": ratios}


# ---- the relay by itself


class _OneHost:
    """A Router that knows the sink."""

    def __init__(self, port: int) -> None:
        self._route = Route(OTHER, (Host("127.0.0.1", port),), configured=True)

    def find(self, domain: str) -> Route:
        return self._route

    def addresses(self, host: Host, configured: bool = False) -> Sequence[str]:
        return ["127.0.0.1"]


def alone(folder: Path, rounds: int) -> dict[str, object]:
    """The relay in this process."""
    file = folder / "message"
    file.write_bytes(LETTER)
    figures = [_alone_once(file) for _ in range(rounds)]
    print(
        f"alone: {_shown([rate for rate, _ in figures], 0)}/s  CPU ms {_shown([cpu for _, cpu in figures], 3)}",
        flush=True,
    )
    return {"row": "alone", "pymaild": figures}


def _alone_once(file: Path) -> tuple[float, float]:
    sender, _, domain = ADDRESS.partition("@")
    addressees = [Addressee(Recipient(Address("x", OTHER)), OTHER)]
    job = Job("bench", "", Address(sender, domain), addressees, file, len(LETTER), 0.0)

    def work() -> None:
        for _ in range(MESSAGES // SESSIONS):
            [result] = relay.send(job)
            if result.kind is not Kind.SENT:
                raise RuntimeError(str(result))

    with sink() as there:
        relay = Relay("mail.example.org", _OneHost(there.port))
        relay.send(job)
        used, began = _cpu(), time.monotonic()
        threads = [threading.Thread(target=work) for _ in range(SESSIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds, used = time.monotonic() - began, _cpu() - used
        relay.close()
    return MESSAGES / seconds, used / MESSAGES * 1000


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _shown(values: Sequence[float], digits: int) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def measure(folder: Path, rounds: int, only: Sequence[str]) -> list[dict[str, object]]:
    """Both rows, or those that are asked for."""
    rows = {"path": path, "alone": alone}
    return [rows[name](folder, rounds) for name in ROWS if not only or name in only]
