"""Passwords: kept as salted scrypt (RFC 7914), checked at most two at a time, a result remembered for some minutes.

One check takes some 70 ms and 32 MB, on purpose. Mail clients open four to seven connections with the same password,
so what was checked is remembered, by all processes together: under an HMAC, bound to the stored hash, so that a changed
password is a new question at once. The HMAC's key is made before the processes are forked and exists in their memory only:
what logins.sqlite3 says is of no use to who steals it, and forgotten at a restart.

Every "no" takes the same work, that of the dearest hash that is stored: a cheaper one (the cost was raised since) is
followed by others that make up for it, and who does not exist costs as much.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from base64 import b64decode, b64encode
from collections import OrderedDict
from contextlib import suppress
from typing import Final

from pymaild.accounts.places import Places
from pymaild.accounts.tally import Tally
from pymaild.mailstore import StoreError
from pymaild.sasl import SaslError, saslprep

COST = 15  # N = 2**15, r = 8, p = 1
_REMEMBERED = 600  # seconds
_REMEMBER_AT_MOST = 10_000
_KEY: Final = secrets.token_bytes(32)  # of this program's run: workers are forked after this module is imported


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


def cost_of(stored: str) -> int:
    """What went into a stored hash."""
    return int(stored.split("$", 2)[1])


class Passwords:
    """Checks passwords against stored hashes. `tally` and `places` are shared with other processes, if there are any."""

    def __init__(self, cost: int = COST, tally: Tally | None = None, places: Places | None = None) -> None:
        self.cost = cost
        self.highest = cost  # of all that are stored: what a "no" costs
        self.places = places or Places()
        self._tally = tally
        self._results: OrderedDict[bytes, tuple[bool, float]] = OrderedDict()
        self._lock = threading.Lock()

    def hash(self, password: str) -> str:
        """What to store for a new password."""
        return hash_password(password, self.cost)

    def question(self, name: str, stored: str | None, password: str) -> bytes:
        """Whether this is the password of this account, as a number that tells nothing."""
        text = f"{name}\0{stored}\0".encode("utf-8", "surrogatepass")
        return hmac.digest(_KEY, text + _octets(password), "sha256")

    def remembered(self, question: bytes) -> bool | None:
        """What a check of some minutes ago said, in whatever process; None: there was none."""
        now = time.time()
        with self._lock:
            result, until = self._results.get(question, (None, 0.0))
        if until > now or self._tally is None:
            return result if until > now else None
        with suppress(StoreError):
            sql = "SELECT was_right, until FROM answers WHERE question = ? AND until > ?"
            for was_right, until_then in self._tally.read(sql, (question, now)):
                return self._keep(question, bool(was_right), float(until_then or 0))
        return None

    def verify(self, stored: str | None, password: str, known: bool = True) -> bool:
        """Whether it is the password; `stored` is None where there is nobody to log in: as slow, and False.

        Raises TooBusy.
        """
        octets = _octets(password)
        with self.places.one(known):
            cost = self.highest
            if stored is not None:
                _, written, salt, digest = stored.split("$")
                cost = int(written)
                if hmac.compare_digest(_scrypt(octets, b64decode(salt), cost), b64decode(digest)):
                    return True
            for extra in [self.highest] if stored is None else range(cost, self.highest):
                _scrypt(octets, _KEY[:16], extra)  # 2**c and then 2**c + 2**(c+1) + ... + 2**(h-1) make 2**h
        return False

    def remember(self, question: bytes, result: bool) -> None:
        """For some minutes, and for the other processes."""
        until = time.time() + _REMEMBERED
        self._keep(question, result, until)
        if self._tally is not None:
            with suppress(StoreError), self._tally.noting(time.time()) as connection:
                connection.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", (question, int(result), until))

    def _keep(self, question: bytes, result: bool, until: float) -> bool:
        with self._lock:
            self._results[question] = (result, until)
            self._results.move_to_end(question)
            while len(self._results) > _REMEMBER_AT_MOST:
                self._results.popitem(last=False)
        return result
