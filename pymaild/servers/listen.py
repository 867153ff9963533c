"""Addresses into listening sockets, or the sockets that systemd hands over (sd_listen_fds(3))."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterable
from pathlib import Path

from pymaild.config import Endpoint

NAMES = ("smtp", "submission", "submissions", "imap", "imaps", "lmtp", "http", "https")
BACKLOG = 1024
_FIRST_DESCRIPTOR = 3

Sockets = dict[str, list[socket.socket]]


class ListenError(Exception):
    """An address cannot be listened on; the text says what to do."""


def bind_all(listen: dict[str, Iterable[Endpoint]]) -> Sockets:
    """Every listener's sockets; those that systemd passed take the place of the configured ones."""
    sockets = inherited()
    try:
        for name, endpoints in listen.items():
            if name not in sockets:
                sockets[name] = [bind(name, endpoint) for endpoint in endpoints]
    except ListenError:
        close_all(sockets)
        raise
    return sockets


def close_all(sockets: Sockets) -> None:
    """Close this process's copies."""
    for group in sockets.values():
        for sock in group:
            sock.close()


def bind(name: str, endpoint: Endpoint) -> socket.socket:
    """One listening socket. It is non-blocking: of the workers that a connection wakes, one gets it."""
    try:
        sock = _unix(endpoint.path) if endpoint.path else _tcp(endpoint)
        sock.listen(BACKLOG)
    except OSError as error:
        raise ListenError(f"[listen] {name}: {endpoint} {_advice(error, endpoint)}") from None
    sock.setblocking(False)
    return sock


def _tcp(endpoint: Endpoint) -> socket.socket:
    """`*` is one socket for both families where the machine has both; [::] alone is IPv6 alone."""
    if endpoint.host == "*":
        if socket.has_dualstack_ipv6():
            sock = _new(socket.AF_INET6)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            return _bound(sock, ("::", endpoint.port))
        return _bound(_new(socket.AF_INET), ("0.0.0.0", endpoint.port))  # noqa: S104 - asked for
    found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    sock = _new(family)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return _bound(sock, address)


def _new(family: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return sock


def _bound(sock: socket.socket, address: object) -> socket.socket:
    try:
        sock.bind(address)  # type: ignore[arg-type]
    except OSError:
        sock.close()
        raise
    return sock


def _unix(path: Path) -> socket.socket:
    """A unix socket; one that a dead server left behind is replaced, one that is alive is an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            if probe.connect_ex(str(path)) == 0:
                raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        path.unlink()
    sock = _bound(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), str(path))
    path.chmod(0o666)  # whoever reaches its folder may deliver, as on port 25
    return sock


def _advice(error: OSError, endpoint: Endpoint) -> str:
    if error.errno == errno.EADDRINUSE:
        return "is in use: another program listens there. `ss -ltnp` shows which; stop it or choose another port"
    if error.errno in (errno.EACCES, errno.EPERM) and not endpoint.path:
        return (
            "needs a privilege: ports below 1024 belong to root. Start as root (pymaild then becomes [server] user), "
            "let systemd pass the socket, or choose a port from 1024 up"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return "is not an address of this machine. `ip address` lists those"
    return f"cannot be listened on: {error.strerror}"


def inherited() -> Sockets:
    """What systemd passed: $LISTEN_FDS descriptors from 3 on, named after the keys of [listen]."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return {}
    count = int(os.environ.get("LISTEN_FDS", "0"))
    names = os.environ.get("LISTEN_FDNAMES", "").split(":") if count else []
    sockets: Sockets = {}
    for index in range(count):
        name = names[index] if index < len(names) else ""
        if name not in NAMES:
            raise ListenError(
                f"systemd passed a socket named {name or 'nothing'!r}: FileDescriptorName= has to be one of {NAMES}"
            )
        sock = socket.socket(fileno=_FIRST_DESCRIPTOR + index)
        sock.setblocking(False)
        os.set_inheritable(sock.fileno(), False)
        sockets.setdefault(name, []).append(sock)
    for variable in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(variable, None)
    return sockets


def address_text(sock: socket.socket) -> str:
    """Where a socket listens, as the configuration would say it."""
    name = sock.getsockname()
    if isinstance(name, str):
        return f"unix:{name}"
    return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"
