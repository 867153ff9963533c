"""Slow and silent peers. RFC 5321 §4.5.3.2, RFC 9051 §5.4, THREATS T147, T152."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from pymaild.servers.limits import Timeouts
from tests.wire.house import ANN, PASSWORDS, Peer, house, imap, smtp, until

QUICK = Timeouts(
    moment=0.02, handshake=0.4, login=1.2, command=0.4, idle=0.6, line=0.3, block=0.4, rate=50_000, write=0.5, linger=0.2
)


def drip(peer: Peer, octet: bytes, seconds: float) -> bytes:
    """One octet now and then, until the server has enough; what it said."""
    end = time.monotonic() + seconds
    peer.sock.settimeout(0.05)
    while time.monotonic() < end:
        try:
            peer.say(octet)
            said = peer.sock.recv(65536)
        except TimeoutError:
            continue
        except OSError:
            return b""
        peer.sock.settimeout(5)
        return said + peer.rest()
    raise AssertionError("the server had the patience of a saint")


def test_a_silent_smtp_client_is_told_and_dropped(tmp_path: Path) -> None:
    with house(tmp_path, QUICK) as served, Peer(served.port("smtp")) as peer:
        peer.reply()
        peer.command(b"EHLO client.example.net")
        began = time.monotonic()
        assert peer.rest().startswith(b"421 4.4.2 ")
        assert 0.3 < time.monotonic() - began < 3


def test_each_command_renews_the_patience(tmp_path: Path) -> None:
    with house(tmp_path, QUICK) as served, Peer(served.port("smtp")) as peer:
        peer.reply()
        for _ in range(4):
            time.sleep(0.25)
            assert peer.command(b"NOOP").startswith(b"250 ")


def test_octets_of_a_command_one_by_one_do_not(tmp_path: Path) -> None:
    with house(tmp_path, QUICK) as served, Peer(served.port("smtp")) as peer:
        peer.reply()
        assert drip(peer, b"N", 5).startswith(b"421 ")


def test_a_message_that_trickles_is_given_up(tmp_path: Path) -> None:
    with house(tmp_path, QUICK) as served, Peer(served.port("smtp")) as peer:
        peer.reply()
        for command in (b"EHLO x.example", b"MAIL FROM:<a@example.net>", b"RCPT TO:<ann@example.org>", b"DATA"):
            peer.command(command)
        assert drip(peer, b"a\r\n", 5).startswith(b"421 ")


def test_a_literal_that_trickles_is_given_up(tmp_path: Path) -> None:
    with house(tmp_path, QUICK) as served, Peer(served.port("imap")) as peer:
        peer.line()
        peer.imap(f"a LOGIN {ANN} {PASSWORDS[ANN]}".encode())
        peer.say(b"b APPEND INBOX {100000}\r\n")
        assert peer.line().startswith(b"+")
        assert drip(peer, b"a", 5).startswith(b"* BYE ")


@pytest.mark.parametrize("name", ["imap", "submission"])
def test_who_does_not_log_in_goes(tmp_path: Path, name: str) -> None:
    """However busy: the time from the connection to the login is limited as a whole."""
    with house(tmp_path, QUICK) as served, Peer(served.port(name)) as peer:
        peer.line()
        began, last = time.monotonic(), b""
        while line := peer.line() or last[:0]:
            last = line
            time.sleep(0.1)
            try:
                peer.say(b"a NOOP\r\n")
            except OSError:
                break
            if b"BYE" in line or line.startswith(b"421"):
                break
            assert time.monotonic() - began < 6


def test_an_imap_client_that_has_logged_in_may_be_silent_longer(tmp_path: Path) -> None:
    with house(tmp_path, QUICK) as served, Peer(served.port("imap")) as peer:
        peer.line()
        peer.imap(f"a LOGIN {ANN} {PASSWORDS[ANN]}".encode())
        began = time.monotonic()
        assert peer.rest().startswith(b"* BYE ")
        assert time.monotonic() - began > 0.5


def test_a_stalled_handshake_ends(tmp_path: Path) -> None:
    with house(tmp_path, QUICK) as served, Peer(served.port("imaps")) as peer:
        began = time.monotonic()
        assert peer.rest() == b""
        assert time.monotonic() - began < 3


def test_a_reader_that_does_not_read_is_dropped(tmp_path: Path) -> None:
    """THREATS T147: asks for 60 MB and never reads; others are served meanwhile."""
    with house(tmp_path, QUICK) as served:
        with smtp(served.port("smtp")) as client:
            client.sendmail("x@example.net", [ANN], b"Subject: big\r\n\r\n" + (b"x" * 78 + b"\r\n") * 25_000)
        with Peer(served.port("imap")) as peer:
            peer.line()
            peer.imap(f"a LOGIN {ANN} {PASSWORDS[ANN]}".encode())
            peer.imap(b"b SELECT INBOX")
            peer.say(b"c FETCH 1 BODY[]\r\n" * 30)
            until(lambda: any("does not read" in line for line in served.logged("disconnect")))
        imap(served.port("imap")).logout()


def test_two_hundred_slow_clients_cost_no_threads(tmp_path: Path) -> None:
    """Whatever a client is slow at, it waits in the parking lot."""
    with house(tmp_path, Timeouts(moment=0.02)) as served:
        before = threading.active_count()
        peers = [Peer(served.port("smtp")) for _ in range(200)]
        for peer in peers:
            peer.say(b"EHL")
        until(lambda: len(served.threaded.running.parking) == 200)
        busy = sum(thread.name.startswith("Thread-") for thread in threading.enumerate())
        assert busy < 150, before  # threads that wait to be used again end after a while; none is the connections'
        with smtp(served.port("smtp")) as client:
            assert client.noop()[0] == 250
        for peer in peers:
            peer.sock.close()
        until(lambda: not any(server.connections for server in served.threaded.running.servers))
