"""How many at a time, and what becomes of the rest. THREATS section 1, T152."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from pymaild.servers.census import Census, TooManyConnections
from pymaild.servers.limits import Caps
from tests.wire.house import ANN, PASSWORDS, Daemon, Peer, house, smtp, until, write_config


def test_one_connection_too_many_of_an_account_is_told_so_and_a_lost_one_makes_room(tmp_path: Path) -> None:
    login = f"a LOGIN {ANN} {PASSWORDS[ANN]}".encode()
    with house(tmp_path, more="[limits]\nconnections_per_account = 2\n") as served:
        port = served.port("imap")
        with Peer(port) as one, Peer(port) as two:
            assert one.imap(login).startswith(b"a OK")
            with Peer(port) as lost:
                assert lost.imap(login).startswith(b"a OK")
                assert two.imap(login).startswith(b"a NO [LIMIT]")
                assert two.imap(b"b NOOP").startswith(b"b OK")
            until(lambda: two.imap(login).startswith(b"a OK"))


def test_logins_of_an_account_are_counted_over_all_workers() -> None:
    census = Census(Caps(per_account=2), rows=2)
    leave = census.place("ann@example.org")
    census.row = 1
    census.place("ann@example.org")
    with pytest.raises(TooManyConnections) as caught:
        census.place("ann@example.org")
    assert "has 2 connections open" in caught.value.text
    census.place("bob@example.org")
    census.clear(1)  # that worker died
    census.place("ann@example.org")
    census.row = 0
    leave()
    census.place("ann@example.org")
    with pytest.raises(TooManyConnections):
        census.place("ann@example.org")


def test_too_many_in_all_are_told_so(tmp_path: Path) -> None:
    with house(tmp_path, more="[limits]\nconnections = 3\n") as served:
        peers = [Peer(served.port("smtp")) for _ in range(3)]
        for peer in peers:
            assert peer.reply().startswith(b"220 ")
        with Peer(served.port("smtp")) as peer:
            assert peer.rest().startswith(b"421 4.7.0 ")
        with Peer(served.port("imap")) as peer:
            assert peer.rest().startswith(b"* BYE [UNAVAILABLE] ")
        peers[0].sock.close()
        until(lambda: served.threaded.running.census.total() < 3)
        with Peer(served.port("imap")) as peer:
            assert peer.line().startswith(b"* OK")
        for peer in peers:
            peer.sock.close()


def test_one_address_gets_its_share_and_others_come_in() -> None:
    census = Census(Caps(connections=100, per_address=2))
    assert [census.enter("192.0.2.1") for _ in range(3)] == ["", "", "address"]
    assert census.enter("192.0.2.2") == ""
    census.leave("192.0.2.1")
    assert census.enter("192.0.2.1") == ""


def test_loopback_is_not_counted_and_an_ipv6_site_is_one_address() -> None:
    census = Census(Caps(connections=100, per_address=2))
    assert [census.enter("127.0.0.1") for _ in range(5)] == [""] * 5
    assert [census.enter(f"2001:db8::{n}") for n in range(3)] == ["", "", "address"]
    assert census.enter("2001:db8:0:1::1") == ""


def test_the_census_counts_over_processes_and_forgets_the_dead() -> None:
    census = Census(Caps(connections=3, per_address=100), rows=2)
    child = os.fork()
    if child == 0:
        census.row = 1
        os._exit([census.enter("192.0.2.1") for _ in range(2)].count("x"))
    os.waitpid(child, 0)
    assert census.total() == 2
    assert [census.enter("192.0.2.9") for _ in range(2)] == ["", "all"]
    census.clear(1)
    assert census.total() == 1


def test_without_descriptors_newcomers_get_421_and_nothing_spins(tmp_path: Path) -> None:
    """The standard library's accept loop would use a whole core here, and never recover. THREATS section 0.7."""
    file = write_config(tmp_path)
    limit = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60)); "
    daemon = Daemon(
        file, prefix=["-c", limit + "sys.argv[0] = 'pymaild'; runpy.run_module('pymaild', run_name='__main__')"]
    )
    with daemon:
        worker = daemon.children()[0]
        peers: list[Peer] = []
        refusal = b""
        while not refusal and len(peers) < 80:
            peer = Peer(daemon.port("smtp"))
            peers.append(peer)
            line = peer.line()
            refusal = line if line.startswith(b"421 ") else b""
        assert refusal.startswith(b"421 4.7.0 "), refusal
        before, began = cpu(worker), time.monotonic()
        waiting = [socket.create_connection(("127.0.0.1", daemon.port("smtp"))) for _ in range(5)]
        time.sleep(1.0)
        assert (cpu(worker) - before) / (time.monotonic() - began) < 0.5
        for sock in (*waiting, *(peer.sock for peer in peers)):
            sock.close()
        until(lambda: greeting(daemon.port("smtp")).startswith(b"220 "))


def greeting(port: int) -> bytes:
    with Peer(port) as peer:
        return peer.line()


def cpu(pid: int) -> float:
    """Seconds of processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_the_last_spare_thread_is_not_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the machine gives no thread the newcomer is refused, and the next one is served."""
    with house(tmp_path) as served:
        threads = served.threaded.running.threads
        run = threads.run

        def refuse(job: object) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threads, "run", refuse)
        with Peer(served.port("smtp")) as peer:
            assert peer.rest().startswith(b"421 ")
        monkeypatch.setattr(threads, "run", run)
        with smtp(served.port("smtp")) as client:
            assert client.noop()[0] == 250
        until(lambda: served.threaded.running.census.total() == 0)
