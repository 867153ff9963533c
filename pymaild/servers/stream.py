"""One socket as a stream of octets: gathered writes, TLS, DEFLATE, the slow and the vanished."""

from __future__ import annotations

import select
import socket
import ssl
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from pymaild.servers.limits import Timeouts
from pymaild.servers.tls import channel_bindings

BLOCK = 65_536  # octets of one read, and of one gathered write
_LAST_WORDS = 1 << 20  # octets read from a peer that goes on talking after our farewell

# 4096 octets of window and a small table: 32 KiB a connection instead of 256 KiB. A peer inflates it with any window.
_DEFLATE_WINDOW, _DEFLATE_MEMORY = -12, 5


class Stream:
    """Receives and sends for one connection. Every OSError means that the connection is lost."""

    __slots__ = ("_deflater", "_inflater", "_timeouts", "_waiting", "sock")

    def __init__(self, sock: socket.socket, timeouts: Timeouts) -> None:
        self.sock = sock
        self._timeouts = timeouts
        self._inflater: zlib._Decompress | None = None
        self._deflater: zlib._Compress | None = None
        self._waiting: list[bytes] = []  # pieces to be sent together
        sock.settimeout(timeouts.moment)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # send() gathers, Nagle's delay would only hurt
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    # ---- in

    def receive(self) -> bytes | None:
        """The next octets; None: silence for a moment; empty: the peer has gone."""
        try:
            return self.sock.recv(BLOCK)
        except TimeoutError:
            return None
        except OSError:
            return b""

    @property
    def pending(self) -> bool:
        """Whether TLS holds octets that the kernel knows nothing of any more."""
        return isinstance(self.sock, ssl.SSLSocket) and self.sock.pending() > 0

    def inflated(self, block: bytes) -> Iterator[bytes]:
        """What a block says, in pieces of at most BLOCK octets however much it blows up. RFC 4978 §3, THREATS T150."""
        inflater = self._inflater
        if inflater is None:
            yield block
            return
        while True:
            try:
                piece = inflater.decompress(block, BLOCK)
            except zlib.error as error:
                raise ConnectionError(f"no DEFLATE stream: {error}") from None
            block = inflater.unconsumed_tail
            if piece:
                yield piece
            if inflater.eof:
                raise ConnectionError("the DEFLATE stream ended")
            if not block and len(piece) < BLOCK:
                return

    # ---- out

    def send(self, pieces: Iterable[bytes]) -> int:
        """Send all pieces, small ones together; no more than one piece and BLOCK octets are held. Octets sent, in clear."""
        self._waiting = []
        size = total = 0
        for piece in pieces:
            self._waiting.append(piece)
            size += len(piece)
            total += len(piece)
            if size >= BLOCK:
                self._flush()
                size = 0
        if total:
            self._flush(last=True)
        return total

    def send_now(self, data: bytes) -> None:
        """Send this while the next piece of send() is being made, after those that wait; not to a slow peer."""
        poll = select.poll()
        poll.register(self.sock, select.POLLOUT)
        if not poll.poll(0):
            return
        self._waiting.append(data)
        self._flush(last=True)

    def _flush(self, last: bool = False) -> None:
        data, self._waiting = b"".join(self._waiting), []
        self._write(data, last)

    def _write(self, data: bytes, last: bool = False) -> None:
        if self._deflater:
            data = self._deflater.compress(data) + (self._deflater.flush(zlib.Z_SYNC_FLUSH) if last else b"")
        view = memoryview(data)
        while view:
            self._write_all(view[:BLOCK])
            view = view[BLOCK:]

    def _write_all(self, view: memoryview) -> None:
        """One block, within the time that even a slow line needs for it."""
        deadline = 0.0
        while view:
            try:
                view = view[self.sock.send(view) :]
            except TimeoutError:
                now = time.monotonic()
                deadline = deadline or now - self._timeouts.moment + self._timeouts.write
                if now >= deadline:
                    raise TimeoutError("the peer does not read") from None

    # ---- layers

    def start_tls(self, context: ssl.SSLContext) -> str:
        """Shake hands; the version and cipher agreed on."""
        self.sock.settimeout(self._timeouts.handshake)
        self.sock = sock = context.wrap_socket(self.sock, server_side=True, do_handshake_on_connect=False)
        sock.do_handshake()
        sock.settimeout(self._timeouts.moment)
        cipher = sock.cipher()
        return f"{sock.version()} {cipher[0] if cipher else ''}"

    def start_deflate(self) -> None:
        """Everything from here on is deflated, in both directions. RFC 4978."""
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._deflater = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, _DEFLATE_WINDOW, _DEFLATE_MEMORY)

    def bindings(self) -> Mapping[str, bytes]:
        """What ties a login to this TLS connection; nothing in clear."""
        return channel_bindings(self.sock) if isinstance(self.sock, ssl.SSLSocket) else {}

    # ---- end

    def close(self, politely: bool) -> None:
        """Close; politely: let the peer read our last words first, though it may still be talking.

        Closing with unread input would make the kernel send RST, and that takes the reply away from the peer.
        """
        with suppress(OSError, ValueError):
            if politely:
                self._finish()
        self.sock.close()

    def _finish(self) -> None:
        sock = self.sock
        if isinstance(sock, ssl.SSLSocket):
            sock.settimeout(0)
            with suppress(OSError, ValueError):
                sock.unwrap()  # sends close_notify; the peer's own is not waited for
        deadline, left = time.monotonic() + self._timeouts.linger, _LAST_WORDS
        socket.socket.shutdown(sock, socket.SHUT_WR)
        while left > 0 and (patience := deadline - time.monotonic()) > 0:
            sock.settimeout(patience)
            block = socket.socket.recv(sock, BLOCK)
            if not block:
                return
            left -= len(block)
