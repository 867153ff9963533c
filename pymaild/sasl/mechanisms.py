"""The table of mechanisms, and what of it a server offers on a connection."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Final

from pymaild.envelope import Client
from pymaild.sasl.password import Credentials, login, plain
from pymaild.sasl.scram import Candidate, Proven, Terms, exchange

Outcome = Credentials | Proven
Dialogue = Generator[bytes, bytes, Outcome]


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One row: how to start it, where it is written down, and what it needs."""

    start: Callable[[Terms | None], Dialogue]
    section: str
    scram: bool = False
    plus: bool = False


def _scram(terms: Terms | None, plus: bool) -> Dialogue:
    if terms is None:
        raise TypeError("SCRAM needs to know where verifiers are")
    return exchange(terms, plus)


# In the order they are announced: clients take the first they know.
MECHANISMS: Final[dict[str, Mechanism]] = {
    "PLAIN": Mechanism(lambda _: plain(), "RFC 4616 §2"),
    "LOGIN": Mechanism(lambda _: login(), "draft-murchison-sasl-login"),
    "SCRAM-SHA-256": Mechanism(partial(_scram, plus=False), "RFC 7677", scram=True),
    "SCRAM-SHA-256-PLUS": Mechanism(partial(_scram, plus=True), "RFC 7677", scram=True, plus=True),
}
BY_DEFAULT: Final = ("PLAIN", "LOGIN")


def new_nonce() -> str:
    """Of 144 random bits. RFC 5802 §5.1."""
    return secrets.token_urlsafe(18)


@dataclass(frozen=True, slots=True)
class Offer:
    """Which mechanisms a listener offers. `find` is asked for a user name and where the client comes from."""

    mechanisms: tuple[str, ...] = BY_DEFAULT
    find: Callable[[str, str], Candidate] | None = None
    nonce: Callable[[], str] = new_nonce

    def names(self, client: Client) -> list[str]:
        """What is offered now: SCRAM where verifiers are known, -PLUS where TLS can be bound to. RFC 5802 §6."""
        return [name for name, row in MECHANISMS.items() if name in self.mechanisms and self._can(row, client)]

    def _can(self, row: Mechanism, client: Client) -> bool:
        return not row.scram or (self.find is not None and (not row.plus or bool(client.bindings())))

    def start(self, name: str, client: Client) -> Dialogue | None:
        """Begin a dialogue; None: this mechanism is not offered."""
        offered = self.names(client)
        if name not in offered:
            return None
        return MECHANISMS[name].start(self._terms(client, any(MECHANISMS[one].plus for one in offered)))

    def _terms(self, client: Client, plus_offered: bool) -> Terms | None:
        find = self.find
        bindings = client.bindings() if plus_offered else {}
        return find and Terms(lambda name: find(name, client.ip), self.nonce, bindings, plus_offered)
