"""The IMAP transcripts once more, over TCP and over TLS, parking included: the wire adds nothing and loses nothing."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pymaild.dialogue import Session
from pymaild.envelope import Client
from pymaild.servers.census import Census
from pymaild.servers.imap import ImapServer
from pymaild.servers.limits import Caps, Timeouts
from pymaild.servers.parking import Parking
from pymaild.servers.threads import Threads
from pymaild.servers.wire import Manner
from tests.imap_world import World
from tests.player import Script, play, socket_drive
from tests.test_transcripts_imap import SCRIPTS
from tests.wire.house import template

# A session that began in clear, or one that TLS never reached, cannot be played inside TLS.
IN_CLEAR = [path for path in SCRIPTS if re.search("^tls:|^auth:|STARTTLS|LOGINDISABLED", path.read_text("utf-8"), re.M)]


@contextmanager
def served(world: World, tls: bool) -> Iterator[int]:
    """The port of a listener whose sessions live in this world."""
    threads = Threads()
    parking = Parking(threads)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(template() / "tls" / "certificate.pem", template() / "tls" / "key.pem")
    manner = Manner("imap", Timeouts(moment=0.05, linger=0.5), parking, context, tls_first=tls)
    listener = socket.create_server(("127.0.0.1", 0))
    server = ImapServer(listener, manner, Census(Caps(100, 100)), threads, lambda client: session(world, client))
    thread = threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()
        server.each(lambda connection: connection.stop())
        parking.stop()


def session(world: World, client: Client) -> Session:
    new = world.session()
    client.tls = client.tls or new.client.tls
    client.bindings = new.client.bindings
    new.client = client
    return new


def load(path: Path) -> Script:
    """The script; which of two live sessions is told first of a message, and so has it as \\Recent, is a race on sockets."""
    script = Script.load(path)
    if path.stem == "idle":
        script.lines = [
            replace(line, kind="?", text="* {_} RECENT") if line.text.endswith(" RECENT") else line for line in script.lines
        ]
    return script


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_over_tcp(path: Path, tmp_path: Path) -> None:
    script = load(path)
    world = World.of(script, tmp_path)
    try:
        with served(world, tls=False) as port:
            play(script, socket_drive("127.0.0.1", port))
    finally:
        world.close()


@pytest.mark.parametrize("path", [path for path in SCRIPTS if path not in IN_CLEAR], ids=lambda path: path.stem)
def test_over_tls(path: Path, tmp_path: Path) -> None:
    script = load(path)
    world = World.of(script, tmp_path)
    try:
        with served(world, tls=True) as port:
            play(script, socket_drive("127.0.0.1", port, tls=True))
    finally:
        world.close()
