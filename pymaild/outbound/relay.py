"""Relay: carries jobs to other servers. attempt.py says how one job goes, dialer.py how a connection is made."""

from __future__ import annotations

from pymaild.outbound.attempt import Attempt, result_of
from pymaild.outbound.destination import Router, Security
from pymaild.outbound.dialer import Dialer, Ways
from pymaild.outbound.job import Job, Result
from pymaild.outbound.letter import Letter
from pymaild.outbound.opportunistic import Opportunistic
from pymaild.outbound.pool import Pool
from pymaild.smtp.request import Mail
from pymaild.status import MailError


class Relay:
    """A job.Courier for everything that leaves. Many threads may send at once; close() when all is over."""

    def __init__(self, hostname: str, router: Router, security: Security | None = None, ways: Ways | None = None) -> None:
        self.router = router
        self.dialer = Dialer(hostname, security or Opportunistic(), ways or Ways())
        self.pool = Pool()

    def send(self, job: Job) -> list[Result]:
        """One result per addressee, in their order; never raises MailError."""
        try:
            mail = Mail(job.reverse_path, Letter.open(job.path), job.smtputf8, job.require_tls, job.ret, job.envid)
        except MailError as error:
            return [result_of(error, self.dialer.ways.clock())] * len(job.addressees)
        attempt = Attempt(self.router, self.dialer, self.pool, job, mail)
        try:
            attempt.run()
        except MailError as error:
            attempt.note(error)
        return attempt.ended()

    def close(self) -> None:
        """End the connections that wait for more mail."""
        self.pool.close()
