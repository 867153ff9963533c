"""Carries one job to where it goes: host by host, address by address, until each recipient has an answer. RFC 5321 §5.1.

    no connection, not the TLS that is demanded, a greeting of 4yz or 5yz, 421   the next address, then the next host
    4yz for a recipient or the message                      the next host may take it (§5.1)
    5yz for a recipient or the message                      final, whatever other hosts would say (§4.2.1)
    the connection breaks before the message is all sent    the next host
    it breaks after that, without an answer                 deferred: nobody knows, and twice is better than never

Where every host refuses to serve us at all with 5yz, that is final too; one that only does not answer leaves hope. Hosts
are tried in the order the Router gives. An idle connection to a host is used before a new one, and its failure before
anything was said on it is nobody's answer: a fresh one follows.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator
from dataclasses import replace

from pymaild.outbound.connection import Connection
from pymaild.outbound.destination import Level, Router, TlsPolicy
from pymaild.outbound.dialer import SUBMISSIONS, Dialer
from pymaild.outbound.job import Job, Kind, Result
from pymaild.outbound.pool import Pool, is_used_up
from pymaild.outbound.route import Host, Route
from pymaild.outbound.wire import Lost, NoTls
from pymaild.smtp.answer import Answer
from pymaild.smtp.client import LoginRefused, Unwilling
from pymaild.smtp.request import Mail
from pymaild.smtp.transaction import Transaction
from pymaild.status import MailError

RECIPIENTS = 100  # in one transaction, unless LIMITS says otherwise: every server takes as many. RFC 5321 §4.5.3.1.8
MOST_RECIPIENTS = 1000
CONNECTIONS = 8  # tried for one job
SESSIONS = 3  # of them, those that came as far as to ask for the mail
_NO_REQUIRETLS = "5.7.30"


class Attempt:
    """One job on its way."""

    def __init__(self, router: Router, dialer: Dialer, pool: Pool, job: Job, mail: Mail) -> None:
        self.router, self.dialer, self.pool, self.job, self.mail = router, dialer, pool, job, mail
        self.results: list[Result | None] = [None] * len(job.addressees)
        self.waiting = list(range(len(job.addressees)))  # those without a final result
        self.deadline = time.monotonic() + dialer.ways.patience.attempt
        self.connections, self.sessions = CONNECTIONS, SESSIONS  # left to be tried
        self._reason: Result | None = None  # why hosts did not serve us, for those nobody spoke of

    def run(self) -> None:
        """Host by host. Raises MailError when there is no way."""
        route = self.router.find(self.job.route)
        for host in route.hosts:
            if self.waiting and self.connections > 0 and self.sessions > 0 and time.monotonic() < self.deadline:
                self._host(route, host)

    def _host(self, route: Route, host: Host) -> None:
        """Everybody who still waits, at one host, over as many connections as it takes."""
        try:
            policy = self.dialer.security.policy(route, host, self.job.require_tls)
        except MailError as error:
            self.note(error, host=host.name)
            return
        key = (host, policy, route.configured, self.job.require_tls)
        todo = list(self.waiting)
        for connection in self._connections(key, route, host, policy):
            before = len(todo)
            todo = self._converse(connection, todo)
            self.pool.put(key, connection)
            if not todo or (len(todo) == before and not connection.is_reused):
                break
        else:
            return
        self.sessions -= 1

    def _connections(self, key: Hashable, route: Route, host: Host, policy: TlsPolicy) -> Iterator[Connection]:
        """Idle ones, then a fresh one, and another one whenever that one is used up."""
        while connection := self.pool.take(key):
            connection.deadline = self.deadline
            yield connection
        try:
            addresses = self.router.addresses(host, route.configured)
        except MailError as error:
            self.note(error, host=host.name)
            return
        for ip in addresses:
            while self.connections > 0 and (fresh := self._open(route, host, ip, policy)):
                yield fresh

    def _open(self, route: Route, host: Host, ip: str, policy: TlsPolicy) -> Connection | None:
        """One address. None: not there; the reason is kept."""
        self.connections -= 1
        try:
            return self._secured(self._dial(route, host, ip, policy))
        except Unwilling as unwilling:
            self.note(unwilling.answer, ip, host.name)
        except LoginRefused as refused:
            words = f"The smarthost does not accept user name and password of [outbound]: {refused.answer.text}"
            self.note(MailError("4.7.8", words, refused.answer.code), ip, host.name)
        except MailError as error:
            self.note(error, ip, host.name)
        return None

    def _dial(self, route: Route, host: Host, ip: str, policy: TlsPolicy) -> Connection:
        """As the policy says; in clear where TLS was only a wish and its handshake fails. RFC 7435 §3."""
        try:
            return self.dialer.open(route, host, ip, policy, self.deadline)
        except NoTls as error:
            if policy.level is not Level.MAY or host.port == SUBMISSIONS:
                raise MailError("4.7.5", error.text) from error
        return self.dialer.open(route, host, ip, replace(policy, level=Level.NONE), self.deadline)

    def _secured(self, connection: Connection) -> Connection:
        """What asks for it only goes to a host that proved its name. RFC 8689 §4.2.1."""
        if self.job.require_tls and not connection.verified:
            connection.close()
            raise MailError("4.7.4", "The server does not prove its name by TLS, which the message demands")
        return connection

    # ---- one connection

    def _converse(self, connection: Connection, todo: list[int]) -> list[int]:
        """As many transactions as it takes and the connection lasts; who was not asked about is given back."""
        offers = connection.client.offers
        size = min(offers.recipients or RECIPIENTS, MOST_RECIPIENTS)
        while todo and not connection.is_broken and not is_used_up(connection):
            batch, rest = todo[:size], todo[size:]
            left = self._transact(connection, batch)
            if left == batch:
                return todo
            todo = left + rest
        return todo

    def _transact(self, connection: Connection, batch: list[int]) -> list[int]:
        """One transaction; who has to come again in the next one."""
        recipients = [self.job.addressees[index].recipient for index in batch]
        transaction = Transaction(connection.client, self.mail, recipients)
        reason: MailError | Answer | None = None
        try:
            connection.run(transaction.run())
        except Unwilling as unwilling:
            reason = unwilling.answer
        except MailError as error:
            reason = error
        if connection.is_reused and transaction.sender_waits:
            connection.close()  # some servers count the messages of a connection without a word in LIMITS
            return batch
        if reason is not None and connection.is_reused and connection.is_broken and not transaction.was_heard:
            return batch  # it broke while it was idle, which says nothing about the mail
        is_lost = isinstance(reason, Lost) and transaction.is_committed
        if isinstance(reason, Lost) and is_lost:
            reason = Lost(reason.status, f"{reason.text}: it may have the message, and will get it again")
        for index, verdict in zip(batch, transaction.verdicts, strict=True):
            self._settle(index, verdict or reason, connection, is_lost)
        return [batch[index] for index in transaction.left] if reason is None else []

    # ---- results

    def _settle(self, index: int, verdict: Answer | MailError | None, connection: Connection, is_lost: bool) -> None:
        """Keep what was said of one recipient; a next host is only asked about those that are not settled."""
        if verdict is None:
            return
        if isinstance(verdict, MailError) and verdict.status == _NO_REQUIRETLS:
            self.note(verdict, connection.ip, connection.host.name)  # another host may be able to. RFC 8689 §4.2.1
            return
        result = self._result(verdict, connection.host.name, connection.ip, connection)
        last = self.results[index]
        if last is None or result.code or is_lost:  # the words of one host say more than the silence of another
            self.results[index] = result
        if result.final or is_lost:
            self.waiting.remove(index)

    def note(self, why: Answer | MailError, ip: str = "", host: str = "") -> None:
        """Why a host did not even hear of the mail. The most hopeful reason counts, of equal ones the first."""
        if self.job.require_tls and isinstance(why, MailError) and why.status == "4.7.4":
            why = MailError(_NO_REQUIRETLS, why.text)
        result = self._result(why, host, ip)
        if self._reason is None or _hope(result) > _hope(self._reason):
            self._reason = result

    def _result(
        self, why: Answer | MailError, host: str = "", ip: str = "", connection: Connection | None = None
    ) -> Result:
        tls, verified = (connection.tls, connection.verified) if connection else ("", "")
        reports = connection is not None and "DSN" in connection.client.offers
        bare = result_of(why, self.dialer.ways.clock())
        return Result(bare.kind, bare.status, bare.text, bare.code, host, ip, tls, verified, reports, bare.at)

    def ended(self) -> list[Result]:
        """One result per addressee."""
        reason = self._reason or self._result(MailError("4.4.4", "No server was found that could be asked"))
        return [result or reason for result in self.results]


def result_of(why: Answer | MailError, at: float) -> Result:
    """An answer, or a reason of our own, as a result. RFC 5321 §4.2.1."""
    if isinstance(why, MailError):
        return Result(Kind.DEFERRED if why.temporary else Kind.FAILED, why.status, why.text, at=at)
    kind = Kind.SENT if why.ok else Kind.FAILED if why.final else Kind.DEFERRED
    return Result(kind, why.status, why.text, why.code, at=at)


def _hope(result: Result) -> int:
    return 0 if result.final else 1 + bool(result.code)
