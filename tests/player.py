"""Plays a transcript: on a bare session, over TCP, over TLS, or on somebody else's server.

A transcript is a text file that reads like the examples of an RFC:

    # RFC 5321 §3.3 -- an unknown recipient is refused; the transaction goes on
    limits: recipients=2
    C: RCPT TO:<nobody@example.org>
    S: 550 5.1.1 There is no such user here

    # title        the first line: what is shown, and the section that says so; other lines with # are comments
    key: value     head lines, before the first dialogue line; the test that plays the file gives them meaning.
                   `state:` names a prelude (see PRELUDES) that is played first; without it, a file that opens with an
                   S line starts at the greeting, any other after the protocol's first prelude
    C: text        the client sends text and CRLF
    C| b"a" * 99   the client sends exactly these octets: bytes literals with + and *
    S: text        the server sends this line
    S* text        neighbouring S* lines may come in any order
    S? text        the line may come or not
    S: <closed>    the server ends the connection
    C2: S2:        a second connection, opened when it is first named
    -- TLS --      here the client starts TLS (`-- TLS 2 --` on connection 2)
    {name}         in an S line any text, kept under that name; later in a C or S line that text. {_} is never kept

A saved `serve --trace` is a transcript too: its lines start with a session id, which names the connection.

    python -m tests.player --against 127.0.0.1:2525 tests/transcripts/smtp/rcpt.txt

compares codes only: the words of another server are its own.
"""

from __future__ import annotations

import argparse
import ast
import re
import socket
import ssl
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pymaild.dialogue import Pump, Session, Then

CLOSED = "<closed>"
PASSWORDS = {"ann@example.org": "ann-secret", "bob@example.org": "bob-secret"}

# What is said before a transcript begins, by protocol and `state:`; the first of a protocol is its default.
PRELUDES: dict[str, dict[str, str]] = {
    "smtp": {"ready": "S: 220\nC: EHLO client.example.net\nS: 250"},
    "lmtp": {"ready": "S: 220\nC: LHLO client.example.net\nS: 250"},
    "submission": {
        # AUTH PLAIN as ann@example.org with the password above (RFC 4616)
        "ready": "S: 220\nC: EHLO client.example.net\nS: 250\nC: AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBhbm4tc2VjcmV0\nS: 235",
        "unknown": "S: 220\nC: EHLO client.example.net\nS: 250",
    },
    "imap": {
        "authenticated": "S: * OK\nC: p1 LOGIN ann@example.org ann-secret\nS: p1 OK",
        "selected": "S: * OK\nC: p1 LOGIN ann@example.org ann-secret\nS: p1 OK\nC: p2 SELECT INBOX\nS: p2 OK",
        "notauthenticated": "S: * OK",
    },
}

_LINE = re.compile(r"(?:(?P<session>[0-9a-f]+) )?(?P<who>[CS])(?P<number>\d*)(?P<kind>[:|*?])(?: (?P<text>.*))?\Z")
_TLS = re.compile(r"-- TLS ?(?P<number>\w*) ?--\Z")
_HEAD = re.compile(r"(?P<key>[a-z_]+): (?P<value>.*)\Z")
_NAME = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


@dataclass(frozen=True)
class Line:
    """One dialogue line: who speaks ("C", "S" or "TLS") on which connection, how it is meant, what is said."""

    number: int
    who: str
    connection: str
    kind: str
    text: str


@dataclass
class Script:
    """A parsed transcript."""

    path: Path
    title: str = ""
    head: dict[str, str] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    is_trace: bool = False

    @property
    def protocol(self) -> str:
        """The folder names the protocol."""
        return self.head.get("protocol", self.path.parent.name)

    @classmethod
    def load(cls, path: Path) -> Script:
        return cls.parse(path.read_text("utf-8", "surrogateescape"), path)

    @classmethod
    def parse(cls, text: str, path: Path = Path("smtp/text")) -> Script:
        script = cls(path)
        for number, line in enumerate(text.split("\n"), 1):
            script._take(number, line.rstrip("\r"))
        return script

    def _take(self, number: int, line: str) -> None:
        if match := _LINE.match(line):
            self.is_trace = self.is_trace or bool(match["session"])
            connection = match["session"] or match["number"] or "1"
            self.lines.append(Line(number, match["who"], connection, match["kind"], match["text"] or ""))
        elif match := _TLS.match(line):
            self.lines.append(Line(number, "TLS", match["number"] or "1", ":", ""))
        elif line.startswith("#"):
            self.title = self.title or line[1:].strip()
        elif (match := _HEAD.match(line)) and not self.lines:
            self.head[match["key"]] = match["value"]
        elif line.strip():
            raise ValueError(f"{self.path}:{number}: not a transcript line: {line!r}")

    def prelude(self, connection: str) -> Script | None:
        """What is said on a connection before its first line in the file."""
        preludes = PRELUDES.get(self.protocol, {})
        first = next(line for line in self.lines if line.connection == connection)
        name = self.head.get("state")
        if name is None and first.who == "S":
            return None
        text = preludes[name] if name is not None else next(iter(preludes.values()))
        return Script.parse(text, self.path)


class Mismatch(AssertionError):
    """The server said something else."""


class Connection(Protocol):
    """One connection of the client."""

    def send(self, data: bytes) -> None:
        """Send octets."""

    def receive(self) -> bytes:
        """Some octets; b"" when the server has closed, or has nothing to say although it should."""

    def start_tls(self) -> None:
        """The client's side of TLS."""

    def close(self) -> None:
        """Hang up."""


Drive = Callable[[], Connection]


class SessionConnection:
    """A bare session, driven by the pump in this thread."""

    def __init__(self, session: Session) -> None:
        self.pump = Pump(session)
        self._said = bytearray()
        if hasattr(session, "on_progress"):
            session.on_progress = self._hear
        self._take(self.pump.start())

    def _hear(self, line: bytes) -> None:
        self._said += line

    def _take(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self._said += piece
        if self.pump.then is Then.COMPRESS:  # played without DEFLATE: only the dialogue matters here
            rest = self.pump.compressed()
            self._take(self.pump.feed(rest))

    def send(self, data: bytes) -> None:
        if self.pump.then is Then.CLOSE:
            return  # as on a socket: what is sent after the end is lost
        self._take(self.pump.feed(data))

    def receive(self) -> bytes:
        listening = self.pump.then is Then.COMMAND and getattr(self.pump.session, "listening", False)
        if not self._said and (self.pump.then is Then.IDLE or listening):
            self._take(self.pump.wake())
        said, self._said = bytes(self._said), bytearray()
        return said

    def start_tls(self) -> None:
        assert self.pump.then is Then.TLS, "the server does not start TLS here"
        self.pump.tls_started("TLSv1.3 TLS_AES_256_GCM_SHA384")

    def close(self) -> None:
        self.pump.session.closed()


class SocketConnection:
    """A TCP connection, with or without TLS; DEFLATE once the server says that it is on. RFC 4978."""

    def __init__(self, host: str, port: int, tls: bool = False, timeout: float = 10) -> None:
        self._inflater: zlib._Decompress | None = None
        self._deflater: zlib._Compress | None = None
        self._socket = socket.create_connection((host, port), timeout)
        self._host = host
        if tls:
            self.start_tls()

    def send(self, data: bytes) -> None:
        if self._deflater:
            data = self._deflater.compress(data) + self._deflater.flush(zlib.Z_SYNC_FLUSH)
        self._socket.sendall(data)

    def receive(self) -> bytes:
        try:
            data = self._socket.recv(65536)
            while self._inflater and data and not (inflated := self._inflater.decompress(data)):
                data = self._socket.recv(65536)
        except ConnectionResetError:
            return b""
        if self._inflater:
            return inflated if data else b""
        if data.endswith(b" OK DEFLATE active\r\n"):
            self._inflater, self._deflater = zlib.decompressobj(-15), zlib.compressobj(wbits=-15)
        return data

    def start_tls(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._socket = context.wrap_socket(self._socket, server_hostname=self._host)

    def close(self) -> None:
        self._socket.close()


def session_drive(session: Callable[[], Session]) -> Drive:
    """Milliseconds: every connection is a new session."""
    return lambda: SessionConnection(session())


def socket_drive(host: str, port: int, tls: bool = False) -> Drive:
    """A server that listens, ours or another."""
    return lambda: SocketConnection(host, port, tls)


class Reader:
    """Lines of one connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._input = b""

    def line(self) -> str:
        """The next line without its CRLF; CLOSED at the end. A line that does not end in CRLF shows its raw end."""
        while b"\n" not in self._input:
            block = self.connection.receive()
            if not block:
                rest, self._input = self._input, b""
                return repr(rest) if rest else CLOSED
            self._input += block
        line, _, self._input = self._input.partition(b"\n")
        text = line.decode("utf-8", "surrogateescape")
        return text[:-1] if text.endswith("\r") else text + "<bare LF>"

    def unread(self, line: str) -> None:
        if line != CLOSED:
            self._input = line.encode("utf-8", "surrogateescape") + b"\r\n" + self._input

    @property
    def pending(self) -> bytes:
        """What has come and was not read, as far as that can be known without waiting."""
        if isinstance(self.connection, SessionConnection):
            self._input += bytes(self.connection._said)
            self.connection._said.clear()
        return self._input


class Player:
    """One run of a script: connections, captured names, and what was said so far."""

    def __init__(self, script: Script, drive: Drive, exact: bool = True) -> None:
        self.script = script
        self.exact = exact and not script.is_trace
        self.drive = drive
        self.readers: dict[str, Reader] = {}
        self.names: dict[str, str] = {}
        self.said: list[str] = []

    def play(self) -> None:
        try:
            self._lines(self.script.lines, self.exact)
            for name, reader in self.readers.items():
                if reader.pending:
                    raise Mismatch(self._report(f"more than expected on connection {name}: {reader.pending!r}"))
        finally:
            for reader in self.readers.values():
                reader.connection.close()

    def _lines(self, lines: list[Line], exact: bool) -> None:
        rest = iter(lines)
        line = next(rest, None)
        while line is not None:
            reader = self._reader(line.connection)
            following = next(rest, None)
            if line.who == "TLS":
                reader.connection.start_tls()
            elif line.who == "C":
                self._send(reader, line)
            elif line.kind == "*":
                group = [line]
                while following and (following.who, following.kind) == ("S", "*"):
                    group.append(following)
                    following = next(rest, None)
                self._any_order(reader, group)
            elif exact:
                self._expect(reader, line)
            else:
                self._expect_code(reader, line)
            line = following

    def _reader(self, name: str) -> Reader:
        if name not in self.readers:
            self.readers[name] = Reader(self.drive())
            prelude = self.script.prelude(name)
            if prelude:
                for line in prelude.lines:
                    moved = Line(line.number, line.who, name, line.kind, line.text)
                    self._lines([moved], exact=False)
        return self.readers[name]

    def _send(self, reader: Reader, line: Line) -> None:
        text = _NAME.sub(lambda match: self.names.get(match[1], match[0]), line.text)
        self.said.append(f"C: {text}")
        if line.kind == "|":
            reader.connection.send(octets(line.text))
        else:
            reader.connection.send(text.encode("utf-8", "surrogateescape") + b"\r\n")

    def _expect(self, reader: Reader, line: Line) -> None:
        got = reader.line()
        match = self._pattern(line.text).fullmatch(got)
        if match is None and line.kind == "?":
            reader.unread(got)
            return
        if match is None:
            raise Mismatch(self._report(f"line {line.number} expects\n  S: {line.text}\nbut the server said\n  S: {got}"))
        self._keep(match, got)

    def _any_order(self, reader: Reader, group: list[Line]) -> None:
        missing = list(group)
        for _ in group:
            got = reader.line()
            for line in missing:
                if match := self._pattern(line.text).fullmatch(got):
                    self._keep(match, got)
                    missing.remove(line)
                    break
            else:
                texts = "\n".join(f"  S* {line.text}" for line in missing)
                raise Mismatch(self._report(f"line {missing[0].number} expects one of\n{texts}\nbut got\n  S: {got}"))

    def _keep(self, match: re.Match[str], got: str) -> None:
        self.names.update({name: text for name, text in match.groupdict().items() if name != "_"})
        self.said.append(f"S: {got}")

    def _pattern(self, text: str) -> re.Pattern[str]:
        """The line as a regular expression: a new name matches any text, a known one what it was."""
        pieces, seen = [], set()
        for index, piece in enumerate(_NAME.split(text)):
            if index % 2 == 0:
                pieces.append(re.escape(piece))
            elif piece in self.names:
                pieces.append(re.escape(self.names[piece]))
            elif piece == "_":
                pieces.append(".*")
            else:
                pieces.append(f"(?P={piece})" if piece in seen else f"(?P<{piece}>.*)")
                seen.add(piece)
        return re.compile("".join(pieces), re.S)

    def _expect_code(self, reader: Reader, line: Line) -> None:
        """Compare only what the protocol fixes: the reply code, the tag and its OK, NO or BAD."""
        wanted = _essence(line.text)
        if wanted is None:
            return
        while True:
            got = reader.line()
            self.said.append(f"S: {got}")
            essence = _essence(got)
            if essence == wanted:
                return
            if got == CLOSED or essence not in (None, "* OK"):  # * OK [UNSEEN 1] and its like are free, too
                raise Mismatch(self._report(f"line {line.number} expects {wanted!r}, the server said\n  S: {got}"))

    def _report(self, problem: str) -> str:
        spoken = "\n".join(f"  {line}" for line in self.said[-12:])
        return f"{self.script.path}: {self.script.title}\n{problem}\nafter\n{spoken}"


def _essence(line: str) -> str | None:
    """What must be equal on every server; None for a line that is free: a continuation, an untagged response."""
    if line == CLOSED:
        return CLOSED
    if match := re.match(r"(\d{3})(?: |\Z)", line):
        return match[1]
    if re.match(r"\d{3}-|\* (?!OK|PREAUTH|BYE)", line):
        return None
    if match := re.match(r"(\S+ (?:OK|NO|BAD|BYE|PREAUTH))\b", line):
        return match[1]
    return "+" if line.startswith("+") else None


def octets(expression: str) -> bytes:
    """The value of `b"EHLO " + b"a" * 600`: bytes literals, + and *; nothing else is evaluated."""
    value = _value(ast.parse(expression.strip(), mode="eval").body)
    if not isinstance(value, bytes):
        raise ValueError(f"not octets: {expression}")
    return value


def _value(node: ast.expr) -> bytes | int:
    match node:
        case ast.Constant(value=bytes() as octets_):
            return octets_
        case ast.Constant(value=int() as number):
            return number
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            one, two = _value(left), _value(right)
            assert isinstance(one, bytes) and isinstance(two, bytes)
            return one + two
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            one, two = _value(left), _value(right)
            assert isinstance(one, bytes) and isinstance(two, int)
            return one * two
    raise ValueError("only bytes literals, + and * may stand after C|")


def play(script: Script | Path, drive: Drive, exact: bool = True) -> None:
    """Play one transcript; raises Mismatch."""
    loaded = Script.load(script) if isinstance(script, Path) else script
    Player(loaded, drive, exact).play()


def scripts(folder: Path) -> list[Path]:
    """The transcripts of a folder, sorted."""
    return sorted(folder.glob("*.txt"))


def _play_all(files: Iterable[Path], drive: Drive, exact: bool) -> Iterator[tuple[Path, float, Exception | None]]:
    for path in files:
        started = time.monotonic()
        try:
            play(path, drive, exact)
        except (Mismatch, OSError, AssertionError) as problem:
            yield path, time.monotonic() - started, problem
        else:
            yield path, time.monotonic() - started, None


def main(arguments: list[str] | None = None) -> int:
    """Play files on a server that listens."""
    parser = argparse.ArgumentParser(prog="python -m tests.player", description="Play transcripts on a server.")
    parser.add_argument("--against", required=True, metavar="HOST:PORT", help="the server")
    parser.add_argument("--tls", action="store_true", help="TLS from the first octet")
    parser.add_argument("--exact", action="store_true", help="compare the words too, not only the codes")
    parser.add_argument("files", nargs="+", type=Path)
    options = parser.parse_args(arguments)
    host, _, port = options.against.rpartition(":")
    drive = socket_drive(host.strip("[]"), int(port), options.tls)
    failed = 0
    for path, seconds, problem in _play_all(options.files, drive, options.exact):
        print(f"{'FAIL' if problem else 'ok  '} {seconds * 1000:6.1f} ms  {path}")
        if problem:
            failed += 1
            print(f"    {problem}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
