"""pymaild queue: what waits to leave, why, and what to do about it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pymaild.assembly import become, open_directory
from pymaild.cli.errors import USAGE, CommandError
from pymaild.cli.listing import as_json, table
from pymaild.cli.parser import Options
from pymaild.units import show_duration, show_size

if TYPE_CHECKING:
    from pymaild.outbound.queue import Queue, Queued, Waiting

_EMPTY = "The queue is empty: nothing waits to be sent."
_WORDS = {"WAITING": "waits", "SENDING": "being sent", "HELD": "held", "SENT": "sent", "FAILED": "failed"}


@contextmanager
def open_queue(options: Options) -> Iterator[Queue]:
    """The queue of the configured data_dir, as the user whose files it is; the server need not be running."""
    from pymaild.outbound.queue import Queue  # noqa: PLC0415

    become(options.config)
    open_directory(options.config).close()
    queue = Queue(options.config.server.data_dir / "queue")
    try:
        yield queue
    finally:
        queue.close()


def _ring(options: Options, message: bytes) -> None:
    """Wake the process that sends, if the server is running."""
    from pymaild.outbound.bell import Bell  # noqa: PLC0415

    bell = Bell(options.config.run_dir)
    bell.ring(message)
    bell.close()


def listing(options: Options) -> int:
    """Every message, oldest first."""
    return print_list(options, options.account or None, options.json)


def print_list(options: Options, account: str | None = None, json: bool = False) -> int:
    """Of one account or of all, as a table or as JSON."""
    with open_queue(options) as queue:
        found = queue.listing(account)
    if json:
        as_json([_as_json(queued) for queued in found])
        return 0
    now = time.time()
    rows = [(q.job.id, q.job.reverse_path or "<>", _to(q), show_size(q.job.size), _next(q, now), _why(q)) for q in found]
    table(("ID", "FROM", "TO", "SIZE", "NEXT TRY", "WHY"), rows, _EMPTY)
    return 0


def _to(queued: Queued) -> str:
    """The first recipient that is left, and how many more."""
    left = [waiting for waiting in queued.recipients if not waiting.is_done]
    more = f" and {len(left) - 1} more" if len(left) > 1 else ""
    return f"{left[0].addressee.recipient.address}{more}"


def _next(queued: Queued, now: float) -> str:
    if queued.hold:
        return "held"
    if any(waiting.state.name == "SENDING" for waiting in queued.recipients):
        return "being sent"
    wait = queued.next_try - now
    return "now" if wait <= 0 else f"in {show_duration(wait)}"


def _why(queued: Queued) -> str:
    """The last words about it."""
    if queued.hold:
        return queued.hold
    lasts = [waiting.addressee.last for waiting in queued.recipients if not waiting.is_done]
    if not any(lasts) and queued.next_try > time.time():
        return "its author wants it sent then"
    texts = [f"{last.host}: {last.text}" if last.code and last.host else last.text for last in lasts if last]
    text = " ".join(texts[0].split()) if texts else ""
    return text if len(text) <= 80 else text[:79] + "…"


def show(options: Options) -> int:
    """One message, all its recipients, what was said about each."""
    with open_queue(options) as queue:
        queued = queue.show(options.id)
    if options.json:
        as_json(_as_json(queued))
        return 0
    job, now = queued.job, time.time()
    print(f"{job.id}  {show_size(job.size)}  from {job.reverse_path or '<>'}  ({job.account or 'the server itself'})")
    print(f"file: {job.path}")
    if queued.hold:
        print(f"held: {queued.hold}")
    for waiting in queued.recipients:
        print(f"\n  {waiting.addressee.recipient.address}: {_state(waiting, now)}")
        for line in _last(waiting):
            print(f"    {line}")
    return 0


def _state(waiting: Waiting, now: float) -> str:
    addressee, word = waiting.addressee, _WORDS.get(waiting.state.name, waiting.state.name.lower())
    attempts = f" after {addressee.attempts} attempt{'s' if addressee.attempts != 1 else ''}" if addressee.attempts else ""
    due = ""
    if word == "waits":
        wait = addressee.next_try - now
        due = ", to be tried now" if wait <= 0 else f", next try in {show_duration(wait)}"
    return word + attempts + due


def _last(waiting: Waiting) -> Iterator[str]:
    last = waiting.addressee.last
    if last is None:
        return
    who = f"{last.host} [{last.ip}]" if last.ip and last.ip != last.host else last.host
    if who:
        yield f"{who}, {last.tls or 'without TLS'}" if last.code else who
    code = f"{last.code} " if last.code else ""
    for line in last.text.splitlines():
        yield "".join(char if char.isprintable() else "?" for char in f"{code}{last.status} {line}")


def _as_json(queued: Queued) -> dict[str, object]:
    job = queued.job
    return {
        "id": job.id,
        "account": job.account,
        "reverse_path": str(job.reverse_path or ""),
        "size": job.size,
        "created": job.created,
        "hold": queued.hold,
        "next_try": queued.next_try,
        "recipients": [_recipient_as_json(waiting) for waiting in queued.recipients],
    }


def _recipient_as_json(waiting: Waiting) -> dict[str, object]:
    addressee, last = waiting.addressee, waiting.addressee.last
    return {
        "address": str(addressee.recipient.address),
        "route": addressee.route,
        "state": waiting.state.name.lower(),
        "attempts": addressee.attempts,
        "next_try": addressee.next_try,
        "last": last and {"kind": last.kind.value, "status": last.status, "code": last.code, "text": last.text,
                          "host": last.host, "ip": last.ip, "tls": last.tls, "at": last.at},
    }  # fmt: skip


# ---- decisions


def retry(options: Options) -> int:
    """Try now, not when it is due."""
    from pymaild.outbound.bell import TRY_NOW  # noqa: PLC0415

    if bool(options.id) is bool(options.all):
        raise CommandError(USAGE, "name the ID of a message, or --all")
    with open_queue(options) as queue:
        if options.all:
            count = queue.retry_all()
            print(f"{count} message{'s are' if count != 1 else ' is'} due now.")
        else:
            queue.retry(options.id)
            print(f"{options.id} is due now.")
    _ring(options, TRY_NOW)
    return 0


def hold(options: Options) -> int:
    """Keep it until it is released."""
    reason = options.reason or "held by the administrator"
    return _decide(options, lambda queue: queue.hold(options.id, reason), "is held. To let it go: pymaild queue release")


def release(options: Options) -> int:
    """Let a held message go on."""
    return _decide(options, lambda queue: queue.release(options.id), "")


def _decide(options: Options, act: Callable[[Queue], None], then: str) -> int:
    from pymaild.outbound.bell import LOOK  # noqa: PLC0415

    with open_queue(options) as queue:
        act(queue)
    _ring(options, LOOK)
    print(f"{options.id} {then} {options.id}" if then else f"{options.id} is due now.")
    return 0


def remove(options: Options) -> int:
    """Take it out, also of its author's Outbox; nobody is told."""
    from pymaild.assembly import assemble  # noqa: PLC0415 - the storage
    from pymaild.outbound.outbox import Outbox  # noqa: PLC0415

    with open_queue(options) as queue:
        queued = queue.remove(options.id)
        services = assemble(options.config)
        try:
            Outbox(lambda: queue, services.stores, services.journal).take_out(queued.job)
        finally:
            services.close()
    print(f"{options.id} to {_to(queued)} is gone. Nobody is told.")
    return 0
