"""A client that was away comes back with QRESYNC and gets the difference: after a restart, kill -9, a rebuilt index. RFC 7162 §3.2.

While it is away others append, expunge and change flags, and the server ends in one way or another. Then one SELECT must
bring the client's copy to the truth, with nothing it knew already (or as much as the case says), under the same
uidvalidity and with no lower mod-sequence.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
from collections.abc import Callable, Iterator

import pytest

from tests.clients.server import ANN, HOST, PASSWORD, PATIENCE, Server, wait_for
from tests.dovecot import ImapConnection

pytestmark = pytest.mark.clients

COUNT = 400


class Replica:
    """A client that keeps a copy of Drafts: uid -> flags, and what it heard last."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.flags: dict[int, frozenset[bytes]] = {}
        self.uidvalidity = self.modseq = self.uidnext = 0
        self.fetched: set[int] = set()
        self.vanished: set[int] = set()
        self.octets = 0

    def synchronise(self) -> None:
        """SELECT, all the news, LOGOUT."""
        self.fetched, self.vanished = set(), set()
        with logged_in(self.server) as connection:
            connection.command(b"ENABLE QRESYNC")
            known = f" (QRESYNC ({self.uidvalidity} {self.modseq}))" if self.uidvalidity else ""
            answers = connection.command(f"SELECT Drafts{known}".encode())
            self.octets = sum(map(len, answers))
            if not known:
                answers += connection.command(b"UID FETCH 1:* (FLAGS)")
            for answer in answers:
                self.hear(answer)
            connection.command(b"LOGOUT")

    def hear(self, answer: bytes) -> None:
        if told := re.match(rb"\* OK \[(UIDVALIDITY|HIGHESTMODSEQ|UIDNEXT) (\d+)\]", answer):
            name, value = told[1].decode().lower().removeprefix("highest"), int(told[2])
            if name == "uidvalidity" and self.uidvalidity:
                assert value == self.uidvalidity, "the copy would have to be thrown away"
            if name == "modseq":
                assert value >= self.modseq, "a mod-sequence that was acknowledged is ahead of the mailbox"
            setattr(self, name, value)
        elif gone := re.match(rb"\* VANISHED \(EARLIER\) (\S+)", answer):
            self.vanished.update(numbers(gone[1]))
            self.flags = {uid: flags for uid, flags in self.flags.items() if uid not in self.vanished}
        elif answer.startswith(b"* ") and b" FETCH (" in answer:
            number, flags = re.search(rb"UID (\d+)", answer), re.search(rb"FLAGS \(([^)]*)\)", answer)
            assert number and flags, answer
            self.fetched.add(int(number[1]))
            self.flags[int(number[1])] = frozenset(flags[1].split()) - {rb"\Recent"}


def numbers(uid_set: bytes) -> Iterator[int]:
    """The uids of 1:3,5."""
    for each in uid_set.split(b","):
        first, _, last = each.partition(b":")
        yield from range(int(first), int(last or first) + 1)


def logged_in(server: Server) -> ImapConnection:
    connection = ImapConnection(server.ports["imap"], HOST)
    connection.command(f'LOGIN {ANN} "{PASSWORD}"'.encode())
    return connection


def others(server: Server) -> tuple[int, set[int], set[int]]:
    """What happens meanwhile: the last mod-sequence that was acknowledged, the uids changed or new, and those gone."""
    with logged_in(server) as one, logged_in(server) as two:
        one.command(b"ENABLE QRESYNC")
        for each in (one, two):
            each.command(b"SELECT Drafts")
        one.command(rb"UID STORE 10:19,300 +FLAGS (\Flagged Away)")
        two.command(rb"UID STORE 20:29 +FLAGS.SILENT (\Deleted)")
        two.command(b"UID EXPUNGE 20:29")
        one.command(b"UID MOVE 100:104 Archive")
        for number in range(3):
            two.command(b"APPEND Drafts {20+}\r\nSubject: %d\r\n\r\nlate\r\n" % number)
        one.command(rb"UID STORE 401 +FLAGS (\Seen)")
        (status,) = [line for line in one.command(b"STATUS Drafts (HIGHESTMODSEQ)") if line.startswith(b"* STATUS")]
        heard = re.search(rb"HIGHESTMODSEQ (\d+)", status)
        assert heard
        return int(heard[1]), {*range(10, 20), 300, 401, 402, 403}, {*range(20, 30), *range(100, 105)}


def truth(server: Server) -> dict[int, frozenset[bytes]]:
    fresh = Replica(server)
    fresh.synchronise()
    return fresh.flags


def kill(server: Server) -> None:
    """Every process of it, at once."""
    assert server.process is not None
    os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait(PATIENCE)
    wait_for("the last process has let go of the port", lambda: not answers(server.ports["imap"]))


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1):
        return True
    return False


def stop_and_start(server: Server) -> None:
    server.stop()
    server.start()


def kill_and_start(server: Server) -> None:
    kill(server)
    server.start()


def kill_rebuild_and_start(server: Server) -> None:
    kill(server)
    server.pymaild("index", "rebuild", ANN)
    server.start()


def kill_lose_and_start(server: Server) -> None:
    kill(server)
    for file in (server.data / "mail" / "example.org" / "ann").glob("index.sqlite3*"):
        file.unlink()
    server.start()


def nothing(server: Server) -> None:
    """It just goes on."""


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("away"))
    server.make(workers=2)
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("event", "everything"),
    [(nothing, False), (stop_and_start, False), (kill_and_start, False), (kill_rebuild_and_start, True),
     (kill_lose_and_start, True)],
)  # fmt: skip
def test_only_the_difference(away: Server, event: Callable[[Server], None], everything: bool) -> None:
    with logged_in(away) as connection:
        connection.command(b"DELETE Drafts")
        connection.command(b"CREATE Drafts")
        for _ in range(COUNT // 100):
            connection.command(b"APPEND Drafts" + b" {20+}\r\nSubject: x\r\n\r\nbody\r\n" * 100)
    replica = Replica(away)
    replica.synchronise()
    assert len(replica.flags) == COUNT
    acknowledged, changed, gone = others(away)
    known = replica.uidnext
    event(away)
    replica.synchronise()
    assert replica.flags == truth(away)
    assert replica.modseq >= acknowledged
    assert {uid for uid in replica.vanished if uid < known} == gone
    assert replica.fetched == (set(replica.flags) if everything else changed)
    print(f"{event.__name__}: {len(replica.fetched)} FETCH, {replica.octets} octets, {len(replica.vanished - gone)} unused")
    replica.synchronise()  # and now there is no news at all
    assert not replica.fetched and not replica.vanished
