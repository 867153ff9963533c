"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, server side, as a dialogue. RFC 5802, RFC 7677; channel binding: RFC 5929, 9266.

    C: n,,n=user,r=CLIENTNONCE                       who, and whether the client can bind to TLS
    S: r=CLIENTNONCE+SERVERNONCE,s=salt,i=iterations
    C: c=biws,r=...,p=proof                          proves that it knows the password, without telling it
    S: v=signature                                   proves that the server knows it, too
    C: (empty)                                       this last step is what SMTP and IMAP need to carry the signature

The server keeps a Verifier, with which nobody can log in; who it belongs to, and whether one more attempt is allowed
now, is asked of a Candidate. Nothing here knows an account, a clock or a socket.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from pymaild.sasl.prep import SaslError, saslprep

ITERATIONS: Final = 65_536  # RFC 7677 §4 asks for 4096 at least; Cyrus SASL, as a client, refuses more than this
MAX_NONCE = 1024  # octets of a client's own
_PRINTABLE = re.compile(rb"[\x21-\x2b\x2d-\x7e]+")  # RFC 5802 §7
_FIRST = re.compile(rb"(?P<header>(?:[ny]|p=(?P<binding>[A-Za-z0-9.-]+)),(?:a=(?P<authzid>[^,]*))?,)(?P<bare>.*)", re.S)
_BARE = re.compile(rb"n=(?P<name>[^,]+),r=(?P<nonce>[^,]+)(?:,.*)?", re.S)
_FINAL = re.compile(rb"(?P<bare>c=(?P<binding>[^,]+),r=(?P<nonce>[^,]+)(?:,.*)?),p=(?P<proof>[^,]+)", re.S)


class BadBinding(SaslError):
    """The client is not on the TLS connection that it believes to be on. RFC 5802 §6."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """What is stored instead of the password. RFC 5802 §3."""

    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes

    def __repr__(self) -> str:
        """Nothing of it, so that none reaches a log by accident."""
        return "Verifier(...)"


class Candidate(Protocol):
    """Somebody who wants to log in, and is perhaps nobody."""

    @property
    def verifier(self) -> Verifier:
        """Of the account, or invented."""

    def proved(self, right: bool) -> str:
        """The account's address. Raises MailError, also after a right proof: disabled, too many wrong ones."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the server brings to one exchange."""

    find: Callable[[str], Candidate]  # by the prepared user name
    nonce: Callable[[], str]
    bindings: Mapping[str, bytes]  # of this TLS connection, by type
    plus_offered: bool  # the -PLUS mechanism was announced on this connection


@dataclass(frozen=True, slots=True)
class Proven:
    """Who has proved to be the owner of an account."""

    account: str


Dialogue = Generator[bytes, bytes, Proven]


# ---- what is computed. RFC 5802 §3


def verifier(password: str, salt: bytes, iterations: int = ITERATIONS) -> Verifier:
    """What to store for a password."""
    salted = hashlib.pbkdf2_hmac("sha256", saslprep(password).encode(), salt, iterations)
    stored_key = hashlib.sha256(_mac(salted, b"Client Key")).digest()
    return Verifier(salt, iterations, stored_key, _mac(salted, b"Server Key"))


def _mac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")


def _proves(known: Verifier, proof: bytes, auth_message: bytes) -> bool:
    """Whether the proof was made with the password: H(ClientProof XOR ClientSignature) is StoredKey."""
    signature = _mac(known.stored_key, auth_message)
    client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=False))
    return len(proof) == len(signature) and hmac.compare_digest(hashlib.sha256(client_key).digest(), known.stored_key)


# ---- what is said. RFC 5802 §5, §7


def exchange(terms: Terms, plus: bool) -> Dialogue:
    """The dialogue of SCRAM-SHA-256, or with `plus` of SCRAM-SHA-256-PLUS."""
    first = _matched(_FIRST, (yield b""))
    bound = _bound(first, terms, plus)
    bare = _matched(_BARE, first["bare"])
    name = _name(bare["name"])
    if first["authzid"] and _name(first["authzid"]) != name:
        raise SaslError("Acting for another user is not offered: leave the authorization identity empty")
    if not _PRINTABLE.fullmatch(bare["nonce"]) or len(bare["nonce"]) > MAX_NONCE:
        raise SaslError("The nonce of the client is not printable or too long")
    nonce = bare["nonce"] + terms.nonce().encode("ascii")
    candidate = terms.find(name)
    known = candidate.verifier
    server_first = b"r=%s,s=%s,i=%d" % (nonce, base64.b64encode(known.salt), known.iterations)
    final = _matched(_FINAL, (yield server_first))
    if not hmac.compare_digest(_octets(final["binding"]), first["header"] + bound):
        raise BadBinding("The channel binding is not that of this TLS connection: somebody may be in between")
    if not hmac.compare_digest(final["nonce"], nonce):  # a replay, too
        raise SaslError("The nonce is not the one of this exchange")
    auth_message = b",".join((first["bare"], server_first, final["bare"]))
    account = candidate.proved(_proves(known, _octets(final["proof"]), auth_message))
    if (yield b"v=" + base64.b64encode(_mac(known.server_key, auth_message))):
        raise SaslError("The last response of SCRAM is empty")
    return Proven(account)


def _matched(pattern: re.Pattern[bytes], text: bytes) -> Mapping[str, bytes]:
    """The parts of a message; `m=`, a mandatory extension, is none that we know. RFC 5802 §5.1."""
    match = pattern.fullmatch(text)
    if not match:
        raise SaslError("This is no message of SCRAM")
    return match.groupdict(b"")


def _bound(first: Mapping[str, bytes], terms: Terms, plus: bool) -> bytes:
    """The binding data that the client has to know, by its GS2 header. RFC 5802 §6.

    "p" goes with -PLUS and nothing else does. "y" says: I could bind, but you do not offer it. If we did, somebody has
    taken our offer out of what the client saw.
    """
    flag = first["header"][:1]
    if plus is not (flag == b"p"):
        raise SaslError("SCRAM-SHA-256-PLUS needs a channel binding, SCRAM-SHA-256 none")
    if flag == b"y" and terms.plus_offered:
        raise BadBinding("SCRAM-SHA-256-PLUS is offered here, but you were told otherwise: somebody may be in between")
    if not plus:
        return b""
    data = terms.bindings.get(first["binding"].decode("ascii"))
    if data is None:
        raise SaslError(f"The channel bindings here are {', '.join(terms.bindings)}")
    return data


def _name(octets: bytes) -> str:
    """A user name: "=2C" is a comma, "=3D" an equals sign, no other "=" stands there. RFC 5802 §5.1."""
    if len(octets) > 960 or re.search(rb"=(?!2C|3D)", octets):
        raise SaslError("The user name cannot be read")
    try:
        name = saslprep(octets.replace(b"=2C", b",").replace(b"=3D", b"=").decode("utf-8"))
    except UnicodeDecodeError:
        raise SaslError("The user name is not UTF-8") from None
    if not name:
        raise SaslError("The user name is empty")
    return name


def _octets(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SaslError("A value is not base64") from None
