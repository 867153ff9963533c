"""The queue's process: takes what is due, has it carried, keeps what came of it, tells the author.

    dispatcher   one thread: waits for the bell or the clock, picks by schedule.Routes, takes from the queue
    carriers     `concurrency` threads: each carries one job at a time

It exists once: a lock on queue/lock says so. An error nobody foresaw holds its message with a reason and harms no other.
"""

from __future__ import annotations

import fcntl
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from pymaild.events import Event, Journal
from pymaild.mailstore import OverQuota
from pymaild.outbound import suppression
from pymaild.outbound.bell import LOOK, TRY_NOW, Bell
from pymaild.outbound.hand import Hand
from pymaild.outbound.job import Addressee, Courier, Job, Kind, Result
from pymaild.outbound.queue import Queue
from pymaild.outbound.schedule import Routes, next_try
from pymaild.status import MailError

_LONGEST_LOOK = 1.0  # seconds without a look at the clock and the queue
_SHOWN_AT_ONCE = 20  # copies made for Outboxes before there is another look at what is due
_NOT_WORTH_SHOWING = 2.0  # seconds
_PAUSE = 5.0  # seconds after the disk failed
_SWEEP_EVERY = 3600.0  # a file that no row speaks of at two sweeps is an accident's leftover


class Reports(Protocol):
    """Tells the author of a message what became of it. Returns when that is durable."""

    def failed(self, job: Job, failures: Sequence[tuple[Addressee, Result]]) -> None:
        """These recipients will not get it. RFC 3461 §5.2.3."""

    def delayed(self, job: Job, waiting: Sequence[tuple[Addressee, Result]], until: float) -> None:
        """These have not got it yet; `until` (seconds since 1970 UTC) it is tried. RFC 3461 §5.2.5."""

    def sent(self, job: Job, arrived: Sequence[tuple[Addressee, Result]]) -> None:
        """These got it, and nobody else reports so. RFC 3461 §5.2.2."""


class Outbox(Protocol):
    """The copy of a waiting message that its author sees."""

    def show(self, job: Job) -> None:
        """It has to wait: put a copy there. Raises MailError."""

    def is_withdrawn(self, job: Job) -> bool:
        """Whether there was a copy and its author took it away: then it is not sent."""

    def take_out(self, job: Job) -> None:
        """It does not wait any more."""

    def tidy(self, account: str) -> int:
        """Before anything is sent: put right what an accident left; how many messages."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long it is tried, and when the author hears that it takes long; seconds."""

    give_up_after: float = 5 * 86400.0
    tell_delay_after: float = 4 * 3600.0


class Nobody:
    """An Outbox that shows nothing."""

    def show(self, job: Job) -> None:
        """Not shown."""

    def is_withdrawn(self, job: Job) -> bool:
        """It cannot be."""
        return False

    def take_out(self, job: Job) -> None:
        """It was not there."""

    def tidy(self, account: str) -> int:
        """Always."""
        return 0


class AlreadyRunning(Exception):
    """Another process has the queue in hand."""


@dataclass(frozen=True, slots=True)
class House:
    """Whom the queue's process works with."""

    queue: Queue
    bell: Bell
    couriers: Mapping[str, Courier]  # by route; "" carries what is left
    reports: Reports
    journal: Journal
    outbox: Outbox = field(default_factory=Nobody)
    failed: Callable[[BaseException], None] = lambda error: None  # logs what nobody foresaw
    clock: Callable[[], float] = time.time


class Runner:
    """One per data_dir. start(), then stop()."""

    def __init__(self, house: House, routes: Routes, patience: Patience | None = None) -> None:
        self.house, self.queue, self.bell = house, house.queue, house.bell
        self.routes, self.patience = routes, patience or Patience()
        self._hand = Hand(routes.per_route)
        self._lock = threading.Lock()  # over routes
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._file = -1

    def start(self, accounts: Iterable[str] = ()) -> None:
        """Begin; first put the accounts' Outboxes right. Raises AlreadyRunning."""
        self._file = os.open(self.queue.folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise AlreadyRunning from None
        self.bell.answer()
        self.queue.recover()
        for account in accounts:
            self.house.outbox.tidy(account)
        carriers = [threading.Thread(target=self._carry, name=f"carrier {n}") for n in range(self.routes.total)]
        self._threads = [*carriers, threading.Thread(target=self._dispatch, name="dispatcher")]
        for thread in self._threads:
            thread.daemon = True
            thread.start()

    def stop(self, patience: float = 20.0) -> None:
        """No new attempts; those under way may end. What does not end in time waits again at the next start."""
        self._stopping.set()
        self.bell.ring()
        end = time.monotonic() + patience
        for thread in reversed(self._threads):  # the dispatcher first: it tells the carriers
            thread.join(max(0.0, end - time.monotonic()))
        os.close(self._file)

    # ---- the dispatcher

    def _dispatch(self) -> None:
        swept = time.monotonic()
        while not self._stopping.is_set():
            try:
                wait = self._take_due()
                self._show_waiting()
                if time.monotonic() - swept > _SWEEP_EVERY:
                    swept = time.monotonic()
                    self.queue.sweep()
            except (MailError, OSError) as error:  # the disk is full or broken: nothing is lost, it is tried again
                self.house.failed(error)
                wait = _PAUSE
            heard = self.bell.wait(wait)
            if TRY_NOW in heard:
                with self._lock:
                    self.routes.forgive()
        for job in self._hand.close():
            self.queue.put_back(job)

    def _take_due(self) -> float:
        """Hand out what is due and has room; seconds until there may be more."""
        lanes, now = self.queue.lanes(), self.house.clock()
        with self._lock:
            picked = self.routes.pick(lanes, now)
        if not picked:
            later = [lane.next_try - now for lane in lanes if lane.next_try > now]
            return min([_LONGEST_LOOK, *later])
        by_route = {(lane.route, lane.account): lane for lane, _ in picked}
        for job in self.queue.take(picked, now):
            lane = by_route[job.route, job.account]
            with self._lock:
                self.routes.started(lane)
            self._hand.put(lane, job)
        return _LONGEST_LOOK

    def _show_waiting(self) -> None:
        """Some of what waits and is not in its author's Outbox yet."""
        for job in self.queue.unshown(self.house.clock() + _NOT_WORTH_SHOWING, _SHOWN_AT_ONCE):
            try:
                self.house.outbox.show(job)
            except OverQuota:
                self.queue.set_outbox(job.id, "none")  # it waits all the same

    # ---- the carriers

    def _carry(self) -> None:
        while (taken := self._hand.take()) is not None:
            lane, job = taken
            try:
                self._attempt(job)
            except Exception as error:  # a message that makes our code fail must not stop the queue
                self.house.failed(error)
                self._park(job)
            low = self._hand.ended(lane.route)
            with self._lock:
                self.routes.ended(lane)
            if low:
                self.bell.ring(LOOK)

    def _park(self, job: Job) -> None:
        try:
            self.queue.put_back(job, "an error in the program: the log says which")
        except (MailError, OSError) as error:  # it stays in hand, and waits again after a restart
            self.house.failed(error)

    def _attempt(self, job: Job) -> None:
        if self.house.outbox.is_withdrawn(job):
            self._withdraw(job)
            return
        began = self.house.clock()
        results = self._results(job)
        now = self.house.clock()
        results = [self._given_up(job, result, now) for result in results]
        self._record(job, results, now - began)
        self._tell(job, results, now)
        tries = [next_try(addressee.attempts + 1, now, random.random) for addressee in job.addressees]
        if self.queue.settle(job, results, tries):
            self.house.outbox.take_out(job)

    def _results(self, job: Job) -> list[Result]:
        """Carry it; where nobody answered a moment ago, it is not even tried."""
        with self._lock:
            down = self.routes.is_down(job.route, self.house.clock())
        if down:
            return [_not_tried(addressee) for addressee in job.addressees]
        courier = self.house.couriers.get(job.route) or self.house.couriers[""]
        results = courier.send(job)
        nobody = all(not result.code and not result.final for result in results)
        with self._lock:
            if nobody:
                self.routes.failed(job.route, self.house.clock())
            else:
                self.routes.answered(job.route)
                self.routes.carried(job.route, self.house.clock())
        return results

    def _given_up(self, job: Job, result: Result, now: float) -> Result:
        """After days of trying, "later" means no. RFC 5321 §4.5.4.1; RFC 3463 X.4.7."""
        if result.final or now - job.created < self.patience.give_up_after:
            return result
        return replace(result, kind=Kind.FAILED, status="5.4.7" if not result.code else "5" + result.status[1:])

    def _withdraw(self, job: Job) -> None:
        gone = Result(Kind.FAILED, "5.0.0", "Its author took it out of the Outbox", at=self.house.clock())
        self.queue.settle(job, [gone] * len(job.addressees), [0.0] * len(job.addressees))
        self.house.journal.record(Event(job.id, "cancelled", {"account": job.account}))

    # ---- what others are told

    def _record(self, job: Job, results: Sequence[Result], seconds: float) -> None:
        for addressee, result in zip(job.addressees, results, strict=True):
            details: dict[str, str | int] = {
                "recipient": str(addressee.recipient.address),
                "kind": result.kind.value,
                "status": result.status,
                "code": result.code,
                "text": result.text,
                "host": result.host,
                "ip": result.ip,
                "tls": result.tls,
                "verified": result.verified,
                "route": job.route,
                "attempt": addressee.attempts + 1,
                "milliseconds": round(seconds * 1000),
            }
            self.house.journal.record(Event(job.id, "attempt", details))

    def _tell(self, job: Job, results: Sequence[Result], now: float) -> None:
        """Reports, before the results are settled: a crash in between tells twice, never not at all."""
        pairs = list(zip(job.addressees, results, strict=True))
        failures = [pair for pair in pairs if pair[1].kind is Kind.FAILED]
        arrived = [pair for pair in pairs if pair[1].kind is Kind.SENT and not pair[1].reports]
        if failures:
            self.house.reports.failed(job, failures)
            self._suppress(job, failures, now)
        if arrived:
            self.house.reports.sent(job, arrived)
        if now - job.created < self.patience.tell_delay_after:
            return
        waiting = [pair for pair in pairs if not pair[1].final and not pair[0].delay_told]
        if waiting:
            self.house.reports.delayed(job, waiting, job.created + self.patience.give_up_after)
            for addressee, _ in waiting:
                addressee.delay_told = True

    def _suppress(self, job: Job, failures: Sequence[tuple[Addressee, Result]], now: float) -> None:
        """Nobody there for good: the account need not try again. A list that cannot be kept is no reason to send twice."""
        try:
            self.queue.suppress(suppression.from_results(job.account, failures, now))
        except MailError as error:
            self.house.failed(error)


def _not_tried(addressee: Addressee) -> Result:
    """What came of it the last time stands."""
    if addressee.last is not None and not addressee.last.final:
        return addressee.last
    return Result(Kind.DEFERRED, "4.4.1", "Nobody answers there: another message has just tried")
