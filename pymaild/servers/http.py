"""The webmail's listeners: waitress, and for https a TLS server in front of it.

waitress speaks no TLS. So an https connection is accepted and shaken hands with in a thread of its own, which then carries
octets between the peer and one end of a socket pair; the other end is handed to waitress as if it had accepted it, with the
peer's real address. No header has to be trusted for that.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

from pymaild.servers import log
from pymaild.servers.base import WireServer, address_of
from pymaild.servers.stream import BLOCK, Stream

_THREADS = 4  # of waitress, in each process
_OPTIONS: dict[str, Any] = {
    "threads": _THREADS,
    "ident": None,
    "channel_timeout": 120,
    "connection_limit": 500,
    "max_request_header_size": 64 << 10,
    "max_request_body_size": 256 << 20,
    "clear_untrusted_proxy_headers": True,
    "asyncore_use_poll": True,
    "log_socket_errors": False,
}

WsgiApp = Callable[..., Iterable[bytes]]


class WebServer:
    """waitress in this process. Without sockets it serves only what it is given()."""

    def __init__(self, app: WsgiApp, sockets: list[socket.socket], scheme: str) -> None:
        from waitress.server import create_server  # noqa: PLC0415 - only who has a webmail pays for it

        size = threading.stack_size(0)  # pages clean hostile HTML in compiled code: the usual stack for those threads
        try:
            self._map: dict[int, Any] = {}
            options = {**_OPTIONS, "url_scheme": scheme, "sockets": sockets or [socket.socket()]}
            self._server = create_server(app, map=self._map, _start=bool(sockets), **options)
        finally:
            threading.stack_size(size)
        self._thread = threading.Thread(target=self._run, name=scheme, daemon=True)

    def start(self) -> None:
        """Serve in a thread of its own."""
        self._thread.start()

    def given(self, conversation: socket.socket, address: Any) -> None:
        """Serve a connection that somebody else accepted."""
        server: Any = self._server
        server.trigger.pull_trigger(lambda: server.channel_class(server, conversation, address, server.adj, map=self._map))

    def _run(self) -> None:
        try:
            self._server.run()
        except (OSError, ValueError) as error:  # its sockets were closed under it: stop() was called
            log.event("http_ended", "debug", text=error)

    def stop(self) -> None:
        """Finish the requests under way, then end."""
        from waitress import wasyncore  # noqa: PLC0415

        self._server.task_dispatcher.shutdown(cancel_pending=False, timeout=5)
        wasyncore.close_all(self._map, ignore_all=True)


class HttpsServer(WireServer):
    """Accepts, shakes hands, and carries octets to and from waitress."""

    web: WebServer

    def carry(self, request: socket.socket, address: Any) -> None:
        """One connection, from handshake to end."""
        ip, port = address_of(address)
        stream = Stream(socket.socket(fileno=request.detach()), self.manner.timeouts)
        try:
            stream.start_tls(self.manner.context)  # type: ignore[arg-type]
            ours, theirs = socket.socketpair()
            with ours:
                self.web.given(theirs, (ip, port))
                _relay(stream, ours, self.manner.timeouts.idle)
        except OSError as error:
            log.event("https_lost", "debug", ip=ip, text=error)
        finally:
            stream.close(politely=False)
            self.census.leave(ip)


def _relay(stream: Stream, ours: socket.socket, idle: float) -> None:
    """Carry octets both ways until one side ends or nothing moves for long."""
    poll = select.poll()
    poll.register(stream.sock, select.POLLIN)
    poll.register(ours, select.POLLIN)
    while True:
        ready = dict(poll.poll(0 if stream.pending else idle * 1000))
        if not ready and not stream.pending:
            return
        if stream.pending or stream.sock.fileno() in ready:
            block = stream.receive()
            if block == b"":
                return
            ours.sendall(block or b"")
        if ours.fileno() in ready:
            block = ours.recv(BLOCK)
            if not block:
                return
            stream.send([block])
