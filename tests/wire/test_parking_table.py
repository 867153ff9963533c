"""Every way to wait, on every kind of connection, costs no thread and ends in time. RFC 2177, RFC 4978, RFC 5465."""

from __future__ import annotations

import io
import socket
import time
import zlib
from collections.abc import Iterator

import pytest

from tests.wire.house import ANN, MESSAGE, PASSWORDS, House, Peer, house, until

WAYS = {
    "idle": b"w IDLE",
    "notify": b"w NOTIFY SET (selected (MessageNew MessageExpunge)) (personal (MessageNew MessageExpunge))",
    "silence": b"w NOOP",
}


class Deflated:
    """A socket whose octets are deflated in both directions. RFC 4978."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._deflate, self._inflate = zlib.compressobj(6, zlib.DEFLATED, -15), zlib.decompressobj(-15)

    def sendall(self, data: bytes) -> None:
        self._sock.sendall(self._deflate.compress(data) + self._deflate.flush(zlib.Z_SYNC_FLUSH))

    def recv(self, size: int) -> bytes:
        while block := self._sock.recv(size):
            if data := self._inflate.decompress(block):
                return data
        return b""

    def close(self) -> None:
        self._sock.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("house")) as house_:
        yield house_


def deliver(served: House) -> float:
    """A new message for ann; when it was there."""
    served.services.stores(ANN).deliver("INBOX", b"", io.BytesIO(MESSAGE))
    return time.monotonic()


def parked(served: House) -> None:
    """One connection waits, and no thread has anything to do."""
    until(lambda: len(served.threaded.running.parking) == 1 and not served.threaded.running.threads.busy)


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "deflate"])
@pytest.mark.parametrize("name", ["imap", "imaps"])
@pytest.mark.parametrize("way", WAYS)
def test_waiting(served: House, way: str, name: str, compressed: bool) -> None:
    with Peer(served.port(name), tls=name == "imaps") as peer:
        select(peer, compressed)
        peer.say(WAYS[way] + b"\r\n")
        assert peer.line().startswith(b"+" if way == "idle" else b"w OK")
        for _ in range(2):  # after the news it is parked once more
            parked(served)
            acknowledged = deliver(served)
            if way == "silence":
                parked(served)  # a change is no reason to move
                peer.say(b"n NOOP\r\n")
            assert b" EXISTS" in peer.line()
            assert time.monotonic() - acknowledged < 1
            assert b" RECENT" in peer.line()
            if way == "silence":
                assert peer.line().startswith(b"n OK")
        parked(served)
        tag = b"w" if way == "idle" else b"z"
        peer.say(b"DONE\r\n" if way == "idle" else b"z NOOP\r\n")
        assert peer.line().startswith(tag + b" OK")
    until(lambda: not len(served.threaded.running.parking))


def select(peer: Peer, compressed: bool) -> None:
    peer.line()
    assert peer.imap(f"a LOGIN {ANN} {PASSWORDS[ANN]}".encode()).startswith(b"a OK")
    if compressed:
        assert peer.imap(b"b COMPRESS DEFLATE").startswith(b"b OK")
        peer.sock = Deflated(peer.sock)  # type: ignore[assignment]
    assert peer.imap(b"c SELECT INBOX").startswith(b"c OK")


def test_news_come_between_two_commands_and_beside_half_of_one(served: House) -> None:
    """A client may be told of changes while it types. RFC 5465 §3.1."""
    with Peer(served.port("imap")) as peer:
        select(peer, compressed=False)
        assert peer.imap(WAYS["notify"]).startswith(b"w OK")
        parked(served)
        peer.say(b"h NO")
        parked(served)
        deliver(served)
        assert b" EXISTS" in peer.line()
        assert b" RECENT" in peer.line()
        peer.say(b"OP\r\n")
        assert peer.line().startswith(b"h OK")
        peer.say(b"i LOGOUT\r\n")
        assert b"i OK" in peer.rest()
    until(lambda: not len(served.threaded.running.parking))


def test_news_wait_for_a_literal(served: House) -> None:
    """In the middle of a command nothing is told; with its answer everything is."""
    with Peer(served.port("imap")) as peer:
        select(peer, compressed=False)
        assert peer.imap(WAYS["notify"]).startswith(b"w OK")
        assert peer.imap(b"g CREATE Drafts").startswith(b"g OK")
        peer.say(b"h APPEND Drafts {14}\r\n")
        assert peer.line().startswith(b"+")
        parked(served)
        deliver(served)
        parked(served)
        peer.say(b"Subject: x\r\n\r\n\r\n")
        lines = peer.tagged(b"h")
        assert [line for line in lines if b" EXISTS" in line]
        assert not [line for line in lines if b"STATUS" in line]  # its own message
        assert lines[-1].startswith(b"h OK")
    until(lambda: not len(served.threaded.running.parking))
