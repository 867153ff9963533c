"""A small world for SMTP tests: the real path of flow.py over a directory and stores that live in memory.

The head lines of a transcript shape it:

    limits: recipients=2 errors=3     smtp.Limits
    tls: offered | on                 STARTTLS is available; TLS is on from the start (port 465)
    auth: clear                       AUTH without TLS is permitted
    mechanisms: PLAIN SCRAM-SHA-256   what is offered besides PLAIN and LOGIN; with TLS on also a channel binding
    connect: 421 4.7.0 Words          the policy refuses the connection
    sender: 451 4.7.1 Words           the policy refuses every reverse-path
    delivery: ann=4.2.2 bob=4.3.1     what the store of an account says when a message comes
    queue: on                         mail for others, and for later, goes into a queue in memory
    queue: 4.3.1                      the queue says so when a message comes; or at RCPT: "rcpt 4.7.1"
    spool: 28                         the errno that writing the message meets
    must_wait: yes                    who does not wait where RFC 2920 §3.1 says so is cut off
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping, Sequence
from typing import BinaryIO, cast

from pymaild.envelope import Address, Client, Envelope, Recipient, Role
from pymaild.events import Event
from pymaild.flow import Delivery, Reception, Submission
from pymaild.mailstore import AccountStore, Quota
from pymaild.outbound.job import Order
from pymaild.smtp import Limits, Refused, Session
from pymaild.status import MailError, NoSuchUser
from tests import scram_world
from tests.player import PASSWORDS, Script

HOSTNAME = "mx.example.org"
NOW = 1_790_000_000.0  # 2026-09-21T13:33:20Z
DOMAINS = {"example.org", HOSTNAME, "xn--bcher-kva.example"}
ROLES = {"smtp": Role.MX, "lmtp": Role.LMTP, "submission": Role.MSA, "submissions": Role.MSA_TLS}


class Directory:
    """Ann, Bob, a full mailbox, and Ann's second address."""

    accounts = (*PASSWORDS, "full@example.org", "jörg@example.org")
    aliases: Mapping[str, str] = {
        "postmaster@" + HOSTNAME: "ann@example.org",
        "ann@xn--bcher-kva.example": "ann@example.org",
        "a.n.n@example.org": "ann@example.org",
    }

    def is_local(self, domain: str) -> bool:
        return domain in DOMAINS

    def resolve(self, address: Address) -> list[str]:
        plain = f"{address.local_part}@{address.domain}"
        account = self.aliases.get(plain.lower(), plain.lower())
        if self.elsewhere(address):
            return []
        if account not in self.accounts:
            raise NoSuchUser
        return [account]

    def elsewhere(self, address: Address) -> list[Address]:
        away = f"{address.local_part}@{address.domain}" == "away@example.org"
        return [Address("ann", "elsewhere.example")] if away else []

    def may_send_as(self, account: str, address: Address) -> bool:
        try:
            return account in self.resolve(address)
        except NoSuchUser:
            return False

    def login(self, username: str, password: str, ip: str, door: str = "") -> str:
        if username == "busy@example.org":
            raise MailError("4.7.0", "Too many wrong passwords: wait a minute")
        if PASSWORDS.get(username) != password:
            raise MailError("5.7.8", "The user name or the password is wrong")
        return username


class Store:
    """The mail of one account, in a list."""

    def __init__(self, address: str, error: str = "") -> None:
        self.address = address
        self.error = error
        self.messages: list[bytes] = []

    def quota(self) -> Quota:
        full = self.address.startswith("full@")
        return Quota(100 if full else 0, 100, len(self.messages))

    def deliver(self, mailbox: str, trace: bytes, message: BinaryIO, flags: int = 0) -> int:
        if self.error:
            raise MailError(self.error, "The mailbox cannot take it")
        self.messages.append(message.read())
        return len(self.messages)


class Outgoing:
    """A queue in a list: who it is for, by which route, and until when it is kept."""

    def __init__(self, says: str) -> None:
        self.says = says
        self.taken: list[tuple[list[tuple[str, str]], Order, bytes]] = []
        self.senders: list[Address | None] = []

    def recipient(self, envelope: Envelope, address: Address) -> None:
        if self.says.startswith("rcpt "):
            raise MailError(self.says.removeprefix("rcpt "), "The account may not write there now", 450)

    def rewritten(self, sender: Address, domain: str) -> Address:
        return Address(f"SRS0=x=y={sender.domain}={sender.local_part}", domain)

    def restored(self, address: Address) -> Address | None:
        head, _, rest = address.local_part.partition("=x=y=")
        domain, _, local_part = rest.partition("=")
        return Address(local_part, domain) if head == "SRS0" else None

    def take(self, envelope: Envelope, routes: Sequence[tuple[Recipient, str]], message: BinaryIO, order: Order) -> None:
        if self.says not in ("", "on"):
            raise MailError(self.says, "The queue cannot take it")
        self.senders.append(envelope.reverse_path)
        self.taken.append(([(str(r.address), route) for r, route in routes], order, message.read()))


class Broken(io.BytesIO):
    """A spool whose disk says no."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def write(self, data: object, /) -> int:
        raise OSError(self.number, "no")


class World:
    """Everything a session needs, and what became of the messages."""

    def __init__(self, head: Mapping[str, str] | None = None, role: Role = Role.MX) -> None:
        self.head = head or {}
        self.role = role
        errors = dict(word.split("=") for word in self.head.get("delivery", "").split())
        self.stores = {a: Store(a, errors.get(a.partition("@")[0], "")) for a in Directory.accounts}
        self.events: list[Event] = []
        self.envelopes: list[Envelope] = []
        self.ids = (f"m{number}" for number in itertools.count(1))
        limits = {name: int(value) for name, value in (word.split("=") for word in self.head.get("limits", "").split())}
        self.limits = Limits(must_wait="must_wait" in self.head, **limits)
        self.outgoing = Outgoing(self.head["queue"]) if "queue" in self.head else None
        self.delivery = Delivery(HOSTNAME, Directory(), self._store, self, lambda: "room" not in self.head, self.outgoing)

    @classmethod
    def of(cls, script: Script) -> World:
        return cls(script.head, ROLES[script.protocol])

    def _store(self, address: str) -> AccountStore:
        return cast("AccountStore", self.stores[address])

    def record(self, event: Event) -> None:
        self.events.append(event)

    def delivery_policy(self) -> Reception | Submission:
        return (Reception if self.role in (Role.MX, Role.LMTP) else Submission)(self.delivery)

    def session(self) -> Session:
        policy = self.delivery_policy()
        client = Client("5e55", "192.0.2.1", 4711, self.role)
        tls = self.head.get("tls", "")
        if tls == "on":
            client.tls = "TLSv1.3 TLS_AES_256_GCM_SHA384"
            client.bindings = lambda: scram_world.BINDINGS
        self._refuse(policy)
        return Session(
            HOSTNAME,
            policy,
            client,
            limits=self.limits,
            tls_available=bool(tls),
            auth_allowed=self.head.get("auth") == "clear",
            offer=scram_world.offer(self.head.get("mechanisms", "")),
            spool=self._spool,
            new_id=lambda: next(self.ids),
            clock=lambda: NOW,
        )

    def _spool(self) -> BinaryIO:
        return Broken(int(self.head["spool"])) if "spool" in self.head else io.BytesIO()

    def _refuse(self, policy: Reception | Submission) -> None:
        for question, name in (("connected", "connect"), ("sender", "sender")):
            if name in self.head:
                code, status, text = self.head[name].split(" ", 2)

                def refuse(_: object, code: int = int(code), status: str = status, text: str = text) -> None:
                    raise Refused(code, status, text)

                setattr(policy, question, refuse)

    @property
    def messages(self) -> dict[str, list[bytes]]:
        """What is in the mailboxes, by the account's first name, those that have any."""
        return {a.partition("@")[0]: store.messages for a, store in self.stores.items() if store.messages}
