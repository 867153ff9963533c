"""Connections that wait without a thread, and are told in time. DESIGN section 6, RFC 2177."""

from __future__ import annotations

import resource
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from pymaild.servers.limits import Timeouts
from tests.wire.house import ANN, MESSAGE, PASSWORDS, Daemon, Peer, house, smtp, until, write_config


def idle(port: int, tls: bool = False) -> Peer:
    """A client in IDLE on INBOX."""
    peer = Peer(port, tls)
    peer.line()
    assert peer.imap(f"a LOGIN {ANN} {PASSWORDS[ANN]}".encode()).startswith(b"a OK")
    assert peer.imap(b"b SELECT INBOX").startswith(b"b OK")
    peer.say(b"c IDLE\r\n")
    assert peer.line().startswith(b"+")
    return peer


def notified(port: int) -> Peer:
    """A client that is told of everything without waiting for it. RFC 5465."""
    peer = Peer(port)
    peer.line()
    assert peer.imap(f"a LOGIN {ANN} {PASSWORDS[ANN]}".encode()).startswith(b"a OK")
    assert peer.imap(b"b SELECT INBOX").startswith(b"b OK")
    events = b"MessageNew MessageExpunge FlagChange"
    everything = b"c NOTIFY SET (selected (%s)) (personal (%s MailboxName SubscriptionChange))" % (events, events)
    assert peer.imap(everything).startswith(b"c OK")
    return peer


def deliver(port: int) -> float:
    """A new message for ann; when it was acknowledged."""
    with smtp(port) as client:
        client.sendmail("x@example.net", [ANN], MESSAGE)
    return time.monotonic()


@pytest.mark.parametrize("name", ["imap", "imaps"])
def test_idle_tells_of_new_mail_and_goes_back_to_waiting(tmp_path: Path, name: str) -> None:
    with house(tmp_path) as served, idle(served.port(name), name == "imaps") as peer:
        parking = served.threaded.running.parking
        for count in (1, 2, 3):
            until(lambda: len(parking) >= 1)
            acknowledged = deliver(served.port("smtp"))
            while b"EXISTS" not in (line := peer.line()):
                assert b"RECENT" in line
            assert line == b"* %d EXISTS\r\n" % count
            assert time.monotonic() - acknowledged < 1
            until(lambda: len(parking) >= 1)
            peer.say(b"DONE\r\n" if count == 3 else b"")
        assert peer.tagged(b"c")[-1].startswith(b"c OK")


def test_commands_after_a_long_silence_are_answered(tmp_path: Path) -> None:
    with house(tmp_path) as served, Peer(served.port("imaps"), tls=True) as peer:
        peer.line()
        for n in range(3):
            until(lambda: len(served.threaded.running.parking) == 1)
            assert peer.imap(b"t%d NOOP" % n).startswith(b"t%d OK" % n)


def test_two_commands_in_one_tls_record_are_not_forgotten(tmp_path: Path) -> None:
    """What TLS has decrypted already, no selector sees: DONE and NOOP come in one record, IDLE before them."""
    with house(tmp_path) as served, idle(served.port("imaps"), tls=True) as peer:
        until(lambda: len(served.threaded.running.parking) == 1)
        peer.say(b"DONE\r\nd IDLE\r\nDONE\r\ne NOOP\r\n" + b"f NOOP\r\n" * 3000)
        assert peer.tagged(b"e")[-1].startswith(b"e OK")


def test_idle_under_deflate(tmp_path: Path) -> None:
    with house(tmp_path) as served, Peer(served.port("imap")) as peer:
        peer.line()
        peer.imap(f"a LOGIN {ANN} {PASSWORDS[ANN]}".encode())
        peer.imap(b"b COMPRESS DEFLATE")
        deflate, inflate = zlib.compressobj(6, zlib.DEFLATED, -15), zlib.decompressobj(-15)
        peer.say(deflate.compress(b"c SELECT INBOX\r\nd IDLE\r\n") + deflate.flush(zlib.Z_SYNC_FLUSH))
        said = b""
        while b"+ " not in said:
            said += inflate.decompress(peer.sock.recv(65536))
        until(lambda: len(served.threaded.running.parking) == 1)
        deliver(served.port("smtp"))
        said = b""
        while b"1 EXISTS" not in said:
            said += inflate.decompress(peer.sock.recv(65536))


def test_a_peer_that_vanishes_while_parked_is_let_go(tmp_path: Path) -> None:
    with house(tmp_path) as served:
        peer = idle(served.port("imap"))
        until(lambda: len(served.threaded.running.parking) == 1)
        peer.sock.close()
        until(lambda: served.threaded.running.census.total() == 0)
        deliver(served.port("smtp"))
        assert not served.logged("fault")


def test_a_parked_connection_that_is_overdue_is_told(tmp_path: Path) -> None:
    with house(tmp_path, Timeouts(moment=0.02, idle=0.5)) as served, idle(served.port("imap")) as peer:
        assert peer.rest().startswith(b"* BYE ")


@pytest.mark.parametrize("wait", [idle, notified])
def test_a_thousand_idle_connections(tmp_path: Path, wait: Callable[[int], Peer]) -> None:
    """No thread each, few kilobytes each, and every one is told."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    peers: list[Peer] = []
    try:
        with house(tmp_path, more="[limits]\nconnections_per_account = 1000\n") as served:
            before = memory()
            peers = [wait(served.port("imap")) for _ in range(1000)]
            until(lambda: len(served.threaded.running.parking) == 1000)
            print(f"{(memory() - before) / 1000:.1f} KiB for each, both ends of it")
            assert (memory() - before) / 1000 < 60
            until(lambda: not served.threaded.running.threads.busy)
            acknowledged = deliver(served.port("smtp"))
            for peer in peers:
                assert b"EXISTS" in peer.line()
            assert time.monotonic() - acknowledged < 5
    finally:
        for peer in peers:
            peer.sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def memory() -> float:
    """Resident memory of this process in KiB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return float(line.split()[1])


def test_a_message_through_one_worker_wakes_a_client_of_another(tmp_path: Path) -> None:
    """Two worker processes; clients until both have one; each hears of the delivery within a second."""
    with Daemon(write_config(tmp_path, workers=2)) as daemon:
        peers = [idle(daemon.port("imap")) for _ in range(8)]
        workers = daemon.children()
        until(lambda: all(sockets(pid) > 0 for pid in workers[:2]))
        acknowledged = deliver(daemon.port("smtp"))
        for peer in peers:
            assert b"EXISTS" in peer.line()
            assert time.monotonic() - acknowledged < 1
            peer.sock.close()


def sockets(pid: int) -> int:
    """How many parked connections a worker watches: what its epoll descriptor lists."""
    found = 0
    for info in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            found += info.read_text().count("tfd:")
        except OSError:
            continue
    return found
