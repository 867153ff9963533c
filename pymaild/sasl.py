"""SASL mechanisms, server side, as dialogues for every protocol: PLAIN and LOGIN. RFC 4422, RFC 4616, RFC 4013.

A mechanism is a generator: it yields challenges, is sent the client's responses, and returns Credentials. The protocol
around it (SMTP AUTH, IMAP AUTHENTICATE) moves base64 lines with decode() and encode() and asks its own policy whether
the credentials are good; here nobody knows a password.

    PLAIN   S: (empty)        C: authzid NUL authcid NUL password
    LOGIN   S: "Username:"    C: name        S: "Password:"    C: password      (no RFC; old Outlooks know nothing else)
"""

from __future__ import annotations

import base64
import binascii
import unicodedata
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final

MAX_RESPONSE = 12288  # octets of one base64 line. RFC 4954 §4
_MAX_NAME = 320  # octets of a user name: 64 + 1 + 255
_MAX_PASSWORD = 1024


class SaslError(Exception):
    """A response that cannot be read. The text says why and never what it was."""


class SaslCancelled(SaslError):
    """The client sent `*`. RFC 4954 §4, RFC 9051 §6.2.2."""


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


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One row: how to start it, and where it is written down."""

    start: Callable[[], Dialogue]
    section: str


MECHANISMS: Final[dict[str, Mechanism]] = {
    "PLAIN": Mechanism(plain, "RFC 4616 §2"),
    "LOGIN": Mechanism(login, "draft-murchison-sasl-login"),
}


def decode(line: bytes) -> bytes:
    """One response line; strictly base64, with its padding. RFC 4954 §4, RFC 4648 §3.3."""
    if line == b"*":
        raise SaslCancelled("Authentication cancelled")
    if len(line) > MAX_RESPONSE:
        raise SaslError("The response is too long")
    try:
        return base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        raise SaslError("The response is not base64") from None


def decode_initial(argument: bytes) -> bytes:
    """The initial response of a command line, where `=` stands for an empty one. RFC 4954 §4, RFC 4959 §3."""
    return b"" if argument == b"=" else decode(argument)


def encode(challenge: bytes) -> str:
    """One challenge line."""
    return base64.b64encode(challenge).decode("ascii")


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


def saslprep(text: str) -> str:
    """One spelling for a name or password however the keyboard made it; raises SaslError. RFC 4013 §2.

    Unassigned code points pass, as in a query (RFC 3454 §7): passwords hold characters newer than Unicode 3.2. Whoever
    stores a password has to store saslprep(password).
    """
    if text.isascii():
        if not text.isprintable():
            raise SaslError("The user name or the password has control characters")
        return text
    import stringprep  # noqa: PLC0415  its tables are only worth loading for the few who need them

    mapped = "".join(
        " " if stringprep.in_table_c12(c) else c for c in text if not stringprep.in_table_b1(c)
    )  # §2.1: other spaces become a space, soft hyphens and the like vanish
    normal = unicodedata.normalize("NFKC", mapped)  # §2.2
    prohibited = (
        stringprep.in_table_c12,
        stringprep.in_table_c21_c22,
        stringprep.in_table_c3,
        stringprep.in_table_c4,
        stringprep.in_table_c5,
        stringprep.in_table_c6,
        stringprep.in_table_c7,
        stringprep.in_table_c8,
        stringprep.in_table_c9,
    )  # §2.3
    if any(table(c) for c in normal for table in prohibited):
        raise SaslError("The user name or the password has characters that are not allowed")
    if not _is_bidi_sound(normal):
        raise SaslError("The user name or the password mixes writing directions")
    return normal


def _is_bidi_sound(text: str) -> bool:
    """Right-to-left text is so from its first to its last character and holds nothing left-to-right. RFC 3454 §6."""
    import stringprep  # noqa: PLC0415

    right_to_left = [stringprep.in_table_d1(c) for c in text]
    if not any(right_to_left):
        return True
    return right_to_left[0] and right_to_left[-1] and not any(stringprep.in_table_d2(c) for c in text)
