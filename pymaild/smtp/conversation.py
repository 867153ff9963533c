"""What the commands of one session share: who speaks, what was said so far, and whom to ask. RFC 5321 §4.1.4."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from enum import Flag, auto
from typing import BinaryIO, Protocol, cast

from pymaild.dialogue import Output
from pymaild.envelope import Address, Client, Envelope, Outcome, Role
from pymaild.sasl import Offer
from pymaild.smtp.data import Message, TextReader
from pymaild.smtp.reply import Reply
from pymaild.status import MailError

SPOOL_IN_MEMORY = 1 << 20  # octets of a message that stay in memory while it arrives

Answer = Reply | Sequence[Reply]  # LMTP answers the end of a message once per recipient (RFC 2033 §4.2)
Dialogue = Generator[Reply | Output, bytes, Answer]  # yields what to send and await, is sent a line, returns the answer


class Policy(Protocol):
    """Who may do what: declared by who asks. Every "no" is a MailError. flow.Reception and flow.Submission are two."""

    def connected(self, client: Client) -> None:
        """May it talk to us at all?"""

    def login(self, client: Client, username: str, password: str) -> str:
        """The account's address."""

    def sender(self, envelope: Envelope) -> None:
        """May mail come from this reverse-path?"""

    def recipient(self, envelope: Envelope, address: Address) -> None:
        """May mail go to this forward-path?"""

    def message(self, envelope: Envelope, message: BinaryIO) -> list[Outcome]:
        """The message is complete: what became of every recipient, in their order."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of everything one session may use. RFC 5321 §4.5.3.1, §7.8."""

    message_size: int = 50 << 20  # octets; announced as SIZE (RFC 1870)
    recipients: int = 1000  # of one transaction; announced as LIMITS RCPTMAX (RFC 9422), at least 100 (§4.5.3.1.8)
    errors: int = 10  # refused commands without a delivered message in between; the next one ends the session
    idle_commands: int = 100  # commands that move no mail without a delivered message in between, likewise
    command_line: int = 2048  # octets with CRLF; 512 and what extensions add (§4.5.3.1.4)
    hold: int = 0  # seconds a message may wait before it is sent; announced as FUTURERELEASE (RFC 4865). 0: not offered
    response_line: int = 12290  # of an AUTH dialogue, with CRLF (RFC 4954 §4)
    # Who does not wait for our answer where RFC 2920 §3.1 demands it is cut off. Off: what the wire's timing made of the
    # input then never changes an answer, and HTTP, the usual carrier of such scripts, ends at its first line anyway.
    must_wait: bool = False


class State(Flag):
    """Where the conversation stands; a command's row in COMMANDS names the states it is legal in. §4.1.4."""

    NEW = auto()  # nobody has said who they are
    READY = auto()  # HELO, EHLO or LHLO done; no transaction
    MAIL = auto()  # a reverse-path, no recipient yet
    RCPT = auto()  # at least one recipient
    CHUNKS = auto()  # BDAT has begun to bring the message

    ANY = NEW | READY | MAIL | RCPT | CHUNKS


def new_spool() -> BinaryIO:
    """Memory for a small message, disk for a big one."""
    return cast("BinaryIO", tempfile.SpooledTemporaryFile(SPOOL_IN_MEMORY))


def new_id() -> str:
    """A message's own short id."""
    return secrets.token_hex(6)


@dataclass(slots=True)
class Settings:
    """What a session is given and never changes."""

    hostname: str
    policy: Policy
    limits: Limits
    tls_available: bool
    auth_allowed: bool  # AUTH without TLS is permitted
    offer: Offer  # what AUTH is announced with
    spool: Callable[[], BinaryIO]
    new_id: Callable[[], str]
    clock: Callable[[], float]  # seconds since 1970 UTC


class Conversation:
    """One client and one transaction at a time: the buffers RFC 5321 §4.1.1 speaks of. Handlers read and change it."""

    def __init__(self, settings: Settings, client: Client) -> None:
        self.settings = settings
        self.policy = settings.policy
        self.limits = settings.limits
        self.client = client
        self.state = State.NEW
        self.envelope = Envelope(client)
        self.message: Message | None = None
        self.reader: TextReader | None = None  # of DATA's text, while it arrives
        self.errors = 0  # refusals and commands that move no mail, since a message was taken
        self.idle_commands = 0

    @property
    def is_lmtp(self) -> bool:
        """Whether every recipient gets an answer of its own. RFC 2033."""
        return self.client.role is Role.LMTP

    @property
    def is_submission(self) -> bool:
        """Whether our own people talk to us here, who have to log in. RFC 6409."""
        return self.client.role in (Role.MSA, Role.MSA_TLS)

    @property
    def may_hold(self) -> bool:
        """Whether a message may be kept for later. RFC 4865 §3: for our own people only."""
        return self.is_submission and self.limits.hold > 0

    @property
    def may_authenticate(self) -> bool:
        """Whether a password may travel over this connection now. RFC 4954 §4."""
        return bool(self.client.tls) or self.settings.auth_allowed

    @property
    def is_tiresome(self) -> bool:
        """Whether enough went wrong, or was said without purpose, to end it. RFC 5321 §7.8."""
        return self.errors >= self.limits.errors or self.idle_commands >= self.limits.idle_commands

    def reset(self) -> None:
        """Forget the transaction, keep the client. RFC 5321 §4.1.1.5."""
        self.drop_message()
        self.envelope = Envelope(self.client)
        if self.state is not State.NEW:
            self.state = State.READY

    def forget(self) -> None:
        """Forget everything the client said: TLS has just begun. RFC 3207 §4.2."""
        self.client.helo, self.client.extended, self.client.account = "", False, ""
        self.state = State.NEW
        self.reset()

    def drop_message(self) -> None:
        """Let go of a text that was not finished."""
        message, self.message, self.reader = self.message, None, None
        if message is not None:
            message.close()

    def new_message(self) -> Message:
        """Get ready to take in the text."""
        self.message = Message(self.settings.spool, self.limits.message_size)
        return self.message

    def deliver(self, message: Message) -> Answer:
        """The text is complete: hand it on and answer for it. The transaction is over, whatever comes of it.

        RFC 5321 §4.1.1.4, §4.5.2.
        """
        envelope = self.envelope
        try:
            outcomes = self.policy.message(envelope, message.finish())
        except MailError as error:
            outcomes = [Outcome(recipient, error) for recipient in envelope.recipients]
        finally:
            self.reset()
        if not all(outcome.error for outcome in outcomes):
            self.errors = self.idle_commands = 0
        if self.is_lmtp:
            return [_reply(outcome.error, envelope) for outcome in outcomes]
        return _one_reply(outcomes, envelope)


def _reply(error: MailError | None, envelope: Envelope) -> Reply:
    return Reply.of(error) if error else Reply(250, "2.0.0", f"Accepted as {envelope.message_id}")


def _one_reply(outcomes: Sequence[Outcome], envelope: Envelope) -> Reply:
    """One answer for all recipients; a temporary failure comes before a permanent one. RFC 5321 §4.2.5, §6.1.

    Where only some have the message, 250 would lose it for the others, so the reply is the error of one that has not.
    After a 4xx the client tries again, and a recipient that still cannot take it is then refused at RCPT: one second
    copy for the others, no more. After a 5xx the client tells the sender, and nobody gets a second copy.
    """
    errors = [outcome.error for outcome in outcomes if outcome.error]
    error = min(errors, key=lambda error: not error.temporary, default=None)
    if error is None or len(errors) == len(outcomes):
        return _reply(error, envelope)
    delivered = len(outcomes) - len(errors)
    return Reply(error.code, error.status, f"Delivered to {delivered} of {len(outcomes)} recipients only: {error.text}")
