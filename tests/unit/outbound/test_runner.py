"""The queue's process, with couriers that answer as told: what is tried, kept, reported, and left alone."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pymaild.envelope import Address, Client, Envelope, Recipient
from pymaild.events import Event
from pymaild.outbound.bell import TRY_NOW, Bell
from pymaild.outbound.job import LOCAL, Addressee, Courier, Job, Kind, Order, Result
from pymaild.outbound.queue import Queue, State
from pymaild.outbound.runner import AlreadyRunning, House, Patience, Runner
from pymaild.outbound.schedule import Routes

DEADLINE = 10.0  # seconds a condition is waited for before the test fails
SENT = Result(Kind.SENT, "2.0.0", "ok", 250, "mx")
LATER = Result(Kind.DEFERRED, "4.2.1", "busy", 451, "mx")
NEVER = Result(Kind.FAILED, "5.1.1", "no such user", 550, "mx")
NOBODY = Result(Kind.DEFERRED, "4.4.1", "connection refused")


class Clock:
    """The time of day, moved by the test."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


Answers = Mapping[str, Result | Exception | Callable[[], Result]]


class Carrier:
    """Answers by the local part of each recipient; remembers what it was given."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.carried: list[tuple[str, list[str]]] = []

    def send(self, job: Job) -> list[Result]:
        names = [addressee.recipient.address.local_part for addressee in job.addressees]
        self.carried.append((job.id, names))
        results = []
        for name in names:
            answer = self.answers[name]
            if isinstance(answer, Exception):
                raise answer
            results.append(answer if isinstance(answer, Result) else answer())
        return results


class Told:
    """Reports and journal in one: what was said, in order."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, list[str]]] = []
        self.events: list[Event] = []
        self.errors: list[BaseException] = []

    def _say(self, what: str, job: Job, pairs: Sequence[tuple[Addressee, Result]]) -> None:
        self.said.append((what, job.id, [a.recipient.address.local_part for a, _ in pairs]))

    def failed(self, job: Job, failures: Sequence[tuple[Addressee, Result]]) -> None:
        self._say("failed", job, failures)

    def delayed(self, job: Job, waiting: Sequence[tuple[Addressee, Result]], until: float) -> None:
        self._say("delayed", job, waiting)

    def sent(self, job: Job, arrived: Sequence[tuple[Addressee, Result]]) -> None:
        self._say("sent", job, arrived)

    def record(self, event: Event) -> None:
        self.events.append(event)


class Box:
    """An Outbox."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.shown: set[str] = set()
        self.withdrawn: set[str] = set()

    def show(self, job: Job) -> None:
        assert self.queue.set_outbox(job.id, "1 1")
        self.shown.add(job.id)

    def is_withdrawn(self, job: Job) -> bool:
        return job.id in self.withdrawn

    def take_out(self, job: Job) -> None:
        self.shown.discard(job.id)

    def tidy(self, account: str) -> int:
        return 0


class Place:
    """A queue with its process."""

    def __init__(self, folder: Path, carrier: Courier, local: Courier | None = None) -> None:
        self.folder, self.clock, self.told = folder, Clock(), Told()
        self.queue = Queue(folder / "queue", self.clock)
        self.box = Box(self.queue)
        self.bell = Bell(folder / "run")
        self.couriers = {"": carrier} | ({LOCAL: local} if local else {})

    def runner(self, total: int = 4, per_route: int = 4) -> Runner:
        house = House(
            self.queue, Bell(self.folder / "run"), self.couriers, self.told, self.told, self.box, self.told.errors.append,
            self.clock,
        )  # fmt: skip
        return Runner(house, Routes(per_route, total), Patience(5 * 86400, 4 * 3600))

    @contextmanager
    def running(self) -> Iterator[Runner]:
        runner = self.runner()
        runner.start()
        try:
            yield runner
        finally:
            runner.stop(5)

    def add(self, id: str, *names: str, route: str = "example.net", account: str = "ann", **order: float) -> None:
        envelope = Envelope(Client("s", "127.0.0.1"), Address("ann", "example.org"), message_id=id)
        recipients = [(Recipient(Address(name, "example.net")), route) for name in names]
        self.queue.add(envelope, recipients, io.BytesIO(b"x\r\n"), Order(account, **order))  # type: ignore[arg-type]
        self.bell.ring()


def until(condition: Callable[[], object]) -> None:
    """Wait for it, not longer than a failure needs to be sure."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.005)


def test_mail_is_carried_kept_and_told_of(tmp_path: Path) -> None:
    place = Place(tmp_path, Carrier({"bob": SENT, "cy": NEVER, "dan": LATER}))
    with place.running():
        place.add("m1", "bob", "cy", "dan")
        until(lambda: place.told.events and place.queue.show("m1").states[2] is State.WAITING)
        until(lambda: place.box.shown == {"m1"})
    assert place.told.said == [("failed", "m1", ["cy"]), ("sent", "m1", ["bob"])]
    assert [event.details["kind"] for event in place.told.events] == ["sent", "failed", "deferred"]
    assert place.queue.show("m1").states == [State.SENT, State.FAILED, State.WAITING]
    assert 270 <= place.queue.show("m1").next_try - place.clock.now <= 330


def test_a_message_whose_recipients_are_all_done_is_forgotten(tmp_path: Path) -> None:
    place = Place(tmp_path, Carrier({"bob": SENT}))
    with place.running():
        place.add("m1", "bob")
        until(lambda: not place.queue.listing())
    assert not place.queue.path("m1").exists() and not place.box.shown


def test_a_server_that_reports_itself_spares_the_report(tmp_path: Path) -> None:
    place = Place(tmp_path, Carrier({"bob": replace(SENT, reports=True)}))
    with place.running():
        place.add("m1", "bob")
        until(lambda: not place.queue.listing())
    assert place.told.said == []


def test_local_mail_has_its_own_courier(tmp_path: Path) -> None:
    remote, local = Carrier({"bob": SENT}), Carrier({"eve": SENT})
    place = Place(tmp_path, remote, local)
    with place.running():
        place.add("m1", "bob")
        place.add("m2", "eve", route=LOCAL)
        until(lambda: not place.queue.listing())
    assert remote.carried == [("m1", ["bob"])] and local.carried == [("m2", ["eve"])]


def test_after_some_hours_its_author_is_told_once(tmp_path: Path) -> None:
    place = Place(tmp_path, Carrier({"bob": LATER}))
    place.add("m1", "bob")
    for hours in (4, 8, 12):
        place.clock.now = Clock.now + hours * 3600
        with place.running():
            until(lambda n=hours // 4: len(place.told.events) == n)  # type: ignore[misc]
    assert place.told.said == [("delayed", "m1", ["bob"])]


def test_after_five_days_later_means_no(tmp_path: Path) -> None:
    place = Place(tmp_path, Carrier({"bob": LATER, "cy": NOBODY}))
    place.add("m1", "bob")
    place.add("m2", "cy", route="example.com")
    place.clock.now += 5 * 86400
    with place.running():
        until(lambda: not place.queue.listing())
    assert sorted(place.told.said) == [("failed", "m1", ["bob"]), ("failed", "m2", ["cy"])]
    assert {event.details["status"] for event in place.told.events} == {"5.2.1", "5.4.7"}


def test_an_error_in_the_program_parks_that_message_alone(tmp_path: Path) -> None:
    place = Place(tmp_path, Carrier({"bad": ZeroDivisionError(), "bob": SENT}))
    with place.running():
        place.add("m1", "bad")
        place.add("m2", "bob")
        until(lambda: [queued.states for queued in place.queue.listing()] == [[State.HELD]])
    assert "log" in place.queue.show("m1").hold
    assert isinstance(place.told.errors[0], ZeroDivisionError)


def test_a_withdrawn_message_is_not_sent(tmp_path: Path) -> None:
    carrier = Carrier({"bob": SENT})
    place = Place(tmp_path, carrier)
    place.box.withdrawn.add("m1")
    with place.running():
        place.add("m1", "bob")
        until(lambda: not place.queue.listing())
    assert not carrier.carried and [event.what for event in place.told.events] == ["cancelled"]


def test_where_nobody_answers_only_one_message_waits_for_the_timeout(tmp_path: Path) -> None:
    carrier = Carrier({name: NOBODY for name in "abcdefgh"} | {"bob": SENT})
    place = Place(tmp_path, carrier)
    for name in "abcdefgh":
        place.add(name, name)
    place.add("m2", "bob", route="example.com")
    with place.running():
        until(lambda: len(place.told.events) == 9)
    tried = [names for id, names in carrier.carried if id != "m2"]
    assert 1 <= len(tried) <= 4  # as many as were on their way together
    assert [queued.job.addressees[0].attempts for queued in place.queue.listing()] == [1] * 8


def test_retry_wakes_it_and_forgives(tmp_path: Path) -> None:
    answers = {"bob": NOBODY}
    place = Place(tmp_path, Carrier(answers))
    with place.running():
        place.add("m1", "bob")
        until(lambda: place.told.events)
        until(lambda: place.queue.show("m1").states == [State.WAITING])
        answers["bob"] = SENT
        place.queue.retry("m1")
        place.bell.ring(TRY_NOW)
        until(lambda: not place.queue.listing())


def test_what_is_due_later_goes_when_it_is_due(tmp_path: Path) -> None:
    place = Place(tmp_path, Carrier({"bob": SENT}))
    place.add("m1", "bob", not_before=place.clock.now + 60)
    with place.running():
        place.add("m2", "bob")
        until(lambda: len(place.queue.listing()) == 1 and place.box.shown == {"m1"})
        place.clock.now += 61
        until(lambda: not place.queue.listing())
    assert not place.box.shown


def test_there_is_one_at_a_time(tmp_path: Path) -> None:
    place = Place(tmp_path, Carrier({}))
    with place.running(), pytest.raises(AlreadyRunning):
        place.runner().start()
    with place.running():
        pass


def test_stopping_waits_for_what_is_under_way(tmp_path: Path) -> None:
    began, go_on = threading.Event(), threading.Event()

    def slow() -> Result:
        began.set()
        assert go_on.wait(DEADLINE)
        return SENT

    place = Place(tmp_path, Carrier({"bob": slow}))
    runner = place.runner()
    runner.start()
    place.add("m1", "bob")
    assert began.wait(DEADLINE)
    stopping = threading.Thread(target=runner.stop, args=(DEADLINE,))
    stopping.start()
    go_on.set()
    stopping.join(DEADLINE)
    assert not stopping.is_alive() and not place.queue.listing()


def test_no_more_at_a_time_than_the_destination_is_given(tmp_path: Path) -> None:
    lock, now, most = threading.Lock(), [0], [0]

    def carried() -> Result:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.001)  # long enough for others to be beside it
        with lock:
            now[0] -= 1
        return SENT

    place = Place(tmp_path, Carrier({"bob": carried}))
    for count in range(60):
        place.add(f"m{count}", "bob")
    runner = place.runner(total=8, per_route=2)
    runner.start()
    until(lambda: not place.queue.listing())
    runner.stop(5)
    assert most[0] == 2


def test_what_was_ready_and_not_begun_waits_again_after_a_stop(tmp_path: Path) -> None:
    began, go_on = threading.Event(), threading.Event()

    def slow() -> Result:
        began.set()
        assert go_on.wait(DEADLINE)
        return SENT

    place = Place(tmp_path, Carrier({"bob": slow}))
    for count in range(6):
        place.add(f"m{count}", "bob")
    runner = place.runner(total=6, per_route=1)
    runner.start()
    assert began.wait(DEADLINE)
    stopping = threading.Thread(target=runner.stop, args=(DEADLINE,))
    stopping.start()
    until(lambda: not any(thread.name == "dispatcher" for thread in threading.enumerate()))
    go_on.set()
    stopping.join(DEADLINE)
    assert {state for queued in place.queue.listing() for state in queued.states} == {State.WAITING}
    assert len(place.queue.listing()) == 5


def test_an_address_that_does_not_exist_is_not_written_to_again(tmp_path: Path) -> None:
    place = Place(tmp_path, Carrier({"bob": SENT, "cy": NEVER}))
    with place.running():
        place.add("m1", "bob", "cy")
        until(lambda: place.queue.suppressions("ann"))
    (row,) = place.queue.suppressions()
    assert (row.address, row.status, row.words) == ("cy@example.net", NEVER.status, NEVER.text)
