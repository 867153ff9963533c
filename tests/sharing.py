"""Three accounts of one server that may share mailboxes: real accounts, real storage."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pymaild.accounts.directory import Directory
from pymaild.accounts.shares import Shares
from pymaild.imap.describe import describe
from pymaild.mailstore import ANYONE, ChangeFeed
from pymaild.store import Stores
from pymaild.store.sharing import Sharing

ANN, BOB, CARL = (f"{name}@example.org" for name in ("ann", "bob", "carl"))


class Registered:
    """A Register in memory: store.sharing.Register."""

    def __init__(self, accounts: Iterable[str]) -> None:
        self.accounts = set(accounts)
        self.rows: set[tuple[str, str]] = set()

    def owners(self, guest: str) -> tuple[str, ...]:
        owners = {owner for identifier, owner in self.rows if identifier in (guest, ANYONE) and owner in self.accounts}
        return tuple(sorted(owners - {guest}))

    def granting(self, identifier: str) -> list[str]:
        return sorted(owner for one, owner in self.rows if one == identifier)

    def add(self, owner: str, identifier: str) -> None:
        self.rows.add((identifier, owner))

    def keep(self, owner: str, identifiers: Iterable[str]) -> None:
        self.rows = {row for row in self.rows if row[1] != owner} | {(one, owner) for one in identifiers}

    def account(self, text: str) -> str | None:
        return text.lower() if text.lower() in self.accounts else None


class Neighbours:
    """Their stores, as their own sessions see them."""

    def __init__(self, folder: Path, feed: ChangeFeed | None = None) -> None:
        self.folder = folder
        self.directory = Directory(folder / "accounts.sqlite3", cost=2)
        self.directory.add_domain("example.org")
        for address in (ANN, BOB, CARL):
            self.directory.add_account(address, "a long enough password")
        self.shares = Shares(self.directory.database)
        self.stores = Stores(folder, describe, feed)
        self.sharing = Sharing(self.stores, self.shares, feed)
        self.ann, self.bob, self.carl = (self.sharing(address) for address in (ANN, BOB, CARL))
