"""Who waits for a mailbox of somebody else is told within a second, also of what another process did."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pymaild.store.changes import Feed
from pymaild.store.sharing import SharedFeed, Sharing
from tests.sharing import ANN, BOB, Neighbours

SHARED = f"Other Users/{ANN}/INBOX"


class Here:
    """One process: a feed with the store that publishes to it, and what was heard."""

    def __init__(self, house: Neighbours, run: Path) -> None:
        self.feed = Feed(run)
        self.sharing = Sharing(house.stores, house.shares, self.feed)
        self.shared = SharedFeed(self.feed, self.sharing)
        self.heard: list[str] = []

    def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 1.0
        while not holds():
            assert time.monotonic() < deadline, f"not told within a second; heard {self.heard}"
            time.sleep(0.01)


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Neighbours]:
    """Where things happen: another process, as far as the feed can tell."""
    feed = Feed(tmp_path / "run")
    house = Neighbours(tmp_path, feed)
    yield house
    feed.close()


@pytest.fixture
def here(there: Neighbours, tmp_path: Path) -> Iterator[Here]:
    here = Here(there, tmp_path / "run")
    yield here
    here.feed.close()


def test_a_guest_is_woken_by_mail_of_the_owner(there: Neighbours, here: Here) -> None:
    there.ann.change_acl("INBOX", BOB, "", "lr")
    end = here.shared.subscribe(BOB, SHARED, lambda: here.heard.append("woken"))
    there.ann.open("INBOX").append(b"Subject: x\r\n\r\n")
    here.until(lambda: "woken" in here.heard)
    here.heard.clear()
    there.ann.change_acl("INBOX", BOB, "", "")
    here.until(lambda: "woken" in here.heard)  # to be told that it is over
    end()


def test_own_mailboxes_are_heard_as_ever(there: Neighbours, here: Here) -> None:
    end = here.shared.subscribe(BOB, "INBOX", lambda: here.heard.append("woken"))
    there.bob.open("INBOX").append(b"Subject: x\r\n\r\n")
    here.until(lambda: "woken" in here.heard)
    end()


def test_whoever_waits_for_what_is_not_shared_hears_nothing(there: Neighbours, here: Here) -> None:
    end = here.shared.subscribe(BOB, SHARED, lambda: here.heard.append("woken"))
    other = here.shared.subscribe(BOB, "INBOX", lambda: here.heard.append("own"))
    there.ann.open("INBOX").append(b"Subject: x\r\n\r\n")
    there.bob.open("INBOX").append(b"Subject: x\r\n\r\n")
    here.until(lambda: "own" in here.heard)
    assert "woken" not in here.heard
    end()
    other()


def test_shares_that_come_and_go_are_noticed(there: Neighbours, here: Here) -> None:
    end = here.shared.subscribe_account(BOB, here.heard.append)
    there.ann.change_acl("INBOX", BOB, "", "lr")
    here.until(lambda: "" in here.heard)
    there.ann.open("INBOX").append(b"Subject: x\r\n\r\n")
    here.until(lambda: SHARED in here.heard)
    here.heard.clear()
    there.carl.change_acl("INBOX", "anyone", "", "l")
    here.until(lambda: "" in here.heard)
    there.carl.open("INBOX").append(b"Subject: x\r\n\r\n")
    here.until(lambda: "Other Users/carl@example.org/INBOX" in here.heard)
    end()
    here.heard.clear()
    other = here.feed.subscribe(ANN, "INBOX", lambda: here.heard.append("still"))
    there.ann.open("INBOX").append(b"Subject: y\r\n\r\n")
    here.until(lambda: "still" in here.heard)
    assert SHARED not in here.heard
    other()
