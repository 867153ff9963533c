"""A relay among servers that drop, stall, drip, talk garbage or refuse early: every time one honest result each, in time."""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pymaild.cli.keys import certificate
from pymaild.envelope import Address, Recipient
from pymaild.outbound import pool
from pymaild.outbound.connection import Patience
from pymaild.outbound.destination import Level, TlsPolicy, TlsResult
from pymaild.outbound.dialer import Ways
from pymaild.outbound.job import Addressee, Job, Kind, Result
from pymaild.outbound.letter import Letter
from pymaild.outbound.opportunistic import Opportunistic
from pymaild.outbound.relay import Relay
from pymaild.outbound.route import Host, Login, Route
from pymaild.outbound.wire import Lost, Wire
from pymaild.status import MailError
from tests.relay_player import Demanding, Hosts

# For servers that are broken; honest ones get the time that a busy machine may need.
SHORT = Patience(connect=2, handshake=1, greeting=0.3, command=0.3, data=0.3, block=0.5, end=0.5, quit=0.1, attempt=20)
LONG = Patience(quit=5)
OFFERS = b"250-mx.example.net\r\n250-PIPELINING\r\n250 SIZE 99999999\r\n"
Handler = Callable[[socket.socket], None]


@dataclass
class Peer:
    """A server whose every connection is given to `handler`, in a thread."""

    handler: Handler
    connections: int = 0
    clients: list[str] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self._stopping = False
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def _accept(self) -> None:
        while True:
            sock, where = self.listener.accept()
            if self._stopping:
                sock.close()
                return
            self.connections += 1
            self.clients.append(where[0])
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(10)
        try:
            with sock, contextlib.suppress(OSError):
                self.handler(sock)
        except AssertionError as error:
            self.errors.append(error)

    def close(self) -> None:
        self._stopping = True
        socket.create_connection(("127.0.0.1", self.port)).close()
        for thread in self.threads:
            thread.join(15)
            assert not thread.is_alive()
        self.listener.close()
        assert not self.errors, self.errors


@contextlib.contextmanager
def peer(handler: Handler) -> Iterator[Peer]:
    running = Peer(handler)
    try:
        yield running
    finally:
        running.close()


@dataclass
class Smtp:
    """An honest little server; counts what it gets."""

    messages: list[bytes] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    offers: bytes = OFFERS
    tls: ssl.SSLContext | None = None
    quits: int = 0

    def __call__(self, sock: socket.socket) -> None:
        sock.sendall(b"220 mx.example.net ESMTP\r\n")
        file = sock.makefile("rb")
        while line := file.readline():
            self.lines.append(line)
            verb = line[:4].upper()
            if verb == b"DATA":
                sock.sendall(b"354 go\r\n")
                text = list(itertools.takewhile(lambda line: line not in (b".\r\n", b""), file))
                self.messages.append(b"".join(text))
                sock.sendall(b"250 2.0.0 got it\r\n")
            elif verb == b"STAR" and self.tls:
                sock.sendall(b"220 go\r\n")
                sock = self.tls.wrap_socket(sock, server_side=True)
                file = sock.makefile("rb")
            elif verb == b"QUIT":
                self.quits += 1
                sock.sendall(b"221 bye\r\n")
                return
            else:
                sock.sendall(self.offers if verb == b"EHLO" else b"250 2.0.0 ok\r\n")


class Recorder(Demanding):
    """Keeps the reports."""

    def __init__(self, level: Level, authorities: str | None = None) -> None:
        super().__init__(level, authorities)
        self.reports: list[TlsResult] = []

    def report(self, route: Route, host: Host, policy: TlsPolicy, result: TlsResult) -> None:
        self.reports.append(result)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return job_for(tmp_path / "message", b"Subject: hi\r\n\r\nHello.\r\n")


def job_for(file: Path, message: bytes, recipients: Sequence[str] = ("bob",)) -> Job:
    file.write_bytes(message)
    addressees = [Addressee(Recipient(Address(name, "example.net")), "example.net") for name in recipients]
    return Job("3f2a90c1", "", Address("ann", "example.org"), addressees, file, len(message), 0.0)


def relay_to(port: int, security: Opportunistic | None = None, **more: object) -> Relay:
    ways = replace(Ways(LONG), **more)  # type: ignore[arg-type]
    return Relay("mail.example.org", Hosts((Host("mx.example.net", port),)), security, ways)


def send(relay: Relay, job: Job) -> Result:
    try:
        [result] = relay.send(job)
    finally:
        relay.close()
    return result


# ---- servers that are broken

DIALOGUE = (b"220 hi\r\n", OFFERS, b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"250 ok\r\n")
READS = (b"", b"EHLO mail.example.org\r\n", b"MAIL", b"", b"", b".\r\n")


def script(until: int, then: Handler) -> Handler:
    """Say so much of an honest dialogue, then do something else."""

    def handler(sock: socket.socket) -> None:
        for reply, wanted in itertools.islice(zip(DIALOGUE, READS, strict=True), until):
            read_until(sock, wanted)
            sock.sendall(reply)
        read_until(sock, READS[until])
        then(sock)

    return handler


def read_until(sock: socket.socket, wanted: bytes) -> None:
    got = b""
    while wanted not in got:
        block = sock.recv(65536)
        if not block:
            return
        got += block


def hang_up(sock: socket.socket) -> None:
    """Close."""


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def stall(sock: socket.socket) -> None:
    while sock.recv(65536):
        pass


def drip(sock: socket.socket) -> None:
    for octet in itertools.cycle(b"2"):
        sock.sendall(bytes([octet]))
        time.sleep(0.02)


def babble(sock: socket.socket) -> None:
    while True:
        sock.sendall(b"\0\xff\r\n" * 1000)


def flood(sock: socket.socket) -> None:
    while True:
        sock.sendall(b"250-" + b"a" * 500 + b"\r\n")


@pytest.mark.parametrize("until", range(6))
@pytest.mark.parametrize("fault", [hang_up, reset, stall, drip, babble, flood])
def test_a_fault_at_each_step_defers(until: int, fault: Handler, job: Job) -> None:
    with peer(script(until, fault)) as server:
        began = time.monotonic()
        result = send(relay_to(server.port, patience=SHORT), job)
        assert result.kind is Kind.DEFERRED
        at_once = fault is reset and not until  # the reset may come while the connection is made
        assert result.status in ("4.4.2", "4.5.0", *(["4.4.1"] if at_once else [])) and result.text and result.code == 0
        assert (result.host, result.ip) == ("mx.example.net", "127.0.0.1")
        assert time.monotonic() - began < 15
        assert server.connections == 1


def test_a_server_that_does_not_read(tmp_path: Path) -> None:
    big = job_for(tmp_path / "message", b"Subject: hi\r\n\r\n" + b"a" * 998 + b"\r\n" * 20 + b"b" * 30_000_000)

    def handler(sock: socket.socket) -> None:
        for reply, wanted in zip(DIALOGUE[:5], READS[:5], strict=True):
            read_until(sock, wanted)
            sock.sendall(reply)
        stopped.wait(10)

    stopped = threading.Event()
    with peer(handler) as server:
        result = send(relay_to(server.port, patience=replace(LONG, block=0.5)), big)
        stopped.set()
    assert (result.kind, result.status) == (Kind.DEFERRED, "4.4.2")
    assert result.text == "The server does not read what it is sent while it should acknowledge the message"


@pytest.mark.parametrize("lingers", [True, False])
def test_a_refusal_while_the_message_is_sent(lingers: bool, tmp_path: Path) -> None:
    big = job_for(tmp_path / "message", b"Subject: hi\r\n\r\n" + (b"a" * 70 + b"\r\n") * 500_000)
    taken = 0

    def refuse(sock: socket.socket) -> None:
        nonlocal taken
        sock.sendall(b"552 5.3.4 far too big\r\n")
        while lingers and (block := sock.recv(65536)):
            taken += len(block)

    def handler(sock: socket.socket) -> None:
        for reply, wanted in zip(DIALOGUE[:5], READS[:5], strict=True):
            read_until(sock, wanted)
            sock.sendall(reply)
        sock.recv(100)
        refuse(sock)

    with peer(handler) as server:
        result = send(relay_to(server.port), big)
        assert server.connections == 1
    assert (result.kind, result.code, result.status) == (Kind.FAILED, 552, "5.3.4")
    assert taken < big.size // 2


def test_the_attempt_as_a_whole_has_its_time(job: Job) -> None:
    """A server that is just quick enough with each answer, for a thousand recipients."""

    def handler(sock: socket.socket) -> None:
        sock.sendall(b"220 hi\r\n")
        file = sock.makefile("rb")
        while line := file.readline():
            time.sleep(0 if line.startswith(b"EHLO") else 0.1)
            sock.sendall(b"250 ok\r\n")

    job.addressees = job.addressees * 100
    with peer(handler) as server:
        began = time.monotonic()
        relay = relay_to(server.port, patience=replace(LONG, attempt=1.0))
        results = relay.send(job)
        relay.close()
        assert {result.kind for result in results} == {Kind.DEFERRED}
        assert len(results) == 100 and time.monotonic() - began < 9


# ---- whatever is said

REPLIES = [
    b"220 hi\r\n", OFFERS, b"250 ok\r\n", b"250-a\r\n", b"354 go\r\n", b"450 no\r\n", b"550 no\r\n", b"421 bye\r\n",
    b"251 ok\r\n", b"334 what\r\n", b"\0\r\n", b"", b"250-x\r\n250 CHUNKING\r\n", b"452 4.5.3 too many\r\n",
]  # fmt: skip


class TalkingWire:
    """Says one thing of a list whenever it is asked, then nothing more."""

    def __init__(self, replies: Sequence[bytes]) -> None:
        self.replies = iter(replies)
        self.said = b""

    def send(self, data: bytes | memoryview, timeout: float) -> None:
        self.said += bytes(data)

    def receive(self, timeout: float) -> bytes | None:
        return next(self.replies, b"") if timeout else None

    def start_tls(self, context: ssl.SSLContext, name: str, timeout: float) -> ssl.SSLSocket:
        raise AssertionError

    def close(self) -> None:
        pass


@settings(derandomize=True, max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(replies=st.lists(st.sampled_from(REPLIES), max_size=14), honest_start=st.booleans())
def test_any_answers_give_one_result_each(replies: list[bytes], honest_start: bool, job: Job) -> None:
    wires: list[TalkingWire] = []

    def connect(ip: str, port: int, source: Sequence[str], timeout: float) -> Wire:
        wires.append(TalkingWire([b"220 hi\r\n", OFFERS, *replies] if honest_start else replies))
        return wires[-1]

    two = replace(job, addressees=job.addressees * 2)
    relay = relay_to(25, connect=connect)
    results = relay.send(two)
    relay.close()
    assert len(results) == 2 and all(result.text or result.code for result in results)
    if any(result.kind is Kind.SENT for result in results):
        assert any(b"\r\n.\r\n" in wire.said for wire in wires), "only what was sent whole can have been taken"
    assert all(wire.said.count(b"\r\n.\r\n") <= 1 for wire in wires)


# ---- hosts and addresses


def refused(ip: str, port: int, source: Sequence[str], timeout: float) -> Wire:
    raise Lost("4.4.1", f"No connection to {ip}")


def test_addresses_one_after_the_other(job: Job) -> None:
    smtp = Smtp()
    with peer(smtp) as server:
        hosts = Hosts((Host("mx.example.net", server.port),), lambda _: ["127.0.0.9", "::1", "127.0.0.1"])
        relay = Relay("mail.example.org", hosts, None, Ways(LONG))
        result = send(relay, job)
        assert (result.kind, result.ip) == (Kind.SENT, "127.0.0.1")


def test_not_more_than_so_many_addresses(job: Job) -> None:
    tried: list[str] = []

    def connect(ip: str, port: int, source: Sequence[str], timeout: float) -> Wire:
        tried.append(ip)
        return refused(ip, port, source, timeout)

    hosts = Hosts((Host("a"), Host("b")), lambda host: [f"{host.name}{number}" for number in range(50)])
    result = send(Relay("mail.example.org", hosts, None, Ways(LONG, connect=connect)), job)
    assert result.kind is Kind.DEFERRED and result.status == "4.4.1"
    assert len(tried) == 8


def test_a_dead_address_gets_little_time_the_next_time(job: Job) -> None:
    patience: list[float] = []

    def connect(ip: str, port: int, source: Sequence[str], timeout: float) -> Wire:
        patience.append(timeout)
        return refused(ip, port, source, timeout)

    relay = relay_to(25, connect=connect, patience=Patience())
    for _ in range(2):
        assert relay.send(job)[0].status == "4.4.1"
    assert patience[:2] == [30, 3]


@pytest.mark.parametrize(("status", "kind"), [("5.1.2", Kind.FAILED), ("4.4.3", Kind.DEFERRED)])
def test_no_route(status: str, kind: Kind, job: Job) -> None:
    class NoRouter(Hosts):
        def find(self, domain: str) -> Route:
            raise MailError(status, "No such domain")

    result = send(Relay("mail.example.org", NoRouter(())), job)
    assert (result.kind, result.status, result.text) == (kind, status, "No such domain")
    nowhere = send(Relay("mail.example.org", Hosts(())), job)
    assert (nowhere.kind, nowhere.status) == (Kind.DEFERRED, "4.4.4")


def test_a_host_without_an_address_is_passed_by(job: Job) -> None:
    def ips(host: Host) -> Sequence[str]:
        if host.name == "none.example.net":
            raise MailError("5.4.4", "It has no address")
        return ["127.0.0.1"]

    with peer(Smtp()) as server:
        both = (Host("none.example.net"), Host("mx.example.net", server.port))
        assert send(Relay("mail.example.org", Hosts(both, ips), None, Ways(LONG)), job).kind is Kind.SENT
    only = send(Relay("mail.example.org", Hosts(both[:1], ips)), job)
    assert (only.kind, only.status) == (Kind.FAILED, "5.4.4")


def test_the_source_address(job: Job) -> None:
    with peer(Smtp()) as server:
        assert send(relay_to(server.port, source=("::1", "127.0.0.3")), job).kind is Kind.SENT
        assert server.clients == ["127.0.0.3"]
        nowhere = send(relay_to(server.port, source=("192.0.2.1",)), job)
        assert nowhere.status == "4.4.1" and "no such address to send from" in nowhere.text


# ---- connections that are kept


def test_many_threads_share_few_connections(job: Job) -> None:
    smtp = Smtp()
    with peer(smtp) as server:
        relay = relay_to(server.port)
        kinds: list[Kind] = []

        def work() -> None:
            for _ in range(25):
                kinds.append(relay.send(job)[0].kind)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        relay.close()
        assert kinds == [Kind.SENT] * 100
        assert len(smtp.messages) == 100
        assert server.connections <= 4


def test_an_idle_connection_ends_by_itself_with_a_goodbye(job: Job) -> None:
    smtp = Smtp()
    with peer(smtp) as server:
        relay = relay_to(server.port)
        relay.pool = pool.Pool(idle=0.1)
        assert relay.send(job)[0].kind is Kind.SENT
        until(lambda: smtp.quits == 1)
        assert relay.send(job)[0].kind is Kind.SENT
        assert server.connections == 2
        until(lambda: smtp.quits == 2)
        until(lambda: "idle connections" not in [thread.name for thread in threading.enumerate()])
        relay.close()


def test_a_connection_carries_so_many_messages(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MESSAGES", 3)
    smtp = Smtp()
    with peer(smtp) as server:
        relay = relay_to(server.port)
        for _ in range(7):
            assert relay.send(job)[0].kind is Kind.SENT
        relay.close()
        assert (server.connections, smtp.quits) == (3, 3)


def test_an_idle_connection_that_died_is_no_answer(job: Job) -> None:
    """The server hangs up after each message, sometimes only when the next one begins."""

    def handler(sock: socket.socket) -> None:
        for reply, wanted in zip(DIALOGUE, READS, strict=True):
            read_until(sock, wanted)
            sock.sendall(reply)
        if server.connections % 2:
            read_until(sock, b"MAIL")

    with peer(handler) as server:
        relay = relay_to(server.port)
        assert [relay.send(job)[0].kind for _ in range(6)] == [Kind.SENT] * 6
        relay.close()
        assert server.connections == 6


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# ---- TLS and secrets


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    folder = tmp_path_factory.mktemp("keys")
    certificate(folder / "c.pem", folder / "k.pem", ("other.example.net",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "c.pem", folder / "k.pem")
    return context, str(folder / "c.pem")


TLS = b"250-mx.example.net\r\n250 STARTTLS\r\n"


def test_the_certificate_of_another_name(keys: tuple[ssl.SSLContext, str], job: Job) -> None:
    smtp = Smtp(offers=TLS, tls=keys[0])
    with peer(smtp) as server:
        strict = Recorder(Level.PKIX, keys[1])
        result = send(relay_to(server.port, strict), job)
        assert (result.kind, result.status) == (Kind.DEFERRED, "4.7.5")
        assert [report.failure for report in strict.reports] == ["certificate-host-mismatch"]
        unknown = Recorder(Level.PKIX)
        assert send(relay_to(server.port, unknown), job).status == "4.7.5"
        assert [report.failure for report in unknown.reports] == ["certificate-not-trusted"]
        assert not smtp.messages and not any(line.startswith(b"MAIL") for line in smtp.lines)
        wish = Recorder(Level.MAY)
        sent = send(relay_to(server.port, wish), job)
        assert (sent.kind, sent.verified) == (Kind.SENT, "") and sent.tls.startswith("TLSv1.3 ")
        assert [(report.failure, report.tls) for report in wish.reports] == [("", sent.tls)]


def test_a_certificate_that_is_good(keys: tuple[ssl.SSLContext, str], job: Job) -> None:
    with peer(Smtp(offers=TLS, tls=keys[0])) as server:
        hosts = Hosts((Host("other.example.net", server.port),))
        result = send(Relay("mail.example.org", hosts, Demanding(Level.PKIX, keys[1]), Ways(LONG)), job)
        assert (result.kind, result.verified) == (Kind.SENT, "pkix")


def test_a_handshake_that_fails_is_reported_and_the_mail_goes_in_clear(job: Job) -> None:
    class Liar(Smtp):
        def __call__(self, sock: socket.socket) -> None:
            if server.connections == 1:
                for reply, wanted in ((b"220 hi\r\n", b""), (TLS, b"EHLO"), (b"220 go\r\n", b"STARTTLS")):
                    read_until(sock, wanted)
                    sock.sendall(reply)
                read_until(sock, b"\x16")
                sock.sendall(b"this is no TLS, sorry\r\n")
            else:
                super().__call__(sock)

    with peer(Liar(offers=TLS)) as server:
        security = Recorder(Level.MAY)
        result = send(relay_to(server.port, security), job)
        assert (result.kind, result.tls) == (Kind.SENT, "")
        assert [report.failure for report in security.reports] == ["validation-failure"]


def test_secrets_are_in_no_trace_and_no_representation(job: Job, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2\n")
    login = Login("ann", tmp_path / "password")
    traced: list[str] = []
    for mechanisms in (b"PLAIN", b"LOGIN"):
        smtp = Smtp(offers=b"250-x\r\n250 AUTH " + mechanisms + b"\r\n")
        with peer(_with_login(smtp)) as server:
            hosts = Hosts((Host("localhost", server.port, login=login),))
            relay = Relay("mail.example.org", hosts, None, Ways(LONG, trace=traced.append))
            assert send(relay, job).kind is Kind.SENT
    text = "".join(traced)
    assert " C: {credentials}\n" in text and " S: 235 2.7.0 welcome\n" in text and " C: Hello.\n" in text
    for secret in ("hunter2", "aHVudGVyMg", "AGFubgBodW50ZXIy"):
        assert secret not in text + repr(login) + repr(hosts)


def _with_login(smtp: Smtp) -> Handler:
    def handler(sock: socket.socket) -> None:
        sock.sendall(b"220 hi\r\n")
        read_until(sock, b"EHLO")
        sock.sendall(smtp.offers)
        if b"LOGIN" in smtp.offers:
            for challenge in (b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n"):
                sock.recv(1000)
                sock.sendall(challenge)
        said = sock.recv(1000)
        assert said.strip() in (b"AUTH PLAIN AGFubgBodW50ZXIy", b"aHVudGVyMg=="), said
        sock.sendall(b"235 2.7.0 welcome\r\n")
        for reply, wanted in zip(
            (b"250 ok\r\n", b"250 ok\r\n", *DIALOGUE[4:]), (b"MAIL", b"RCPT", b"DATA", b".\r\n"), strict=True
        ):
            read_until(sock, wanted)
            sock.sendall(reply)
        read_until(sock, b"QUIT")
        sock.sendall(b"221 bye\r\n")

    return handler


def test_no_password_in_clear_beyond_this_machine(job: Job, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2\n")
    hosts = Hosts((Host("mx.example.net", 587, login=Login("ann", tmp_path / "password")),), lambda _: ["192.0.2.1"])
    wires: list[TalkingWire] = []

    def connect(ip: str, port: int, source: Sequence[str], timeout: float) -> Wire:
        wires.append(TalkingWire([b"220 hi\r\n", b"250-x\r\n250 AUTH PLAIN\r\n"]))
        return wires[-1]

    result = send(Relay("mail.example.org", hosts, Demanding(Level.MAY), Ways(LONG, connect=connect)), job)
    assert (result.kind, result.status) == (Kind.DEFERRED, "4.7.4")
    assert b"AUTH" not in wires[0].said
    missing = replace(hosts.hosts[0], name="localhost", login=Login("ann", tmp_path / "nowhere"))
    relay = Relay("mail.example.org", Hosts((missing,)), Demanding(Level.MAY), Ways(LONG, connect=connect))
    result = send(relay, job)
    assert (result.kind, result.status) == (Kind.DEFERRED, "4.7.8") and "[outbound]" in result.text


def test_requiretls_never_goes_to_a_host_that_proved_nothing(keys: tuple[ssl.SSLContext, str], job: Job) -> None:
    """Whatever the Security says: it may know nothing of REQUIRETLS."""

    class Careless(Recorder):
        def policy(self, route: Route, host: Host, require_tls: bool) -> TlsPolicy:
            return super().policy(route, host, False)

    job.require_tls = True
    smtp = Smtp(offers=b"250-x\r\n250-STARTTLS\r\n250 REQUIRETLS\r\n", tls=keys[0])
    with peer(smtp) as server:
        result = send(relay_to(server.port, Careless(Level.MAY)), job)
    assert (result.kind, result.status) == (Kind.FAILED, "5.7.30")
    assert not any(line.startswith(b"MAIL") for line in smtp.lines)


def test_opportunistic() -> None:
    security = Opportunistic()
    route = Route("example.net", ())
    login = Login("ann", Path("nowhere"))
    assert security.policy(route, Host("mx"), False).level is Level.MAY
    assert security.policy(route, Host("mx"), True).level is Level.PKIX
    assert security.policy(route, Host("mx", login=login), False).level is Level.PKIX
    assert security.policy(route, Host("127.0.0.1", login=login), False).level is Level.MAY


# ---- the message


def test_a_message_that_cannot_be_read(job: Job) -> None:
    job.path.unlink()
    result = send(relay_to(1), job)
    assert (result.kind, result.status) == (Kind.DEFERRED, "4.3.0")


def test_a_message_that_cannot_be_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    big = job_for(tmp_path / "message", b"Subject: hi\r\n\r\n" + (b"a" * 70 + b"\r\n") * 50_000)
    blocks = Letter.blocks

    def broken(self: Letter) -> Iterator[bytes]:
        yield next(blocks(self))
        raise MailError("4.3.0", "The queue cannot read the message: look at the disk")

    monkeypatch.setattr(Letter, "blocks", broken)
    smtp = Smtp()
    with peer(smtp) as server:
        result = send(relay_to(server.port), big)
    assert (result.kind, result.status) == (Kind.DEFERRED, "4.3.0")
    assert [line for line in smtp.lines if not line.startswith((b"EHLO", b"MAIL", b"RCPT", b"DATA"))] == []
    assert len(smtp.messages) == 1 and len(smtp.messages[0]) < big.size


@pytest.mark.parametrize("size", [10, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_000_000])
def test_messages_of_every_size_arrive_as_they_are(size: int, tmp_path: Path) -> None:
    text = b"Subject: hi\r\n\r\n"
    text += (b".a line that is stuffed\r\n" * (size // 24 + 1))[: max(size - len(text) - 2, 0)].rstrip(b"\r\n") + b"\r\n"
    smtp = Smtp()
    with peer(smtp) as server:
        assert send(relay_to(server.port), job_for(tmp_path / "message", text)).kind is Kind.SENT
    assert [message.replace(b"\r\n..", b"\r\n.") for message in smtp.messages] == [text]


def test_letters(tmp_path: Path) -> None:
    file = tmp_path / "message"
    file.write_bytes(b"Subject: x\r\n\r\n" + b"a" * (1 << 20) + b"\xc3\xa4")
    big = Letter.open(file)
    assert big.is_8bit and not big.has_utf8_header and big.size == file.stat().st_size == len(big.whole())
    file.write_bytes(b"Subject: x\r\n\r\n" + b"a" * (1 << 20) + b"\0")
    assert b"\0" not in Letter.open(file).whole()
    file.write_bytes(b"Subject: \0x\r\n\r\nhi\r\n")
    assert Letter.open(file).whole() == b"Subject: ?x\r\n\r\nhi\r\n"
    assert Letter.of(b"Subject: \xc3\xa4\r\n\r\n").has_utf8_header
    assert not Letter.of(b"Subject: \xe4\r\n\r\n\xc3\xa4").has_utf8_header


def test_a_thousand_recipients_in_groups(tmp_path: Path) -> None:
    smtp = Smtp(offers=b"250-x\r\n250-PIPELINING\r\n250 LIMITS RCPTMAX=500\r\n")
    job = job_for(tmp_path / "message", b"Subject: hi\r\n\r\nhi\r\n", [f"p{number}" for number in range(1050)])
    with peer(smtp) as server:
        relay = relay_to(server.port)
        results = relay.send(job)
        relay.close()
        assert server.connections == 1
    assert {result.kind for result in results} == {Kind.SENT} and len(results) == 1050
    assert len(smtp.messages) == 3
    assert sum(line.startswith(b"RCPT") for line in smtp.lines) == 1050
