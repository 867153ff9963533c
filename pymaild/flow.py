"""The path of a message: who may send, who may receive, and how it gets into the mailbox. Read this first.

    receive   mail from other hosts (port 25) or from a local MTA (LMTP): for people who live here, nobody else
    submit    mail of people who live here (ports 587 and 465, webmail): the author has logged in

    leave     mail of our own people for others: signed and put into the queue, from where outbound/ carries it

No protocol, no SQL and no socket: an smtp.Session asks these questions at MAIL, RCPT and the end of the message, and
every "no" is a MailError. 250 means: in the mailbox, or in the queue, durable. Between 250 and a mailbox here there is no
queue, so nothing can bounce later that could have been refused now; unless one of several recipients could not have it
at once, or its author wants it sent later, or to hear that it arrived.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import BinaryIO, Protocol

from pymaild.envelope import Address, Client, Envelope, Outcome, Recipient, Role
from pymaild.events import Event, Journal
from pymaild.mailstore import AccountStore, NoSpace, OverQuota
from pymaild.message import trace
from pymaild.message.repair import repair
from pymaild.outbound.job import LOCAL, Job, Kind, Order, Result
from pymaild.status import MailError

MAX_HOPS = 100  # Received fields; more is a loop. RFC 5321 §6.3
MAX_HEADER = 1 << 20  # octets of a header block
MAX_REPORT = 1 << 18  # octets of a report that are looked at


class NoRelay(MailError):
    """RFC 3463 §3.8, X.7.1: the domain is not ours and the client may not send through us."""

    def __init__(self) -> None:
        super().__init__("5.7.1", "Relaying denied: this server takes mail only for its own domains")


class Directory(Protocol):
    """Who lives here."""

    def is_local(self, domain: str) -> bool:
        """Whether the domain (A-label, lower case) is one of ours."""

    def resolve(self, address: Address) -> list[str]:
        """The accounts an address stands for: itself, plus-addressing, aliases, catch-all. Raises NoSuchUser."""

    def elsewhere(self, address: Address) -> list[Address]:
        """The addresses of other servers that it stands for."""

    def may_send_as(self, account: str, address: Address) -> bool:
        """Whether it is an address of this account."""

    def login(self, username: str, password: str, ip: str, door: str = "") -> str:
        """The account's address. Raises MailError 5.7.8, or 4.7.0 when there were too many wrong passwords."""


class Outgoing(Protocol):
    """Takes what must leave, or be tried again."""

    def recipient(self, envelope: Envelope, address: Address) -> None:
        """Whether the account may write there. Raises MailError."""

    def take(self, envelope: Envelope, routes: Sequence[tuple[Recipient, str]], message: BinaryIO, order: Order) -> None:
        """Into the queue; durable on return. Raises MailError."""

    def rewritten(self, sender: Address, domain: str) -> Address:
        """The sender's address as one of ours, for mail that is forwarded (SRS)."""

    def restored(self, address: Address) -> Address | None:
        """Whose address was rewritten; None: it is no rewritten one."""


Stores = Callable[[str], AccountStore]


class Delivery:
    """Puts a message into mailboxes: what reception and submission have in common."""

    def __init__(
        self,
        hostname: str,
        directory: Directory,
        stores: Stores,
        journal: Journal,
        has_room: Callable[[], bool] = lambda: True,
        outgoing: Outgoing | None = None,
    ) -> None:
        self.hostname = hostname
        self.directory = directory
        self.stores = stores
        self.journal = journal
        self.has_room = has_room  # whether the disk takes another message of the largest size
        self.outgoing = outgoing  # None: nothing leaves, nothing is tried again
        self.came_back: Callable[[str, bytes], None] = lambda account, message: None  # a report lies in the mailbox

    def accept_recipient(self, address: Address, is_report: bool = False) -> None:
        """Refuse at RCPT what could only bounce later: unknown users, full mailboxes. RFC 5321 §3.3, §3.6.2.

        Reports for somebody whose mail was forwarded here come to a rewritten address, and go on to the right one.
        """
        if address.domain and not self.directory.is_local(address.domain):
            raise NoRelay
        if is_report and self._restored(address):
            return
        errors = [error for account in self._accounts(address) if (error := self._no_room(account))]
        if errors:
            raise errors[0]

    def refuse_without_room(self) -> None:
        """Refuse at MAIL what the disk could not take, before the client sends it. RFC 3463 X.3.1."""
        if not self.has_room():
            raise NoSpace

    def _accounts(self, address: Address) -> list[str]:
        """Whom an address reaches; <postmaster> is this server's own. RFC 5321 §4.1.1.3."""
        return self.directory.resolve(address if address.domain else Address(address.local_part, self.hostname))

    def _no_room(self, account: str) -> MailError | None:
        quota = self.stores(account).quota()
        full = (quota.octets_limit and quota.octets >= quota.octets_limit) or (
            quota.messages_limit and quota.messages >= quota.messages_limit
        )
        return OverQuota() if full else None

    def deliver(self, envelope: Envelope, message: BinaryIO) -> list[Outcome]:
        """Write the message into the mailbox of every recipient; one outcome each, in their order.

        An account that several recipients stand for gets one copy. RFC 5321 §4.4: Return-Path on top, then Received.
        """
        at = time.time()
        done: dict[str, MailError | None] = {}
        outcomes = []
        for recipient in envelope.recipients:
            try:
                accounts, elsewhere = self._reached(envelope, recipient.address)
            except MailError as error:  # gone since RCPT; the others get theirs
                outcomes.append(Outcome(recipient, error))
                continue
            for account in accounts:
                if account not in done:
                    done[account] = self._deliver_to(account, recipient, envelope, message, at)
            failure = next((done[account] for account in accounts if done[account]), None)
            if elsewhere and failure is None:
                failure = self._forward(envelope, recipient, elsewhere, message, len(outcomes))
            outcomes.append(Outcome(recipient, failure))
        return outcomes

    def _reached(self, envelope: Envelope, address: Address) -> tuple[list[str], list[Address]]:
        """The accounts, and the addresses of other servers."""
        restored = self._restored(address) if envelope.reverse_path is None else None
        if restored:
            return [], [restored]
        return self._accounts(address), self.directory.elsewhere(address)

    def _restored(self, address: Address) -> Address | None:
        return self.outgoing.restored(address) if self.outgoing and "=" in address.local_part else None

    def _forward(
        self, envelope: Envelope, recipient: Recipient, to: Sequence[Address], message: BinaryIO, number: int
    ) -> MailError | None:
        """On to other servers, from a sender of ours; a message that was here before goes no further."""
        header = trace.header_block(message, MAX_HEADER) or b""
        if trace.was_delivered_to(header, str(recipient.address)):
            return MailError("5.4.6", "The message was forwarded to this address before: it goes in a circle")
        if self.outgoing is None:
            return NoRelay()
        sender = envelope.reverse_path
        if sender and not self.directory.is_local(sender.domain):
            sender = self.outgoing.rewritten(sender, recipient.address.domain or self.hostname)
        onward = replace(envelope, reverse_path=sender, message_id=f"{envelope.message_id}-{number}", hold_until=0.0)
        recipients = [Recipient(address, recipient.notify, recipient.orcpt) for address in to]
        return self.queue(onward, recipients, message, forwarded=str(recipient.address))

    def deliver_or_queue(self, envelope: Envelope, message: BinaryIO) -> list[Outcome]:
        """As deliver(); but whom it could not reach just now is tried again, if somebody else has the message already.

        If nobody has it the client keeps it and tries again itself. With LMTP every recipient has an answer of its own.
        """
        outcomes = self.deliver(envelope, message)
        later = [outcome.recipient for outcome in outcomes if outcome.error and outcome.error.temporary]
        arrived = [outcome for outcome in outcomes if not outcome.error]
        if self.outgoing is None or not later or not arrived or envelope.client.role is Role.LMTP:
            return outcomes
        error = self.queue(envelope, later, message)
        return [Outcome(o.recipient, error) if o.recipient in later else o for o in outcomes]

    def queue(
        self,
        envelope: Envelope,
        recipients: Sequence[Recipient],
        message: BinaryIO,
        account: str = "",
        forwarded: str = "",
    ) -> MailError | None:
        """Put it into the queue for these recipients, each with its route; why not, if it could not be done."""
        if self.outgoing is None:
            return NoRelay()
        routes = [(recipient, self._route(recipient.address)) for recipient in recipients]
        order = Order(account, envelope.hold_until, require_tls=envelope.require_tls, forwarded=forwarded)
        message.seek(0)
        try:
            self.outgoing.take(envelope, routes, message, order)
        except MailError as error:
            self._record(envelope, "failed", account=account, status=error.status, text=error.text)
            return error
        for recipient, route in routes:
            self._record(envelope, "queued", account=account, recipient=str(recipient.address), route=route)
        return None

    def report(self, address: Address, message: bytes, id: str) -> None:
        """Put a report about a message into the mailbox of whoever sent it. Raises MailError."""
        for account in self._accounts(address):
            top = trace.return_path(None) + trace.delivered_to(account)
            uid = self.stores(account).deliver("INBOX", top, io.BytesIO(message))
            details: dict[str, str | int] = {"account": account, "mailbox": "INBOX", "uid": uid, "report": "yes"}
            self.journal.record(Event(id, "delivered", details))
            self.came_back(account, message)

    def _route(self, address: Address) -> str:
        return LOCAL if self.is_here(address) else address.domain

    def is_here(self, address: Address) -> bool:
        """Whether it is for people of this server."""
        return not address.domain or self.directory.is_local(address.domain)

    def _deliver_to(
        self, account: str, recipient: Recipient, envelope: Envelope, message: BinaryIO, at: float
    ) -> MailError | None:
        fields = (
            trace.return_path(envelope.reverse_path)
            + trace.delivered_to(account)
            + trace.received(envelope, self.hostname, at, recipient.address if len(envelope.recipients) == 1 else None)
        )
        message.seek(0)
        try:
            uid = self.stores(account).deliver("INBOX", fields, message)
        except MailError as error:
            self._record(envelope, "failed", account=account, status=error.status, text=error.text)
            return error
        self._record(envelope, "delivered", account=account, mailbox="INBOX", uid=uid)
        if envelope.reverse_path is None:
            message.seek(0)
            self.came_back(account, message.read(MAX_REPORT))
        return None

    def _record(self, envelope: Envelope, what: str, **details: str | int) -> None:
        self.journal.record(Event(envelope.message_id, what, details, envelope.client.session_id))


class Reception:
    """Mail from other hosts, and by LMTP from an MTA on this one: the policy of smtp.Session for MX and LMTP."""

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery

    def connected(self, client: Client) -> None:
        """Everybody may knock."""

    def login(self, client: Client, username: str, password: str) -> str:
        """Port 25 is for servers; people log in on the submission ports. RFC 6409 §3.1."""
        raise MailError("5.5.1", "Log in on the submission port (587 or 465), not here", 503)

    def sender(self, envelope: Envelope) -> None:
        """Any reverse-path may send to people who live here, while the disk has room."""
        self.delivery.refuse_without_room()

    def recipient(self, envelope: Envelope, address: Address) -> None:
        """Only people who live here, and only while they have room."""
        self.delivery.accept_recipient(address, is_report=envelope.reverse_path is None)

    def message(self, envelope: Envelope, message: BinaryIO) -> list[Outcome]:
        """The message is complete: refuse a loop, then deliver."""
        refuse_bad_header(message)
        client = envelope.client
        self.delivery._record(envelope, "received", ip=client.ip, helo=client.helo, protocol=client.protocol)
        return self.delivery.deliver_or_queue(envelope, message)


class Submission:
    """Mail of our own people: the policy of smtp.Session for the submission ports. RFC 6409."""

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery

    def connected(self, client: Client) -> None:
        """Everybody may knock; what follows needs a login."""

    def login(self, client: Client, username: str, password: str) -> str:
        """The account's address. RFC 4954 §4."""
        return self.delivery.directory.login(username, password, client.ip, client.role.value)

    def sender(self, envelope: Envelope) -> None:
        """The reverse-path is one of the account's own addresses, or null. RFC 6409 §6.1."""
        address = envelope.reverse_path
        if address and not self.delivery.directory.may_send_as(envelope.client.account, address):
            raise MailError("5.7.1", "This sender address does not belong to your account", 553)
        self.delivery.refuse_without_room()

    def recipient(self, envelope: Envelope, address: Address) -> None:
        """People who live here, and everybody else as far as the account may write to them."""
        if self.delivery.is_here(address):
            self.delivery.accept_recipient(address)
        elif self.delivery.outgoing is None:
            raise MailError("5.7.1", "This server does not send to other servers: only addresses of its own domains")
        else:
            self.delivery.outgoing.recipient(envelope, address)

    def message(self, envelope: Envelope, message: BinaryIO) -> list[Outcome]:
        """Refuse what names somebody else as its author, add what is missing, remove Bcc, send. RFC 6409 §8."""
        refuse_bad_header(message)
        for author in trace.authors(message):
            if not self.delivery.directory.may_send_as(envelope.client.account, author):
                raise MailError("5.7.1", "The From field names an address that does not belong to your account")
        self.delivery._record(envelope, "submitted", account=envelope.client.account)
        return self._send(envelope, repair(message, self.delivery.hostname, time.time()))

    def _send(self, envelope: Envelope, message: BinaryIO) -> list[Outcome]:
        """To people here at once, to all others through the queue: the two kinds are split."""
        at_once = [recipient for recipient in envelope.recipients if self._at_once(envelope, recipient)]
        outcomes = self.delivery.deliver(replace(envelope, recipients=at_once), message) if at_once else []
        failed = [outcome.recipient for outcome in outcomes if outcome.error]
        if len(failed) == len(envelope.recipients):
            return outcomes
        queued = [recipient for recipient in envelope.recipients if recipient not in at_once or recipient in failed]
        error = self.delivery.queue(envelope, queued, message, envelope.client.account) if queued else None
        return [Outcome(recipient, error if recipient in queued else None) for recipient in envelope.recipients]

    def _at_once(self, envelope: Envelope, recipient: Recipient) -> bool:
        """Not what is for others, for later (RFC 4865), or wants a report of its arrival (RFC 3461 §4.1)."""
        later = envelope.hold_until or "SUCCESS" in recipient.notify
        return self.delivery.is_here(recipient.address) and not (later and self.delivery.outgoing)


class LocalCourier:
    """Carries what waited in the queue into mailboxes here: outbound.job.Courier for the route LOCAL."""

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery

    def send(self, job: Job) -> list[Result]:
        """One result per addressee."""
        return [self._into_mailboxes(job, addressee.recipient.address) for addressee in job.addressees]

    def _into_mailboxes(self, job: Job, address: Address) -> Result:
        now = time.time()
        try:
            for account in self.delivery._accounts(address):
                top = trace.return_path(job.reverse_path) + trace.delivered_to(account)
                with job.path.open("rb") as message:
                    uid = self.delivery.stores(account).deliver("INBOX", top, message)
                details: dict[str, str | int] = {"account": account, "mailbox": "INBOX", "uid": uid}
                self.delivery.journal.record(Event(job.id, "delivered", details))
        except MailError as error:
            kind = Kind.DEFERRED if error.temporary else Kind.FAILED
            return Result(kind, error.status, error.text, error.code, self.delivery.hostname, at=now)
        return Result(Kind.SENT, "2.1.5", "It is in the mailbox", 250, self.delivery.hostname, at=now)


def refuse_bad_header(message: BinaryIO) -> None:
    """A header block without end, or a message that has been everywhere already, goes no further. RFC 5321 §6.3."""
    header = trace.header_block(message, MAX_HEADER)
    if header is None:
        raise MailError("5.3.4", "The header of the message is too long: one megabyte is the limit")
    if trace.count_received(header) > MAX_HOPS:
        raise MailError("5.4.6", f"The message goes in a loop: it has passed through more than {MAX_HOPS} servers")


POLICIES: dict[Role, type[Reception] | type[Submission]] = {
    Role.MX: Reception,
    Role.LMTP: Reception,
    Role.MSA: Submission,
    Role.MSA_TLS: Submission,
}
