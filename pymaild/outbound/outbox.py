"""The Outbox: a mailbox of the account that shows what waits to be sent. Taking a message out of it cancels it.

A copy appears when a message has to wait (for its hour, after a first attempt, because it is held) and goes when it is
sent or given up. The queue remembers which copy is whose; the store asks before a copy leaves (store/watched.py), so a
message that is being sent this very moment stays where it is and whoever moves it is told so. A program that removes the
file behind our back is noticed before the next attempt.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import BinaryIO

from pymaild.events import Event, Journal
from pymaild.mailstore import (
    AccountStore,
    Flag,
    FlagChange,
    Mailbox,
    MailboxExists,
    NoSuchMailbox,
    NotPermitted,
    SpecialUse,
)
from pymaild.message import addresses, fields
from pymaild.outbound.job import Job
from pymaild.outbound.queue import BeingSent, NotQueued, Queue

NAME = "Outbox"
Stores = Callable[[str], AccountStore]


class Outbox:
    """runner.Outbox, and what the store asks before a copy leaves."""

    def __init__(self, queue: Callable[[], Queue], stores: Stores, journal: Journal) -> None:
        self._queue, self._stores, self._journal = queue, stores, journal

    # ---- for the queue's process

    def show(self, job: Job) -> None:
        """Put a copy there. Raises MailError."""
        store = self._stores(job.account)
        message = _as_written(job)
        try:
            uid = store.deliver(NAME, b"", message, Flag.SEEN)
        except NoSuchMailbox:
            with suppress(MailboxExists):
                store.create(NAME)
            store.subscribe(NAME)
            uid = store.deliver(NAME, b"", message, Flag.SEEN)
        mailbox = store.open(NAME)
        if not self._queue().set_outbox(job.id, f"{mailbox.state().uidvalidity} {uid}"):  # sent in the meantime
            mailbox.change_flags([uid], FlagChange.ADD, Flag.DELETED)
            mailbox.expunge([uid])
        elif not list(mailbox.rows([uid])):  # taken away before the queue knew the copy
            self.leaving(job.account, mailbox.state().uidvalidity, [uid])

    def is_withdrawn(self, job: Job) -> bool:
        """Whether there was a copy and a program took it away, or marked it as deleted."""
        if not job.outbox:
            return False
        mailbox, uid = self._copy(job)
        if mailbox is None:
            return False
        mailbox.refresh()
        return all(row.flags & Flag.DELETED for row in mailbox.rows([uid]))

    def take_out(self, job: Job) -> None:
        """It does not wait any more. A copy that is gone already is as good."""
        if not job.outbox:
            return
        mailbox, uid = self._copy(job)
        if mailbox is not None:
            mailbox.change_flags([uid], FlagChange.ADD, Flag.DELETED)
            mailbox.expunge([uid])

    def _copy(self, job: Job) -> tuple[Mailbox | None, int]:
        """The mailbox, if it still is the one in which the copy was made, and the copy's uid."""
        uidvalidity, _, uid = job.outbox.partition(" ")
        try:
            mailbox = self._stores(job.account).open(NAME)
        except NoSuchMailbox:
            return None, 0
        return (mailbox, int(uid)) if str(mailbox.state().uidvalidity) == uidvalidity else (None, 0)

    # ---- for the store

    def leaving(self, account: str, uidvalidity: int, uids: Sequence[int]) -> None:
        """Copies are about to be taken out: cancel what they stand for. Raises NotPermitted for one that is being sent."""
        queue = self._queue()
        known = queue.in_outbox(account)
        for uid in uids:
            id = known.get(f"{uidvalidity} {uid}")
            if id is None:
                continue
            try:
                queue.remove(id)
            except NotQueued:
                continue
            except BeingSent as error:
                raise NotPermitted("4.0.0", error.text) from error
            self._journal.record(Event(id, "cancelled", {"account": account}))

    def tidy(self, account: str) -> int:
        """What lies in the Outbox and stands for nothing (after an accident) goes to the drafts; how many."""
        store = self._stores(account)
        try:
            mailbox = store.open(NAME)
        except NoSuchMailbox:
            return 0
        uidvalidity, uids = mailbox.state().uidvalidity, list(mailbox.uids())
        known = self._queue().in_outbox(account)
        left = [uid for uid in uids if f"{uidvalidity} {uid}" not in known]
        if left:
            mailbox.move(left, store.special(SpecialUse.DRAFTS))
        return len(left)


def _as_written(job: Job) -> BinaryIO:
    """The message without what this server put on top, and with its Bcc again: whoever takes it back has all of it."""
    with job.path.open("rb") as file:
        file.seek(int(job.details.get("trace", "0")))
        message = file.read()
    header = message[: fields.header_end(message)]
    named = {
        str(addresses.mailbox_address(entry))
        for name in ("to", "cc")
        for body in fields.bodies(header, name)
        for entry in addresses.parse(body)
        if entry.local_part and entry.domain
    }
    hidden = [str(a.recipient.address) for a in job.addressees if str(a.recipient.address) not in named]
    bcc = "Bcc: " + ",\r\n ".join(hidden) + "\r\n" if hidden else ""
    return io.BytesIO(bcc.encode("utf-8", "replace") + message)
