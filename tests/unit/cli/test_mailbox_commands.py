"""pymaild mailbox share, shares, and what removing an account and rebuilding an index do to shares."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import PASSWORD, Run

ANN, BOB = "ann@example.org", "bob@example.org"


@pytest.fixture
def house(pymaild: Run) -> Run:
    assert pymaild("init", "--domain", "example.org", "--admin", ANN, "--password-stdin", stdin=PASSWORD).code == 0
    assert pymaild("account", "add", BOB, "--password-stdin", stdin=PASSWORD).code == 0
    return pymaild


def shares(house: Run, address: str = ANN) -> list[tuple[str, str, str]]:
    listed = house("mailbox", "shares", address, "--json").json()
    return [(share["mailbox"], share["identifier"], share["rights"]) for share in listed]


def test_share_and_end_it(house: Run) -> None:
    done = house("mailbox", "share", ANN, "INBOX", "Bob@Example.org", "write")
    assert done.out.splitlines() == [
        "bob@example.org has the rights lrswite to INBOX of ann@example.org.",
        "It is called Other Users/ann@example.org/INBOX there.",
    ]
    assert house("mailbox", "shares", BOB).out.splitlines() == [
        "OWNER            MAILBOX  WITH             RIGHTS",
        "ann@example.org  INBOX    bob@example.org  lrswite",
    ]
    house("mailbox", "share", ANN, "INBOX", BOB, "+k")
    house("mailbox", "share", ANN, "Sent", "anyone", "l")
    assert shares(house) == [("INBOX", BOB, "lrswikte"), ("Sent", "anyone", "l")]
    assert house("mailbox", "share", ANN, "INBOX", BOB, "none").out.startswith("bob@example.org has no rights")
    house("mailbox", "share", ANN, "Sent", "anyone", "none")
    assert "shares nothing" in house("mailbox", "shares", ANN).out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((ANN, "INBOX", "nobody@example.org", "read"), "there is no account nobody@example.org"),
        ((ANN, "Nowhere", BOB, "read"), "ann@example.org has no mailbox Nowhere"),
        ((ANN, "INBOX", ANN, "read"), "The owner of a mailbox has every right to it, always"),
        ((ANN, "INBOX", BOB, "everything"), "'everything' are no rights: say none, read, seen, add, write, all"),
    ],
)
def test_what_cannot_be_shared(house: Run, words: tuple[str, ...], said: str) -> None:
    done = house("mailbox", "share", *words)
    assert (done.code, said in done.err) == (65, True), done.err


def test_a_removed_account_leaves_no_rights_to_its_successor(house: Run) -> None:
    house("mailbox", "share", ANN, "INBOX", BOB, "read")
    house("account", "remove", BOB, "--yes")
    house("account", "add", BOB, "--password-stdin", stdin=PASSWORD)
    house("index", "rebuild", ANN)
    assert shares(house) == []
    assert shares(house, BOB) == []


def test_index_rebuild_finds_what_the_files_say(house: Run, tmp_path: Path) -> None:
    (tmp_path / "pymaild-data/mail/example.org/ann/pymaild-acl").write_text(f"{BOB} lr\n")
    assert shares(house, BOB) == []
    house("index", "rebuild", ANN)
    assert shares(house, BOB) == [("INBOX", BOB, "lr")]
