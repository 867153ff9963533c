"""The SMTP transcripts once more, over TCP and over TLS, LMTP over a unix socket too: the wire adds nothing and loses nothing."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pymaild.config import Endpoint
from pymaild.dialogue import Session
from pymaild.envelope import Client
from pymaild.servers.base import WireServer
from pymaild.servers.census import Census
from pymaild.servers.limits import Caps, Timeouts
from pymaild.servers.listen import bind
from pymaild.servers.parking import Parking
from pymaild.servers.smtp import LmtpServer, SmtpServer
from pymaild.servers.threads import Threads
from pymaild.servers.wire import Manner
from tests.player import Script, SocketConnection, play, socket_drive
from tests.smtp_world import World
from tests.test_transcripts_smtp import SCRIPTS
from tests.wire.house import template

# What needs a session that began in clear, or one that TLS never reached, cannot be played inside TLS; nor what lists
# everything that EHLO offers, because inside TLS that is more (REQUIRETLS).
IN_CLEAR = [path for path in SCRIPTS if re.search("^tls:|STARTTLS|^S: 250 HELP", path.read_text("utf-8"), re.M)]


@contextmanager
def served(world: World, tls: bool, path: Path | None = None) -> Iterator[int]:
    """The port of a listener whose sessions live in this world; with a path, a unix socket there and no port."""
    threads = Threads()
    parking = Parking(threads)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(template() / "tls" / "certificate.pem", template() / "tls" / "key.pem")
    manner = Manner("smtp", Timeouts(moment=0.05, linger=0.5), parking, context, tls_first=tls)
    listener = bind("lmtp", Endpoint(path=path)) if path else socket.create_server(("127.0.0.1", 0))
    server: WireServer = (LmtpServer if path else SmtpServer)(
        listener, manner, Census(Caps(100, 100)), threads, lambda client: session(world, client)
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True)
    thread.start()
    try:
        yield 0 if path else listener.getsockname()[1]
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()
        server.each(lambda connection: connection.stop())
        parking.stop()


def session(world: World, client: Client) -> Session:
    new = world.session()
    client.role = world.role
    client.tls = client.tls or new.conversation.client.tls
    client.bindings = new.conversation.client.bindings
    new.conversation.client = client
    new.conversation.envelope.client = client
    return new


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_over_tcp(path: Path) -> None:
    script = Script.load(path)
    world = World.of(script)
    with served(world, tls=False) as port:
        play(script, socket_drive("127.0.0.1", port))


@pytest.mark.parametrize(
    "path", [p for p in SCRIPTS if p not in IN_CLEAR], ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_over_tls(path: Path) -> None:
    script = Script.load(path)
    world = World.of(script)
    with served(world, tls=True) as port:
        play(script, socket_drive("127.0.0.1", port, tls=True))


class UnixConnection(SocketConnection):
    """The same on a unix socket."""

    def __init__(self, path: Path) -> None:
        self._inflater = self._deflater = None
        self._host = "localhost"
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(10)
        self._socket.connect(str(path))


@pytest.mark.parametrize("path", [p for p in SCRIPTS if p.parent.name == "lmtp"], ids=lambda path: path.stem)
def test_lmtp_over_a_unix_socket(path: Path, tmp_path: Path) -> None:
    script = Script.load(path)
    world = World.of(script)
    with served(world, tls=False, path=tmp_path / "lmtp"):
        play(script, lambda: UnixConnection(tmp_path / "lmtp"))
