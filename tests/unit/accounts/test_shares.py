"""The list of who shares with whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from pymaild.accounts.directory import Directory
from pymaild.accounts.shares import Shares

ANN, BOB, CARL = "ann@example.org", "bob@example.org", "carl@example.org"


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    directory = Directory(tmp_path / "accounts.sqlite3", cost=2)
    directory.add_domain("example.org")
    for address in (ANN, BOB, CARL):
        directory.add_account(address, "a long enough password")
    return directory


@pytest.fixture
def shares(directory: Directory) -> Shares:
    return Shares(directory.database)


def test_owners_are_those_who_share_with_the_guest_or_with_anyone(shares: Shares) -> None:
    assert shares.owners(BOB) == ()
    shares.add(ANN, BOB)
    shares.add(CARL, "anyone")
    assert shares.owners(BOB) == (ANN, CARL)
    assert shares.owners(ANN) == (CARL,)
    assert shares.owners(CARL) == (), "nobody is his own guest"


def test_keep_replaces_everything_of_an_owner(shares: Shares) -> None:
    shares.keep(ANN, [BOB, CARL])
    shares.keep(ANN, [CARL, CARL])
    assert (shares.owners(BOB), shares.owners(CARL)) == ((), (ANN,))
    assert shares.granting(CARL) == [ANN]


def test_a_change_by_another_process_shows(shares: Shares, directory: Directory) -> None:
    assert shares.owners(BOB) == ()
    other = Directory(directory.database.path, cost=2)
    Shares(other.database).add(ANN, BOB)
    assert shares.owners(BOB) == (ANN,)


def test_with_an_account_go_its_shares(shares: Shares, directory: Directory) -> None:
    shares.add(ANN, BOB)
    shares.add(BOB, CARL)
    directory.remove_account(BOB)
    assert (shares.owners(CARL), shares.granting(BOB)) == ((), [])


def test_who_is_no_account_shares_nothing(shares: Shares) -> None:
    shares.add("ghost@example.org", BOB)
    assert shares.owners(BOB) == ()
    assert shares.account("ghost@example.org") is None
    assert shares.account("no address") is None
    assert shares.account("Bob@EXAMPLE.org") == BOB
