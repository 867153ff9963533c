"""A process that dies at any system call of an operation: nothing acknowledged is lost, doubled or renumbered (D2, D3).

The operation runs in a child whose calls that change files, and whose commits, are counted; the child exits without a
word at the first, then at the second, and so on until it gets to the end. Each time the store is opened again by the next
process, as it is and with its index lost, and held against what was there before and what would have been there after.
"""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pymaild.mailstore import AccountStore, Flag, FlagChange, Upload
from pymaild.store import scan
from tests.storing import ANN, memory, message, root, stores, truth

CALLS = ["open", "write", "fsync", "rename", "replace", "link", "unlink", "utime", "mkdir", "pwrite"]
All = dict[str, dict[int, tuple[bytes, int, frozenset[str]]]]
Operation = Callable[[AccountStore, Path], object]


class Fuse:
    """Counts calls, and burns through at the chosen one."""

    def __init__(self, limit: int) -> None:
        self.left = limit

    def step(self) -> None:
        self.left -= 1
        if self.left == 0:
            os._exit(9)

    def arm(self) -> None:
        for name in CALLS:
            setattr(os, name, self.wrapped(getattr(os, name)))

    def wrapped(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **options: Any) -> Any:
            self.step()
            return call(*args, **options)

        return counted

    def connection(self) -> type[sqlite3.Connection]:
        fuse = self

        class Dying(sqlite3.Connection):
            def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
                if sql not in {"COMMIT", "BEGIN IMMEDIATE"}:
                    return super().execute(sql, *args)
                fuse.step()
                cursor = super().execute(sql, *args)
                fuse.step()
                return cursor

        return Dying


def prepare(directory: Path) -> None:
    """A few messages, two of them deleted, one with a keyword; closed cleanly."""
    store = stores(directory)
    account = store(ANN)
    for name in ("Other", "Tree/Below", "Tree/Beside"):
        account.create(name)
    inbox = account.open("INBOX")
    for number in range(4):
        inbox.append(message(f"inbox {number}"), int(Flag.DELETED) if number > 1 else 0, ["Work"] if number == 1 else [])
    account.open("Other").append(message("other"))
    account.open("Tree/Below").append(message("below"))
    store.close()


def snapshot(account: AccountStore) -> All:
    found: All = {}
    for info in account.mailboxes():
        if info.selectable:
            found[info.name] = truth(account.open(info.name))
    return found


def rename_flags(account: AccountStore, directory: Path) -> None:
    cur = root(directory) / "cur"
    path = sorted(cur.iterdir())[0]
    path.rename(path.with_name(path.name + "F"))
    account.open("INBOX")


def take_in(account: AccountStore, directory: Path) -> None:
    account.open("INBOX")


def take_in_side_by_side(account: AccountStore, directory: Path) -> None:
    """As when there are many files: flushed by several threads. Only the child that dies sees the change."""
    scan._FEW = 0
    account.open("INBOX")


ALL_OR_NONE = {"append all", "copy", "rename"}  # each changes several files, and is seen whole or not at all

OPERATIONS: dict[str, Operation] = {
    "deliver": lambda account, _: account.deliver("INBOX", b"trace: x\r\n", io.BytesIO(message("new"))),
    "append": lambda account, _: account.open("Other").append(message("new"), 1, ["Fresh"], 1_000_000_000),
    "append all": lambda account, _: account.open("Other").append_all(
        [Upload(message(f"new {part}")) for part in range(3)]
    ),
    "replace": lambda account, _: account.open("INBOX").replace(2, Upload(message("new"), 1, ("Fresh",)), "Other"),
    "flags": lambda account, _: account.open("INBOX").change_flags([1, 2, 3], FlagChange.ADD, int(Flag.SEEN), ["Fresh"]),
    "copy": lambda account, _: account.open("INBOX").copy([1, 2, 3], "Other"),
    "move": lambda account, _: account.open("INBOX").move([1, 2, 3], "Other"),
    "expunge": lambda account, _: account.open("INBOX").expunge(),
    "create": lambda account, _: account.create("New/Level"),
    "delete": lambda account, _: account.delete("Other"),
    "rename": lambda account, _: account.rename("Tree", "Wood"),
    "rename INBOX": lambda account, _: account.rename("INBOX", "Old"),
    "outside": rename_flags,
    "take in": take_in,
    "take in side by side": take_in_side_by_side,
}


def run(directory: Path, operation: Operation, limit: int) -> bool:
    """Whether the child got to the end of the operation before its fuse burnt."""
    child = os.fork()
    if child == 0:
        try:
            fuse = Fuse(limit)
            connect = sqlite3.connect
            sqlite3.connect = partial(connect, factory=fuse.connection())  # type: ignore[assignment]
            account = stores(directory)(ANN)
            fuse.arm()
            operation(account, directory)
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in {0, 9}, "the operation failed in another way"
    return status == 0


def contents(found: All) -> Counter[bytes]:
    return Counter(content for messages in found.values() for content, _, _ in messages.values())


def verify(before: All, after: All, now: All) -> None:
    """Each message as it was or as it would have been; none lost, none doubled, none under another's number."""
    assert contents(before) & contents(after) <= contents(now) <= contents(before) | contents(after)
    for name, messages in now.items():
        old, new = before.get(name, {}), after.get(name, {})
        for uid, kept in messages.items():
            known = [place[uid] for place in (old, new) if uid in place]
            if known:
                assert kept[0] in {content for content, _, _ in known}
                assert kept in known or kept[2] | known[0][2] == known[-1][2]  # flags change in one step
            else:
                assert uid > max(old, default=0), "a recovered message must come at the end"
        assert {uid for uid in old.keys() & new.keys() if uid <= 4} <= messages.keys()


def verify_whole(name: str, before: All, after: All, now: All) -> None:
    """What makes one change of several files is done or not; REPLACE has the old, the new or both, never neither."""

    def boxes(found: All) -> dict[str, Counter[bytes]]:
        return {mailbox: contents({mailbox: messages}) for mailbox, messages in found.items()}

    if name in ALL_OR_NONE:
        assert boxes(now) in (boxes(before), boxes(after))
    if name == "replace":
        assert boxes(now) in (boxes(before), boxes(after)) or contents(now) == contents(before) | contents(after)


def reopen(directory: Path, before: All, after: All, lost: bool) -> All:
    if lost:
        for suffix in ("", "-wal", "-shm"):
            (root(directory) / f"index.sqlite3{suffix}").unlink(missing_ok=True)
    store = stores(directory)
    account = store(ANN)
    now = snapshot(account)
    verify(before, after, now)
    assert store.check(ANN) == []
    for name in now:
        known = [*now[name], *before.get(name, {})]
        assert account.open(name).append(message("next")) > max(known, default=0)
    store.close()
    return now


QUICK = {"deliver", "flags", "expunge"}  # the others die as often, and take as long


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in OPERATIONS]
)
def test_death_at_every_call(name: str) -> None:
    with tempfile.TemporaryDirectory(dir=memory()) as directory:
        die_everywhere(Path(directory), name)


def die_everywhere(tmp_path: Path, name: str) -> None:
    origin, operation = tmp_path / "origin", OPERATIONS[name]
    prepare(origin)
    if name.startswith("take in"):
        (root(origin) / "new" / "1.x").write_bytes(message("crlf"))
        (root(origin) / "new" / "2.x").write_bytes(b"Subject: lf\n\nlf\n")
        (root(origin) / "cur" / "3.x:2,S").write_bytes(message("foreign"))
    before = reopen_plain(copied(origin, tmp_path / "before"))
    done = copied(origin, tmp_path / "after")
    assert run(done, operation, 1_000_000)
    after = reopen_plain(done)
    if name.startswith(
        "take in"
    ):  # those files are the truth before any uid is theirs: they are taken in, now or at the next look
        assert contents(before) == contents(after) and len(before["INBOX"]) == 7
    limit = 1
    while True:
        directory = copied(origin, tmp_path / f"at{limit}")
        finished = run(directory, operation, limit)
        again = copied(directory, tmp_path / f"lost{limit}")
        for place, lost in ((directory, False), (again, True)):
            verify_whole(name, before, after, reopen(place, before, after, lost))
        shutil.rmtree(directory)
        shutil.rmtree(again)
        if finished:
            break
        limit += 1
    assert limit > 4


def reopen_plain(directory: Path) -> All:
    store = stores(directory)
    found = snapshot(store(ANN))
    store.close()
    return found


def copied(source: Path, target: Path) -> Path:
    """A copy with the directories' own times, which tell the store whether somebody was there."""
    shutil.copytree(source, target)
    return target
