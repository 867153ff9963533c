"""The queue: what add() promised is there after anything, nobody acts out of turn, and nothing is forgotten early."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pymaild.envelope import Address, Client, Envelope, Recipient
from pymaild.mailstore import StorageFailed
from pymaild.outbound.job import Job, Kind, Order, Result
from pymaild.outbound.queue import BeingSent, NotQueued, Queue, State

MESSAGE = b"Subject: hello\r\n\r\nhello\r\n"
NOW = 1_800_000_000.0
SENT = Result(Kind.SENT, "2.0.0", "ok", 250, "mx.example.net", at=NOW)
LATER = Result(Kind.DEFERRED, "4.2.1", "busy", 451, "mx.example.net", at=NOW)
NEVER = Result(Kind.FAILED, "5.1.1", "no such user", 550, "mx.example.net", at=NOW)


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(tmp_path: Path, clock: Clock) -> Iterator[Queue]:
    made = Queue(tmp_path / "queue", clock)
    yield made
    made.close()


def envelope(id: str = "m1", **details: object) -> Envelope:
    made = Envelope(Client("s1", "127.0.0.1"), Address("ann", "example.org"), message_id=id)
    for name, value in details.items():
        setattr(made, name, value)
    return made


def to(*addresses: str) -> list[tuple[Recipient, str]]:
    """Recipients with their domain as the route."""
    parts = [address.rpartition("@") for address in addresses]
    return [(Recipient(Address(local, domain)), domain) for local, _, domain in parts]


def add(queue: Queue, id: str, *addresses: str, order: Order | None = None) -> str:
    return queue.add(envelope(id), to(*addresses), io.BytesIO(MESSAGE), order or Order("ann@example.org"))


def take(queue: Queue, now: float = NOW, count: int = 100) -> list[Job]:
    return queue.take([(lane, count) for lane in queue.lanes()], now)


def names(jobs: list[Job]) -> list[tuple[str, list[str]]]:
    return [(job.id, [str(a.recipient.address) for a in job.addressees]) for job in jobs]


def test_a_message_comes_back_as_it_was_put_in(queue: Queue) -> None:
    sender = envelope("m1", smtputf8=True, body="8BITMIME", ret="HDRS", envid="e 1", reverse_path=Address('a "b', "x.org"))
    recipient = Recipient(
        Address("gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n@x", "example.net"), frozenset({"FAILURE"}), "rfc822;g"
    )
    order = Order("ann@example.org", require_tls=True, details={"subject": "hello"})
    queue.add(sender, [(recipient, "example.net")], io.BytesIO(MESSAGE), order)
    (job,) = take(queue)
    assert job.path.read_bytes() == MESSAGE and job.size == len(MESSAGE)
    assert (job.id, job.account, job.reverse_path) == ("m1", "ann@example.org", Address('a "b', "x.org"))
    assert (job.smtputf8, job.body, job.ret, job.envid, job.require_tls) == (True, "8BITMIME", "HDRS", "e 1", True)
    assert job.addressees[0].recipient == recipient and job.details == {"subject": "hello", "trace": "0"}


def test_the_null_reverse_path_is_no_empty_address(queue: Queue) -> None:
    queue.add(envelope("m1", reverse_path=None), to("bob@example.net"), io.BytesIO(MESSAGE), Order())
    assert take(queue)[0].reverse_path is None


def test_recipients_of_one_route_are_one_job(queue: Queue) -> None:
    add(queue, "m1", "bob@example.net", "cy@example.com", "dan@example.net")
    assert sorted(names(take(queue))) == [("m1", ["bob@example.net", "dan@example.net"]), ("m1", ["cy@example.com"])]


def test_what_is_taken_is_not_taken_twice(queue: Queue) -> None:
    add(queue, "m1", "bob@example.net")
    assert take(queue) and not take(queue)


def test_a_lane_gives_its_oldest_first_and_no_more_than_asked(queue: Queue, clock: Clock) -> None:
    for count in range(5):
        clock.now = NOW + count
        add(queue, f"m{count}", "bob@example.net")
    assert [job.id for job in take(queue, NOW + 9, 2)] == ["m0", "m1"]
    assert [job.id for job in take(queue, NOW + 9, 9)] == ["m2", "m3", "m4"]


def test_what_is_not_due_waits(queue: Queue) -> None:
    add(queue, "m1", "bob@example.net", order=Order("ann@example.org", not_before=NOW + 60))
    assert not take(queue, NOW + 59)
    assert take(queue, NOW + 60)[0].created == NOW + 60  # give_up_after counts from there


def test_every_account_has_a_lane_of_its_own(queue: Queue) -> None:
    add(queue, "m1", "x@example.net", order=Order("ann@example.org"))
    add(queue, "m2", "x@example.net", order=Order("bea@example.org"))
    add(queue, "m3", "x@example.com", order=Order("bea@example.org"))
    lanes = [(lane.route, lane.account) for lane in queue.lanes()]
    assert lanes == [
        ("example.com", "bea@example.org"),
        ("example.net", "ann@example.org"),
        ("example.net", "bea@example.org"),
    ]


def test_results_are_kept_and_the_rest_is_tried_again(queue: Queue) -> None:
    add(queue, "m1", "bob@example.net", "cy@example.net", "dan@example.net")
    (job,) = take(queue)
    assert not queue.settle(job, [SENT, LATER, NEVER], [0, NOW + 300, 0])
    assert not take(queue, NOW + 299)
    (again,) = take(queue, NOW + 300)
    assert names([again]) == [("m1", ["cy@example.net"])]
    assert again.addressees[0].attempts == 1 and again.addressees[0].last == LATER
    assert queue.settle(again, [SENT], [0])


def test_a_message_that_is_done_leaves_nothing(queue: Queue) -> None:
    add(queue, "m1", "bob@example.net", "cy@example.com")
    one, other = take(queue)
    assert not queue.settle(one, [SENT], [0])
    assert one.path.exists()
    assert queue.settle(other, [NEVER], [0])
    assert not one.path.exists() and not queue.listing()


def test_a_killed_process_leaves_what_it_had_in_hand(queue: Queue, tmp_path: Path) -> None:
    add(queue, "m1", "bob@example.net")
    assert take(queue)
    other = Queue(tmp_path / "queue", lambda: NOW)
    assert other.recover() == 1
    assert names(take(other)) == [("m1", ["bob@example.net"])]
    other.close()


def test_hold_and_release(queue: Queue) -> None:
    add(queue, "m1", "bob@example.net", "cy@example.com")
    queue.hold("m1", "too many at once")
    assert not take(queue) and queue.show("m1").hold == "too many at once"
    queue.release("m1")
    assert len(take(queue)) == 2 and queue.show("m1").hold == ""


def test_held_from_the_beginning(queue: Queue) -> None:
    add(queue, "m1", "bob@example.net", order=Order("ann@example.org", hold="a rule"))
    assert not take(queue) and queue.show("m1").states == [State.HELD]


def test_retry_makes_it_due(queue: Queue) -> None:
    add(queue, "m1", "bob@example.net", order=Order("a", not_before=NOW + 999))
    queue.retry("m1")
    assert take(queue)


def test_nobody_touches_what_is_being_sent(queue: Queue) -> None:
    add(queue, "m1", "bob@example.net")
    (job,) = take(queue)
    for act in (lambda: queue.hold("m1", "x"), lambda: queue.remove("m1"), lambda: queue.retry("m1")):
        with pytest.raises(BeingSent):
            act()
    queue.settle(job, [LATER], [NOW + 1])
    queue.remove("m1")
    assert not job.path.exists() and not take(queue, NOW + 2)


def test_unknown_messages_are_said_to_be_unknown(queue: Queue) -> None:
    for act in (queue.show, queue.remove, queue.release, queue.retry, lambda id: queue.hold(id, "x")):
        with pytest.raises(NotQueued):
            act("nothing")


def test_an_attempt_that_was_not_made_changes_nothing(queue: Queue) -> None:
    add(queue, "m1", "bob@example.net")
    (job,) = take(queue)
    queue.put_back(job)
    assert take(queue)[0].addressees[0].attempts == 0


def test_a_message_that_cannot_be_written_is_not_queued(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(descriptor: int) -> None:
        raise OSError(5, "EIO")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(StorageFailed):
        add(queue, "m1", "bob@example.net")
    assert not queue.listing() and not list((queue.folder / "tmp").iterdir())


def test_the_sweep_takes_what_no_row_spoke_of_twice(queue: Queue) -> None:
    add(queue, "m1", "bob@example.net")
    for path in (queue.folder / "tmp" / "left", queue.folder / "mail" / "left"):
        path.touch()
    assert queue.sweep() == 0
    (queue.folder / "mail" / "new").touch()  # its row may be written this very moment
    assert queue.sweep() == 2
    assert sorted(path.name for path in (queue.folder / "mail").iterdir()) == ["m1", "new"]
    assert not list((queue.folder / "tmp").iterdir())


def test_many_threads_and_two_processes_worth_of_connections(queue: Queue, tmp_path: Path) -> None:
    other = Queue(tmp_path / "queue", lambda: NOW)

    def fill(which: Queue, name: str) -> None:
        for count in range(25):
            add(which, f"{name}-{count}", "bob@example.net", "cy@example.com")

    threads = [threading.Thread(target=fill, args=(which, str(n))) for n, which in enumerate((queue, other) * 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = take(queue, count=1000)
    assert len(taken) == 400 and len({(job.id, job.route) for job in taken}) == 400
    other.close()
