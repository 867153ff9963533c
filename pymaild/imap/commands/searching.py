"""SEARCH, SORT, THREAD: which messages of the selected mailbox a program of keys holds for. RFC 3501 §6.4.4, RFC 5256."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from pymaild.imap import context, esearch, sort, thread
from pymaild.imap.answers import Answer
from pymaild.imap.errors import Bad, No
from pymaild.imap.fetch import Items, fetch_items
from pymaild.imap.notify import fetched
from pymaild.imap.search import Program, charset, program
from pymaild.imap.table import Command, Commands, Request, State
from pymaild.imap.view import View
from pymaild.message.thread import ALGORITHMS
from pymaild.status import MailError

if TYPE_CHECKING:
    from pymaild.imap.session import Session


def search(session: Session, request: Request) -> Answer:
    """The messages a program of keys holds for. §6.4.4."""
    view, args = session.selected, request.args
    args.space("a search key")
    fetches: list[Items] = []
    limit = session.limits.fetch_items
    wanted = esearch.returns(args, esearch.SEARCH_OPTIONS, lambda: fetches.append(fetch_items(args, False, limit)))
    if wanted is None and "IMAP4REV2" in session.enabled:
        wanted = esearch.Returns(["ALL"])  # RFC 9051 §6.4.4
    reading = Program(args, view, session.limits.search_keys)
    updates = wanted is not None and "UPDATE" in wanted.words
    if updates:
        context.check_tag(view, request.tag)
    uids = _run(session, reading, wanted)
    answer = _answer(view, request, wanted, reading, uids)
    if updates:
        arrivals = partial(fetched, items=fetches[0]) if fetches else None
        kept = context.Context(request.tag, request.by_uid, reading.query, uids, arrivals)
        answer.untagged = [*answer.untagged, *context.keep(view, kept)]
    return answer


def cancel_update(session: Session, request: Request) -> Answer:
    """Some searches need not be kept up to date any more. RFC 5267 §4.3.4."""
    view, args = session.selected, request.args
    args.space("the tag of a search, in quotes")
    tags = [args.string("the tag of a search, in quotes")]
    while args.accept(b" "):
        tags.append(args.string("the tag of a search, in quotes"))
    args.end()
    for tag in tags:
        view.contexts.pop(tag, None)
    return Answer("Done")


def sort_(session: Session, request: Request) -> Answer:
    """The same, in the order of some criteria. RFC 5256 §3 (SORT), RFC 5267 §3.1 (ESORT)."""
    view, args = session.selected, request.args
    args.space("sort criteria")
    wanted = esearch.returns(args)
    criteria = sort.criteria(args)
    args.space("a charset")
    reading = Program(args, view, session.limits.search_keys)
    uids = _run(session, reading, wanted, charset_first=True)
    check_relevancy(reading, wanted, sorts=any(criterion.name == "RELEVANCY" for criterion in criteria))
    uids = sort.sort(view.mailbox, uids, criteria, scores=reading.scores)
    return _answer(view, request, wanted, reading, uids)


def thread_(session: Session, request: Request) -> Answer:
    """The same, as trees of who answers whom. RFC 5256 §3 (THREAD)."""
    view, args = session.selected, request.args
    args.space("a thread algorithm")
    algorithm = args.word("a thread algorithm")
    if algorithm not in ALGORITHMS:
        raise Bad(f"Expected one of the thread algorithms {' '.join(ALGORITHMS)}")
    args.space("a charset")
    reading = Program(args, view, session.limits.search_keys)
    trees = thread.drawn(view.mailbox, _run(session, reading, None, charset_first=True), algorithm)
    numbers = trees.uids if request.by_uid else view.numbered(trees.uids)
    return Answer("Done", untagged=(thread.response(trees.form, numbers),))


def check_relevancy(reading: Program, wanted: esearch.Returns | None, sorts: bool = False) -> None:
    """There are no scores without FUZZY. RFC 6203 §4."""
    if not reading.fuzzy and (sorts or (wanted is not None and "RELEVANCY" in wanted.words)):
        raise Bad("RELEVANCY is for searches with FUZZY")


def _run(session: Session, reading: Program, wanted: esearch.Returns | None, charset_first: bool = False) -> Sequence[int]:
    """The uids found, of those the client knows of. A search that fails with NO leaves $ empty: RFC 5182 §2.1."""
    view = reading.view
    try:
        if charset_first:  # SORT and THREAD must say it. RFC 5256 §5 (search-criteria)
            reading.charset = charset(reading.args)
            reading.args.space("a search key")
        reading.query = program(reading)
        check_relevancy(reading, wanted)
        uids = view.known(view.mailbox.search(reading.query, reading.scores))
    except (No, MailError):
        if wanted is not None and "SAVE" in wanted.words:
            view.saved = array("I")
        raise
    if reading.by_modseq:
        session.enable("CONDSTORE")  # RFC 7162 §3.1.5
    return uids


def _answer(view: View, request: Request, wanted: esearch.Returns | None, reading: Program, uids: Sequence[int]) -> Answer:
    """The result as it is told, and kept when it is to be saved."""
    if wanted is not None and reading.fuzzy:
        wanted.scores = [reading.score(uid) for uid in uids]
    covered = uids if wanted is None else wanted.covered(uids)
    modseq = highest_modseq(view, covered) if reading.by_modseq else 0
    if wanted is not None and "SAVE" in wanted.words:
        view.saved = array("I", sorted(covered))
    found = uids if request.by_uid else view.numbered(uids)
    if wanted is None:
        head = b"* SORT" if request.verb.endswith("SORT") else b"* SEARCH"
        return Answer("Done", untagged=(classic(head, found, modseq),))
    if wanted.only_saves:
        return Answer("Done")
    head = esearch.correlator(request.tag, request.by_uid)
    return Answer("Done", untagged=(esearch.response(head, wanted, found, modseq),))


def classic(head: bytes, found: Sequence[int], modseq: int = 0) -> bytes:
    """* SEARCH 2 3 (MODSEQ 7). §7.2.5, RFC 7162 §3.1.5."""
    told = b" (MODSEQ %d)" % modseq if modseq else b""
    return head + (b" %d" * len(found)) % tuple(found) + told + b"\r\n"


def highest_modseq(view: View, uids: Sequence[int]) -> int:
    """The highest modseq of some messages; 0 of none."""
    return max((row.modseq for row in view.mailbox.rows(sorted(uids))), default=0) if uids else 0


COMMANDS: Final[Commands] = {
    "CANCELUPDATE": Command(cancel_update, State.SELECTED, "RFC 5267 §4.3.4"),
    "SEARCH": Command(search, State.SELECTED, "RFC 3501 §6.4.4", keeps_numbers=True),
    "SORT": Command(sort_, State.SELECTED, "RFC 5256 §3", keeps_numbers=True),
    "THREAD": Command(thread_, State.SELECTED, "RFC 5256 §3", keeps_numbers=True),
    "UID SEARCH": Command(search, State.SELECTED, "RFC 3501 §6.4.8", by_uid=True),
    "UID SORT": Command(sort_, State.SELECTED, "RFC 5256 §3", by_uid=True),
    "UID THREAD": Command(thread_, State.SELECTED, "RFC 5256 §3", by_uid=True),
}
