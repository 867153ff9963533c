"""Which sequence number is which uid, and what a client is told when. RFC 3501 §5.2, §7.4.1."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pymaild.imap.errors import Bad
from pymaild.imap.sequences import parse
from pymaild.imap.view import View
from pymaild.mailstore import Changes, Flag, FlagChange, Mailbox
from tests.imap_world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, "empty", uses=())
    yield world
    world.close()


def fill(mailbox: Mailbox, count: int) -> None:
    for number in range(count):
        mailbox.append(b"Subject: %d\r\n\r\n" % number)


def lines(view: View, expunges: bool = True) -> list[bytes]:
    return b"".join(view.sync(expunges)).splitlines()


def test_numbers_and_uids(world: World) -> None:
    mailbox = world.store.open("INBOX")
    fill(mailbox, 5)
    mailbox.change_flags([2, 4], FlagChange.ADD, Flag.DELETED)
    mailbox.expunge()
    view = View(mailbox, read_only=False)
    assert view.uids == array("I", [1, 3, 5])
    assert view.numbers([1, 2, 3, 9]) == [1, 2]
    assert view.known([2, 3, 4, 5]) == [3, 5]
    assert view.select(parse(b"2:*"), by_uid=False) == [3, 5]
    assert view.select(parse(b"2:4"), by_uid=True) == [3]
    assert view.select(parse(b"9:*"), by_uid=True) == [5]  # * is 5, and 9:5 is 5:9
    with pytest.raises(Bad):
        view.select(parse(b"4"), by_uid=False)


def test_views_of_the_same_messages_share_what_is_large(world: World) -> None:
    """Ten thousand uids are 40 KiB, and a phone in IDLE may cost 30."""
    mailbox = world.store.open("INBOX")
    fill(mailbox, 5)
    views = [View(world.store.open("INBOX"), read_only=False) for _ in range(3)]
    assert len({id(view.uids) for view in views}) == 1
    mailbox.change_flags([2], FlagChange.ADD, Flag.DELETED)
    for view in views:
        lines(view)
    assert len({id(view.uids) for view in views}) == 1
    mailbox.expunge()
    fill(mailbox, 1)
    lines(views[0], expunges=False)
    assert views[0].uids == array("I", [1, 2, 3, 4, 5, 6]) and views[1].uids == array("I", [1, 2, 3, 4, 5])
    for view in views:
        lines(view)
    assert len({id(view.uids) for view in views}) == 1 and views[2].uids == array("I", [1, 3, 4, 5, 6])


def test_expunged_messages_keep_their_numbers_until_it_is_told(world: World) -> None:
    mailbox = world.store.open("INBOX")
    fill(mailbox, 6)
    view = View(mailbox, read_only=False)
    other = world.store.open("INBOX")
    other.change_flags([1, 2, 5], FlagChange.ADD, Flag.DELETED)
    other.expunge()
    fill(other, 1)
    assert lines(view, expunges=False) == [b"* 7 EXISTS", b"* 7 RECENT"]
    assert view.number(6) == 6
    assert lines(view) == [b"* 5 EXPUNGE", b"* 2 EXPUNGE", b"* 1 EXPUNGE"]
    assert list(view.uids) == [3, 4, 6, 7]
    assert view.recent == {3, 4, 6, 7}
    assert lines(view) == []


def test_a_message_that_came_and_went_unseen_is_never_mentioned(world: World) -> None:
    mailbox = world.store.open("INBOX")
    view = View(mailbox, read_only=False)
    fill(mailbox, 2)
    mailbox.change_flags([1], FlagChange.ADD, Flag.DELETED)
    mailbox.expunge()
    assert lines(view) == [b"* 1 EXISTS", b"* 1 RECENT"]


def test_flags_that_others_change_are_told_once(world: World) -> None:
    mailbox = world.store.open("INBOX")
    fill(mailbox, 2)
    view = View(mailbox, read_only=False)
    world.store.open("INBOX").change_flags([2], FlagChange.ADD, Flag.SEEN, ["$Label1"])
    said = lines(view)
    assert said[0].startswith(b"* FLAGS (") and b"$Label1" in said[0]
    assert said[2:] == [b"* 2 FETCH (FLAGS (\\Seen \\Recent $Label1))"]
    assert lines(view) == []


def test_only_one_session_gets_a_recent_message(world: World) -> None:
    mailbox = world.store.open("INBOX")
    fill(mailbox, 1)
    looking = View(world.store.open("INBOX"), read_only=True)
    assert looking.recent == {1}
    first = View(mailbox, read_only=False)
    second = View(world.store.open("INBOX"), read_only=False)
    assert (first.recent, second.recent) == ({1}, set())
    fill(mailbox, 1)
    assert lines(looking) == [b"* 2 EXISTS", b"* 2 RECENT"]
    assert lines(second) == [b"* 2 EXISTS", b"* 1 RECENT"]
    assert lines(first) == [b"* 2 EXISTS", b"* 1 RECENT"]
    fill(mailbox, 1)
    lines(first)
    assert lines(looking) == [b"* 3 EXISTS", b"* 2 RECENT"]


class Busy:
    """A mailbox in which something happens between two looks: what `then` does, at claim_recent()."""

    def __init__(self, mailbox: Mailbox, then: object) -> None:
        self.mailbox, self.then = mailbox, then

    def __getattr__(self, name: str) -> object:
        return getattr(self.mailbox, name)

    def claim_recent(self) -> range:
        claimed = self.mailbox.claim_recent()
        if callable(self.then):
            self.then()
        return claimed

    def changes(self, since: int) -> Changes:
        return self.mailbox.changes(since)


@pytest.mark.parametrize("also_flags", [False, True])
def test_what_happens_while_a_session_asks_is_not_lost(world: World, also_flags: bool) -> None:
    mailbox = world.store.open("INBOX")
    fill(mailbox, 1)
    view = View(mailbox, read_only=False)
    fill(mailbox, 1)

    def meanwhile() -> None:
        other = world.store.open("INBOX")
        fill(other, 1)
        if also_flags:
            other.change_flags([1], FlagChange.ADD, Flag.SEEN)

    view.mailbox = Busy(mailbox, meanwhile)  # type: ignore[assignment]
    said = lines(view)
    view.mailbox = mailbox
    said += lines(view)
    assert b"* 3 EXISTS" in said
    assert list(view.uids) == [1, 2, 3]
    assert (b"* 1 FETCH (FLAGS (\\Seen \\Recent))" in said) is also_flags


def test_a_message_is_recent_in_one_session_only(world: World) -> None:
    mailbox, other = world.store.open("INBOX"), world.store.open("INBOX")
    fill(mailbox, 1)
    first = View(Busy(mailbox, lambda: fill(other, 1)), read_only=False)  # type: ignore[arg-type]
    second = View(other, read_only=False)
    assert list(first.uids) == list(second.uids) == [1, 2]
    assert (first.recent, second.recent) == ({1}, {2})
    fill(other, 1)
    assert b"* 3 EXISTS" in lines(first)
    assert b"* 4 EXISTS" in lines(second)
    assert (first.recent, second.recent) == ({1, 3}, {2, 4})


STEPS = st.lists(st.tuples(st.sampled_from(["append", "expunge", "flag", "sync", "quiet"]), st.integers(0, 9)), max_size=14)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("view"), "empty", uses=())
    yield world
    world.close()


class Listener:
    """A client that keeps its own list of uids by EXISTS and EXPUNGE alone."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.uids = list(view.uids)

    def listen(self, expunges: bool) -> None:
        for line in lines(self.view, expunges):
            words = line.split(b" ")
            if words[2] == b"EXPUNGE":
                del self.uids[int(words[1]) - 1]
            elif words[2] == b"EXISTS":
                self.uids.extend(self.view.uids[len(self.uids) : int(words[1])])
        assert self.uids == list(self.view.uids)


@settings(max_examples=15)
@given(STEPS)
def test_a_client_that_listens_knows_the_mailbox(house: World, steps: list[tuple[str, int]]) -> None:
    name = f"Box {len(house.store.mailboxes())}"
    house.store.create(name)
    mailbox = house.store.open(name)
    fill(mailbox, 3)
    client = Listener(View(house.store.open(name), read_only=False))
    for step, which in steps:
        uids = list(mailbox.uids())
        if step == "append":
            fill(mailbox, 1)
        elif step == "expunge" and uids:
            mailbox.change_flags([uids[which % len(uids)]], FlagChange.ADD, Flag.DELETED)
            mailbox.expunge()
        elif step == "flag" and uids:
            mailbox.change_flags([uids[which % len(uids)]], FlagChange.ADD, Flag.SEEN)
        else:
            client.listen(step == "sync")
    client.listen(True)
    assert client.uids == list(mailbox.uids())
