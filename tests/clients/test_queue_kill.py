"""kill -9 while mail is submitted and sent: what was accepted arrives once, or twice where the crash hid the other's 250."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import smtplib
import socketserver
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.server import ANN, HOST, PASSWORD, PATIENCE, Server, wait_for

pytestmark = pytest.mark.clients
SESSIONS = 6


class Sink(socketserver.ThreadingTCPServer):
    """Another server: it takes everything, and counts messages by their subject once it has said 250."""

    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        super().__init__((HOST, 0), _Session)
        self.arrived: Counter[str] = Counter()
        self.lock = threading.Lock()


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError):
            self.wfile.write(b"220 sink\r\n")
            while line := self.rfile.readline():
                verb = line[:4].upper()
                if verb == b"DATA":
                    self._data()
                elif verb == b"QUIT":
                    return
                else:
                    self.wfile.write(b"250 ok\r\n")

    def _data(self) -> None:
        self.wfile.write(b"354 go\r\n")
        subject = ""
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                return  # cut off: not a message
            if line.startswith(b"Subject: "):
                subject = line[9:].decode().strip()
        sink = self.server
        assert isinstance(sink, Sink)
        with sink.lock:
            sink.arrived[subject] += 1
        self.wfile.write(b"250 taken\r\n")


@contextlib.contextmanager
def sinking() -> Iterator[Sink]:
    sink = Sink()
    thread = threading.Thread(target=sink.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield sink
    sink.shutdown()
    sink.server_close()


class Submitter:
    """Sends numbered messages over several connections until so many were accepted, whatever dies meanwhile."""

    def __init__(self, port: int, messages: int) -> None:
        self.port, self.messages = port, messages
        self.accepted: set[str] = set()
        self._number = 0
        self._lock, self._again = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(SESSIONS)]

    def _next(self) -> str:
        with self._lock:
            self._number += 1
            return f"n{self._number}"

    @property
    def is_done(self) -> bool:
        return len(self.accepted) >= self.messages

    def _run(self) -> None:
        while not self.is_done:
            with contextlib.suppress(OSError, smtplib.SMTPException), smtplib.SMTP(HOST, self.port, timeout=10) as client:
                client.login(ANN, PASSWORD)
                while not self.is_done:
                    subject = self._next()
                    text = f"From: {ANN}\r\nTo: x@example.net\r\nSubject: {subject}\r\n\r\nhello\r\n"
                    client.sendmail(ANN, ["x@example.net"], text)
                    self.accepted.add(subject)
            self._again.wait(0.02)  # the server is being started again


MESSAGES = int(os.environ.get("PYMAILD_KILL_MESSAGES", "300"))  # scripts/crash queue sends more


def test_nothing_that_was_accepted_is_lost(tmp_path: Path) -> None:
    chance = random.Random(MESSAGES)
    with sinking() as sink:
        server = Server(tmp_path)
        route = f"[outbound]\nroutes = example.net={HOST}:{sink.server_address[1]}\n"
        server.make(workers=1, more=route + "[limits]\nmessages_per_day = 0\nnew_recipients_per_day = 0\n")
        server.start()
        submitter = Submitter(server.ports["submission"], MESSAGES)
        for thread in submitter.threads:
            thread.start()
        kills = 0
        while not submitter.is_done:
            more = len(submitter.accepted) + chance.randint(10, 100)
            wait_for("mail is accepted again", lambda more=more: submitter.is_done or len(submitter.accepted) >= more, 60)
            assert server.process is not None
            os.killpg(server.process.pid, signal.SIGKILL)
            server.process.wait()
            kills += 1
            server.start()
        for thread in submitter.threads:
            thread.join(PATIENCE)
        wait_for("the queue is empty", lambda: not json.loads(server.pymaild("queue", "list", "--json")), 120)
        left = [path.name for path in (server.data / "queue" / "mail").iterdir()]
        server.stop()
    counts = [sink.arrived[subject] for subject in submitter.accepted]
    assert min(counts) >= 1, f"{counts.count(0)} of {len(counts)} accepted messages are lost after {kills} kills"
    assert max(counts) <= 2
    twice = sum(count - 1 for count in sink.arrived.values())
    assert twice <= kills * 20, "more came twice than were on their way at the crashes"
    print(f"{len(counts)} accepted, {kills} kills, {twice} twice, 0 lost, {len(left)} files without a row")
    assert kills >= 2
