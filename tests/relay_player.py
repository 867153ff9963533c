"""Plays transcripts/relay: the other side of the dialogue. The script is a server's; what a Relay says must be its C lines.

Besides what tests/player.py says of transcripts:

    from: to:       the envelope; several recipients with blanks between them (ann@example.org, bob@example.net)
    hosts:          the names of the route's hosts, in order (mx.example.net)
    options:        of the job: smtputf8 require_tls ret=HDRS envid=id; of every recipient: notify=A,B orcpt=rfc822;a@b
    policy:         NONE, MAY, ENCRYPT, PKIX: what TLS the hosts must show (MAY)
    login: a b      user name and password for the hosts
    message:        octets, as after C|; without it a small letter (LETTER)
    messages: 2     so many times the same job, one after the other
    port: 465       TLS from the first octet

    C: S:           the first connection; C2: S2: the second that the relay opens, and so on
    S: <closed>     the server hangs up;    S: <silence>    it says nothing more;    S2: <refused>    nobody listens
    -- TLS --       the handshake; `-- TLS fails --` the one that does not succeed
    => text         a result: address, kind, code (0: our own words), status, text

Between two S lines everything the client says must be said without waiting: a group of commands (RFC 2920) is one.
At the end QUIT is expected, whether it is written or not.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from pymaild.envelope import Address, Recipient
from pymaild.outbound.connection import Patience
from pymaild.outbound.destination import Level, TlsPolicy
from pymaild.outbound.dialer import Ways
from pymaild.outbound.job import Addressee, Job, Result
from pymaild.outbound.opportunistic import Opportunistic
from pymaild.outbound.relay import Relay
from pymaild.outbound.route import Host, Login, Route
from pymaild.outbound.wire import Connect, Lost, NoTls, Wire, connect
from tests.player import CLOSED, Line, Mismatch, Script, octets

LETTER = b"Subject: hi\r\n\r\nHello.\r\n"
US = "mail.example.org"
_RESULT = "=> "


class RelayScript(Script):
    """A transcript with results."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.results: list[str] = []

    def _take(self, number: int, line: str) -> None:
        if line.startswith(_RESULT):
            self.results.append(line.removeprefix(_RESULT))
        else:
            super()._take(number, line)

    def connection(self, number: int) -> list[Line]:
        """What is said on the connection that is opened as the number-th."""
        return [line for line in self.lines if line.connection in (str(number), "fails" if number == 1 else "")]


def address(text: str) -> Address | None:
    local, _, domain = text.rpartition("@")
    return Address(local, domain) if text != "<>" else None


def job_of(script: Script, file: Path) -> Job:
    """The job that the head describes, with its message in a file."""
    message = octets(script.head["message"]) if "message" in script.head else LETTER
    file.write_bytes(message)
    given = dict(word.partition("=")[::2] for word in script.head.get("options", "").split())
    notify = frozenset(filter(None, given.pop("notify", "").split(",")))
    orcpt = given.pop("orcpt", "")
    addressees = []
    for text in script.head.get("to", "bob@example.net").split():
        to = address(text)
        assert to
        addressees.append(Addressee(Recipient(to, notify, orcpt), "example.net"))
    sender = address(script.head.get("from", "ann@example.org"))
    job = Job("3f2a90c1", "", sender, addressees, file, len(message), 0.0)
    for name, value in given.items():
        setattr(job, name, value or True)
    return job


@dataclass
class Hosts:
    """A Router that knows one route."""

    hosts: tuple[Host, ...]
    ips: Callable[[Host], Sequence[str]] = lambda _: ["127.0.0.1"]

    def find(self, domain: str) -> Route:
        return Route(domain, self.hosts)

    def addresses(self, host: Host, configured: bool = False) -> Sequence[str]:
        return self.ips(host)


class Demanding(Opportunistic):
    """A Security with the same policy for every host."""

    def __init__(self, level: Level, authorities: str | None = None) -> None:
        super().__init__(authorities)
        self.level = level

    def policy(self, _route: Route, host: Host, require_tls: bool) -> TlsPolicy:
        level = Level.PKIX if require_tls else self.level
        return TlsPolicy(level, (host.name,), why="pkix" if level is Level.PKIX else "")

    def verify(self, _tls: ssl.SSLSocket, _host: Host, policy: TlsPolicy) -> str:
        return policy.why


@dataclass
class Setting:
    """The script on the way: the connections that were made, and what was wrong on them."""

    script: RelayScript
    files: Path
    bytewise: bool = False
    wires: list[ScriptedWire] = field(default_factory=list)

    def connect(self, _ip: str, _port: int, _source: Sequence[str], _timeout: float) -> Wire:
        """The next connection of the script."""
        number = len(self.wires) + 1
        lines = self.script.connection(number)
        wire = ScriptedWire(self.script, lines, self.bytewise)
        self.wires.append(wire)
        if not lines:
            raise Mismatch(f"{self.script.path}: a connection that the script does not know, number {number}")
        if lines[0].text == "<refused>":
            wire.rest.clear()
            raise Lost("4.4.1", "No connection: nothing listens there (connection refused)")
        return wire


class _Tls:
    """What a relay asks of a TLS socket."""

    def version(self) -> str:
        return "TLSv1.3"

    def cipher(self) -> tuple[str, str, int]:
        return "TLS_AES_256_GCM_SHA384", "TLSv1.3", 256


class ScriptedWire:
    """A Wire without a socket: holds what is sent against the script, and receives what the script says."""

    def __init__(self, script: Script, lines: list[Line], bytewise: bool) -> None:
        self.script, self.rest, self.bytewise = script, list(lines), bytewise
        self.said = b""
        self.coming = b""

    def send(self, data: bytes | memoryview, timeout: float) -> None:
        self.said += bytes(data)
        while self.said:
            line = self.rest[0] if self.rest else None
            if line is None and self.said == b"QUIT\r\n":
                self.said, self.coming = b"", b"221 2.0.0 Bye\r\n"
                return
            if line is not None and (line.who, line.text) == ("S", CLOSED):
                raise Lost("4.4.2", "The connection broke")
            if line is None or line.who != "C":
                raise Mismatch(f"{self.script.path}: not the client's turn to say {self.said!r}; next is {line}")
            wanted = octets(line.text) if line.kind == "|" else line.text.encode() + b"\r\n"
            if not self.said.startswith(wanted):
                if wanted.startswith(self.said):
                    return
                raise Mismatch(f"{self.script.path}:{line.number}: wanted {wanted!r}\nbut the client said {self.said!r}")
            self.said = self.said[len(wanted) :]
            self.rest.pop(0)

    def receive(self, timeout: float) -> bytes | None:
        while not self.coming:
            line = self.rest[0] if self.rest else None
            if line is None or line.who != "S":
                if timeout and line is not None:
                    raise Mismatch(f"{self.script.path}:{line.number}: the client waits, but should say {line.text!r}")
                return None
            if line.text == "<silence>":
                return None
            if line.text == CLOSED:
                return b""
            self.rest.pop(0)
            self.coming += octets(line.text) if line.kind == "|" else line.text.encode() + b"\r\n"
            while self.rest and self.rest[0].who == "S" and self.rest[0].text not in (CLOSED, "<silence>"):
                line = self.rest.pop(0)
                self.coming += octets(line.text) if line.kind == "|" else line.text.encode() + b"\r\n"
        size = 1 if self.bytewise else len(self.coming)
        block, self.coming = self.coming[:size], self.coming[size:]
        return block

    def start_tls(self, context: ssl.SSLContext, name: str, timeout: float) -> ssl.SSLSocket:
        line = self.rest.pop(0) if self.rest else None
        if line is None or line.who != "TLS":
            raise Mismatch(f"{self.script.path}: the client starts TLS; next is {line}")
        if line.connection == "fails":
            raise NoTls("validation-failure", "The TLS handshake failed: wrong version number")
        return cast(ssl.SSLSocket, _Tls())

    def close(self) -> None:
        if self.rest and self.rest[0].text in (CLOSED, "<silence>"):
            self.rest.pop(0)
        if self.rest:
            raise Mismatch(f"{self.script.path}:{self.rest[0].number}: the client hung up before {self.rest[0]}")


def relay_of(script: RelayScript, connector: Connect, patience: Patience, authorities: str | None = None) -> Relay:
    """A relay in the setting that the head describes."""
    login = None
    if "login" in script.head:
        user, password = script.head["login"].split()
        file = script.path.parent / "password"
        login = _KnownLogin(user, file, password)
    port = int(script.head.get("port", 25))
    hosts = tuple(Host(name, port, login=login) for name in script.head.get("hosts", "mx.example.net").split())
    security = Demanding(Level[script.head.get("policy", "MAY")], authorities)
    return Relay(US, Hosts(hosts), security, Ways(patience, connect=connector, clock=lambda: 0.0))


@dataclass(frozen=True)
class _KnownLogin(Login):
    """A password without a file."""

    known: str = ""

    def password(self) -> str:
        return self.known


def shown(result: Result, addressee: Addressee) -> str:
    text = result.text.replace("\n", " / ")
    return f"{addressee.recipient.address} {result.kind.value} {result.code} {result.status} {text}"


def send_all(script: RelayScript, relay: Relay, job: Job) -> list[str]:
    """The results of all messages, as the script writes them."""
    said: list[str] = []
    for _ in range(int(script.head.get("messages", "1"))):
        results = relay.send(job)
        said += [shown(result, addressee) for result, addressee in zip(results, job.addressees, strict=True)]
    relay.close()
    return said


def play_without_sockets(script: RelayScript, folder: Path, bytewise: bool = False) -> None:
    """Milliseconds. Raises Mismatch."""
    setting = Setting(script, folder, bytewise)
    relay = relay_of(script, setting.connect, Patience())
    said = send_all(script, relay, job_of(script, folder / "message"))
    if said != script.results:
        raise Mismatch("\n".join([f"{script.path}: results", *said, "instead of", *script.results]))
    for number, wire in enumerate(setting.wires, 1):
        if wire.rest or wire.said:
            raise Mismatch(f"{script.path}: left on connection {number}: {wire.rest} {wire.said!r}")
    if setting.script.connection(len(setting.wires) + 1):
        raise Mismatch(f"{script.path}: connection {len(setting.wires) + 1} was not made")


# ---- over sockets


class ScriptServer:
    """A server that says its script on one connection after the other, and notes where the client leaves it."""

    def __init__(self, script: RelayScript, tls: ssl.SSLContext | None) -> None:
        self.script, self.tls = script, tls
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.accepted = 0
        self.problems: list[str] = []
        self.threads: list[threading.Thread] = []

    def connect(self, ip: str, _port: int, source: Sequence[str], timeout: float) -> Wire:
        """What the relay connects with: the port is ours."""
        self.accepted += 1
        lines = self.script.connection(self.accepted)
        if lines and lines[0].text == "<refused>":
            raise Lost("4.4.1", "No connection: nothing listens there (connection refused)")
        wire = connect(ip, self.port, source, timeout)
        sock, _ = self.listener.accept()
        thread = threading.Thread(target=self._serve, args=(sock, lines, self.accepted))
        thread.start()
        self.threads.append(thread)
        return wire

    def _serve(self, sock: socket.socket, lines: list[Line], number: int) -> None:
        sock.settimeout(10)
        try:
            self._say(sock, lines)
        except (Mismatch, OSError, AssertionError) as problem:
            self.problems.append(f"{self.script.path} connection {number}: {problem!r}")
        finally:
            sock.close()

    def _say(self, sock: socket.socket, lines: list[Line]) -> None:
        for line in lines:
            if line.who == "TLS" and line.connection == "fails":
                sock.sendall(b"this is no TLS\r\n" * 4)
                with suppress(OSError):
                    sock.recv(4096)
                return
            if line.who == "TLS":
                assert self.tls
                sock = self.tls.wrap_socket(sock, server_side=True)
            elif line.who == "C":
                wanted = octets(line.text) if line.kind == "|" else line.text.encode() + b"\r\n"
                got = b"".join(_exactly(sock, len(wanted)))
                if got != wanted:
                    raise Mismatch(f"line {line.number}: wanted {wanted!r} but got {got!r}")
            elif line.text == CLOSED:
                sock.close()
                return
            elif line.text == "<silence>":
                with suppress(OSError):
                    sock.recv(1)  # until the client hangs up
                return
            else:
                sock.sendall(octets(line.text) if line.kind == "|" else line.text.encode() + b"\r\n")
        with suppress(OSError):  # QUIT, or an end without it
            if sock.recv(64) == b"QUIT\r\n":
                sock.sendall(b"221 2.0.0 Bye\r\n")

    def close(self) -> None:
        for thread in self.threads:
            thread.join(10)
        self.listener.close()


def _exactly(sock: socket.socket, size: int) -> Iterator[bytes]:
    while size:
        block = sock.recv(min(size, 65536))
        if not block:
            raise Mismatch("the client hung up")
        yield block
        size -= len(block)


def play_on_sockets(script: RelayScript, folder: Path, tls: ssl.SSLContext, authorities: Path, short: float) -> None:
    """Real connections, real TLS. `short`: seconds until silence is taken for silence."""
    server = ScriptServer(script, tls)
    patience = replace(Patience(), greeting=short, command=short, data=short, end=short, quit=short)
    relay = relay_of(script, server.connect, patience, str(authorities))
    said = send_all(script, relay, job_of(script, folder / "message"))
    server.close()
    if server.problems or said != script.results:
        raise Mismatch("\n".join([*server.problems, f"{script.path}: results", *said, "instead of", *script.results]))
