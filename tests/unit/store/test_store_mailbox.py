"""One mailbox: append, flags, keywords, copy, move, expunge, changes, columns, recent."""

from __future__ import annotations

import fcntl
import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pymaild.mailstore import (
    Column,
    Flag,
    FlagChange,
    LimitReached,
    MessageGone,
    NoSuchMailbox,
    OverQuota,
    Upload,
)
from tests.storing import ANN, cur, describe, message, root, stores


def test_append_is_byte_exact_and_named_for_what_it_is(tmp_path: Path) -> None:
    inbox = stores(tmp_path)(ANN).open("INBOX")
    content = b"Subject: x\r\n\r\nbare\nlf \x00\xff\r"
    uid = inbox.append(content, int(Flag.SEEN), ["$Junk"], 1_000_000_000)
    assert inbox.read(uid) == content
    (row,) = inbox.rows()
    assert (row.uid, row.flags, row.keywords, row.size) == (1, int(Flag.SEEN), frozenset({"$Junk"}), len(content))
    assert row.internal_date == 1_000_000_000
    (name,) = cur(tmp_path)
    assert f",S={len(content)},U=1:2,Sa" in name
    assert int(os.stat(root(tmp_path) / "cur" / name).st_mtime) == 1_000_000_000
    assert os.listdir(root(tmp_path) / "tmp") == []


def test_append_starts_at_the_current_position_and_deliver_at_the_start(tmp_path: Path) -> None:
    account = stores(tmp_path)(ANN)
    stream = io.BytesIO(b"0123456789")
    stream.seek(5)
    inbox = account.open("INBOX")
    assert inbox.read(inbox.append(stream)) == b"56789"
    assert inbox.read(account.deliver("INBOX", b"trace ", stream)) == b"trace 0123456789"


def test_flags_and_keywords(tmp_path: Path) -> None:
    inbox = stores(tmp_path)(ANN).open("INBOX")
    for number in range(3):
        inbox.append(message(str(number)))
    before = inbox.state().highestmodseq
    changed, refused = inbox.change_flags([1, 3, 99], FlagChange.ADD, int(Flag.SEEN | Flag.DELETED), ["Work"])
    assert [(row.uid, row.flags, row.keywords) for row in changed] == [
        (1, 9, frozenset({"Work"})),
        (3, 9, frozenset({"Work"})),
    ]
    assert not refused and all(row.modseq > before for row in changed)
    state = inbox.state()
    assert (state.unseen, state.deleted, state.first_unseen, state.keywords) == (1, 2, 2, ("Work",))
    changed, _ = inbox.change_flags([1], FlagChange.REMOVE, int(Flag.SEEN), ["WORK", "unknown"])
    assert (changed[0].flags, changed[0].keywords) == (Flag.DELETED, frozenset())
    changed, _ = inbox.change_flags([1], FlagChange.REPLACE, int(Flag.DRAFT), ["b"])
    assert (changed[0].flags, changed[0].keywords) == (int(Flag.DRAFT), frozenset({"b"}))
    assert inbox.state().keywords == ("Work", "b")


def test_unchanged_since(tmp_path: Path) -> None:
    inbox = stores(tmp_path)(ANN).open("INBOX")
    inbox.append(message("a"))
    inbox.append(message("b"))
    since = inbox.state().highestmodseq
    inbox.change_flags([2], FlagChange.ADD, int(Flag.SEEN))
    changed, refused = inbox.change_flags([1, 2], FlagChange.ADD, int(Flag.FLAGGED), (), since)
    assert [row.uid for row in changed] == [1] and refused == [2]


def test_no_change_costs_no_modseq(tmp_path: Path) -> None:
    inbox = stores(tmp_path)(ANN).open("INBOX")
    inbox.append(message("a"), int(Flag.SEEN))
    before = inbox.state().highestmodseq
    changed, _ = inbox.change_flags([1], FlagChange.ADD, int(Flag.SEEN))
    assert [row.uid for row in changed] == [1]
    assert inbox.state().highestmodseq == before


def test_the_27th_keyword(tmp_path: Path) -> None:
    inbox = stores(tmp_path)(ANN).open("INBOX")
    inbox.append(message("a"), 0, [f"k{number}" for number in range(26)])
    assert inbox.state().keywords_full
    with pytest.raises(LimitReached):
        inbox.append(message("b"), 0, ["k26"])
    assert len(cur(tmp_path)) == 1 and not os.listdir(root(tmp_path) / "tmp")
    inbox.change_flags([1], FlagChange.REMOVE, 0, ["k7"])  # nobody carries k7 now: its letter can be given away
    uid = inbox.append(message("b"), 0, ["k26"])
    assert [row.keywords for row in inbox.rows([uid])] == [{"k26"}]
    assert "k7" not in next(inbox.rows([1])).keywords


def test_copy_is_a_link_and_carries_everything(tmp_path: Path) -> None:
    account = stores(tmp_path)(ANN)
    account.create("Other")
    inbox, other = account.open("INBOX"), account.open("Other")
    other.append(message("first"), 0, ["Second", "Work"])
    inbox.append(message("a"), int(Flag.FLAGGED), ["Work"], 1_234_567_890)
    validity, pairs = inbox.copy([1, 42], "Other")
    assert (validity, pairs) == (other.state().uidvalidity, [(1, 2)])
    (row,) = other.rows([2])
    assert (row.flags, row.keywords, row.internal_date) == (int(Flag.FLAGGED), frozenset({"Work"}), 1_234_567_890)
    assert other.read(2) == inbox.read(1)
    assert os.stat(root(tmp_path) / "cur" / cur(tmp_path)[0]).st_nlink == 2
    with pytest.raises(NoSuchMailbox):
        inbox.copy([1], "Nowhere")


def test_move_and_changes(tmp_path: Path) -> None:
    account = stores(tmp_path)(ANN)
    account.create("Other")
    inbox, other = account.open("INBOX"), account.open("Other")
    for letter in "abc":
        inbox.append(message(letter))
    since, content = inbox.state().highestmodseq, inbox.read(2)
    assert inbox.move([2], "Other")[1] == [(2, 1)]
    assert other.read(1) == content
    with pytest.raises(MessageGone):
        inbox.read(2)
    changes = inbox.changes(since)
    assert changes.vanished == [2] and not changes.rows and list(inbox.uids()) == [1, 3]
    assert inbox.move([3], "INBOX")[1] == [(3, 4)]  # into itself: a new uid, once
    assert list(inbox.uids()) == [1, 4] and len(cur(tmp_path)) == 2


def test_expunge(tmp_path: Path) -> None:
    inbox = stores(tmp_path)(ANN).open("INBOX")
    for letter in "abcd":
        inbox.append(message(letter))
    inbox.change_flags([1, 2, 3], FlagChange.ADD, int(Flag.DELETED))
    assert inbox.expunge([2, 4]) == [2]
    assert inbox.expunge() == [1, 3]
    assert list(inbox.uids()) == [4] and len(cur(tmp_path)) == 1
    assert inbox.append(message("e")) == 5
    state = inbox.state()
    assert (state.messages, state.deleted, state.size) == (2, 0, 2 * len(message("a")))


def test_recent_is_claimed_once(tmp_path: Path) -> None:
    account = stores(tmp_path)(ANN)
    first, second = account.open("INBOX"), account.open("INBOX")
    first.append(message("a"))
    assert first.state().recent == 1
    assert first.claim_recent() == range(1, 2)
    assert second.claim_recent() == range(2, 2)
    first.append(message("b"))
    assert (first.state().recent, second.claim_recent(), first.state().recent) == (1, range(2, 3), 0)


def test_columns_are_rendered_once(tmp_path: Path) -> None:
    calls = []
    from pymaild.store import Stores  # noqa: PLC0415

    def counting(content: bytes) -> dict[Column, bytes]:
        calls.append(content)
        return describe(content)

    store = Stores(tmp_path, counting)
    account = store(ANN)
    account.create("Other")
    inbox = account.open("INBOX")
    for letter in "abc":
        inbox.append(message(letter))
    found = list(inbox.columns([3, 1, 77], [Column.PARTS, Column.ENVELOPE]))
    assert [uid for uid, _ in found] == [1, 3]
    assert found[0][1][0].startswith(b"parts:") and found[0][1][1].startswith(b"envelope:")
    assert len(calls) == 2
    while store.catch_up(10):
        pass
    assert len(calls) == 3
    inbox.copy([1, 2, 3], "Other")
    list(account.open("Other").columns([1, 2, 3], [Column.BODY]))
    assert len(calls) == 3


def test_quota_is_exact_under_parallel_deliveries(tmp_path: Path) -> None:
    account = stores(tmp_path, (0, 10))(ANN)
    errors: list[BaseException] = []

    def deliver() -> None:
        try:
            account.deliver("INBOX", b"", io.BytesIO(message("x")))
        except OverQuota as error:
            errors.append(error)

    threads = [threading.Thread(target=deliver) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 6
    assert account.quota().messages == 10 == len(cur(tmp_path))
    assert os.listdir(root(tmp_path) / "tmp") == []


def test_quota_in_octets_holds_for_copies(tmp_path: Path) -> None:
    account = stores(tmp_path, (250, 0))(ANN)
    inbox = account.open("INBOX")
    inbox.append(b"x" * 100)
    inbox.copy([1], "INBOX")
    with pytest.raises(OverQuota):
        inbox.copy([1], "INBOX")
    assert account.quota().octets == 200 and len(cur(tmp_path)) == 2
    assert inbox.append(b"y" * 50) == 3


def test_parallel_deliveries_are_all_there_once(tmp_path: Path) -> None:
    account = stores(tmp_path)(ANN)
    uids: list[int] = []
    seen: list[int] = []

    def deliver(number: int) -> None:
        for count in range(20):
            uids.append(account.deliver("INBOX", b"", io.BytesIO(message(f"{number}-{count}"))))

    def watch() -> None:  # uids become visible in their order
        inbox = account.open("INBOX")
        while len(uids) < 80:
            now = list(inbox.uids())
            assert now[: len(seen)] == seen
            seen[:] = now

    threads = [threading.Thread(target=deliver, args=(number,)) for number in range(4)]
    watcher = threading.Thread(target=watch)
    for thread in [*threads, watcher]:
        thread.start()
    for thread in [*threads, watcher]:
        thread.join()
    assert sorted(uids) == list(range(1, 81))
    inbox = account.open("INBOX")
    assert len({inbox.read(uid) for uid in uids}) == 80 and list(inbox.uids()) == sorted(uids)


def test_several_messages_come_together_or_not_at_all(tmp_path: Path) -> None:
    store = stores(tmp_path, quota=(150, 0))
    inbox = store(ANN).open("INBOX")
    assert inbox.append_all([Upload(message("a"), int(Flag.SEEN)), Upload(message("b"), 0, ("Work",), 1_000_000_000)]) == [
        1,
        2,
    ]
    assert [(row.flags, row.keywords) for row in inbox.rows()] == [(1, frozenset()), (0, frozenset({"Work"}))]
    before = cur(tmp_path)
    with pytest.raises(OverQuota):
        inbox.append_all([Upload(message("c")), Upload(message("d"))])
    assert cur(tmp_path) == before and os.listdir(root(tmp_path) / "tmp") == []
    assert inbox.append(message("e")) == 3
    store.rebuild(ANN)
    assert [row.uid for row in inbox.rows()] == [1, 2, 3]


def test_a_replacement_is_one_step(tmp_path: Path) -> None:
    store = stores(tmp_path, quota=(0, 2))
    account = store(ANN)
    account.create("Drafts")
    inbox, drafts = account.open("INBOX"), account.open("Drafts")
    inbox.append_all([Upload(message("a")), Upload(message("b"))])
    assert inbox.replace(1, Upload(message("new"), int(Flag.DRAFT)), "Drafts") == 1
    assert [row.uid for row in inbox.rows()] == [2]
    assert drafts.read(1) == message("new")
    assert inbox.changes(0).vanished == [1]
    with pytest.raises(MessageGone):
        inbox.replace(1, Upload(message("again")), "INBOX")
    with pytest.raises(NoSuchMailbox):
        inbox.replace(2, Upload(message("again")), "Nowhere")
    assert [row.uid for row in inbox.rows()] == [2] and len(cur(tmp_path)) == 1
    assert os.listdir(root(tmp_path) / "tmp") == []


def test_a_keyword_of_the_same_command_keeps_its_letter(tmp_path: Path) -> None:
    inbox = stores(tmp_path)(ANN).open("INBOX")
    inbox.append(message("a"))
    with pytest.raises(LimitReached):
        inbox.change_flags([1], FlagChange.ADD, 0, [f"word{number}" for number in range(27)])


def test_one_process_at_a_time_does_what_can_wait(tmp_path: Path) -> None:
    first, second = stores(tmp_path), stores(tmp_path)
    for store in (first, second):
        store(ANN).open("INBOX")
    first(ANN).open("INBOX").append(message("x"))
    second(ANN).open("INBOX").append(message("y"))
    with open_directory(first.directory(ANN)) as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert [second.catch_up(), second.catch_up()] == [1, 1]  # there may be more: it comes back
    while second.catch_up():
        pass
    assert first.catch_up() and not first.catch_up()
    engine = second._engine(ANN)
    assert engine.read(lambda db: db.execute("SELECT count(*), max(text) FROM text_of").fetchone()) == (2, 2)


@contextmanager
def open_directory(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_RDONLY)
    try:
        yield handle
    finally:
        os.close(handle)
