"""Trees of a mailbox are kept while the same messages are there. RFC 5256 §3."""

from __future__ import annotations

from pathlib import Path

import pytest

from pymaild.imap import thread
from pymaild.imap.describe import describe
from pymaild.imap.thread import drawn, response
from pymaild.mailstore import Flag, FlagChange, Mailbox
from pymaild.store import Stores


def message(number: int, answers: int = 0) -> bytes:
    references = f"References: <{answers}@x>\r\n" if answers else ""
    return f"Message-ID: <{number}@x>\r\n{references}Subject: {number}\r\n\r\n".encode()


def told(mailbox: Mailbox) -> str:
    trees = drawn(mailbox, mailbox.uids(), "REFERENCES")
    return response(trees.form, trees.uids).decode().strip()


@pytest.fixture
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mailbox:
    monkeypatch.setattr(thread, "LARGE", 2)
    monkeypatch.setattr(thread, "KEPT", 2)
    monkeypatch.setattr(thread, "_kept", {})
    account = Stores(tmp_path, describe)("ann@example.org")
    for name in "ABC":
        account.create(name)
        for number in (1, 2, 3):
            account.open(name).append(message(number, answers=number - 1))
    return account.open("A")


def test_what_comes_and_goes_is_seen(inbox: Mailbox) -> None:
    assert told(inbox) == told(inbox) == "* THREAD (1 2 3)"
    inbox.append(message(9, answers=2))
    assert told(inbox) == "* THREAD (1 2 (3)(4))"
    inbox.change_flags([2], FlagChange.ADD, int(Flag.DELETED))
    inbox.expunge()
    assert told(inbox) == "* THREAD (1)((3)(4))"


def test_trees_of_the_same_messages_are_not_made_again(inbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    first = told(inbox)
    inbox.change_flags([1], FlagChange.ADD, int(Flag.SEEN))
    monkeypatch.setattr(thread, "_messages", lambda mailbox, uids: pytest.fail("made again"))
    assert told(inbox) == first


def test_few_mailboxes_are_kept(tmp_path: Path, inbox: Mailbox) -> None:
    account = Stores(tmp_path, describe)("ann@example.org")
    for name in "ABCAB":
        told(account.open(name))
        drawn(account.open(name), [], "ORDEREDSUBJECT")
    assert [key for key, _ in thread._kept] == [account.open(name).mailbox_id for name in "AB"]
