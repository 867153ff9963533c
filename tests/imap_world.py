"""The small world that IMAP transcripts are played in: two people and the real store in a folder of its own.

Head lines of a transcript:

    mailbox: empty | three_messages     what is in ann's INBOX (default three_messages)
    tls: yes | available                TLS is on from the start; STARTTLS is offered (default: neither)
    auth: tls                           no passwords without TLS
    mechanisms: PLAIN SCRAM-SHA-256     what is offered besides PLAIN and LOGIN; with TLS also a channel binding
    quota: 1000                         octets ann may keep
    messages: 4                         how many messages
    limits: message=100 bad_commands=3  fields of pymaild.imap.Limits
    hide: LITERAL+                      capabilities that nobody is told of
    mask: UTF8=ACCEPT                   those that ann is not told of
    connections: 2                      how many an account may have
    hurry: 6                            seconds that pass each time somebody looks at the clock
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import BinaryIO

from pymaild.envelope import Client
from pymaild.imap import Limits, Session
from pymaild.imap.capability import hidden
from pymaild.imap.describe import describe
from pymaild.mailstore import AccountStore, Flag, SpecialUse
from pymaild.servers.census import Census
from pymaild.servers.limits import Caps
from pymaild.status import MailError
from pymaild.store import Stores
from pymaild.store.changes import Feed
from pymaild.store.sharing import SharedFeed, Sharing
from tests import scram_world
from tests.player import PASSWORDS, Script
from tests.sharing import Registered

LETTER = b"""\
From: "Bob, the builder" <bob@example.org>
To: Ann <ann@example.org>
Subject: Plans
Date: Mon, 7 Feb 1994 21:52:25 -0800
Message-ID: <plans@example.org>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="outer"

This is for readers without MIME.
--outer
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Gr=C3=BC=C3=9Fe
--outer
Content-Type: application/octet-stream; name=plan.bin
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename=plan.bin

AAECAwQ=
--outer
Content-Type: message/rfc822

From: Carol <carol@example.net>
Subject: Inner
Content-Type: multipart/alternative; boundary=inner

--inner

plain words
--inner
Content-Type: text/html

<b>words</b>
--inner--

--outer
Content-Type: text/plain
Content-Transfer-Encoding: x-zip

????
--outer--
"""
REPLY = b"""\
From: carol@example.net
To: ann@example.org
Cc: team@example.org
Bcc: boss@example.org
Subject: Re: Plans
Date: Tue, 8 Feb 1994 09:00:00 +0100
In-Reply-To: <plans@example.org>
X-Colour: deep blue

The needle is in the haystack.
"""
NOTE = b"""\
From: Dora <dora@example.org>
To: ann@example.org
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
Date: Wed, 9 Feb 1994 12:00:00 +0000

Short.
"""
FEBRUARY = 760665145  # 7 Feb 1994 23:52:25 UTC
DAY = 86400


def three_messages(store: AccountStore) -> None:
    """1: unseen, with parts. 2: read, flagged, $Forwarded. 3: answered, to be deleted, a draft."""
    inbox = store.open("INBOX")
    inbox.append(crlf(LETTER), internal_date=FEBRUARY)
    inbox.append(crlf(REPLY), Flag.SEEN | Flag.FLAGGED, ["$Forwarded"], FEBRUARY + DAY)
    inbox.append(crlf(NOTE), Flag.ANSWERED | Flag.DELETED | Flag.DRAFT, (), FEBRUARY + 2 * DAY)


def crlf(text: bytes) -> bytes:
    return text.replace(b"\n", b"\r\n")


MAILBOXES = {"empty": lambda store: None, "three_messages": three_messages}


@dataclass
class World:
    """Accounts, their mail, and as many sessions as the transcript opens."""

    folder: Path
    mailbox: str = "three_messages"
    tls: str = ""
    auth_allowed: bool = True
    mechanisms: str = ""
    quota: int = 0
    limits: Limits = field(default_factory=Limits)
    hide: tuple[str, ...] = ()
    mask: tuple[str, ...] = ()
    connections: int = 50
    messages: int = 0
    hurry: int = 0
    uses: tuple[SpecialUse, ...] = tuple(SpecialUse)

    def __post_init__(self) -> None:
        self.feed = Feed(self.folder / "run")
        self.stores = Stores(self.folder, describe, self.feed, lambda account: (self.quota, self.messages))
        self.sharing = Sharing(self.stores, Registered(PASSWORDS), self.feed)
        self.store = self.stores("ann@example.org")
        self.sessions: list[Session] = []
        self.clock = count(0, self.hurry)
        self.census = Census(Caps(per_account=self.connections))
        for use in self.uses:
            self.store.subscribe(self.store.special(use))
        self.store.subscribe("INBOX")
        MAILBOXES[self.mailbox](self.store)

    @classmethod
    def of(cls, script: Script, folder: Path) -> World:
        """The world that the head of a transcript asks for."""
        head = script.head
        limits = dict(word.split("=") for word in head.get("limits", "").split())
        return cls(
            folder,
            head.get("mailbox", "three_messages"),
            head.get("tls", ""),
            head.get("auth", "") != "tls",
            head.get("mechanisms", ""),
            int(head.get("quota", "0")),
            Limits(**{name: int(value) for name, value in limits.items()}),
            tuple(head.get("hide", "").split()),
            tuple(head.get("mask", "").split()),
            int(head.get("connections", "50")),
            int(head.get("messages", "0")),
            int(head.get("hurry", "0")),
        )

    def login(self, username: str, password: str, ip: str) -> str:
        if password == "locked":
            raise MailError("4.7.0", "Too many wrong passwords: try again later")
        if PASSWORDS.get(username) != password:
            raise MailError("5.7.8", "The user name or the password is wrong")
        return username

    def hidden(self, account: str) -> frozenset[str]:
        return hidden((*self.hide, *(self.mask if account == "ann@example.org" else ())))

    def session(self) -> Session:
        """A new connection."""
        client = Client("3f2a", "192.0.2.7", tls="TLSv1.3" if self.tls == "yes" else "")
        if client.tls:
            client.bindings = lambda: scram_world.BINDINGS
        session = Session(
            "mx.example.org",
            Backend(self),
            client,
            limits=self.limits,
            tls_available=bool(self.tls),
            auth_allowed=self.auth_allowed,
            offer=scram_world.offer(self.mechanisms),
            spool=spool,
        )
        self.sessions.append(session)
        return session

    def close(self) -> None:
        for session in self.sessions:
            session.closed()
        self.stores.close()
        self.feed.close()


def spool() -> BinaryIO:
    return io.BytesIO()


@dataclass(frozen=True)
class Backend:
    """What a session is given of the world."""

    world: World

    @property
    def feed(self) -> SharedFeed:
        return SharedFeed(self.world.feed, self.world.sharing)

    def login(self, username: str, password: str, ip: str) -> str:
        return self.world.login(username, password, ip)

    def store(self, account: str) -> AccountStore:
        return self.world.sharing(account)

    def hidden(self, account: str) -> frozenset[str]:
        return self.world.hidden(account)

    def now(self) -> float:
        return next(self.world.clock)

    def place(self, account: str) -> Callable[[], None]:
        return self.world.census.place(account)
