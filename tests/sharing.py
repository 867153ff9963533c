"""Three accounts of one server that may share mailboxes: real accounts, real storage."""

from __future__ import annotations

from pathlib import Path

from pymaild.accounts.directory import Directory
from pymaild.accounts.shares import Shares
from pymaild.imap.describe import describe
from pymaild.mailstore import ChangeFeed
from pymaild.store import Stores
from pymaild.store.sharing import Sharing

ANN, BOB, CARL = (f"{name}@example.org" for name in ("ann", "bob", "carl"))


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
