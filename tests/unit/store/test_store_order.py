"""The order of the durability contract: what is flushed when, and that flushes of messages run side by side (D1, D6)."""

from __future__ import annotations

import io
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pymaild.mailstore import Flag, FlagChange, Mailbox, Upload
from pymaild.store import files
from tests.storing import ANN, message, root, stores


class Recorder:
    """The calls that matter, in their order, as short words."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        self.patch = patch
        for name in ("fsync", "rename", "unlink", "link"):
            self.watch(name)
        connect = sqlite3.connect
        patch.setattr(sqlite3, "connect", lambda *args, **options: connect(*args, factory=self.connection(), **options))

    def watch(self, name: str) -> None:
        call = getattr(os, name)

        def recorded(*args: Any, **options: Any) -> Any:
            target = args[-1] if name in {"rename", "link"} else args[0]
            path = os.readlink(f"/proc/self/fd/{target}") if isinstance(target, int) else str(target)
            if "dst_dir_fd" in options:
                path = os.path.join(os.readlink(f"/proc/self/fd/{options['dst_dir_fd']}"), path)
            self.calls.append(f"{name} {short(path)}")
            return call(*args, **options)

        self.patch.setattr(os, name, recorded)

    def connection(self) -> type[sqlite3.Connection]:
        calls = self.calls

        class Recorded(sqlite3.Connection):
            def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
                if sql == "COMMIT":
                    calls.append("commit")
                return super().execute(sql, *args)

        return Recorded

    def during(self, action: Callable[[], object]) -> list[str]:
        self.calls.clear()
        action()
        return list(self.calls)


def short(path: str) -> str:
    """The file's place: tmp/*, cur/*, cur, pymaild-mailbox."""
    parent, name = os.path.split(path)
    place = os.path.basename(parent)
    if place in {"tmp", "cur", "new"}:
        return f"{place}/*"
    return next((known for known in ("pymaild-mailbox", "pymaild-journal") if name.startswith(known)), name)


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return Recorder(monkeypatch)


@pytest.fixture
def inbox(tmp_path: Path, recorder: Recorder) -> Mailbox:
    account = stores(tmp_path)(ANN)
    account.create("Other")
    mailbox = account.open("INBOX")
    for letter in "abc":
        mailbox.append(message(letter))
    mailbox.copy([1], "Other")
    return mailbox


def changing(calls: list[str]) -> list[str]:
    """Without the commits of readers, which come before and after."""
    while calls and calls[0] == "commit":
        calls.pop(0)
    while len(calls) > 1 and calls[-1] == calls[-2] == "commit":
        calls.pop()
    return calls


def test_append(recorder: Recorder, inbox: Mailbox) -> None:
    calls = recorder.during(lambda: inbox.append(message("d")))
    assert changing(calls) == ["fsync tmp/*", "rename cur/*", "fsync cur", "commit"]


def test_a_new_block_of_uids_is_durable_before_the_first_is_used(recorder: Recorder, tmp_path: Path) -> None:
    mailbox = stores(tmp_path)(ANN).open("INBOX")
    calls = recorder.during(lambda: mailbox.append(message("first")))
    reserved = [place for place, call in enumerate(calls) if "pymaild-mailbox" in call]
    assert calls[reserved[0]].startswith("fsync") and calls[reserved[-1]].startswith("rename")
    assert calls[reserved[-1] + 1].startswith("fsync ")  # the folder that holds it
    assert reserved[-1] + 1 < calls.index("rename cur/*")


def test_flags(recorder: Recorder, inbox: Mailbox) -> None:
    calls = recorder.during(lambda: inbox.change_flags([1, 2], FlagChange.ADD, int(Flag.SEEN)))
    assert changing(calls) == ["rename cur/*", "rename cur/*", "fsync cur", "commit"]


BEGIN = ["fsync pymaild-journal", "rename pymaild-journal", "fsync ann"]  # the journal of what is all or nothing
END = ["unlink pymaild-journal", "fsync ann"]


def test_several_messages_that_come_together(recorder: Recorder, inbox: Mailbox) -> None:
    calls = recorder.during(lambda: inbox.append_all([Upload(message("d")), Upload(message("e"))]))
    written, placed = ["fsync tmp/*"] * 2, ["rename cur/*"] * 2
    assert changing(calls) == [*written, *BEGIN, *placed, "fsync cur", *END, "commit"]


def test_replace_removes_the_old_message_after_the_commit(recorder: Recorder, inbox: Mailbox) -> None:
    calls = recorder.during(lambda: inbox.replace(1, Upload(message("d")), "INBOX"))
    assert changing(calls) == ["fsync tmp/*", "rename cur/*", "fsync cur", "commit", "unlink cur/*", "fsync cur"]


def test_copy_and_move(recorder: Recorder, inbox: Mailbox) -> None:
    assert changing(recorder.during(lambda: inbox.copy([1], "Other"))) == ["link cur/*", "fsync cur", "commit"]
    calls = recorder.during(lambda: inbox.copy([1, 2], "Other"))
    assert changing(calls) == [*BEGIN, "link cur/*", "link cur/*", "fsync cur", *END, "commit"]
    calls = recorder.during(lambda: inbox.move([1, 2], "Other"))
    assert changing(calls) == ["rename cur/*", "rename cur/*", "fsync cur", "fsync cur", "commit"]


def test_expunge_removes_after_the_commit_that_says_so(recorder: Recorder, inbox: Mailbox) -> None:
    inbox.change_flags([1, 2], FlagChange.ADD, int(Flag.DELETED))
    calls = recorder.during(inbox.expunge)
    assert changing(calls) == ["fsync cur", "commit", "unlink cur/*", "unlink cur/*", "fsync cur"]


def test_files_of_other_programs_are_flushed_before_they_get_uids(
    recorder: Recorder, inbox: Mailbox, tmp_path: Path
) -> None:
    count = 20
    for number in range(count):
        (root(tmp_path) / "new" / f"{number}.x").write_bytes(message(f"foreign {number}"))
    calls = recorder.during(inbox.refresh)
    assert changing(calls) == ["fsync new/*"] * count + ["rename cur/*"] * count + ["fsync cur", "commit"]
    texts = [inbox.read(uid) for uid in inbox.uids()[-count:]]
    assert texts == sorted(message(f"foreign {number}") for number in range(count))


def test_a_file_that_another_program_renames_meanwhile_is_met_again(
    inbox: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new, flush = root(tmp_path) / "new", files.flush
    for name in ("1.x", "2.x"):
        (new / name).write_bytes(message(name))

    def moving(path: str) -> None:
        flush(path)
        if path.endswith("1.x"):
            os.rename(path, root(tmp_path) / "cur" / "1.x:2,S")

    monkeypatch.setattr(files, "flush", moving)
    inbox.refresh()
    monkeypatch.undo()
    inbox.refresh()
    assert sorted(inbox.read(uid) for uid in inbox.uids()[-2:]) == [message("1.x"), message("2.x")]


def test_a_tree_is_renamed_under_a_journal(recorder: Recorder, tmp_path: Path, inbox: Mailbox) -> None:
    account = stores(tmp_path)(ANN)
    account.create("Tree/Below")
    calls = changing(recorder.during(lambda: account.rename("Tree", "Wood")))
    assert [call for call in calls if not call.startswith("fsync .")][-len(END) - 1 :] == [*END, "commit"]
    assert calls.index(BEGIN[1]) < calls.index("rename .Wood") < calls.index("rename .Wood.Below") < calls.index(END[0])


def test_messages_are_flushed_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four deliveries are all inside fsync at one time; one that waited for another would never let the barrier go."""
    account = stores(tmp_path)(ANN)
    account.deliver("INBOX", b"", io.BytesIO(message("first")))
    barrier, fsync = threading.Barrier(4, timeout=30), os.fsync

    def together(handle: int) -> None:
        if "/tmp/" in os.readlink(f"/proc/self/fd/{handle}").replace(str(tmp_path), ""):
            barrier.wait()
        fsync(handle)

    monkeypatch.setattr(os, "fsync", together)
    threads = [
        threading.Thread(target=account.deliver, args=("INBOX", b"", io.BytesIO(message(str(number)))))
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert account.open("INBOX").state().messages == 5


def test_deliveries_that_wait_together_share_one_flush_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = stores(tmp_path)
    account = store(ANN)
    account.deliver("INBOX", b"", io.BytesIO(message("first")))
    flushed: list[str] = []
    fsync = os.fsync

    def counted(handle: int) -> None:
        flushed.append(short(os.readlink(f"/proc/self/fd/{handle}")))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", counted)
    engine = store._engines[ANN]
    engine.turn.acquire()  # somebody is entering: the others come to wait
    threads = [
        threading.Thread(target=account.deliver, args=("INBOX", b"", io.BytesIO(message(str(number)))))
        for number in range(5)
    ]
    for thread in threads:
        thread.start()
    while len(engine.waiting) < 5:
        pass
    engine.turn.release()
    for thread in threads:
        thread.join()
    assert flushed.count("tmp/*") == 5 and flushed.count("cur") == 1
