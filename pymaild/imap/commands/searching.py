"""SEARCH: which messages of the selected mailbox a program of keys holds for. RFC 3501 §6.4.4, RFC 4731."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from pymaild.imap import esearch
from pymaild.imap.answers import Answer
from pymaild.imap.errors import No
from pymaild.imap.search import Program, program
from pymaild.imap.table import Command, Commands, Request, State
from pymaild.imap.view import View
from pymaild.status import MailError

if TYPE_CHECKING:
    from pymaild.imap.session import Session


def search(session: Session, request: Request) -> Answer:
    """The messages a program of keys holds for. §6.4.4."""
    view, args = session.selected, request.args
    args.space("a search key")
    wanted = esearch.returns(args)
    reading = Program(args, view, session.limits.search_keys)
    try:
        query = program(reading)
        uids = view.known(view.mailbox.search(query))
    except (No, MailError):
        _forget(view, wanted)
        raise
    if reading.by_modseq:
        session.enable("CONDSTORE")  # RFC 7162 §3.1.5
    if wanted is None and "IMAP4REV2" in session.enabled:
        wanted = esearch.Returns(["ALL"])  # RFC 9051 §6.4.4
    return Answer("Done", untagged=_found(view, request, wanted, reading, uids))


def _forget(view: View, wanted: esearch.Returns | None) -> None:
    """A search that fails with NO leaves $ empty. RFC 5182 §2.1."""
    if wanted is not None and "SAVE" in wanted.words:
        view.saved = array("I")


def _found(
    view: View, request: Request, wanted: esearch.Returns | None, reading: Program, uids: Sequence[int]
) -> Sequence[bytes]:
    """The result as it is told, and kept when it is to be saved."""
    covered = uids if wanted is None else wanted.covered(uids)
    modseq = highest_modseq(view, covered) if reading.by_modseq else 0
    if wanted is not None and "SAVE" in wanted.words:
        view.saved = array("I", sorted(covered))
    found = uids if request.by_uid else view.numbers(uids)
    if wanted is None:
        return (classic(b"* SEARCH", found, modseq),)
    if wanted.only_saves:
        return ()
    return (esearch.response(esearch.correlator(request.tag, request.by_uid), wanted, found, modseq),)


def classic(head: bytes, found: Sequence[int], modseq: int = 0) -> bytes:
    """* SEARCH 2 3 (MODSEQ 7). §7.2.5, RFC 7162 §3.1.5."""
    return b" ".join(_words(head, found, modseq)) + b"\r\n"


def _words(head: bytes, found: Sequence[int], modseq: int) -> Iterator[bytes]:
    yield head
    yield from (b"%d" % number for number in found)
    if modseq:
        yield b"(MODSEQ %d)" % modseq


def highest_modseq(view: View, uids: Sequence[int]) -> int:
    """The highest modseq of some messages; 0 of none."""
    return max((row.modseq for row in view.mailbox.rows(sorted(uids))), default=0) if uids else 0


COMMANDS: Final[Commands] = {
    "SEARCH": Command(search, State.SELECTED, "RFC 3501 §6.4.4", keeps_numbers=True),
    "UID SEARCH": Command(search, State.SELECTED, "RFC 3501 §6.4.8", by_uid=True),
}
