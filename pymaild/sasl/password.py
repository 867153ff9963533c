"""The mechanisms that tell the password: PLAIN and LOGIN. RFC 4616."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from pymaild.sasl.prep import SaslError, saslprep

_MAX_NAME = 320  # octets of a user name: 64 + 1 + 255
_MAX_PASSWORD = 1024


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who says so, with which password; both prepared by saslprep()."""

    username: str
    password: str

    def __repr__(self) -> str:
        """No password, so that none reaches a log by accident."""
        return f"Credentials({self.username!r}, ...)"


Dialogue = Generator[bytes, bytes, Credentials]


def plain() -> Dialogue:
    """One message: who to act for, who logs in, the password. RFC 4616 §2."""
    response = yield b""
    fields = response.split(b"\0")
    if len(fields) != 3:
        raise SaslError("A PLAIN response has three parts: authorization identity, user name, password")
    authzid, authcid, password = fields
    if authzid and authzid != authcid:
        raise SaslError("Acting for another user is not offered: leave the authorization identity empty")
    return _credentials(authcid, password)


def login() -> Dialogue:
    """Two questions. draft-murchison-sasl-login."""
    username = yield b"Username:"
    password = yield b"Password:"
    return _credentials(username, password)


def _credentials(username: bytes, password: bytes) -> Credentials:
    if len(username) > _MAX_NAME or len(password) > _MAX_PASSWORD:
        raise SaslError("The user name or the password is too long")
    return Credentials(_prepared(username), _prepared(password))


def _prepared(octets: bytes) -> str:
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise SaslError("The user name or the password is not UTF-8") from None
    prepared = saslprep(text)
    if not prepared:
        raise SaslError("The user name or the password is empty")
    return prepared
