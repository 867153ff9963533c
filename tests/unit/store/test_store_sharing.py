"""Mailboxes of other accounts: what is seen, what may be done, and what happens when rights or accounts go."""

from __future__ import annotations

from pathlib import Path

import pytest

from pymaild.mailstore import (
    ALL_RIGHTS,
    AccessDenied,
    Flag,
    FlagChange,
    InvalidName,
    MailboxExists,
    NoSuchMailbox,
    NotPermitted,
    TooManyEntries,
)
from pymaild.store import acl, metadata
from tests.sharing import ANN, BOB, CARL, Neighbours

SHARED = f"Other Users/{ANN}/Projects"


@pytest.fixture
def house(tmp_path: Path) -> Neighbours:
    house = Neighbours(tmp_path)
    house.ann.create("Projects")
    house.ann.open("Projects").append(b"Subject: one\r\n\r\n1\r\n", Flag.SEEN, ["Work"])
    house.ann.open("Projects").append(b"Subject: two\r\n\r\n2\r\n", Flag.DELETED)
    return house


def share(house: Neighbours, rights: str, name: str = "Projects", who: str = BOB) -> None:
    house.ann.change_acl(name, who, "", rights)


def names_of(house: Neighbours) -> list[str]:
    return [info.name for info in house.bob.mailboxes() if info.owner]


# ---- what is seen


def test_nothing_is_there_before_it_is_shared(house: Neighbours) -> None:
    assert names_of(house) == []
    for name in (SHARED, f"Other Users/{ANN}/INBOX", f"Other Users/{ANN}/Nothing", f"Other Users/{ANN}", "Other Users"):
        with pytest.raises(NoSuchMailbox):
            house.bob.open(name)


def test_lookup_shows_the_name_and_the_levels_above(house: Neighbours) -> None:
    share(house, "l")
    assert names_of(house) == ["Other Users", f"Other Users/{ANN}", SHARED]
    levels = {info.name: (info.selectable, info.has_children) for info in house.bob.mailboxes() if info.owner}
    assert levels == {"Other Users": (False, True), f"Other Users/{ANN}": (False, True), SHARED: (True, False)}


def test_a_parent_without_lookup_is_a_level_only(house: Neighbours) -> None:
    house.ann.create("Projects/Roof")
    share(house, "lr", "Projects/Roof")
    found = {info.name: info.selectable for info in house.bob.mailboxes() if info.owner}
    assert found[SHARED] is False
    assert found[f"{SHARED}/Roof"] is True
    with pytest.raises(NoSuchMailbox):
        house.bob.open(SHARED)


def test_a_special_use_of_others_is_none_of_ours(house: Neighbours) -> None:
    house.ann.set_metadata("Projects", {"/private/specialuse": b"\\Sent"})
    share(house, "lr")
    assert [info.special_use for info in house.bob.mailboxes() if info.name == SHARED] == [None]


def test_lookup_alone_opens_nothing(house: Neighbours) -> None:
    share(house, "l")
    mailbox = house.bob.open(SHARED)
    for question in (
        mailbox.state,
        mailbox.uids,
        lambda: mailbox.read(1),
        lambda: mailbox.changes(0),
        mailbox.rows,
    ):
        with pytest.raises(AccessDenied):
            question()


def test_without_lookup_a_refusal_sounds_as_if_nothing_were_there(house: Neighbours) -> None:
    share(house, "i")
    mailbox = house.bob.open(SHARED)
    assert mailbox.append(b"Subject: three\r\n\r\n3\r\n") == 3
    with pytest.raises(NoSuchMailbox):
        mailbox.state()
    with pytest.raises(NoSuchMailbox):
        house.bob.delete(SHARED)


@pytest.mark.parametrize(
    "name",
    [
        "Other Users/../ann@example.org/Projects",
        f"Other Users//{ANN}/Projects",
        f"Other Users/{ANN}//Projects",
        f"Other Users/{ANN}/../Projects",
        f"Other Users/{ANN.upper()}/Projects",
        f"other users/{ANN}/Projects",
        f"Other Users/{ANN}/projects",
        f"Other Users/{ANN}/Projects/",
        f"Other Users/{ANN}/.",
        f"Other Users/{ANN}/Projects\0",
        f"Other Users/{CARL}/INBOX",
        "Other Users/ghost@example.org/INBOX",
        "Other Users/",
        f"/Other Users/{ANN}/Projects",
    ],
)
def test_tricks_with_names(house: Neighbours, name: str) -> None:
    share(house, "lr")
    with pytest.raises((NoSuchMailbox, InvalidName)):
        house.bob.open(name)
    with pytest.raises((NoSuchMailbox, InvalidName)):
        house.bob.acl(name)
    assert not (house.folder / "mail" / "example.org" / "ghost").exists()


def test_rights_that_are_taken_away_are_gone_from_an_open_mailbox(house: Neighbours) -> None:
    share(house, "lr")
    mailbox = house.bob.open(SHARED)
    assert len(mailbox.uids()) == 2
    house.ann.change_acl("Projects", BOB, "-", "r")
    with pytest.raises(AccessDenied):
        mailbox.uids()
    house.ann.change_acl("Projects", BOB, "", "")
    with pytest.raises(NoSuchMailbox):
        mailbox.uids()
    assert names_of(house) == []


def test_negative_rights_and_anyone(house: Neighbours) -> None:
    share(house, "lrs", who="anyone")
    house.ann.change_acl("Projects", f"-{BOB}", "", "s")
    assert house.bob.open(SHARED).rights == "lr"
    assert house.carl.open(SHARED).rights == "lrs"
    share(house, "r", who="-anyone")
    assert house.carl.open(SHARED).rights == "ls"


def test_the_owner_has_every_right_and_no_entry(house: Neighbours) -> None:
    assert house.ann.acl("Projects") == [(ANN, ALL_RIGHTS)]
    for identifier in (ANN, f"-{ANN}", "Ann@Example.org"):
        with pytest.raises(NotPermitted):
            house.ann.change_acl("Projects", identifier, "", "lr")
    with pytest.raises(NotPermitted):
        share(house, "lr", who="nobody@example.org")


# ---- what may be done


def test_a_guest_without_write_cannot_undo_what_others_set(house: Neighbours) -> None:
    share(house, "lrs")
    mailbox = house.bob.open(SHARED)
    rows, refused = mailbox.change_flags([1, 2], FlagChange.REPLACE, 0)
    assert [(row.flags, row.keywords) for row in rows] == [(0, frozenset({"Work"})), (Flag.DELETED, frozenset())]
    assert not refused
    rows, _ = mailbox.change_flags([1, 2], FlagChange.ADD, Flag.SEEN | Flag.FLAGGED, ["Mine"])
    assert [row.flags for row in rows] == [Flag.SEEN, Flag.SEEN | Flag.DELETED]
    with pytest.raises(AccessDenied):
        mailbox.change_flags([1], FlagChange.ADD, Flag.FLAGGED)
    with pytest.raises(AccessDenied):
        mailbox.expunge()


def test_replace_with_unchanged_since(house: Neighbours) -> None:
    share(house, "lrs")
    mailbox = house.bob.open(SHARED)
    since = mailbox.state().highestmodseq
    house.ann.open("Projects").change_flags([1], FlagChange.ADD, Flag.FLAGGED)
    rows, refused = mailbox.change_flags([1, 2], FlagChange.REPLACE, Flag.SEEN, (), since)
    assert ([row.uid for row in rows], refused) == ([2], [1])


def test_flags_that_may_not_be_set_are_left_out(house: Neighbours) -> None:
    share(house, "lri")
    mailbox = house.bob.open(SHARED)
    uid = mailbox.append(b"Subject: three\r\n\r\n3\r\n", Flag.SEEN | Flag.FLAGGED, ["Mine"])
    assert [(row.flags, row.keywords) for row in mailbox.rows([uid])] == [(0, frozenset())]


def test_messages_go_between_accounts(house: Neighbours) -> None:
    share(house, "lrite")
    house.bob.open("INBOX").append(b"Subject: mine\r\n\r\nm\r\n", Flag.SEEN | Flag.DELETED, ["Mine"], 1000)
    _, pairs = house.bob.open("INBOX").copy([1], SHARED)
    assert pairs == [(1, 3)]
    (row,) = house.ann.open("Projects").rows([3])
    assert (row.flags, row.keywords, row.internal_date) == (Flag.DELETED, frozenset(), 1000)
    _, pairs = house.bob.open(SHARED).move([1, 2], "INBOX")
    assert pairs == [(1, 2), (2, 3)]
    assert list(house.ann.open("Projects").uids()) == [3]
    assert [row.keywords for row in house.bob.open("INBOX").rows([2])] == [frozenset({"Work"})]


def test_a_copy_to_another_account_counts_for_its_owner(house: Neighbours) -> None:
    share(house, "lri")
    before = (house.ann.quota().octets, house.bob.quota().octets)
    house.bob.open("INBOX").append(b"Subject: mine\r\n\r\nm\r\n")
    house.bob.open("INBOX").copy([1], SHARED)
    size = 20
    assert (house.ann.quota().octets, house.bob.quota().octets) == (before[0] + size, before[1] + size)


def test_move_needs_the_right_to_remove(house: Neighbours) -> None:
    share(house, "lrt")
    with pytest.raises(AccessDenied):
        house.bob.open(SHARED).move([1], "INBOX")
    assert list(house.bob.open("INBOX").uids()) == []


def test_to_guests_nothing_is_recent(house: Neighbours) -> None:
    share(house, ALL_RIGHTS)
    mailbox = house.bob.open(SHARED)
    assert (mailbox.state().recent, mailbox.claim_recent()) == (0, range(0))
    assert house.ann.open("Projects").state().recent == 2


# ---- the tree


def test_a_new_mailbox_inherits(house: Neighbours) -> None:
    share(house, "lrk")
    house.bob.create(f"{SHARED}/a/b")
    assert house.bob.open(f"{SHARED}/a/b").rights == "lrk"
    house.ann.create("Projects/own")
    assert house.bob.open(f"{SHARED}/own").rights == "lrk"
    with pytest.raises(MailboxExists):
        house.bob.create(f"{SHARED}/own")


@pytest.mark.parametrize(
    "name",
    ["Other Users", "Other Users/x", f"Other Users/{ANN}/New", f"Other Users/{CARL}/New", f"{SHARED}/x", "Other Users/"],
)
def test_nothing_is_made_without_the_right(house: Neighbours, name: str) -> None:
    share(house, "lr")
    with pytest.raises(AccessDenied, match="take another name"):
        house.bob.create(name)
    house.bob.create("Own")
    with pytest.raises(AccessDenied):
        house.bob.rename("Own", name)


def test_an_own_mailbox_of_that_name_stays_reachable(house: Neighbours) -> None:
    own = house.stores(BOB)
    own.create("Other Users/Cousins")
    share(house, "lr")
    seen = {info.name: info.has_children for info in house.bob.mailboxes() if "Other" in info.name}
    assert seen == {"Other Users": True, "Other Users/Cousins": False, f"Other Users/{ANN}": True, SHARED: False}
    house.bob.open("Other Users").append(b"Subject: x\r\n\r\n")
    house.bob.rename("Other Users/Cousins", "Cousins")
    assert list(own.open("Other Users").uids()) == [1]
    assert own.has("Cousins")


def test_rename_keeps_who_may_use_it(house: Neighbours) -> None:
    share(house, "lr")
    mailbox = house.bob.open(SHARED)
    house.ann.rename("Projects", "Works")
    assert len(mailbox.uids()) == 2
    assert house.bob.open(f"Other Users/{ANN}/Works").rights == "lr"


def test_delete_ends_it(house: Neighbours) -> None:
    share(house, "lrx")
    house.bob.delete(SHARED)
    assert not house.stores(ANN).has("Projects")
    assert house.shares.owners(BOB) == ()
    house.ann.create("Projects")
    with pytest.raises(NoSuchMailbox):
        house.bob.open(SHARED)


def test_rename_by_a_guest(house: Neighbours) -> None:
    share(house, "lrkx")
    house.ann.create("Projects/a")
    house.bob.rename(f"{SHARED}/a", f"{SHARED}/b")
    assert house.stores(ANN).has("Projects/b")
    with pytest.raises(AccessDenied):
        house.bob.rename(SHARED, f"Other Users/{ANN}/Top")
    with pytest.raises(NotPermitted):
        house.bob.rename(f"{SHARED}/b", "Mine")
    house.ann.create("Projects/b/secret")
    house.ann.change_acl("Projects/b/secret", BOB, "", "")
    with pytest.raises(AccessDenied):
        house.bob.rename(f"{SHARED}/b", f"{SHARED}/c")


def test_the_inbox_of_others_stays(house: Neighbours) -> None:
    share(house, ALL_RIGHTS, "INBOX")
    with pytest.raises(NotPermitted):
        house.bob.rename(f"Other Users/{ANN}/INBOX", f"Other Users/{ANN}/INBOX/x")
    with pytest.raises(NotPermitted):
        house.bob.delete(f"Other Users/{ANN}/INBOX")


# ---- accounts that go


def test_nobody_inherits_the_rights_of_an_account_that_went(house: Neighbours) -> None:
    share(house, "lr")
    house.bob.set_metadata(SHARED, {"/private/comment": b"mine"})
    house.sharing.forget(BOB)
    house.directory.remove_account(BOB)
    house.directory.add_account(BOB, "a long enough password")
    assert names_of(house) == []
    assert house.ann.acl("Projects") == [(ANN, ALL_RIGHTS)]
    share(house, "lr")
    assert house.bob.metadata(SHARED) == {}


def test_an_owner_that_went(house: Neighbours) -> None:
    share(house, "lr")
    mailbox = house.bob.open(SHARED)
    house.directory.remove_account(ANN)
    with pytest.raises(NoSuchMailbox):
        mailbox.uids()
    with pytest.raises(NoSuchMailbox):
        house.bob.open(SHARED)
    assert names_of(house) == []


def test_the_register_is_made_anew_from_the_files(house: Neighbours) -> None:
    share(house, "lr")
    house.shares.keep(ANN, [])
    assert names_of(house) == []
    house.sharing.look_again(house.stores(ANN))
    assert SHARED in names_of(house)


def test_a_damaged_list_grants_nothing(house: Neighbours) -> None:
    share(house, "lr")
    path = house.stores.folder(ANN, "Projects") / acl.FILE
    path.write_text(path.read_text() + "nonsense\n")
    with pytest.raises(NoSuchMailbox):
        house.bob.open(SHARED)


# ---- metadata


def test_private_entries_are_everybodys_own(house: Neighbours) -> None:
    share(house, "lrw")
    house.ann.set_metadata("Projects", {"/private/comment": b"ann", "/shared/comment": b"all"})
    house.bob.set_metadata(SHARED, {"/private/comment": b"\xff\x00bob"})
    assert house.ann.metadata("Projects") == {"/private/comment": b"ann", "/shared/comment": b"all"}
    assert house.bob.metadata(SHARED) == {"/private/comment": b"\xff\x00bob", "/shared/comment": b"all"}
    house.bob.set_metadata(SHARED, {"/shared/comment": None})
    assert "/shared/comment" not in house.ann.metadata("Projects")


def test_metadata_needs_rights(house: Neighbours) -> None:
    share(house, "l")
    with pytest.raises(AccessDenied):
        house.bob.metadata(SHARED)
    share(house, "lr")
    assert house.bob.metadata(SHARED) == {}
    for entry in ("/shared/comment", "/private/specialuse"):
        with pytest.raises(AccessDenied):
            house.bob.set_metadata(SHARED, {entry: b"x"})


def test_metadata_lives_as_long_as_the_mailbox(house: Neighbours) -> None:
    house.ann.set_metadata("Projects", {"/shared/comment": b"all"})
    house.ann.rename("Projects", "Works")
    house.stores.rebuild(ANN)
    assert house.ann.metadata("Works") == {"/shared/comment": b"all"}
    house.ann.delete("Works")
    house.ann.create("Works")
    assert house.ann.metadata("Works") == {}


def test_all_entries_or_none(house: Neighbours) -> None:
    many: dict[str, bytes | None] = {f"/private/{number}": b"x" for number in range(metadata.MAX_ENTRIES + 1)}
    with pytest.raises(TooManyEntries):
        house.ann.set_metadata("Projects", many)
    assert house.ann.metadata("Projects") == {}
    with pytest.raises(TooManyEntries):
        house.ann.set_metadata("Projects", {f"/shared/{number}": bytes(30_000) for number in range(50)})
    assert house.ann.metadata("Projects") == {}


def test_server_entries(house: Neighbours) -> None:
    house.ann.set_metadata("", {"/private/comment": b"mine"})
    assert house.ann.metadata("") == {"/private/comment": b"mine", "/shared/admin": b"mailto:postmaster@example.org"}
    assert "/private/comment" not in house.bob.metadata("")
    with pytest.raises(AccessDenied):
        house.ann.set_metadata("", {"/shared/comment": b"everybody"})


def test_special_use_is_metadata_too(house: Neighbours) -> None:
    house.ann.set_metadata("Projects", {"/private/specialuse": b"\\Archive"})
    assert house.ann.metadata("Projects")["/private/specialuse"] == b"\\Archive"
    house.stores.rebuild(ANN)
    assert [info.special_use.value for info in house.ann.mailboxes() if info.special_use] == ["Archive"]
    house.ann.set_metadata("Projects", {"/private/specialuse": None})
    assert house.ann.metadata("Projects") == {}
    with pytest.raises(NotPermitted):
        house.ann.set_metadata("Projects", {"/private/specialuse": b"\\Nothing"})
