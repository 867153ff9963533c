"""The SMTP and LMTP servers: which session answers on which port, and what the log says of it."""

from __future__ import annotations

from typing import BinaryIO, Protocol

from pymaild.envelope import Address, Client, Envelope, Outcome, Role
from pymaild.servers import log
from pymaild.servers.base import WireServer
from pymaild.status import MailError

FAULT = b"421 4.3.0 The server has a problem with this command. Try again later\r\n"


class SmtpServer(WireServer):
    """Port 25, and submission. RFC 5321, RFC 6409."""

    refusal = b"421 4.7.0 {}\r\n"


class LmtpServer(SmtpServer):
    """Delivery by another mail server of this machine. RFC 2033."""


class Policy(Protocol):
    """What an smtp.Session asks; flow.Reception and flow.Submission answer."""

    def connected(self, client: Client) -> None:
        """A client is there."""

    def login(self, client: Client, username: str, password: str) -> str:
        """The account's address."""

    def sender(self, envelope: Envelope) -> None:
        """MAIL."""

    def recipient(self, envelope: Envelope, address: Address) -> None:
        """RCPT."""

    def message(self, envelope: Envelope, message: BinaryIO) -> list[Outcome]:
        """The message is complete."""


class Logged:
    """A policy whose answers are written to the log: one line per message, one per refusal."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.connected = policy.connected
        self.login = policy.login  # the wire tells of a login, the accounts of one that failed

    def sender(self, envelope: Envelope) -> None:
        """A refused sender."""
        try:
            self._policy.sender(envelope)
        except MailError as error:
            _refused("sender_refused", envelope, error)
            raise

    def recipient(self, envelope: Envelope, address: Address) -> None:
        """A refused recipient."""
        try:
            self._policy.recipient(envelope, address)
        except MailError as error:
            _refused("recipient_refused", envelope, error, to=address)
            raise

    def message(self, envelope: Envelope, message: BinaryIO) -> list[Outcome]:
        """A message that was taken, or not."""
        try:
            outcomes = self._policy.message(envelope, message)
        except MailError as error:
            _refused("message_refused", envelope, error)
            raise
        failed = [outcome for outcome in outcomes if outcome.error]
        log.event(
            "message",
            session=envelope.client.session_id,
            id=envelope.message_id,
            sender=envelope.reverse_path or "<>",
            to=outcomes[0].recipient.address if outcomes else "",
            recipients=len(outcomes),
            failed=len(failed) or "",
            status=failed[0].error.status if failed and failed[0].error else "",
        )
        return outcomes


def _refused(what: str, envelope: Envelope, error: MailError, to: Address | None = None) -> None:
    client = envelope.client
    sender = envelope.reverse_path or "<>"
    log.event(what, session=client.session_id, ip=client.ip, sender=sender, to=to, status=error.status, text=error.text)


SUBMISSION = (Role.MSA, Role.MSA_TLS)
