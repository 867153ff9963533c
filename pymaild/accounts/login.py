"""From a name and a password to an account: equal words and equal time for every reason to say no.

Whether an account exists, is disabled or has another password cannot be told apart from outside: each costs one
scrypt and gets the same reply.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress

from pymaild.accounts.database import Database
from pymaild.accounts.names import BadName, address_key, local_key
from pymaild.accounts.passwords import COST, Passwords
from pymaild.accounts.throttle import Throttle, host
from pymaild.mailstore import StoreError
from pymaild.status import MailError

_LOG = logging.getLogger("pymaild.login")
_KNOWN_FOR = 90 * 86400  # seconds after its last login that an address counts as known
_SEEN_AGAIN = 86400  # written down once a day
_KNOWN_AT_MOST = 100  # addresses of one account


class WrongPassword(MailError):
    """RFC 4954 §6 (535 5.7.8): for a wrong password, an unknown name and a disabled account alike."""

    def __init__(self) -> None:
        super().__init__("5.7.8", "The user name or the password is not right")


class Login:
    """The door: lookup, throttle and password check of one process."""

    def __init__(self, database: Database, cost: int = COST, throttle: Throttle | None = None) -> None:
        self.database = database
        self.passwords = Passwords(cost)
        self.throttle = throttle or Throttle()
        self._written: dict[tuple[str, str], float] = {}

    def __call__(self, username: str, password: str, ip: str) -> str:
        """The account's address. Raises WrongPassword, TooManyWrongPasswords."""
        name, stored = self._find(username)
        if stored and self.passwords.remembered(name, stored, password):
            return name  # a client that opens its fifth connection
        self.throttle.admit(name, ip, self._is_known(name, ip))
        if not self.passwords.verify(name, stored, password):
            self.throttle.wrong(name, ip, self.passwords.fingerprint(name, password))
            _LOG.warning("login failed: name %s from %s", ascii(name[:80]), ip or "a unix socket")
            raise WrongPassword
        self.throttle.right(name, ip)
        self._remember(name, ip)
        return name

    def _find(self, username: str) -> tuple[str, str | None]:
        """The account a login name means and its stored hash; None: nobody may log in by this name.

        A name without a domain will do where only one account has that local part.
        """
        name = username.strip()[:320]
        try:
            key = address_key(name) if "@" in name else local_key(name)
        except BadName:
            return name, None
        rows = self.database.read("SELECT address, password, enabled FROM accounts WHERE address = ?", (key,))
        if "@" not in key and key:
            sql = "SELECT address, password, enabled FROM accounts WHERE address >= ? || '@' AND address < ? || 'A' LIMIT 2"
            rows = self.database.read(sql, (key, key))
        if len(rows) != 1:
            return key, None
        address, stored, enabled = rows[0]
        return str(address), str(stored) if enabled else None

    def _is_known(self, name: str, ip: str) -> bool:
        """Whether the account's owner has logged in from there lately."""
        sql = "SELECT 1 FROM known_addresses WHERE account = ? AND ip = ? AND seen > ?"
        return bool(self.database.read(sql, (name, host(ip), int(time.time()) - _KNOWN_FOR)))

    def _remember(self, name: str, ip: str) -> None:
        """Note where the owner logs in from, at most once a day."""
        now, where = int(time.time()), host(ip)
        if self._written.get((name, where), 0) > now - _SEEN_AGAIN:
            return
        if len(self._written) > 10_000:
            self._written.clear()
        self._written[name, where] = now
        with suppress(StoreError), self.database.write() as connection:  # a full disk keeps nobody out
            connection.execute("INSERT OR REPLACE INTO known_addresses VALUES (?, ?, ?)", (name, where, now))
            connection.execute(
                "DELETE FROM known_addresses WHERE account = ?1 AND ip NOT IN"
                " (SELECT ip FROM known_addresses WHERE account = ?1 ORDER BY seen DESC LIMIT ?2)",
                (name, _KNOWN_AT_MOST),
            )
