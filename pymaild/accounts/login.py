"""From a name and a password to an account: equal words and equal time for every reason to say no.

Whether an account exists, is disabled or has another password cannot be told apart from outside: each costs the same
scrypt, fills the same buckets and gets the same reply. All processes decide as one: see tally.py.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from pymaild.accounts import proofs
from pymaild.accounts.database import Database
from pymaild.accounts.names import BadName, address_key, local_key
from pymaild.accounts.networks import network
from pymaild.accounts.passwords import COST, Passwords, cost_of
from pymaild.accounts.places import Places
from pymaild.accounts.tally import Tally
from pymaild.accounts.throttle import Throttle
from pymaild.mailstore import StoreError
from pymaild.status import MailError

_LOG = logging.getLogger("pymaild.login")
_KNOWN_FOR = 90 * 86400  # seconds after a login from it that a network counts as known
_SEEN_AGAIN = 86400  # written down once a day
_KNOWN_AT_MOST = 100  # networks of one account
_LOOK_AGAIN = 600  # seconds between two looks at what the dearest stored hash costs
_PATIENCE = 45.0  # seconds to wait for another thread that checks the same password


class WrongPassword(MailError):
    """RFC 4954 §6 (535 5.7.8): for a wrong password, an unknown name and a disabled account alike."""

    def __init__(self) -> None:
        super().__init__("5.7.8", "The user name or the password is not right")


@dataclass(frozen=True, slots=True)
class Found:
    """What a login name means: `stored` is the hash, None where nobody may log in by this name; `scram` the verifier."""

    name: str
    stored: str | None = None
    exists: bool = False
    scram: str | None = None


class Login:
    """The door of one process: lookup, throttle and password check."""

    def __init__(self, database: Database, cost: int = COST) -> None:
        self.database = database
        self.tally = Tally(database.path)
        self.passwords = Passwords(cost, self.tally, Places(database.path.parent))
        self.throttle = Throttle(self.tally, lambda: self.secret)
        self.scram = False  # whether verifiers are kept: [auth] mechanisms
        self._written: dict[tuple[str, str], float] = {}
        self._highest_due = 0.0
        self._under_way: dict[bytes, threading.Event] = {}
        self._lock = threading.Lock()

    def __call__(self, username: str, password: str, ip: str, door: str = "") -> str:
        """The account's address. Raises WrongPassword, TooManyWrongPasswords, TooBusy. `door` is for the log."""
        found = self._find(username)
        question = self.passwords.question(found.name, found.stored, password)
        if found.stored and self.passwords.remembered(question):
            return found.name  # a client that opens its fifth connection
        with self._alone(question):
            self._refuse_wrong(found, question, password, ip, door)
        return found.name

    def close(self) -> None:
        """Let go of the files."""
        self.tally.close()
        self.passwords.places.close()

    @cached_property
    def secret(self) -> bytes:
        """Known to all processes of this server and to nobody else."""
        ((value,),) = self.database.read("SELECT value FROM secret")
        return cast(bytes, value)

    # ---- one password

    def _refuse_wrong(self, found: Found, question: bytes, password: str, ip: str, door: str) -> None:
        """Check, count, remember, tell the log."""
        right = self.passwords.remembered(question)  # the same wrong one again counts once
        if right is None:
            try:
                right = self._counted(found, password, ip)
            except MailError as error:
                self._log(found, ip, door, error.text)
                raise
            self._settle(found, question, password, right, ip)
        if not right:
            wrong = WrongPassword()
            self._log(found, ip, door, wrong.text)
            raise wrong

    def _counted(self, found: Found, password: str, ip: str) -> bool:
        """What the password is worth, counted before it is checked, so that a hundred at once are a hundred."""
        self._look_at_costs()
        known = self._is_known(ip)
        self.throttle.admit(found.name, ip, known)
        try:
            right = self.passwords.verify(found.stored, password, known)
        except MailError:
            self.throttle.unchecked(found.name, ip)
            raise
        if right:
            self.throttle.right(found.name, ip)
        return right

    def _settle(self, found: Found, question: bytes, password: str, right: bool, ip: str) -> None:
        """Remember the result; after a success also where it came from, and renew what was stored with other settings."""
        if right and found.stored:
            self._remember(found.name, ip)
            if cost_of(found.stored) < self.passwords.cost or bool(found.scram) is not self.scram:
                stored = self._renewed(found.name, found.stored, password)
                question = self.passwords.question(found.name, stored, password)
        self.passwords.remember(question, right)

    @contextmanager
    def _alone(self, question: bytes) -> Iterator[None]:
        """The same password from several connections at once is checked once."""
        while True:
            with self._lock:
                other = self._under_way.get(question)
                if other is None:
                    mine = self._under_way[question] = threading.Event()
                    break
            if not other.wait(_PATIENCE):
                raise MailError("4.7.0", "The server is busy with other logins: try again in a minute")
        try:
            yield
        finally:
            with self._lock:
                del self._under_way[question]
            mine.set()

    @staticmethod
    def _log(found: Found, ip: str, door: str, why: str) -> None:
        """Once for each refusal; the name only where it is an account's: people type passwords into that field."""
        fields = {"account": found.name if found.exists else "", "ip": ip, "network": network(ip), "door": door, "why": why}
        _LOG.warning(
            "login failed: %s from %s (network %s), %s: %s",
            found.name if found.exists else "unknown account",
            ip or "a unix socket",
            fields["network"],
            door or "elsewhere",
            why,
            extra={"event": "login_failed", "fields": fields},
        )

    # ---- accounts and networks

    def _find(self, username: str) -> Found:
        """The account a login name means. A name without a domain will do where only one account has that local part."""
        name = username.strip()[:320]
        try:
            key = address_key(name) if "@" in name else local_key(name)
        except BadName:
            return Found(name)
        select = "SELECT address, password, enabled, scram FROM accounts WHERE address"
        rows = self.database.read(f"{select} = ?", (key,))
        if "@" not in key and key:
            rows = self.database.read(f"{select} >= ? || '@' AND address < ? || 'A' LIMIT 2", (key, key))
        if len(rows) != 1:
            return Found(key)
        address, stored, enabled, scram = rows[0]
        return Found(str(address), str(stored) if enabled else None, True, str(scram) if scram else None)

    def _look_at_costs(self) -> None:
        """What the dearest stored hash costs, so that nobody's password costs as much."""
        now = time.monotonic()
        if now >= self._highest_due:
            self._highest_due = now + _LOOK_AGAIN
            rows = self.database.read("SELECT max(CAST(substr(password, 8, 2) AS INTEGER)) FROM accounts")
            self.passwords.highest = max(self.passwords.cost, int(rows[0][0] or 0))

    def _renewed(self, name: str, stored: str, password: str) -> str:
        """The same password, hashed at today's cost, with or without a verifier; what is stored afterwards."""
        with suppress(MailError):  # nobody is kept out because of it: there is a next login
            with self.passwords.places.one():
                fresh = stored if cost_of(stored) >= self.passwords.cost else self.passwords.hash(password)
                scram = self.verifier_for(name, password)
            with self.database.write() as connection:
                sql = "UPDATE accounts SET password = ?, scram = ? WHERE address = ? AND password = ?"
                if connection.execute(sql, (fresh, scram, name, stored)).rowcount:
                    return fresh
        return stored

    # ---- a proof in the place of the password

    def verifier_for(self, name: str, password: str) -> str | None:
        """What to store beside the hash; None: SCRAM is off."""
        return proofs.stored(self.secret, name, password) if self.scram else None

    def candidate(self, username: str, ip: str, door: str = "") -> proofs.Candidate:
        """Who wants to prove to be `username`; nobody can tell whether there is such an account."""
        found = self._find(username)
        good = bool(found.stored and found.scram)
        known = proofs.read(str(found.scram)) if good else proofs.nobodys(self.secret, self._whole_name(found))
        why = "" if good or not found.stored else "no SCRAM verifier yet: one login with PLAIN makes it"
        return proofs.Candidate(known, lambda right: self._decide(found, good and right, ip, door, why))

    def _decide(self, found: Found, right: bool, ip: str, door: str, why: str) -> str:
        """A proof is counted as a password is; which wrong password was behind it cannot be known."""
        try:
            self.throttle.admit(found.name, ip, self._is_known(ip))
            if not right:
                raise WrongPassword
        except MailError as error:
            self._log(found, ip, door, why or error.text)
            raise
        self.throttle.right(found.name, ip)
        self._remember(found.name, ip)
        return found.name

    def _whole_name(self, found: Found) -> str:
        """With a domain, though it be invented: "ann" has the salt of ann@example.org, "zoe" needs one as good."""
        if found.exists or "@" in found.name:
            return found.name
        domains = [str(name) for (name,) in self.database.read("SELECT name FROM domains ORDER BY name")]
        number = int.from_bytes(proofs.salt(self.secret, found.name))
        return f"{found.name}@{domains[number % len(domains)]}" if domains else found.name

    def _is_known(self, ip: str) -> bool:
        """Whether somebody of this server has logged in from that network lately."""
        sql = "SELECT 1 FROM known_networks WHERE network = ? AND seen > ? LIMIT 1"
        return bool(self.database.read(sql, (network(ip), int(time.time()) - _KNOWN_FOR)))

    def _remember(self, name: str, ip: str) -> None:
        """Note where the owner logs in from, at most once a day."""
        now, where = int(time.time()), network(ip)
        if self._written.get((name, where), 0) > now - _SEEN_AGAIN:
            return
        if len(self._written) > 10_000:
            self._written.clear()
        self._written[name, where] = now
        with suppress(StoreError), self.database.write() as connection:  # a full disk keeps nobody out
            connection.execute("INSERT OR REPLACE INTO known_networks VALUES (?, ?, ?)", (where, name, now))
            connection.execute(
                "DELETE FROM known_networks WHERE account = ?1 AND network NOT IN"
                " (SELECT network FROM known_networks WHERE account = ?1 ORDER BY seen DESC LIMIT ?2)",
                (name, _KNOWN_AT_MOST),
            )
