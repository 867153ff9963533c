"""The feed: who is woken when a mailbox changes, here and in other processes."""

from __future__ import annotations

import os
import queue
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pymaild.mailstore import Flag, FlagChange
from pymaild.store import Stores
from pymaild.store.changes import Feed
from tests.storing import ANN, describe, message


@pytest.fixture
def feeds(tmp_path: Path) -> Iterator[Callable[[], Feed]]:
    made: list[Feed] = []

    def make() -> Feed:
        made.append(Feed(tmp_path / "run"))
        return made[-1]

    yield make
    for feed in made:
        feed.close()


def test_a_subscriber_is_woken_until_it_ends(feeds: Callable[[], Feed]) -> None:
    feed, woken = feeds(), []
    end = feed.subscribe(ANN, "INBOX", lambda: woken.append(1))
    feed.publish(ANN, "Sent")
    feed.publish("bob@example.org", "INBOX")
    assert woken == []
    feed.publish(ANN, "INBOX")
    end()
    end()
    feed.publish(ANN, "INBOX")
    assert woken == [1]


def test_another_process_is_woken(feeds: Callable[[], Feed]) -> None:
    here, there, woken = feeds(), feeds(), threading.Event()
    here.subscribe(ANN, "Entwürfe", woken.set)
    there.publish(ANN, "Entwürfe")  # a process that only tells
    assert woken.wait(5)


def test_after_a_fork_the_child_has_a_socket_of_its_own(feeds: Callable[[], Feed], tmp_path: Path) -> None:
    feed, woken = feeds(), threading.Event()
    feed.subscribe(ANN, "INBOX", woken.set)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            heard = threading.Event()
            feed.subscribe(ANN, "Sent", heard.set)
            feed.publish(ANN, "INBOX")
            os.write(writing, b"!" if woken.is_set() else b".")  # the parent's subscribers are not the child's
            os._exit(0 if heard.wait(10) else 3)
        finally:
            os._exit(4)
    assert os.read(reading, 1) == b"."
    assert woken.wait(5)
    deadline = time.monotonic() + 10
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        feed.publish(ANN, "Sent")
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_dead_process_leaves_nothing(feeds: Callable[[], Feed], tmp_path: Path) -> None:
    feed = feeds()
    feed.start()
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    dead.bind(str(tmp_path / "run" / "1-dead.feed"))
    dead.close()
    feed.publish(ANN, "INBOX")
    assert [name for name in os.listdir(tmp_path / "run") if "dead" in name] == []


def test_a_full_queue_neither_waits_nor_loses_the_wake(feeds: Callable[[], Feed], tmp_path: Path) -> None:
    feed = feeds()
    feed.start()
    slow = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    slow.bind(str(tmp_path / "run" / "1-slow.feed"))
    slow.settimeout(5)
    started = time.monotonic()
    for number in range(2000):
        feed.publish(ANN, f"mailbox {number}")
    assert time.monotonic() - started < 5
    heard: set[bytes] = set()
    while len(heard) < 2000:
        heard.add(slow.recv(4096))
    slow.close()


def test_a_missing_directory_fails_no_delivery(tmp_path: Path) -> None:
    Feed(tmp_path / "nowhere").publish(ANN, "INBOX")


def test_a_long_path(tmp_path: Path) -> None:
    directory = tmp_path / ("x" * 100)
    one, two, woken = Feed(directory), Feed(directory), threading.Event()
    one.subscribe(ANN, "INBOX", woken.set)
    two.publish(ANN, "INBOX")
    assert woken.wait(5)
    one.close()
    two.close()


@pytest.mark.parametrize("part", ["new", "cur"])
def test_what_another_program_did_is_told_within_a_second_or_two(tmp_path: Path, part: str) -> None:
    stores = Stores(tmp_path, describe)
    folder = stores.folder(ANN, "INBOX")
    for name in ("new", "cur"):
        (folder / name).mkdir(parents=True)
    feed, woken = Feed(tmp_path / "run", stores.folder), threading.Event()
    end = feed.subscribe(ANN, "INBOX", woken.set)
    (folder / part / "by.hand").write_bytes(b"Subject: by hand\n\n")
    assert woken.wait(5)
    end()
    woken.clear()
    (folder / part / "once.more").write_bytes(b"Subject: by hand\n\n")
    assert not woken.wait(1.2)
    feed.close()


def test_every_change_of_a_mailbox_is_told(tmp_path: Path) -> None:
    feed, woken = Feed(tmp_path / "run"), []
    account = Stores(tmp_path, describe, feed)(ANN)
    account.create("Other")
    inbox = account.open("INBOX")
    for name in ("INBOX", "Other"):
        feed.subscribe(ANN, name, lambda name=name: woken.append(name))  # type: ignore[misc]
    inbox.append(message("a"))
    inbox.change_flags([1], FlagChange.ADD, int(Flag.DELETED))
    inbox.copy([1], "Other")
    inbox.expunge()
    assert woken == ["INBOX", "INBOX", "Other", "INBOX"]
    feed.close()


def test_an_account_is_heard_of_by_name(feeds: Callable[[], Feed]) -> None:
    here, there = feeds(), feeds()
    names: queue.SimpleQueue[str] = queue.SimpleQueue()
    end = here.subscribe_account(ANN, names.put)
    for name in ("INBOX", "Entwürfe", ""):
        here.publish(ANN, name)
        assert names.get(timeout=5) == name
        there.publish(ANN, name)  # from another process
        assert names.get(timeout=5) == name
    here.publish("bob@example.org", "INBOX")
    end()
    end()
    here.publish(ANN, "INBOX")
    assert names.empty()


def test_subscriptions_and_mailboxes_that_come_and_go_are_heard_of(tmp_path: Path) -> None:
    feed = Feed(tmp_path / "run")
    stores = Stores(tmp_path, describe, feed)
    names: list[str] = []
    try:
        store = stores(ANN)
        feed.subscribe_account(ANN, names.append)
        acts: list[tuple[Callable[[], None], set[str]]] = [
            (lambda: store.create("A/B"), {"A", "A/B"}),
            (lambda: store.rename("A/B", "C"), {"A/B", "C"}),
            (lambda: store.subscribe("C"), {""}),
            (lambda: store.subscribe("C"), set()),  # it was already
            (lambda: store.delete("C"), {"C"}),
        ]
        for act, published in acts:
            names.clear()
            act()
            assert set(names) == published
    finally:
        stores.close()
        feed.close()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[Stores, queue.SimpleQueue[str]]]:
    """ann's mail, and the names that a Feed hears of which no process publishes to."""
    stores = Stores(tmp_path, describe)
    feed = Feed(tmp_path / "run", stores.folder)
    names: queue.SimpleQueue[str] = queue.SimpleQueue()
    stores(ANN).create("Lists")
    feed.subscribe_account(ANN, names.put)
    yield stores, names
    feed.close()
    stores.close()


def heard(names: queue.SimpleQueue[str], wanted: str, seconds: float = 5) -> bool:
    """Whether a name is heard in time; others are passed over."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        try:
            if names.get(timeout=left) == wanted:
                return True
        except queue.Empty:
            break
    return False


def test_what_other_programs_do_in_any_mailbox_is_heard_of(watched: tuple[Stores, queue.SimpleQueue[str]]) -> None:
    stores, names = watched
    for name in ("INBOX", "Lists"):
        (stores.folder(ANN, name) / "new" / "1.x").write_bytes(b"Subject: x\n\nx\n")
        assert heard(names, name)


def test_a_mailbox_that_another_program_makes_is_looked_at_from_then_on(
    watched: tuple[Stores, queue.SimpleQueue[str]],
) -> None:
    stores, names = watched
    folder = stores.directory(ANN) / ".Made"
    for part in ("tmp", "new", "cur"):
        (folder / part).mkdir(parents=True)
    assert heard(names, "")  # perhaps of something else; what is in a mailbox before it is known needs no name of its own
    for number in range(9):
        (folder / "new" / f"{number}.x").write_bytes(b"Subject: x\n\nx\n")
        if heard(names, "Made", seconds=1):
            break
    else:
        pytest.fail("nothing is heard of the mailbox")
    shutil.rmtree(folder)
    assert heard(names, "")


def test_who_waits_for_one_mailbox_goes_on_when_the_account_is_no_longer_waited_for(tmp_path: Path) -> None:
    stores = Stores(tmp_path, describe)
    feed = Feed(tmp_path / "run", stores.folder)
    woken = threading.Event()
    try:
        stores(ANN)
        feed.subscribe(ANN, "INBOX", woken.set)
        feed.subscribe_account(ANN, lambda name: None)()
        (stores.folder(ANN, "INBOX") / "new" / "1.x").write_bytes(b"Subject: x\n\nx\n")
        assert woken.wait(2)
    finally:
        feed.close()
        stores.close()
