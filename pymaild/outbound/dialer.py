"""Makes a connection ready for mail: connect, greet, TLS as the policy demands, login. RFC 5321 §3.1, RFC 3207 §4."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pymaild.outbound.connection import Connection, Patience, Trace
from pymaild.outbound.destination import Level, Security, TlsPolicy, TlsResult
from pymaild.outbound.opportunistic import is_loopback
from pymaild.outbound.route import Host, Route
from pymaild.outbound.wire import Connect, Lost, NoTls, Wire, connect
from pymaild.smtp.client import Client
from pymaild.status import MailError

DEAD_FOR, DEAD_PATIENCE, MOST_DEAD = 600.0, 3.0, 10_000  # seconds, seconds, addresses
SUBMISSIONS = 465  # TLS from the first octet. RFC 8314 §3.3


@dataclass(frozen=True, slots=True)
class Ways:
    """How a Relay reaches others; a test has its own."""

    patience: Patience = field(default_factory=Patience)
    source: tuple[str, ...] = ()  # addresses of ours to send from, one of each family
    connect: Connect = connect
    clock: Callable[[], float] = time.time
    trace: Trace | None = None


class Dialer:
    """Opens connections; one for all threads."""

    def __init__(self, hostname: str, security: Security, ways: Ways) -> None:
        self.hostname, self.security, self.ways = hostname, security, ways
        self._dead: dict[tuple[str, int], float] = {}  # addresses where nobody answered, and when

    def open(self, route: Route, host: Host, ip: str, policy: TlsPolicy, deadline: float) -> Connection:
        """A connection that is ready for mail. Raises Lost, MailError, NoTls, Unwilling, LoginRefused."""
        ways = self.ways
        wire = self._connect(ip, host.port, deadline - time.monotonic())
        connection = Connection(wire, Client(self.hostname), ways.patience, ways.trace)
        connection.host, connection.ip, connection.policy, connection.deadline = host, ip, policy, deadline
        try:
            self._prepare(connection, route)
        except BaseException as error:
            connection.close(politely=not isinstance(error, NoTls))
            raise
        return connection

    def _connect(self, ip: str, port: int, left: float) -> Wire:
        """Where nobody answered a while ago there is little patience, so that the next host has its turn soon."""
        now, patience = time.monotonic(), self.ways.patience.connect
        if now - self._dead.get((ip, port), -DEAD_FOR) < DEAD_FOR:
            patience = min(patience, DEAD_PATIENCE)
        try:
            wire = self.ways.connect(ip, port, self.ways.source, min(patience, left))
        except Lost:
            if len(self._dead) > MOST_DEAD:
                self._dead.clear()
            self._dead[ip, port] = now
            raise
        self._dead.pop((ip, port), None)
        return wire

    def _prepare(self, connection: Connection, route: Route) -> None:
        host, policy, client = connection.host, connection.policy, connection.client
        if host.port == SUBMISSIONS:
            self._encrypt(connection, route)
        connection.run(client.greet())
        if host.port != SUBMISSIONS and policy.level > Level.NONE:
            self._start_tls(connection, route)
        if host.login:
            if not (connection.verified or is_loopback(connection.ip)):
                raise MailError("4.7.4", "The password is only shown to a smarthost that has proved its name by TLS")
            connection.run(client.login(host.login.user, _password(host)))

    def _start_tls(self, connection: Connection, route: Route) -> None:
        """RFC 3207 §4."""
        refusal = "The server does not offer TLS, which is demanded of it"
        if "STARTTLS" in connection.client.offers:
            if connection.run(connection.client.ask_for_tls()).code == 220:
                self._encrypt(connection, route)
                self._hello_again(connection)
                return
            refusal = "The server offers TLS, which is demanded of it, and then does not start it"
        result = TlsResult("starttls-not-supported", connection.ip, text=refusal)
        self.security.report(route, connection.host, connection.policy, result)
        if connection.policy.level > Level.MAY:
            raise MailError("4.7.4", refusal)

    def _hello_again(self, connection: Connection) -> None:
        """RFC 3207 §4.2. In TLS 1.3 a server that does not want us hangs up only now."""
        try:
            connection.run(connection.client.hello())
        except Lost as lost:
            raise NoTls("validation-failure", f"TLS began, and then: {lost.text}") from lost

    def _encrypt(self, connection: Connection, route: Route) -> None:
        """Shake hands, look at the certificate, and tell how it went."""
        host, policy = connection.host, connection.policy
        try:
            tls = connection.shake_hands(self.security.context(policy))
            connection.verified = self.security.verify(tls, host, policy)
        except NoTls as error:
            self.security.report(route, host, policy, TlsResult(error.failure, connection.ip, text=error.text))
            raise
        except MailError as error:
            failed = TlsResult("validation-failure", connection.ip, connection.tls, text=error.text)
            self.security.report(route, host, policy, failed)
            raise
        self.security.report(route, host, policy, TlsResult("", connection.ip, connection.tls, connection.verified))


def _password(host: Host) -> str:
    try:
        return host.login.password() if host.login else ""
    except OSError as error:
        raise MailError("4.7.8", "The file with the smarthost's password cannot be read: see [outbound]") from error
