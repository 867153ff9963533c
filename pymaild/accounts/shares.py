"""Who has shared a mailbox with whom, by account: which accounts a guest's list of mailboxes has to look into.

The truth is in the pymaild-acl files beside the messages (store/acl.py). This table is made of them, so that nobody has
to read those of every account; `pymaild index rebuild` makes it anew. A row too many costs a look, no more.
"""

from __future__ import annotations

from collections.abc import Iterable

from pymaild.accounts.database import Database
from pymaild.accounts.names import BadName, address_key
from pymaild.mailstore import ANYONE


class Shares:
    """Safe to use from any thread. What is remembered is asked again after any change of the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._remembered: tuple[int, dict[str, tuple[str, ...]]] = (-1, {})

    def owners(self, guest: str) -> tuple[str, ...]:
        """The other accounts that share something with this one, or with everybody, sorted."""
        version = self._database.version()
        if self._remembered[0] != version:
            self._remembered = (version, {})
        known = self._remembered[1]
        if guest not in known:
            sql = (
                "SELECT DISTINCT owner FROM shares JOIN accounts ON address = owner"
                " WHERE identifier IN (?1, ?2) AND owner <> ?1 ORDER BY owner"
            )
            known[guest] = tuple(str(owner) for (owner,) in self._database.read(sql, (guest, ANYONE)))
        return known[guest]

    def granting(self, identifier: str) -> list[str]:
        """The accounts that have given this identifier rights."""
        sql = "SELECT owner FROM shares WHERE identifier = ? ORDER BY owner"
        return [str(owner) for (owner,) in self._database.read(sql, (identifier,))]

    def add(self, owner: str, identifier: str) -> None:
        """The owner is about to give it rights."""
        with self._database.write() as connection:
            connection.execute("INSERT INTO shares VALUES (?, ?) ON CONFLICT DO NOTHING", (identifier, owner))

    def keep(self, owner: str, identifiers: Iterable[str]) -> None:
        """These, and no others, have rights to mailboxes of the owner."""
        wanted = set(identifiers)
        before = {str(one) for (one,) in self._database.read("SELECT identifier FROM shares WHERE owner = ?", (owner,))}
        if before == wanted:
            return
        with self._database.write() as connection:
            connection.execute("DELETE FROM shares WHERE owner = ?", (owner,))
            connection.executemany("INSERT INTO shares VALUES (?, ?)", [(one, owner) for one in sorted(wanted)])

    def account(self, text: str) -> str | None:
        """The account that somebody means, as it is kept; None: there is none."""
        try:
            key = address_key(text)
        except BadName:
            return None
        return key if self._database.read("SELECT 1 FROM accounts WHERE address = ?", (key,)) else None
