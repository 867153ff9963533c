"""What changes(since) says after a crash, a power cut and a rebuild: everything a client has to know, and little more."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pymaild.mailstore import Column, Flag, FlagChange, Mailbox
from pymaild.store import Stores, engine, index, recover
from tests.storing import ANN, describe, message, root, stores

INDEX = ("index.sqlite3", "index.sqlite3-wal", "index.sqlite3-shm")


def opened(directory: Path, count: int = 0) -> tuple[Stores, Mailbox]:
    store = stores(directory)
    inbox = store(ANN).open("INBOX")
    for number in range(count):
        inbox.append(message(str(number)))
    return store, inbox


def die(store: Stores) -> None:
    """The process ends without a word: the kernel gives its locks back."""
    for each in store._engines.values():
        each.lock.close()


def test_after_kill_only_the_difference_and_numbers_never_given_out(tmp_path: Path) -> None:
    store, inbox = opened(tmp_path, 5)
    synced = inbox.state().highestmodseq
    inbox.change_flags([2, 4], FlagChange.ADD, int(Flag.SEEN | Flag.DELETED))
    inbox.expunge([4])
    last = inbox.state()
    die(store)
    _, again = opened(tmp_path)
    changes = again.changes(synced)
    assert [row.uid for row in changes.rows] == [2]
    assert [uid for uid in changes.vanished if uid < last.uidnext] == [4]
    assert changes.highestmodseq >= last.highestmodseq and again.state().uidvalidity == last.uidvalidity
    assert list(again.changes(changes.highestmodseq).rows) == [] == again.changes(changes.highestmodseq).vanished


@pytest.mark.parametrize("cut", [True, False])
def test_a_flag_set_and_taken_back_in_what_a_power_cut_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: bool
) -> None:
    """The index is as it was before both changes, and so are the files; a client saw the time between."""
    store, inbox = opened(tmp_path, 3)
    for name in INDEX:
        shutil.copy(root(tmp_path) / name, tmp_path / name)
    inbox.change_flags([2], FlagChange.ADD, int(Flag.SEEN))
    synced = inbox.state().highestmodseq
    inbox.change_flags([2], FlagChange.REMOVE, int(Flag.SEEN))
    die(store)
    for name in INDEX:
        (root(tmp_path) / name).unlink()
        shutil.copy(tmp_path / name, root(tmp_path) / name)
    boot = engine.this_boot()
    monkeypatch.setattr(engine, "this_boot", lambda: boot + cut)
    changes = opened(tmp_path)[1].changes(synced)
    told = {row.uid: row.flags for row in changes.rows}
    assert told.get(2) == (0 if cut else None)  # without a power cut no index loses what was committed


def test_a_message_that_came_and_went_in_what_a_power_cut_took(tmp_path: Path) -> None:
    store, inbox = opened(tmp_path, 3)
    for name in INDEX:
        shutil.copy(root(tmp_path) / name, tmp_path / name)
    uid = inbox.append(message("short life"), int(Flag.DELETED))
    synced = inbox.state().highestmodseq
    inbox.expunge([uid])
    die(store)
    for name in INDEX:
        (root(tmp_path) / name).unlink()
        shutil.copy(tmp_path / name, root(tmp_path) / name)
    changes = opened(tmp_path)[1].changes(synced)
    assert uid in changes.vanished and not {1, 2, 3} & set(changes.vanished)


def test_after_a_rebuild_every_flag_and_every_missing_number(tmp_path: Path) -> None:
    store, inbox = opened(tmp_path, 5)
    inbox.change_flags([4], FlagChange.ADD, int(Flag.DELETED))
    inbox.expunge()
    before = inbox.state()
    store.rebuild(ANN)
    changes = store(ANN).open("INBOX").changes(before.highestmodseq)
    assert [row.uid for row in changes.rows] == [1, 2, 3, 5]
    assert [uid for uid in changes.vanished if uid < before.uidnext] == [4]
    assert changes.highestmodseq > before.highestmodseq


def test_a_mailbox_removed_while_others_are_rendered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, inbox = opened(tmp_path, 3)
    account = store(ANN)
    account.create("A")
    account.open("A").append(message("short life"))
    (each,) = store._engines.values()
    listed = each.read(index.boxes)
    account.delete("A")
    monkeypatch.setattr(index, "boxes", lambda db: listed)
    assert recover.catch_up(each, describe, 10) == 3
    assert [uid for uid, _ in inbox.columns([1, 2, 3], [Column.SUMMARY])] == [1, 2, 3]
