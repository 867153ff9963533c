"""SCRAM in the small worlds of the transcripts: verifiers of their people, and a server that says the same nonce every time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from pymaild.sasl import Offer, Verifier
from pymaild.sasl.scram import verifier
from pymaild.status import MailError
from tests.player import PASSWORDS

NONCE = "server"
BINDINGS = {"tls-server-end-point": b"certificate"}
_ITERATIONS = 4096


@cache
def _verifier(username: str) -> Verifier:
    return verifier(PASSWORDS.get(username, "nobody knows"), f"salt of {username}".encode(), _ITERATIONS)


@dataclass(frozen=True)
class Candidate:
    """Of the world's people, or nobody."""

    username: str

    @property
    def verifier(self) -> Verifier:
        return _verifier(self.username)

    def proved(self, right: bool) -> str:
        if self.username == "locked@example.org":
            raise MailError("4.7.0", "Too many wrong passwords: try again later")
        if not right or self.username not in PASSWORDS:
            raise MailError("5.7.8", "The user name or the password is wrong")
        return self.username


def offer(mechanisms: str) -> Offer:
    """Of the head line `mechanisms:`; empty: the default."""
    if not mechanisms:
        return Offer()
    return Offer(tuple(mechanisms.split()), lambda username, ip: Candidate(username), lambda: NONCE)
