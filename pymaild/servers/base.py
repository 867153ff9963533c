"""ThreadingTCPServer as it has to be on a public port.

Every worker process has one of these for each listening socket; the sockets are shared with the other workers. Three
things differ from the standard library's class: the connection outlives its handler's thread (it may be parked), newcomers
beyond the limits get a refusal in their own protocol, and when descriptors run out the loop neither spins nor hangs: a
spare descriptor is given up for a moment to tell the newcomer so.
"""

from __future__ import annotations

import errno
import os
import secrets
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pymaild.dialogue import Session
from pymaild.envelope import Client, Role
from pymaild.servers import log
from pymaild.servers.census import Census
from pymaild.servers.stream import Stream
from pymaild.servers.threads import Threads
from pymaild.servers.wire import Connection, Manner

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_COURTESY = 0.002  # seconds
_BACK_OFF = 0.1  # seconds without accepting after descriptors ran out


NewSession = Callable[[Client], Session]


class Handler(socketserver.BaseRequestHandler):
    """Runs a connection in the thread it was given."""

    server: WireServer

    def handle(self) -> None:
        """Until it is closed or parked."""
        self.server.carry(self.request, self.client_address)


class WireServer(socketserver.ThreadingTCPServer):
    """One listening socket of one process; `new` makes the session of a connection. Subclasses know the protocol."""

    refusal = b""  # to newcomers beyond the limits, {} is why
    role = Role.MX

    def __init__(self, listener: socket.socket, manner: Manner, census: Census, threads: Threads, new: NewSession) -> None:
        super().__init__(("", 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_address = listener.getsockname()
        self.manner, self.census, self.threads = manner, census, threads
        self._new_session = new
        self.connections: set[Connection] = set()
        self._lock = threading.Lock()
        self._spare: int | None = _spare_descriptor()

    # ---- socketserver's steps, in their order

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept. An OSError makes socketserver go back to waiting; so does a worker that was faster.

        Who has more connections than another lets that one go first, or the first to wake would serve a whole burst.
        """
        if self.census.busiest():
            time.sleep(_COURTESY)
        try:
            return self.socket.accept()
        except OSError as error:
            if error.errno in _EXHAUSTED:
                self._turn_away(error)
            raise

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether there is room; if not, a refusal goes out and socketserver closes the socket."""
        ip = address_of(client_address)[0]
        why = self.census.enter(ip)
        if why:
            self._refuse(request, _REASONS[why])
            log.event("refused", "warning", listener=self.manner.name, ip=ip, why=why)
        return not why

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the connection a thread."""
        try:
            self.threads.run(lambda: self.process_request_thread(request, client_address))
        except RuntimeError:
            self.census.leave(address_of(client_address)[0])
            self._refuse(request, _REASONS["all"])
            request.close()
            time.sleep(_BACK_OFF)

    def shutdown_request(self, request: Any) -> None:
        """Close what was refused. (A connection has taken the descriptor out of its socket: this does not touch it.)"""
        request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing gets here: connections catch their own errors."""
        log.event("accept_error", "error", listener=self.manner.name)

    # ---- connections

    def carry(self, request: socket.socket, address: Any) -> None:
        """Make a connection around an accepted socket, and run it until it is closed or parked."""
        ip, port = address_of(address)
        client = Client(secrets.token_hex(4), ip, port, self.role)
        try:
            stream = Stream(socket.socket(fileno=request.detach()), self.manner.timeouts)
        except OSError:
            self.census.leave(ip)  # the peer has gone already
            return
        client.bindings = stream.bindings
        connection = Connection(stream, self._new_session(client), client, self.manner, self._gone)
        self.watch(connection)
        with self._lock:
            self.connections.add(connection)
        connection.start()

    def watch(self, connection: Connection) -> None:
        """For sessions that want to be woken: where to say so."""

    def _gone(self, connection: Connection) -> None:
        with self._lock:
            self.connections.discard(connection)
        self.census.leave(connection.client.ip)

    def each(self, act: Callable[[Connection], None]) -> int:
        """Do something to every connection; how many there are."""
        with self._lock:
            connections = list(self.connections)
        for connection in connections:
            act(connection)
        return len(connections)

    def server_close(self) -> None:
        """Let go of this process's copy of the listening socket."""
        super().server_close()
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None

    # ---- refusals

    def _refuse(self, request: socket.socket, why: str) -> None:
        """Tell, if the peer takes it at once; the accept loop waits for nobody. In TLS there is nobody to tell yet."""
        if self.manner.tls_first:
            return
        with suppress(OSError):
            request.settimeout(0)
            request.send(self.refusal.replace(b"{}", why.encode("ascii")))
            request.shutdown(socket.SHUT_WR)

    def _turn_away(self, error: OSError) -> None:
        """No descriptor is left: lend the spare one to the newcomer, for as long as a refusal takes."""
        log.event("exhausted", "error", listener=self.manner.name, text=error.strerror)
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
        with suppress(OSError):
            request, _ = self.socket.accept()
            self._refuse(request, _REASONS["all"])
            request.close()
        with suppress(OSError):
            self._spare = _spare_descriptor()
        time.sleep(_BACK_OFF)


_REASONS = {
    "all": "The server has too many connections. Try again in a minute",
    "address": "There are too many connections from your address. Close some, then try again",
}


def _spare_descriptor() -> int:
    return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)


def address_of(address: Any) -> tuple[str, int]:
    """IP and port of a peer; a unix socket has none, and IPv4 on a socket for both families is IPv4."""
    if not isinstance(address, tuple):
        return "", 0
    return address[0].removeprefix("::ffff:"), address[1]
