"""The tree of mailboxes of an account: create, delete, rename, subscriptions, special use (THREATS T072, T145)."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path

import pytest

from pymaild.mailstore import (
    Flag,
    InvalidName,
    MailboxExists,
    MailboxHasChildren,
    NoSuchMailbox,
    NotPermitted,
    SpecialUse,
)
from tests.storing import ANN, message, root, stores


def names_of(account: object) -> list[str]:
    return [info.name for info in account.mailboxes()]  # type: ignore[attr-defined]


def test_a_new_account(tmp_path: Path) -> None:
    store = stores(tmp_path)
    store.create_account(ANN)
    store.create_account(ANN)  # harmless
    infos = {info.name: info for info in store(ANN).mailboxes()}
    assert list(infos) == ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"]
    assert all(info.subscribed and info.selectable for info in infos.values())
    assert {name: info.special_use.value for name, info in infos.items() if info.special_use} == {
        name: name for name in ("Archive", "Drafts", "Junk", "Sent", "Trash")
    }


def test_create_makes_the_levels_above(tmp_path: Path) -> None:
    account = stores(tmp_path)(ANN)
    account.create("A/B/C")
    infos = {info.name: info for info in account.mailboxes()}
    assert list(infos) == ["INBOX", "A", "A/B", "A/B/C"]
    assert infos["A"].has_children and not infos["A/B/C"].has_children
    with pytest.raises(MailboxExists):
        account.create("A/B")
    with pytest.raises(InvalidName):
        account.create("../evil")


def test_delete_leaves_the_level_while_others_are_below(tmp_path: Path) -> None:
    account = stores(tmp_path)(ANN)
    account.create("A/B")
    opened = account.open("A")
    account.delete("A")
    assert [(info.name, info.selectable) for info in account.mailboxes()] == [
        ("INBOX", True),
        ("A", False),
        ("A/B", True),
    ]
    for raising in (opened.state, opened.refresh, lambda: opened.append(b"x")):
        with pytest.raises(NoSuchMailbox):
            raising()
    with pytest.raises(NoSuchMailbox):
        account.open("A")
    with pytest.raises(MailboxHasChildren):
        account.delete("A")
    with pytest.raises(NotPermitted):
        account.delete("inbox")
    account.delete("A/B")
    assert names_of(account) == ["INBOX"]
    assert not [name for name in os.listdir(root(tmp_path)) if name.startswith(".A")]


def test_a_name_never_has_the_same_uidvalidity_again(tmp_path: Path) -> None:
    store = stores(tmp_path)
    account = store(ANN)
    seen = set()
    for lost in (False, True, False, True):
        account.create("A")
        seen.add(account.open("A").state().uidvalidity)
        account.delete("A")
        if lost:
            store.rebuild(ANN)
    assert len(seen) == 4


def test_rename_takes_along_what_is_below(tmp_path: Path) -> None:
    account = stores(tmp_path)(ANN)
    account.create("A/B")
    mailbox = account.open("A/B")
    uid, state = mailbox.append(message("x")), mailbox.state()
    account.rename("A", "X/Y")
    assert names_of(account) == ["INBOX", "X", "X/Y", "X/Y/B"]
    renamed = account.open("X/Y/B")
    assert renamed.mailbox_id == mailbox.mailbox_id and renamed.state().uidvalidity == state.uidvalidity
    assert renamed.read(uid) == mailbox.read(uid)
    assert mailbox.append(message("y")) == uid + 1  # the session that has it open goes on
    for old, new, error in (
        ("X", "X/Z", NotPermitted),
        ("X/Y", "INBOX", MailboxExists),
        ("Gone", "Z", NoSuchMailbox),
        ("X/Y", "X/Y", MailboxExists),
    ):
        with pytest.raises(error):
            account.rename(old, new)


def test_rename_of_inbox_moves_its_messages(tmp_path: Path) -> None:
    account = stores(tmp_path)(ANN)
    account.create("INBOX/Below")
    inbox = account.open("INBOX")
    inbox.append(message("x"), int(Flag.SEEN))
    account.rename("INBOX", "Old")
    assert names_of(account) == ["INBOX", "INBOX/Below", "Old"]
    assert inbox.state().messages == 0
    assert [row.flags for row in account.open("Old").rows()] == [Flag.SEEN]
    assert inbox.append(message("y")) == 2


def test_subscriptions_outlive_the_mailbox(tmp_path: Path) -> None:
    account = stores(tmp_path)(ANN)
    account.subscribe("Gone/Fishing")
    account.subscribe("inbox")
    assert account.subscriptions() == ["Gone/Fishing", "INBOX"]
    account.subscribe("Gone/Fishing", False)
    assert account.subscriptions() == ["INBOX"]


def test_special_use_is_found_after_a_rename_and_a_lost_index(tmp_path: Path) -> None:
    store = stores(tmp_path)
    account = store(ANN)
    assert account.special(SpecialUse.JUNK) == "Junk"
    account.rename("Junk", "Spam")
    store.rebuild(ANN)
    assert account.special(SpecialUse.JUNK) == "Spam"
    account.create("Trash")  # a mailbox of that name that nobody marked
    assert account.special(SpecialUse.TRASH) == "Trash"
    assert [info.special_use for info in account.mailboxes() if info.name == "Trash"] == [SpecialUse.TRASH]


def test_folders_of_other_programs(tmp_path: Path) -> None:
    account = stores(tmp_path)(ANN)
    (root(tmp_path) / ".Foreign" / "cur").mkdir(parents=True)
    (root(tmp_path) / ".Foreign" / "cur" / "1.x:2,S").write_bytes(message("x"))
    (root(tmp_path) / ".&AC8-" / "cur").mkdir(parents=True)
    (root(tmp_path) / ".nothing").mkdir()
    assert names_of(account) == ["INBOX", "Foreign"]
    assert account.open("Foreign").state().messages == 1
    shutil.copytree(root(tmp_path) / ".Foreign", root(tmp_path) / ".Twin")
    assert names_of(account) == ["INBOX", "Foreign", "Twin"]
    twin, foreign = account.open("Twin"), account.open("Foreign")
    assert twin.mailbox_id != foreign.mailbox_id and twin.state().uidvalidity != foreign.state().uidvalidity
    assert twin.state().messages == 1
    shutil.rmtree(root(tmp_path) / ".Foreign")
    with pytest.raises(NoSuchMailbox):
        account.open("Foreign")
    assert names_of(account) == ["INBOX", "Twin"]


@pytest.mark.parametrize("address", ["../../x@example.org", "a/b@example.org", ".@example.org", "..@..", "%2e@x.org"])
def test_no_address_leaves_the_mail_directory(tmp_path: Path, address: str) -> None:
    store = stores(tmp_path)
    directory = store.directory(address)
    assert directory.parent.parent == tmp_path / "mail"
    assert ".." not in directory.parts and not directory.name.startswith(".")


def test_addresses_have_folders_of_their_own(tmp_path: Path) -> None:
    store = stores(tmp_path)
    addresses = ["a/b@x.org", "a%2Fb@x.org", "a@x.org", "é@x.org", "%C3%A9@x.org", "a b@x.org"]
    assert len({store.directory(address) for address in addresses}) == len(addresses)


def test_remove_account(tmp_path: Path) -> None:
    store = stores(tmp_path)
    store(ANN).open("INBOX").append(message("x"))
    store.remove_account(ANN)
    assert not root(tmp_path).exists()
    assert store(ANN).open("INBOX").state().messages == 0


def test_sweep_removes_only_what_is_old(tmp_path: Path) -> None:
    store = stores(tmp_path)
    store(ANN)
    for name, age in (("old", 37), ("young", 35)):
        path = root(tmp_path) / "tmp" / name
        path.write_bytes(b"x")
        at = path.stat().st_mtime - age * 3600
        os.utime(path, (at, at))
    store.sweep()
    assert os.listdir(root(tmp_path) / "tmp") == ["young"]


def test_more_accounts_than_may_be_open(tmp_path: Path) -> None:
    store = stores(tmp_path)
    store._most = 2
    addresses = [f"user{number}@example.org" for number in range(5)]
    for _ in range(3):
        for address in addresses:
            store(address).deliver("INBOX", b"", io.BytesIO(message("x")))
    assert all(store(address).open("INBOX").state().uidnext == 4 for address in addresses)
    store.close()
