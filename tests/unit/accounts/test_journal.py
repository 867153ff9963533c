"""Events are kept in order, in the background, up to a limit, and never at the cost of a delivery."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pymaild.accounts.directory import Directory
from pymaild.accounts.journal import Journal
from pymaild.events import Event

NOW = float(int(time.time()))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    directory = Directory(tmp_path / "pymaild.sqlite3", cost=4)
    directory.domains()  # makes the tables
    directory.close()
    return tmp_path / "pymaild.sqlite3"


def test_events_of_a_message(path: Path) -> None:
    journal = Journal(path)
    journal.record(Event("m1", "received", {"ip": "192.0.2.1"}, "s1", NOW))
    journal.record(Event("m2", "received"))
    journal.record(Event("m1", "delivered", {"uid": 7}, "s1", NOW + 1))
    assert journal.events_of("m1") == [
        Event("m1", "received", {"ip": "192.0.2.1"}, "s1", NOW),
        Event("m1", "delivered", {"uid": 7}, "s1", NOW + 1),
    ]
    assert journal.events_of("m2")[0].at > 0
    assert [event.what for event in journal.latest(2)] == ["delivered", "received"]
    journal.close()
    journal.record(Event("m1", "fetched", at=NOW + 2))  # it starts again
    assert len(journal.events_of("m1")) == 3
    journal.close()


def test_the_oldest_are_dropped(path: Path) -> None:
    journal = Journal(path, kept_at_most=10)
    for number in range(25):
        journal.record(Event("m", str(number)))
    journal.flush()
    journal._prune()
    assert [event.what for event in journal.events_of("m")] == [str(number) for number in range(15, 25)]
    journal.record(Event("m", "old", at=1.0))
    journal.flush()
    journal._prune()
    assert "old" not in [event.what for event in journal.events_of("m")]
    journal.close()


def test_a_broken_disk_loses_events_and_nothing_else(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "missing" / "pymaild.sqlite3")
    journal.record(Event("m", "received"))
    journal.flush()
    assert journal.lost == 1
    journal.close()


def test_a_full_queue_does_not_wait(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pymaild.accounts.journal._WAITING_AT_MOST", 3)
    journal = Journal(path)
    monkeypatch.setattr("threading.Thread.start", lambda self: None)  # nobody empties it
    for _ in range(5):
        journal.record(Event("m", "received"))
    assert journal.lost == 2


def test_after_a_fork_the_child_writes_for_itself(path: Path) -> None:
    journal = Journal(path)
    journal.record(Event("m", "parent"))
    journal.flush()
    child = os.fork()
    if not child:
        journal.record(Event("m", "child"))
        journal.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert [event.what for event in journal.events_of("m")] == ["parent", "child"]
    journal.close()
