"""Passwords: kept as salted scrypt (RFC 7914), checked at most two at a time, a result remembered for some minutes.

One check takes some 70 ms and 32 MB, on purpose. Mail clients open four to seven connections with the same password,
so a process remembers what it has verified: under an HMAC with a key that exists in its memory only, bound to the
stored hash, so that a changed password is a new question at once.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from base64 import b64decode, b64encode
from collections import OrderedDict

from pymaild.sasl import SaslError, saslprep
from pymaild.status import MailError

COST = 15  # N = 2**15, r = 8, p = 1
_REMEMBERED = 600  # seconds
_REMEMBER_AT_MOST = 10_000
_PATIENCE = 30  # seconds to wait for one of the two places


def _scrypt(password: bytes, salt: bytes, cost: int) -> bytes:
    return hashlib.scrypt(password, salt=salt, n=1 << cost, r=8, p=1, maxmem=(256 << (cost + 3)) + (1 << 20), dklen=32)


def _octets(password: str) -> bytes:
    """One spelling, whichever keyboard, mail program or command it came through. RFC 4013, RFC 4616 §2."""
    try:
        return saslprep(password).encode()
    except (SaslError, UnicodeEncodeError):  # nobody's password: set_password() takes none that cannot be prepared
        return password.encode("utf-8", "surrogatepass")


def hash_password(password: str, cost: int = COST) -> str:
    """What is stored: "scrypt$15$salt$hash"."""
    salt = secrets.token_bytes(16)
    return f"scrypt${cost}${b64encode(salt).decode()}${b64encode(_scrypt(_octets(password), salt, cost)).decode()}"


class Passwords:
    """Checks passwords against stored hashes."""

    def __init__(self, cost: int = COST) -> None:
        self.cost = cost
        self._places = threading.BoundedSemaphore(2)
        self._key = secrets.token_bytes(32)
        self._results: OrderedDict[bytes, tuple[bool, float]] = OrderedDict()
        self._lock = threading.Lock()
        # Nobody's password: verified against when there is no such account, so that both take the same time.
        self._nobody = f"scrypt${cost}${b64encode(secrets.token_bytes(16)).decode()}${b64encode(bytes(32)).decode()}"

    def hash(self, password: str) -> str:
        """What to store for a new password."""
        return hash_password(password, self.cost)

    def fingerprint(self, name: str, password: str) -> bytes:
        """Tells equal wrong passwords apart from new ones without keeping any."""
        return hmac.digest(self._key, name.encode("utf-8", "surrogatepass") + b"\0" + _octets(password), "sha256")

    def remembered(self, name: str, stored: str | None, password: str) -> bool | None:
        """What a check of some minutes ago said; None: there was none."""
        with self._lock:
            result, until = self._results.get(self._question(name, stored, password), (None, 0.0))
        return result if until > time.monotonic() else None

    def verify(self, name: str, stored: str | None, password: str) -> bool:
        """Whether it is the password; `stored` is None for an account that does not exist: as slow, and False."""
        known = self.remembered(name, stored, password)
        if known is not None:
            return known
        if not self._places.acquire(timeout=_PATIENCE):
            raise MailError("4.7.0", "The server is busy with other logins: try again in a minute")
        try:
            _, cost, salt, digest = (stored or self._nobody).split("$")
            right = hmac.compare_digest(_scrypt(_octets(password), b64decode(salt), int(cost)), b64decode(digest))
        finally:
            self._places.release()
        right = right and stored is not None
        self._remember(self._question(name, stored, password), right)
        return right

    def _question(self, name: str, stored: str | None, password: str) -> bytes:
        return self.fingerprint(f"{name}\0{stored}", password)

    def _remember(self, question: bytes, result: bool) -> None:
        with self._lock:
            self._results[question] = (result, time.monotonic() + _REMEMBERED)
            self._results.move_to_end(question)
            while len(self._results) > _REMEMBER_AT_MOST:
                self._results.popitem(last=False)
