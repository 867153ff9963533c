"""NOTIFY: what transcripts cannot show. What is compared with what; who is woken, and who no longer; nothing is lost between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pymaild.dialogue import Pump, Then
from pymaild.imap.notify import Event
from pymaild.imap.tree import changes
from pymaild.mailstore import MailboxInfo, SpecialUse
from tests.imap_world import World

NAME, SUBSCRIPTION = Event.MAILBOX_NAME, Event.SUBSCRIPTION_CHANGE
ALL = b"(selected (MessageNew (UID) MessageExpunge FlagChange)) (personal (MessageNew MessageExpunge MailboxName))"
MESSAGE = b"Subject: x\r\n\r\nx\r\n"


def infos(*words: str) -> dict[str, MailboxInfo]:
    """Mailboxes from words: name=id, +name subscribed, name alone for a level or a mere subscription."""
    found = {}
    for word in words:
        name, _, mailbox_id = word.removeprefix("+").partition("=")
        found[name] = MailboxInfo(name, bool(mailbox_id), word.startswith("+"), mailbox_id=mailbox_id)
    for name, info in list(found.items()):
        below = any(other.startswith(name + "/") for other in found)
        found[name] = MailboxInfo(name, info.selectable, info.subscribed, below, mailbox_id=info.mailbox_id)
    return found


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("a=1", "a=1", []),
        ("a=1", "a=1 b=2", [("b", "", {NAME})]),
        ("a=1 b=2", "a=1", [("b", "", {NAME})]),
        ("a=1", "b=1", [("b", "a", {NAME})]),
        ("a=1 a/b=2 a/b/c=3", "z=1 z/b=2 z/b/c=3", [("z", "a", {NAME})]),  # what is below moved along
        ("a=1 a/b=2", "z=1 z/c=2", [("z", "a", {NAME}), ("z/c", "a/b", {NAME})]),
        ("a a/b=2", "z z/b=2", [("z/b", "a/b", {NAME}), ("a", "", {NAME}), ("z", "", {NAME})]),  # a is only a level
        ("a=1", "a=2", [("a", "", {NAME})]),  # removed and made again
        ("a=1 b=2", "a=2 b=1", [("a", "b", {NAME}), ("b", "a", {NAME})]),
        ("a=1", "a=1 a/b=2", [("a", "", {NAME}), ("a/b", "", {NAME})]),  # \\HasChildren
        ("a=1", "+a=1", [("a", "", {SUBSCRIPTION})]),
        ("+a=1", "a=1", [("a", "", {SUBSCRIPTION})]),
        ("", "+x", [("x", "", {SUBSCRIPTION})]),
        ("+x", "", [("x", "", {SUBSCRIPTION})]),
        ("+a=1", "+a", [("a", "", {NAME})]),  # removed, still subscribed
        ("+a", "+a=1", [("a", "", {NAME})]),
        ("", "+a=1", [("a", "", {NAME, SUBSCRIPTION})]),
    ],
)
def test_what_changed_in_the_list(before: str, after: str, told: list[tuple[str, str, set[Event]]]) -> None:
    found = [
        (change.info.name, change.old_name, set(change.events))
        for change in changes(infos(*before.split()), infos(*after.split()))
    ]
    assert found == told


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, uses=(SpecialUse.SENT, SpecialUse.TRASH))
    yield world
    world.close()


class Line:
    """A session that has logged in; `woken` counts what the wire is told."""

    def __init__(self, world: World, *commands: bytes) -> None:
        self.session = world.session()
        self.pump = Pump(self.session)
        self.woken = 0
        self.session.on_change = self._wake
        b"".join(self.pump.start())
        for command in (b"LOGIN ann@example.org ann-secret", *commands):
            assert b" OK" in self.say(command)

    def _wake(self) -> None:
        self.woken += 1

    def say(self, command: bytes) -> bytes:
        return b"".join(self.pump.feed(b"t " + command + b"\r\n"))

    def news(self) -> bytes:
        return b"".join(self.pump.wake())


def test_the_wire_is_told_between_commands_until_notify_none(world: World) -> None:
    line = Line(world, b"SELECT INBOX", b"NOTIFY SET " + ALL)
    assert line.session.listening
    for name in ("INBOX", "Sent"):
        line.woken = 0
        world.store.open(name).append(MESSAGE)
        assert line.woken
    assert line.pump.then is Then.COMMAND
    assert (
        line.news()
        == b'* 4 EXISTS\r\n* 4 RECENT\r\n* 4 FETCH (UID 4)\r\n* STATUS "Sent" (MESSAGES 1 UIDNEXT 2 UNSEEN 1)\r\n'
    )
    assert line.pump.then is Then.COMMAND
    assert line.news() == b""
    line.say(b"NOTIFY NONE")
    line.woken = 0
    world.store.open("INBOX").append(MESSAGE)
    assert not line.woken
    assert not line.session.listening


@pytest.mark.parametrize("end", ["NOTIFY NONE", "UNAUTHENTICATE", "closed", "NOTIFY SET"])
def test_nobody_listens_after_the_end(world: World, end: str) -> None:
    line = Line(world, b"NOTIFY SET " + ALL)
    if end == "closed":
        line.session.closed()
    elif end == "NOTIFY SET":
        for _ in range(3):
            line.say(b"NOTIFY SET " + ALL)
        line.woken = 0
        world.store.open("Sent").append(MESSAGE)
        assert line.woken == 1  # the last one alone
        return
    else:
        line.say(end.encode())
    line.woken = 0
    world.store.open("Sent").append(MESSAGE)
    assert not line.woken


def test_who_watches_the_selected_mailbox_alone_is_not_woken_by_others(world: World) -> None:
    line = Line(world, b"SELECT INBOX", b"NOTIFY SET (selected (MessageNew MessageExpunge))")
    world.store.open("Sent").append(MESSAGE)
    assert not line.woken
    world.store.open("INBOX").append(MESSAGE)
    assert line.woken


def test_what_others_did_at_the_same_time_is_told(world: World) -> None:
    """A client's own message is no news; another one that came with it is."""
    line = Line(world, b"SELECT INBOX", b"NOTIFY SET " + ALL)
    assert b"STATUS" not in line.say(b"COPY 1 Sent")
    line.news()
    assert b"STATUS" not in line.news()
    sent = world.store.open("Sent")
    sent.append(MESSAGE)  # after the last look, before the client's own
    assert b'* STATUS "Sent" (MESSAGES 3 UIDNEXT 4 UNSEEN 3)' in line.say(b"COPY 1 Sent")


def test_a_new_notify_set_loses_nothing_in_between(world: World) -> None:
    line = Line(world, b"NOTIFY SET " + ALL)
    world.store.open("Sent").append(MESSAGE)
    assert b'* STATUS "Sent" (MESSAGES 1' in line.say(b"NOTIFY SET " + ALL)
    world.store.open("Sent").append(MESSAGE)
    assert line.news() == b'* STATUS "Sent" (MESSAGES 2 UIDNEXT 3 UNSEEN 2)\r\n'


def test_a_mailbox_that_was_selected_is_known_as_it_was_told(world: World) -> None:
    line = Line(world, b"SELECT Sent", b"NOTIFY SET " + ALL)
    world.store.open("Sent").append(MESSAGE)  # not told yet
    assert b'* STATUS "Sent" (MESSAGES 1 UIDNEXT 2 UNSEEN 1)' in line.say(b"SELECT INBOX") + line.news()
    line.say(b"UNSELECT")
    assert line.news() == b""


def test_inbox_renamed_is_a_mailbox_made_and_messages_moved(world: World) -> None:
    line = Line(world, b"NOTIFY SET " + ALL)
    world.store.rename("INBOX", "Old")
    news = line.news()
    assert b'* LIST (\\HasNoChildren) "/" "Old"\r\n' in news
    assert b'* STATUS "Old" (MESSAGES 3 UIDNEXT 4 UIDVALIDITY' in news
    assert b'* STATUS "INBOX" (MESSAGES 0 UIDNEXT 4 UNSEEN 0)\r\n' in news


def test_a_mailbox_removed_and_made_again_between_two_looks(world: World) -> None:
    line = Line(world, b"NOTIFY SET " + ALL)
    world.store.delete("Sent")
    world.store.create("Sent")
    news = line.news()
    assert news.startswith(
        b'* LIST (\\Subscribed \\HasNoChildren) "/" "Sent"\r\n* STATUS "Sent" (MESSAGES 0 UIDNEXT 1 UIDVALIDITY '
    )
    assert line.news() == b""


def test_a_mailbox_that_is_gone_before_it_is_looked_at(world: World) -> None:
    line = Line(world, b"NOTIFY SET " + ALL)
    world.store.open("Sent").append(MESSAGE)
    world.store.delete("Sent")
    assert line.news() == b'* LIST (\\NonExistent \\Subscribed \\HasNoChildren) "/" "Sent"\r\n'


def test_a_client_that_wants_no_news_and_leaves_hears_of_expunges_when_it_is_back(world: World) -> None:
    """As a client that left in time would: RFC 7162 §3.2.5, though it has seen later mod-sequences."""
    line = Line(world, b"ENABLE QRESYNC", b"SELECT INBOX", b"NOTIFY NONE")
    inbox = world.store.open("INBOX")
    inbox.expunge([3])
    told = line.say(b"STORE 1 +FLAGS (\\Seen)")
    modseq = int(told.partition(b"MODSEQ (")[2].partition(b")")[0])
    assert modseq > 0
    line.say(b"UNSELECT")
    validity = inbox.state().uidvalidity
    assert b"* VANISHED (EARLIER) 3\r\n" in line.say(b"SELECT INBOX (QRESYNC (%d %d))" % (validity, modseq))


def test_a_thousand_changes_of_one_mailbox_are_one_status(world: World) -> None:
    line = Line(world, b"NOTIFY SET " + ALL)
    sent = world.store.open("Sent")
    for _ in range(20):
        sent.append(MESSAGE)
    assert line.news() == b'* STATUS "Sent" (MESSAGES 20 UIDNEXT 21 UNSEEN 20)\r\n'


def test_the_selected_mailbox_is_removed_between_two_commands(world: World) -> None:
    line = Line(world, b"SELECT Sent", b"NOTIFY SET " + ALL)
    world.store.delete("Sent")
    assert b"* BYE The selected mailbox was deleted by another session\r\n" in line.news()
    assert line.pump.then is Then.CLOSE
