"""pymaild queue, as a person at a terminal or a script sees it."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest

from pymaild.envelope import Address, Client, Envelope, Recipient
from pymaild.outbound.bell import LOOK, TRY_NOW, Bell
from pymaild.outbound.job import Kind, Order, Result
from pymaild.outbound.queue import Queue
from pymaild.outbound.suppression import Suppressed
from tests.unit.cli.conftest import Run

BUSY = Result(Kind.DEFERRED, "4.2.1", "The mailbox is busy\ncome back\x1b[31m later", 451, "mx.example.net", "192.0.2.1")


@pytest.fixture
def queue(house: Run, tmp_path: Path) -> Queue:
    """Two messages: one that was tried once, one that waits for later."""
    assert house("queue", "list").out == "The queue is empty: nothing waits to be sent.\n"
    (data_dir,) = (path.parent for path in tmp_path.rglob("pymaild.sqlite3"))
    made = Queue(data_dir / "queue")
    for id, order in (("m1", Order("ann@example.org")), ("m2", Order("bob@example.org", time.time() + 3600))):
        envelope = Envelope(Client("s", "127.0.0.1"), Address(order.account[:3], "example.org"), message_id=id)
        recipients = [(Recipient(Address(name, "example.net")), "example.net") for name in ("cy", "dan")]
        made.add(envelope, recipients, io.BytesIO(b"x\r\n"), order)
    (job,) = made.take([(lane, 1) for lane in made.lanes()], time.time())
    made.settle(job, [Result(Kind.SENT, "2.0.0", "ok", 250), BUSY], [0, time.time() + 600])
    return made


@pytest.fixture
def bell(queue: Queue) -> Bell:
    made = Bell(queue.folder.parent / "run")
    made.answer()
    return made


def test_the_list_says_what_waits_and_why(house: Run, queue: Queue) -> None:
    lines = house("queue", "list").out.splitlines()
    assert lines[0].split() == ["ID", "FROM", "TO", "SIZE", "NEXT", "TRY", "WHY"]
    assert "dan@example.net" in lines[1] and "in 10 minutes" in lines[1]
    assert "mx.example.net: The mailbox is busy come back" in lines[1] and "\x1b" not in lines[1]
    assert "cy@example.net and 1 more" in lines[2] and "in 60 minutes" in lines[2]


def test_the_list_of_one_account_as_json(house: Run, queue: Queue) -> None:
    (message,) = house("queue", "list", "--account", "bob@example.org", "--json").json()
    assert message["id"] == "m2" and [r["state"] for r in message["recipients"]] == ["waiting", "waiting"]


def test_one_message_with_the_remotes_words(house: Run, queue: Queue) -> None:
    out = house("queue", "show", "m1").out
    assert "cy@example.net: sent after 1 attempt" in out and "dan@example.net: waits after 1 attempt" in out
    assert "mx.example.net [192.0.2.1], without TLS" in out and "451 4.2.1 The mailbox is busy" in out
    assert "\x1b" not in out
    assert house("queue", "show", "m1", "--json").json()["recipients"][1]["last"]["code"] == 451


def test_retry_makes_it_due_and_wakes_the_server(house: Run, queue: Queue, bell: Bell) -> None:
    assert house("queue", "retry", "m1").out == "m1 is due now.\n"
    assert bell.wait(5) == {TRY_NOW}
    assert house("queue", "retry", "--all").out == "2 messages are due now.\n"
    assert [queued.next_try for queued in queue.listing()] == [0, 0]


def test_hold_release_remove(house: Run, queue: Queue, bell: Bell) -> None:
    assert house("queue", "hold", "m2", "--reason", "ask Bob").code == 0
    assert bell.wait(5) == {LOOK}
    assert "ask Bob" in house("queue", "list").out
    assert house("queue", "release", "m2").out == "m2 is due now.\n"
    assert "Nobody is told" in house("queue", "remove", "m2").out
    assert [queued.job.id for queued in queue.listing()] == ["m1"]


@pytest.mark.parametrize("verb", ["show", "retry", "hold", "release", "remove"])
def test_a_message_that_is_not_there(house: Run, queue: Queue, verb: str) -> None:
    result = house("queue", verb, "nothing")
    assert result.code and "The queue has no such message" in result.err and not result.out


def test_retry_needs_to_know_what(house: Run, queue: Queue) -> None:
    assert house("queue", "retry").code == 64
    assert house("queue", "retry", "m1", "--all").code == 64


def test_what_is_being_sent_is_left_alone(house: Run, queue: Queue) -> None:
    queue.retry_all()
    queue.take([(lane, 1) for lane in queue.lanes()], time.time())
    result = house("queue", "remove", "m1")
    assert result.code == 75 and "being sent right now" in result.err
    assert "being sent" in house("queue", "list").out


def test_the_suppression_list_is_shown_and_cleared(house: Run, queue: Queue) -> None:
    assert house("suppression", "list").out == "Nothing is suppressed.\n"
    rows = [
        Suppressed("ann@example.org", f"{name}@example.net", "no such user", "5.1.1", "who?", time.time()) for name in "ab"
    ]
    queue.suppress(rows)
    lines = house("suppression", "list", "ann@example.org").out.splitlines()
    assert "a@example.net" in lines[1] and "no such user" in lines[1] and "who?" in lines[1]
    assert house("suppression", "list", "--json").json()[0]["address"] == "a@example.net"
    assert "1 address is" in house("suppression", "clear", "ann@example.org", "a@example.net").out
    assert "1 address is" in house("suppression", "clear", "ann@example.org").out
    assert not queue.suppressions()
