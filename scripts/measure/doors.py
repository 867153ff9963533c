"""scripts/bench doors: whether a refused login tells, by its time or its words, who has an account.

At each door a wrong password of an account, an unknown name and a disabled account take turns on a server with its default
workers; every attempt is a new connection, and the clock runs from the last octet sent to the answer. Loopback is no known
network here, so that nobody is made to wait. The processor time that the server takes for it is measured as well: that
says the same on a machine that has other things to do, where single times jump.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import statistics
import time
import urllib.parse
from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from pymaild.accounts.directory import Directory
from scripts.measure.servers import DOMAIN, Pymaild

ROUNDS, NAMES = 50, 20  # fewer than ten wrong passwords for each name: nothing is refused unchecked
LIMIT = 5.0  # milliseconds between the medians

Attempt = Callable[[Pymaild, str, str], tuple[float, str]]  # name, password -> milliseconds, what was said


class _Lines:
    """A connection that is asked lines."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.file.readline()

    def ask(self, line: str) -> str:
        self.socket.sendall(line.encode() + b"\r\n")
        while (answer := self.file.readline())[3:4] == b"-" or answer.startswith(b"* "):
            pass
        return answer.decode()

    def timed(self, line: str) -> tuple[float, str]:
        began = time.perf_counter()
        answer = self.ask(line)
        taken = (time.perf_counter() - began) * 1000
        self.file.close()
        self.socket.close()
        return taken, answer


def _plain(name: str, password: str) -> str:
    return b64encode(f"\0{name}\0{password}".encode()).decode()


def _imap_login(server: Pymaild, name: str, password: str) -> tuple[float, str]:
    return _Lines(server.imap_port).timed(f'a LOGIN "{name}" "{password}"')


def _imap_authenticate(server: Pymaild, name: str, password: str) -> tuple[float, str]:
    return _Lines(server.imap_port).timed(f"a AUTHENTICATE PLAIN {_plain(name, password)}")


def _submission(server: Pymaild, name: str, password: str) -> tuple[float, str]:
    lines = _Lines(server.ports["submission"])
    lines.ask("EHLO client.example.net")
    return lines.timed(f"AUTH PLAIN {_plain(name, password)}")


def _web(server: Pymaild, name: str, password: str) -> tuple[float, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.ports["http"], timeout=30)
    connection.request("GET", "/login")
    answer = connection.getresponse()
    cookie, page = answer.headers["Set-Cookie"].partition(";")[0], answer.read().decode()
    found = re.search(r'name="token" value="([^"]+)"', page)
    token = found[1] if found else ""
    form = urllib.parse.urlencode({"username": name, "password": password, "token": token, "next": "/mail/INBOX"})
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie}
    began = time.perf_counter()
    connection.request("POST", "/login", form, headers)
    answer = connection.getresponse()
    page = answer.read().decode()
    taken = (time.perf_counter() - began) * 1000
    connection.close()
    text = re.sub(r'(name="(?:token|username)"[^>]* value=)"[^"]*"', r'\1""', page)  # the token, and what was typed
    return taken, f"{answer.status} {text}"


DOORS: dict[str, Attempt] = {
    "IMAP LOGIN": _imap_login,
    "IMAP AUTHENTICATE": _imap_authenticate,
    "submission AUTH": _submission,
    "web sign-in": _web,
}
KINDS = ("wrong password", "unknown user", "disabled account")


def measure(folder: Path) -> list[dict[str, object]]:
    """A line for each door, and the same as figures."""
    server = Pymaild(folder, also=("submission", "http"))
    clocks = _clocks(server.process.pid)
    _people(folder / "data" / "pymaild.sqlite3")
    print(f"| door | {' | '.join(KINDS)} | largest difference | same words |\n|---|{'---|' * (len(KINDS) + 2)}")
    print("| | time / processor time | | | | |")
    try:
        return [_door(server, clocks, number, door) for number, door in enumerate(DOORS)]
    finally:
        server.stop()


def _people(database: Path) -> None:
    directory = Directory(database)
    for number in range(NAMES * len(DOORS)):
        for kind in ("wrong", "disabled"):
            directory.add_account(f"{kind}{number}@{DOMAIN}", f"right-{kind}-{number}")
        directory.set_enabled(f"disabled{number}@{DOMAIN}", False)
    directory.close()


def _clocks(session: int) -> list[int]:
    """The processor clocks of the server's processes (Linux: clock_getcpuclockid(3))."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[3]) == session:
                    found.append((~int(entry.name) << 3) | 2)
    return found


def _door(server: Pymaild, clocks: list[int], number: int, door: str) -> dict[str, object]:
    """The three kinds by turns; a disabled account gets its right password."""
    taken: dict[str, list[float]] = defaultdict(list)
    used: dict[str, list[float]] = defaultdict(list)
    words = set()
    for turn in range(ROUNDS):
        person = number * NAMES + turn % NAMES
        attempts = [
            ("wrong password", f"wrong{person}@{DOMAIN}", f"not-{turn}"),
            ("unknown user", f"nobody{person}@{DOMAIN}", f"not-{turn}"),
            (
                "disabled account",
                f"disabled{person}@{DOMAIN}",
                f"right-disabled-{person}" if turn < NAMES else f"not-{turn}",
            ),
        ]
        for kind, name, password in attempts[turn % 3 :] + attempts[: turn % 3]:
            before = sum(map(time.clock_gettime, clocks))
            milliseconds, said = DOORS[door](server, name, password)
            used[kind].append((sum(map(time.clock_gettime, clocks)) - before) * 1000)
            taken[kind].append(milliseconds)
            words.add(said)
    medians = {kind: statistics.median(taken[kind]) for kind in KINDS}
    processor = {kind: statistics.median(used[kind]) for kind in KINDS}
    difference, work = (max(figures.values()) - min(figures.values()) for figures in (medians, processor))
    figures = " | ".join(f"{medians[kind]:.1f} / {processor[kind]:.1f} ms" for kind in KINDS)
    verdict = f"{difference:.2f} / {work:.2f} ms{'' if difference < LIMIT else ' (too much)'}"
    print(f"| {door} | {figures} | {verdict} | {'yes' if len(words) == 1 else 'NO'} |", flush=True)
    return {"door": door, "time": medians, "processor": processor, "difference": difference, "words": len(words)}
