"""SCRAM at the door: verifiers in the database, and a candidate for every name, whether it is an account's or not.

A verifier is made where the password itself is at hand: when it is set, and at a login with PLAIN, LOGIN or in the browser.
Its salt is an HMAC of the account's name under the server's secret: so a name that is nobody's has one, too, and always the
same, and the account's does not change when its verifier is made or its password changes.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass

from pymaild.sasl.scram import ITERATIONS, Verifier, verifier

_NAME = "SCRAM-SHA-256"


def salt(secret: bytes, name: str) -> bytes:
    """Of an account, or of nobody."""
    return hmac.digest(secret, b"scram salt\0" + name.encode("utf-8", "surrogatepass"), "sha256")[:16]


def stored(secret: bytes, name: str, password: str) -> str:
    """What is written down: "SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey"."""
    made = verifier(password, salt(secret, name))
    parts = (b64encode(part).decode() for part in (made.salt, made.stored_key, made.server_key))
    return "{}${}:{}${}:{}".format(_NAME, made.iterations, *parts)


def read(text: str) -> Verifier:
    """The verifier that was written down."""
    _, first, keys = text.split("$")
    iterations, _, salted = first.partition(":")
    stored_key, _, server_key = keys.partition(":")
    return Verifier(b64decode(salted), int(iterations), b64decode(stored_key), b64decode(server_key))


def nobodys(secret: bytes, name: str) -> Verifier:
    """That no proof fits: its StoredKey is the hash of nothing that anybody knows."""
    keys = (hmac.digest(secret, which + name.encode("utf-8", "surrogatepass"), "sha256") for which in (b"one\0", b"two\0"))
    return Verifier(salt(secret, name), ITERATIONS, *keys)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Implements sasl.Candidate. `decide` is told whether the proof was right, and says which account it is or raises."""

    verifier: Verifier
    decide: Callable[[bool], str]

    def proved(self, right: bool) -> str:
        """The account's address. Raises MailError."""
        return self.decide(right)
