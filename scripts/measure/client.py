"""As little of an IMAP client as can be, so that what is measured is the server: answers are read, not understood."""

from __future__ import annotations

import re
import socket
import time

_DEADLINE = 600
_EXISTS = re.compile(rb"\* (\d+) EXISTS")


class Client:
    """One connection."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), _DEADLINE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._count = 0
        self._block = bytearray(1 << 20)
        self.octets = 0  # of the last answer
        self.read_until(b"\r\n")
        self.command(f'LOGIN "{user}" "{password}"')

    def read_until(self, wanted: bytes) -> bytes:
        """The last octets up to a line with these in it."""
        tail, self.octets = b"", 0
        while True:
            got = self.socket.recv_into(self._block)
            if not got:
                raise ConnectionError(f"the server closed the connection after {tail!r}")
            self.octets += got
            tail = (tail + self._block[max(0, got - 4000) : got])[-4000:]
            if tail.endswith(b"\r\n") and wanted in tail:
                return tail

    def command(self, command: str) -> bytes:
        """Send it, and read until the tagged answer is there; the end of what came."""
        tag = f"t{self._count}"
        self._count += 1
        self.socket.sendall(f"{tag} {command}\r\n".encode())
        said = self.read_until(f"{tag} ".encode())
        if f"{tag} OK".encode() not in said:
            raise ValueError(f"{command[:60]}: {said[-200:]!r}")
        return said

    def timed(self, command: str) -> float:
        """Milliseconds of one command."""
        began = time.perf_counter()
        self.command(command)
        return (time.perf_counter() - began) * 1000

    def append(self, mailbox: str, message: bytes) -> None:
        """APPEND with a literal that waits for the server."""
        tag = f"t{self._count}"
        self._count += 1
        self.socket.sendall(f"{tag} APPEND {mailbox} {{{len(message)}}}\r\n".encode())
        self.read_until(b"+ ")
        self.socket.sendall(message + b"\r\n")
        if f"{tag} OK".encode() not in (said := self.read_until(f"{tag} ".encode())):
            raise ValueError(f"APPEND: {said!r}")

    def select(self, mailbox: str = "INBOX") -> int:
        """How many messages the mailbox has."""
        found = _EXISTS.search(self.command(f"SELECT {mailbox}"))
        return int(found[1]) if found else 0

    def close(self) -> None:
        self.socket.close()
