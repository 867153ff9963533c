"""Tells authors what became of their mail: when a report is due, what it says, and that it never goes to a stranger.

to nobody                    the message had the null reverse-path: it is a report itself (RFC 5321 §4.5.5)
to an account here           into its mailbox
to anybody else              not at all: whoever forged the address would make us write to a third person
NOTIFY                       NEVER, or without the word for this: no report (RFC 3461 §4.1)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from pymaild.envelope import Address
from pymaild.events import Event, Journal
from pymaild.message import fields, words
from pymaild.message.dsn import MOST_RETURNED, Action, Fate, Report, Returned, compose
from pymaild.outbound import answers
from pymaild.outbound.job import LOCAL, Addressee, Job, Result
from pymaild.status import MailError

MAX_HEADER = 1 << 20  # octets read for a report
_KEPT_HEADER = 1 << 16  # octets of it that go into one
Pairs = Sequence[tuple[Addressee, Result]]


class Post(Protocol):
    """Puts a report into the mailbox of its reader."""

    def is_here(self, address: Address) -> bool:
        """Whether it is somebody of this server."""

    def report(self, address: Address, message: bytes, id: str) -> None:
        """Durable on return. Raises MailError."""


class Reports:
    """runner.Reports."""

    def __init__(self, hostname: str, post: Post, journal: Journal, clock: Callable[[], float] = time.time) -> None:
        self.hostname, self.post, self.journal, self._clock = hostname, post, journal, clock

    def failed(self, job: Job, failures: Pairs) -> None:
        """FAILURE, which is meant where nothing is said. RFC 3461 §4.1."""
        self._tell(job, [pair for pair in failures if _wants(pair[0], "FAILURE")], Action.FAILED)

    def delayed(self, job: Job, waiting: Pairs, until: float) -> None:
        """DELAY, which is meant where nothing is said."""
        self._tell(job, [pair for pair in waiting if _wants(pair[0], "DELAY")], Action.DELAYED, until)

    def sent(self, job: Job, arrived: Pairs) -> None:
        """SUCCESS, for those who asked. What went to a server that makes no reports is relayed. RFC 3461 §5.2.2."""
        wanted = [pair for pair in arrived if "SUCCESS" in pair[0].recipient.notify]
        self._tell(job, wanted, Action.DELIVERED if job.route == LOCAL else Action.RELAYED)

    def _tell(self, job: Job, pairs: Pairs, action: Action, until: float = 0.0) -> None:
        if not pairs:
            return
        if job.reverse_path is None or not job.account or not self.post.is_here(job.reverse_path):
            self._untold(job, pairs, action)
            return
        fates = [_fate(addressee, result, action, until) for addressee, result in pairs]
        report = Report(self.hostname, job.reverse_path, fates, _returned(job, action), self._clock())
        try:
            self.post.report(job.reverse_path, compose(report), job.id)
        except MailError as error:
            if error.temporary:
                raise
            self._untold(job, pairs, action)  # the account is gone
            return
        self.journal.record(Event(job.id, "reported", {"to": str(job.reverse_path), "action": action.value}))

    def _untold(self, job: Job, pairs: Pairs, action: Action) -> None:
        details: dict[str, str | int] = {"action": action.value, "recipient": str(pairs[0][0].recipient.address)}
        self.journal.record(Event(job.id, "untold", details))


def _wants(addressee: Addressee, word: str) -> bool:
    notify = addressee.recipient.notify
    return word in notify if notify else word != "SUCCESS"


def _fate(addressee: Addressee, result: Result, action: Action, until: float) -> Fate:
    recipient = addressee.recipient
    told = answers.explain(str(recipient.address), result, action)
    words = result.text if result.text else ""
    return Fate(
        recipient.address, action, result.status, told.what, told.advice, recipient.orcpt,
        result.host if result.code else "", result.code, words, result.at, until,
    )  # fmt: skip


def _returned(job: Job, action: Action) -> Returned:
    """What goes back: all of a message that failed and is not long, unless RET=HDRS; else its header. RFC 3461 §4.3."""
    try:
        with job.path.open("rb") as file:
            start = file.read(MAX_HEADER)
            end = fields.header_end(start)
            wants_all = action is Action.FAILED and job.ret != "HDRS" and job.size <= MOST_RETURNED
            body = start[end:] if wants_all and job.size <= len(start) else None
    except OSError:
        return Returned(b"\r\n", None, "", job.created, job.envid)
    header = start[:end]
    if len(header) > _KEPT_HEADER:
        header = header[: header.rfind(b"\n", 0, _KEPT_HEADER) + 1] + b"\r\n"
        body = None
    subjects = fields.bodies(header, "subject")
    subject = words.decode_words(subjects[0])[:200].strip() if subjects else ""
    return Returned(header, body, " ".join(subject.split()), job.created, job.envid)
