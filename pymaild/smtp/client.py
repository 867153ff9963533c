"""The client's side of one SMTP connection: what to write next, and what an answer means. RFC 5321 §3, §4.

    S: 220 mx.example.net ESMTP                 greet()        the greeting, then EHLO; HELO for those who know no better
    C: EHLO mail.example.org                    offers.py      what the server offers
    S: 250-mx.example.net ...
    C: STARTTLS                                 ask_for_tls()  then the driver shakes hands, and hello() again
    C: AUTH PLAIN ...                           login()        at a smarthost
    C: MAIL, RCPT, DATA, the message            transaction.py one message
    C: QUIT                                     quit()

A dialogue is a generator: it yields a Turn (write this, then bring me the next answer) and is sent the Answer. Whoever
drives it (outbound/connection.py with a socket, a test with a list) reads answers with answer.py, within the time that
the Turn's phase has (RFC 5321 §4.5.3.2). No socket, no clock; no opinion about other hosts: that is outbound/relay.py.
"""

from __future__ import annotations

import base64
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from pymaild.smtp.answer import Answer
from pymaild.smtp.offers import Offers
from pymaild.status import MailError

Returned = TypeVar("Returned")
_MAX_COMMAND = 512  # octets with CRLF. RFC 5321 §4.5.3.1.4


class Phase(Enum):
    """What is waited for, in words that end "while it ...". RFC 5321 §4.5.3.2."""

    GREETING = "should greet"
    HELLO = "was greeted"
    TLS = "was asked to start TLS"
    LOGIN = "was shown user name and password"
    MAIL = "was told the sender"
    RCPT = "was asked about a recipient"
    DATA = "was asked to take the message"
    CHUNK = "took the message"
    END = "should acknowledge the message"
    QUIT = "was told goodbye"


@dataclass(slots=True)
class Turn:
    """Write `data`, then bring the next answer."""

    phase: Phase
    data: Iterable[bytes] = ()
    is_secret: bool = False  # never to be shown


Dialogue = Generator[Turn, Answer, Returned]


class Unwilling(Exception):
    """The server does not serve us, whatever the mail: its greeting, its answer to EHLO, or a 421 at any moment."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.text)
        self.answer = answer


class LoginRefused(Exception):
    """The server does not accept user name and password."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.text)
        self.answer = answer


def ask(turn: Turn) -> Dialogue[Answer]:
    """One turn. A 421 may come for an answer at any moment, and after it nothing comes. RFC 5321 §3.8, §4.2.1."""
    answer = yield turn
    if answer.code == 421:
        raise Unwilling(answer)
    return answer


class Client:
    """What is known of one connection; `hostname` is who we say we are."""

    def __init__(self, hostname: str) -> None:
        self.hostname = hostname.encode("ascii", "replace")
        self.offers = Offers()
        self.must_reset = False  # a transaction is open that came to nothing
        self.transactions = 0  # begun on this connection

    def greet(self) -> Dialogue[None]:
        """Wait for the greeting, then say who we are. Raises Unwilling. RFC 5321 §3.1, §3.2."""
        answer = yield from ask(Turn(Phase.GREETING))
        if not answer.ok:
            raise Unwilling(answer)
        yield from self.hello()

    def hello(self) -> Dialogue[None]:
        """EHLO, and HELO for a server that does not know it. Raises Unwilling. RFC 5321 §3.2, §4.1.1.1.

        What was offered before is forgotten: under TLS everything is asked anew (RFC 3207 §4.2).
        """
        answer = yield from ask(Turn(Phase.HELLO, [b"EHLO " + self.hostname + b"\r\n"]))
        self.offers = Offers.read(answer) if answer.ok else Offers()
        if answer.final:
            answer = yield from ask(Turn(Phase.HELLO, [b"HELO " + self.hostname + b"\r\n"]))
        if not answer.ok:
            raise Unwilling(answer)

    def ask_for_tls(self) -> Dialogue[Answer]:
        """220: shake hands now. Whatever else came with it is no answer of the server's. RFC 3207 §4."""
        return (yield from ask(Turn(Phase.TLS, [b"STARTTLS\r\n"])))

    def login(self, username: str, password: str) -> Dialogue[None]:
        """PLAIN, or LOGIN where that is all there is. Raises LoginRefused, MailError. RFC 4954 §4."""
        if "PLAIN" in self.offers.mechanisms:
            answer = yield from self._plain(username, password)
        elif "LOGIN" in self.offers.mechanisms:
            answer = yield from self._responses(b"AUTH LOGIN\r\n", [username, password])
        else:
            raise MailError("4.7.4", "The server offers no way to log in that is known here: PLAIN or LOGIN")
        if not answer.ok:
            raise LoginRefused(answer)

    def _plain(self, username: str, password: str) -> Dialogue[Answer]:
        """In one line where it fits into one. RFC 4616, RFC 4954 §4."""
        response = f"\0{username}\0{password}"
        line = b"AUTH PLAIN " + _encoded(response)
        if len(line) <= _MAX_COMMAND:
            return (yield from ask(Turn(Phase.LOGIN, [line], is_secret=True)))
        return (yield from self._responses(b"AUTH PLAIN\r\n", [response]))

    def _responses(self, command: bytes, responses: list[str]) -> Dialogue[Answer]:
        """A response for each challenge, whatever the challenge says."""
        answer = yield from ask(Turn(Phase.LOGIN, [command]))
        for response in responses:
            if answer.code != 334:
                break
            answer = yield from ask(Turn(Phase.LOGIN, [_encoded(response)], is_secret=True))
        return answer

    def quit(self) -> Dialogue[None]:
        """Part as friends. RFC 5321 §4.1.1.10."""
        yield Turn(Phase.QUIT, [b"QUIT\r\n"])


def _encoded(response: str) -> bytes:
    return base64.b64encode(response.encode("utf-8")) + b"\r\n"
