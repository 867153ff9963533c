"""Other programs at the Maildir, broken indexes, unclean ends (THREATS T226, T227; D3, D4, D7 to D9)."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from pymaild.mailstore import Column, Flag, FlagChange, MessageGone, NoSpace, StorageFailed
from pymaild.store import files, scan
from tests.storing import ANN, cur, message, numbers, root, stores, truth


def test_a_delivery_by_another_program(tmp_path: Path) -> None:
    inbox = stores(tmp_path)(ANN).open("INBOX")
    inbox.append(message("ours"))
    (root(tmp_path) / "new" / "1700000000.M1P1.host").write_bytes(message("theirs"))
    (root(tmp_path) / "new" / "1700000001.M1P1.host").write_bytes(b"Subject: lf\n\nline\n")
    assert list(inbox.uids()) == [1]
    inbox.refresh()
    assert list(inbox.uids()) == [1, 2, 3]
    assert inbox.read(2) == message("theirs")
    assert inbox.read(3) == b"Subject: lf\r\n\r\nline\r\n"  # line ends of the wire
    assert [row.size for row in inbox.rows([3])] == [len(inbox.read(3))]
    assert os.listdir(root(tmp_path) / "new") == []
    assert inbox.state().recent == 3


def test_flags_changed_by_another_program(tmp_path: Path) -> None:
    inbox = stores(tmp_path)(ANN).open("INBOX")
    inbox.append(message("a"))
    since = inbox.state().highestmodseq
    (name,) = cur(tmp_path)
    os.rename(root(tmp_path) / "cur" / name, root(tmp_path) / "cur" / (name + "FSP"))
    inbox.refresh()
    assert [(row.uid, row.flags) for row in inbox.changes(since).rows] == [(1, Flag.FLAGGED | Flag.SEEN)]
    inbox.change_flags([1], FlagChange.REMOVE, int(Flag.SEEN))
    assert cur(tmp_path)[0].endswith(":2,FP")  # P is theirs, and stays


def test_what_another_program_removed_has_vanished(tmp_path: Path) -> None:
    inbox = stores(tmp_path)(ANN).open("INBOX")
    for letter in "abc":
        inbox.append(message(letter))
    since = inbox.state().highestmodseq
    os.unlink(root(tmp_path) / "cur" / cur(tmp_path)[1])
    inbox.refresh()
    assert len(inbox.changes(since).vanished) == 1 and inbox.state().messages == 2


def test_a_copied_file_gets_a_uid_of_its_own(tmp_path: Path) -> None:
    account = stores(tmp_path)(ANN)
    account.create("Other")
    inbox, other = account.open("INBOX"), account.open("Other")
    inbox.append(message("a"))
    (name,) = cur(tmp_path)
    shutil.copy(root(tmp_path) / "cur" / name, root(tmp_path) / "cur" / f"0{name}")
    shutil.copy(root(tmp_path) / "cur" / name, root(tmp_path) / ".Other" / "cur" / name)
    inbox.refresh()
    other.refresh()
    assert list(inbox.uids()) == [1, 2] and inbox.read(2) == inbox.read(1)
    assert list(other.uids()) == [1]
    other.change_flags([1], FlagChange.ADD, int(Flag.DELETED))
    other.expunge()
    shutil.copy(root(tmp_path) / "cur" / name, root(tmp_path) / ".Other" / "cur" / name)
    other.refresh()
    assert list(other.uids()) == [2]  # a uid that was is not given again


def test_a_claimed_uid_far_away_is_not_believed(tmp_path: Path) -> None:
    store = stores(tmp_path)
    inbox = store(ANN).open("INBOX")
    inbox.append(message("a"))
    tag = inbox.mailbox_id
    for uid in ("4294967295", "99999999999999999", "0", "77"):
        (root(tmp_path) / "cur" / f"1.x{uid}.{tag}.aaaaaaaaaaaaaaaaaaaaaaaaaa,S=1,U={uid}:2,").write_bytes(b"x")
    inbox.refresh()
    assert list(inbox.uids()) == [1, 2, 3, 4, 5]
    store.rebuild(ANN)
    assert list(store(ANN).open("INBOX").uids()) == [1, 2, 3, 4, 5]


def test_what_is_no_message_is_left_alone(tmp_path: Path) -> None:
    store = stores(tmp_path)
    inbox = store(ANN).open("INBOX")
    for directory in ("cur", "new"):
        place = root(tmp_path) / directory
        (place / "link:2,").symlink_to("/etc/passwd")
        os.mkfifo(place / "fifo:2,")
        (place / "directory:2,").mkdir()
        (place / "empty:2,S").write_bytes(b"")
        (place / "no colon").write_bytes(b"x")
        (place / ".hidden").write_bytes(b"x")
        (place / "a,U=9999999999999999999999,S=x:2,!?").write_bytes(b"y")
        (place / os.fsdecode(b"\xff\xfe")).write_bytes(b"z")
    inbox.refresh()
    inbox.refresh()
    assert inbox.state().messages == 8
    assert len(store.check(ANN)) >= 3
    assert not any("passwd" in str(inbox.read(uid)) for uid in inbox.uids())


def test_a_message_swapped_for_a_link_or_gone(tmp_path: Path) -> None:
    inbox = stores(tmp_path)(ANN).open("INBOX")
    inbox.append(message("a"))
    inbox.append(message("b"))
    first, second = cur(tmp_path)
    (root(tmp_path) / "cur" / first).unlink()
    (root(tmp_path) / "cur" / first).symlink_to("/etc/passwd")
    (root(tmp_path) / "cur" / second).unlink()
    results = set()
    for uid in (1, 2):
        with pytest.raises((StorageFailed, MessageGone)) as caught:
            inbox.read(uid)
        results.add(caught.type)
    assert results == {StorageFailed, MessageGone}


def test_our_own_changes_need_no_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = stores(tmp_path)(ANN)
    account.create("Other")
    inbox, other = account.open("INBOX"), account.open("Other")
    inbox.append(message("a"))
    inbox.refresh()
    monkeypatch.setattr(scan, "take_in", lambda *_: pytest.fail("looked at the Maildir"))
    for letter in "bcd":
        inbox.append(message(letter))
        inbox.refresh()
    inbox.change_flags([1, 2], FlagChange.ADD, int(Flag.DELETED))
    inbox.refresh()
    inbox.copy([1, 2], "Other")
    inbox.move([3], "Other")
    inbox.expunge()
    for mailbox in (inbox, other):
        mailbox.refresh()
    assert inbox.state().messages == 1 and other.state().messages == 3


def test_a_change_by_others_is_not_hidden_by_ours(tmp_path: Path) -> None:
    """Even within one tick of the clock that stamps directories."""
    inbox = stores(tmp_path)(ANN).open("INBOX")
    inbox.append(message("first"))
    for round_ in range(30):
        name = cur(tmp_path)[0]
        base, _, letters = name.partition(":2,")
        os.rename(root(tmp_path) / "cur" / name, root(tmp_path) / "cur" / f"{base}:2,{'' if letters else 'S'}")
        inbox.append(message(str(round_)))
        inbox.refresh()
        assert [bool(row.flags & Flag.SEEN) for row in inbox.rows([1])] == [not letters]


@pytest.mark.parametrize("damage", ["deleted", "random", "truncated", "other", "page"])
def test_a_broken_index_is_made_anew(tmp_path: Path, damage: str) -> None:
    store = stores(tmp_path)
    store.create_account(ANN)
    account = store(ANN)
    inbox = account.open("INBOX")
    for number in range(50):
        inbox.append(message(str(number)), number % 32, [f"k{number % 3}"] if number % 2 else [])
    inbox.change_flags([5, 6], FlagChange.ADD, int(Flag.DELETED))
    inbox.expunge([5])
    list(inbox.columns(list(inbox.uids()), [Column.ENVELOPE]))
    before, state = truth(inbox), inbox.state()
    index = root(tmp_path) / "index.sqlite3"
    store.close()
    if damage == "deleted":
        index.unlink()
    elif damage == "random":
        index.write_bytes(os.urandom(20_000))
    elif damage == "truncated":
        os.truncate(index, 5000)
    elif damage == "other":
        index.write_bytes(b"")
    else:
        content = bytearray(index.read_bytes())
        content[4096:] = os.urandom(len(content) - 4096)
        index.write_bytes(content)
    again = stores(tmp_path)(ANN)
    for _ in range(3):
        try:
            mailbox = again.open("INBOX")
            assert truth(mailbox) == before
            break
        except StorageFailed:
            continue
    after = mailbox.state()
    assert numbers(after) == numbers(state)
    assert after.uidnext >= state.uidnext and after.highestmodseq > state.highestmodseq
    assert mailbox.append(message("new")) >= state.uidnext
    assert [row.keywords for row in mailbox.rows([2])] == [{"k1"}]
    assert len(mailbox.changes(state.highestmodseq).rows) == len(before) + 1


def test_an_index_broken_or_lost_while_it_is_open(tmp_path: Path) -> None:
    store = stores(tmp_path)
    inbox = store(ANN).open("INBOX")
    inbox.append(message("a"))
    for suffix in ("", "-wal", "-shm"):
        (root(tmp_path) / f"index.sqlite3{suffix}").unlink(missing_ok=True)
    assert inbox.append(message("b")) >= 2
    assert [content for content, _, _ in truth(inbox).values()] == [message("a"), message("b")]


def test_a_clean_end_keeps_the_numbers_and_an_unclean_one_skips_them(tmp_path: Path) -> None:
    store = stores(tmp_path)
    inbox = store(ANN).open("INBOX")
    inbox.append(message("a"))
    store.close()
    store = stores(tmp_path)
    assert store(ANN).open("INBOX").append(message("b")) == 2
    store._engines[ANN].lock.close()  # as if the process had died: its locks are gone, nothing was said
    second = stores(tmp_path)(ANN).open("INBOX")
    assert list(second.uids()) == [1, 2]
    assert second.append(message("c")) > 2


def test_a_newest_message_expunged_before_a_crash_keeps_its_uid(tmp_path: Path) -> None:
    store = stores(tmp_path)
    inbox = store(ANN).open("INBOX")
    for letter in "abc":
        inbox.append(message(letter), int(Flag.DELETED))
    inbox.expunge([3])
    store._engines[ANN].lock.close()
    for suffix in ("", "-wal", "-shm"):
        (root(tmp_path) / f"index.sqlite3{suffix}").unlink(missing_ok=True)
    again = stores(tmp_path)(ANN).open("INBOX")
    assert list(again.uids()) == [1, 2] and again.append(message("d")) > 3


@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, NoSpace), (errno.EDQUOT, NoSpace), (errno.EIO, StorageFailed)]
)
@pytest.mark.parametrize("call", ["write", "fsync", "rename", "open"])
def test_a_disk_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, error: type[Exception]
) -> None:
    inbox = stores(tmp_path)(ANN).open("INBOX")
    inbox.append(message("before"))
    before, listing = truth(inbox), cur(tmp_path)

    def broken(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, broken)
        with pytest.raises(error):
            inbox.append(message("lost"))
    assert truth(inbox) == before and cur(tmp_path) == listing
    assert os.listdir(root(tmp_path) / "tmp") == []
    assert inbox.append(message("after")) > 1
    assert not stores(tmp_path).check(ANN)


def test_directory_fsync_that_fails_takes_the_message_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = stores(tmp_path)
    inbox = store(ANN).open("INBOX")
    inbox.append(message("before"))
    with monkeypatch.context() as patch:
        patch.setattr(files, "sync_directory", lambda path: (_ for _ in ()).throw(StorageFailed()))
        with pytest.raises(StorageFailed):
            inbox.append(message("lost"))
    inbox.refresh()
    assert len(cur(tmp_path)) == 1 and [m[0] for m in truth(inbox).values()] == [message("before")]
    inbox.append(message("after"))
    assert not store.check(ANN)


def test_check_finds_a_flipped_bit(tmp_path: Path) -> None:
    store = stores(tmp_path)
    inbox = store(ANN).open("INBOX")
    inbox.append(message("a", "x" * 1000))
    assert store.check(ANN) == []
    path = root(tmp_path) / "cur" / cur(tmp_path)[0]
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)
    seen: list[tuple[int, int]] = []
    (problem,) = store.check(ANN, lambda done, total: seen.append((done, total)))
    assert "checksum" in problem and seen == [(1, 1)]
    store.rebuild(ANN)
    assert len(store.check(ANN)) == 1  # the name remembers what was delivered


def test_many_foreign_files_come_in_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "MAX_FILES", 10)
    inbox = stores(tmp_path)(ANN).open("INBOX")
    for number in range(35):
        (root(tmp_path) / "new" / f"{number:03}.x").write_bytes(message(str(number)))
    inbox.refresh()
    assert [inbox.read(uid) for uid in inbox.uids()] == [message(str(number)) for number in range(35)]


def test_two_processes_worth_of_stores(tmp_path: Path) -> None:
    one, two = stores(tmp_path)(ANN).open("INBOX"), stores(tmp_path)(ANN).open("INBOX")
    assert [one.append(message("a")), two.append(message("b")), one.append(message("c"))] == [1, 2, 3]
    assert truth(one) == truth(two)
    two.change_flags([1], FlagChange.ADD, int(Flag.DELETED))
    assert one.expunge() == [1] and list(two.uids()) == [2, 3]


def test_what_others_delivered_is_rendered_afterwards_too(tmp_path: Path) -> None:
    store = stores(tmp_path)
    inbox = store(ANN).open("INBOX")
    while store.catch_up():
        pass
    (root(tmp_path) / "new" / "1.x").write_bytes(b"Subject: x\n\nquicksilver\n")
    inbox.refresh()
    assert store.catch_up()
