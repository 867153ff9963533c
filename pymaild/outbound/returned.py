"""Reports that come in, tied to the message they speak of: noted on its journey, shown on its copy, learned from.

A report counts only where it names the Message-ID of a message this account sent in the last 30 days, and an address the
account wrote to: anybody can send what looks like a report. It is looked at after it was delivered, on a thread of its
own: nothing here delays or fails a delivery. At worst a mark is missing.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from pymaild.events import Event, Journal
from pymaild.mailstore import AccountStore, FlagChange, HeaderContains, SpecialUse
from pymaild.message.bounces import MAX_READ, Bounce, Told, recognise
from pymaild.outbound import suppression
from pymaild.outbound.queue import Queue
from pymaild.outbound.suppression import Suppressed
from pymaild.status import MailError

MOST_WAITING = 200  # reports not looked at yet; more are let go
BOUNCED, DELIVERED = "$Bounced", "$Delivered"  # keywords on the copy in Sent
_EVENTS = {"failed": "bounced", "delayed": "slow", "feedback": "complained"}
_KEYWORDS = {"failed": BOUNCED, "delivered": DELIVERED}
_MAX_TEXT = 1000


class Returned:
    """One per process; its thread starts with the first report."""

    def __init__(
        self,
        queue_of: Callable[[], Queue],
        stores: Callable[[str], AccountStore],
        journal: Journal,
        failed: Callable[[BaseException], None] = lambda error: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._queue, self._stores, self._journal, self._failed, self._clock = queue_of, stores, journal, failed, clock
        self._waiting: queue.Queue[tuple[str, bytes] | None] = queue.Queue(MOST_WAITING)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def arrived(self, account: str, message: bytes) -> None:
        """A message with the null reverse-path lies in the account's mailbox. Never waits, never fails."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="reports", daemon=True)
                self._thread.start()
        with suppress(queue.Full):
            self._waiting.put_nowait((account, message[:MAX_READ]))

    def close(self) -> None:
        """What waits is still looked at."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread:
            self._waiting.put(None)
            thread.join(10)

    def _run(self) -> None:
        while (taken := self._waiting.get()) is not None:
            try:
                self._look(*taken)
            except (MailError, OSError) as error:  # the disk is full or broken: a mark is missing
                self._failed(error)

    def _look(self, account: str, message: bytes) -> None:
        bounce = recognise(message)
        if bounce is None or not bounce.told or not bounce.message_id:
            return
        id = self._queue().sent_as(account, bounce.message_id)
        if not id:
            return  # it speaks of nothing this account sent
        for told in bounce.told:
            self._note(account, id, told)
        self._queue().suppress(list(filter(None, (self._learned(account, told) for told in bounce.told))))
        self._mark(account, bounce)

    def _note(self, account: str, id: str, told: Told) -> None:
        details: dict[str, str | int] = {
            "account": account,
            "recipient": told.recipient,
            "status": told.status,
            "cause": told.cause.value,
            "text": suppression.one_line(told.words)[:_MAX_TEXT],
        }
        self._journal.record(Event(id, _EVENTS.get(told.action, "confirmed"), details))

    def _learned(self, account: str, told: Told) -> Suppressed | None:
        """The row for the suppression list that it is worth."""
        reason = suppression.why(told.cause, told.status) if told.action == "failed" else ""
        known = [each for each in (told.original, told.recipient) if each and self._queue().has_met(account, each)]
        if not reason or not known:
            return None
        words = suppression.one_line(told.words)
        return Suppressed(account, known[0].lower(), reason, told.status, words, self._clock())

    def _mark(self, account: str, bounce: Bounce) -> None:
        """A keyword on the copy in Sent, so that every program can show it."""
        keywords = {_KEYWORDS[told.action] for told in bounce.told if told.action in _KEYWORDS}
        if not keywords:
            return
        store = self._stores(account)
        mailbox = store.open(store.special(SpecialUse.SENT))
        if uids := mailbox.search(HeaderContains("message-id", bounce.message_id)):
            mailbox.change_flags(uids, FlagChange.ADD, 0, sorted(keywords))
