"""Everything that serves people, together in this process: what a worker runs, and the demo and the tests in threads."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from pymaild.dialogue import Session
from pymaild.envelope import Client, Role
from pymaild.sasl import Offer
from pymaild.servers import imap, log, smtp
from pymaild.servers.base import NewSession, WireServer
from pymaild.servers.census import Census
from pymaild.servers.limits import Caps, Timeouts, is_loopback
from pymaild.servers.listen import Sockets
from pymaild.servers.parking import Parking
from pymaild.servers.threads import Threads
from pymaild.servers.tls import Contexts
from pymaild.servers.trace import Traced, Write
from pymaild.servers.wire import Manner
from pymaild.status import MailError

if TYPE_CHECKING:
    from pymaild.assembly import Services

STACK = 256 << 10  # octets of a connection's thread; Python frames are not on it
MEMORY = 1 << 20  # octets of a message that stay in memory; what is larger goes to a temporary file while it is read
_REST, _BREATH, _FEW = 2.0, 0.01, 2  # seconds, seconds, jobs: when what can wait is done
DRAIN = 25.0  # seconds that connections get to finish what they are doing


@dataclass(frozen=True)
class Surroundings:
    """What a process serves with besides its Services."""

    tls: Contexts | None = None
    census: Census | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    trace: Write | None = None


def spool() -> BinaryIO:
    """Where a message goes while it is read."""
    return cast(BinaryIO, SpooledTemporaryFile(MEMORY))  # its session closes it


class Running:
    """The servers of one process on their sockets."""

    def __init__(self, services: Services, sockets: Sockets, around: Surroundings) -> None:
        threading.stack_size(STACK)
        self.services, self.around = services, around
        limits = services.config.limits
        self.census = around.census or Census(
            Caps(limits.connections, limits.connections_per_ip, limits.connections_per_account)
        )
        self.threads = Threads()
        self.parking = Parking(self.threads)
        self.servers: list[WireServer] = []
        self.webs: list[Any] = []
        for name, group in sockets.items():
            if name in _KINDS:
                self.servers += [self._server(name, sock) for sock in group]
        self._web(sockets)
        self._accepting: list[threading.Thread] = []
        self._stopping = threading.Event()

    # ---- life

    def start(self) -> None:
        """Accept connections."""
        for web in self.webs:
            web.start()
        for server in self.servers:
            thread = threading.Thread(target=server.serve_forever, args=(0.25,), name=server.manner.name, daemon=True)
            self._accepting.append(thread)
            thread.start()
        threading.Thread(target=self._afterwards, name="afterwards", daemon=True).start()

    def stop(self, patience: float = 0) -> None:
        """Accept no more; let commands under way finish for `patience` seconds; say farewell; close."""
        self._stopping.set()
        for server in self.servers:
            threading.Thread(target=server.shutdown, daemon=True).start()
        for thread in self._accepting:
            thread.join(5)
        for server in self.servers:
            server.server_close()
            server.each(lambda connection: connection.stop())
        self.parking.stop()
        for web in self.webs:
            web.stop()
        self._until(self._empty, max(patience, 1.0))
        for server in self.servers:
            server.each(lambda connection: connection.abort())
        self._until(self._empty, 2.0)

    def _afterwards(self) -> None:
        """What the 250 did not wait for, such as rendered columns, is done in moments when few have anything to do.

        Who asks before that makes what is missing first, so it is only a matter of speed.
        """
        catch_up = getattr(self.services.stores, "catch_up", None)
        while catch_up and not self._stopping.wait(_REST):
            while not self._stopping.is_set() and self.threads.busy <= _FEW and self._caught_up(catch_up):
                self._stopping.wait(_BREATH)

    @staticmethod
    def _caught_up(catch_up: Callable[[int], int]) -> int:
        try:
            return catch_up(20)
        except MailError as error:  # a full disk, a mailbox removed in between: there is a next time
            log.event("afterwards_failed", "warning", status=error.status, text=error.text)
            return 0

    def _empty(self) -> bool:
        return not any(server.connections for server in self.servers)

    @staticmethod
    def _until(done: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not done() and time.monotonic() < deadline:
            time.sleep(0.02)

    # ---- assembly

    def _server(self, name: str, sock: Any) -> WireServer:
        kind = _KINDS[name]
        context = self.around.tls[kind.service] if self.around.tls and kind.tls else None
        manner = Manner(
            name, self.around.timeouts, self.parking, context, kind.tls_first, kind.login, kind.patient, kind.fault
        )
        new = getattr(self, f"_new_{kind.service}")
        return kind.server(sock, manner, self.census, self.threads, partial(self._traced, partial(new, kind, context)))

    def _traced(self, new: NewSession, client: Client) -> Session:
        session = new(client)
        if self.around.trace:
            return cast(Session, Traced(session, client.session_id, self.around.trace))
        return session

    def _auth_allowed(self, client: Client) -> bool:
        """[auth] plaintext: whether a password may come in clear from this peer."""
        plaintext = self.services.config.auth.plaintext
        return bool(plaintext == "always" or (plaintext == "loopback" and is_loopback(client.ip)))

    def _offer(self, door: str) -> Offer:
        """[auth] mechanisms."""
        return Offer(self.services.config.auth.mechanisms, partial(self.services.directory.candidate, door=door))

    def _new_smtp(self, kind: _Kind, context: ssl.SSLContext | None, client: Client) -> Session:
        from pymaild.smtp.conversation import Limits as SmtpLimits  # noqa: PLC0415
        from pymaild.smtp.session import Session as SmtpSession  # noqa: PLC0415

        client.role = kind.role
        config = self.services.config
        return SmtpSession(
            config.server.hostname,
            smtp.Logged(self.services.policy(kind.role)),
            client,
            clock=time.time,
            limits=SmtpLimits(
                hold=int(config.limits.send_later) if self.services.delivery.outgoing else 0,
                message_size=config.limits.message_size,
                recipients=config.limits.recipients,
                errors=config.limits.errors,
            ),
            tls_available=context is not None and not kind.tls_first,
            auth_allowed=self._auth_allowed(client),
            offer=self._offer(kind.role.value),
            spool=spool,
        )

    def _new_imap(self, kind: _Kind, context: ssl.SSLContext | None, client: Client) -> Session:
        from pymaild.imap.limits import Limits as ImapLimits  # noqa: PLC0415
        from pymaild.imap.session import Session as ImapSession  # noqa: PLC0415

        return ImapSession(
            self.services.config.server.hostname,
            replace(self.services.imap, place=self.census.place),
            client,
            limits=ImapLimits(message=self.services.config.limits.message_size),
            tls_available=context is not None and not kind.tls_first,
            auth_allowed=self._auth_allowed(client),
            offer=self._offer("imap"),
            spool=spool,
        )

    def _web(self, sockets: Sockets) -> None:
        if not (sockets.get("http") or sockets.get("https")):
            return
        from pymaild.servers.http import HttpsServer, WebServer  # noqa: PLC0415
        from pymaild.web.app import WebApp  # noqa: PLC0415

        app = WebApp(self.services)
        if plain := sockets.get("http"):
            self.webs.append(WebServer(app, plain, "http"))
        if (encrypted := sockets.get("https")) and self.around.tls:
            web = WebServer(app, [], "https")
            self.webs.append(web)
            manner = Manner("https", self.around.timeouts, self.parking, self.around.tls["http"], tls_first=True)
            for sock in encrypted:
                server = HttpsServer(sock, manner, self.census, self.threads, _no_session)
                server.web = web
                self.servers.append(server)


@dataclass(frozen=True)
class _Kind:
    """One row of the table of listeners."""

    server: type[WireServer]
    service: str  # of tls.SERVICES, and of Running._new_*
    role: Role = Role.MX
    tls: bool = True
    tls_first: bool = False
    login: bool = False
    patient: bool = False
    fault: bytes = smtp.FAULT


_KINDS = {
    "smtp": _Kind(smtp.SmtpServer, "smtp", Role.MX),
    "submission": _Kind(smtp.SmtpServer, "smtp", Role.MSA, login=True),
    "submissions": _Kind(smtp.SmtpServer, "smtp", Role.MSA_TLS, tls_first=True, login=True),
    "lmtp": _Kind(smtp.LmtpServer, "smtp", Role.LMTP, tls=False),
    "imap": _Kind(imap.ImapServer, "imap", login=True, patient=True, fault=imap.FAULT),
    "imaps": _Kind(imap.ImapServer, "imap", tls_first=True, login=True, patient=True, fault=imap.FAULT),
}


def _no_session(client: Client) -> Session:
    raise NotImplementedError("waitress speaks HTTP")


def listening(sockets: Sockets) -> list[str]:
    """A line for each listening socket: "listening smtp 127.0.0.1:2525"."""
    from pymaild.servers.listen import address_text  # noqa: PLC0415

    return [f"listening {name} {address_text(sock)}" for name, group in sockets.items() for sock in group]
