"""What is sent while a longer answer is still being made: INPROGRESS. RFC 9585."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from pymaild.servers.limits import Timeouts
from pymaild.servers.stream import Stream


@pytest.fixture
def pair() -> Iterator[tuple[Stream, socket.socket]]:
    here, there = socket.socketpair()
    there.settimeout(10)
    yield Stream(here, Timeouts(moment=0.05)), there
    here.close()
    there.close()


def test_it_comes_after_what_waits_and_before_what_follows(pair: tuple[Stream, socket.socket]) -> None:
    stream, peer = pair

    def pieces() -> Iterator[bytes]:
        yield b"one "
        stream.send_now(b"now ")
        assert peer.recv(100) == b"one now "  # while the rest is still to be made
        yield b"two"

    assert stream.send(pieces()) == len(b"one two")
    assert peer.recv(100) == b"two"


def test_who_does_not_read_is_not_waited_for(pair: tuple[Stream, socket.socket]) -> None:
    stream, peer = pair
    stream.sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            stream.sock.send(b"x" * 65536)
    stream.sock.settimeout(0.05)
    began = time.monotonic()
    stream.send_now(b"now")
    assert time.monotonic() - began < 0.05
    heard = b""
    peer.settimeout(0.2)
    with pytest.raises(TimeoutError):
        while True:
            heard += peer.recv(1 << 20)
    assert b"now" not in heard
