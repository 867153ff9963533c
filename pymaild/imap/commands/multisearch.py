"""ESEARCH: one search in many mailboxes, none of which need be selected. RFC 7377; the sources are those of RFC 5465 §6."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import TYPE_CHECKING, Final

from pymaild.imap import esearch, names
from pymaild.imap.answers import Answer
from pymaild.imap.commands.searching import check_relevancy, highest_modseq
from pymaild.imap.context import no_update
from pymaild.imap.errors import Bad
from pymaild.imap.grammar import Parser
from pymaild.imap.search import Program, program
from pymaild.imap.table import LOGGED_IN, Command, Commands, Request
from pymaild.imap.values import string
from pymaild.imap.view import View
from pymaild.mailstore import AccessDenied, InvalidName, MailboxInfo, NoSuchMailbox
from pymaild.progress import listening

if TYPE_CHECKING:
    from pymaild.imap.session import Session

MAX_SOURCES: Final = 100
Source = tuple[str, list[str]]  # the word, and the names behind it


def _below(name: str, given: Sequence[str], levels: int) -> bool:
    """Whether a mailbox is one of these, or at most so many levels below one."""
    depth = name.count(names.DELIMITER)
    return any(
        name == top or (name.startswith(top + names.DELIMITER) and depth - top.count(names.DELIMITER) <= levels)
        for top in given
    )


# Which mailboxes each word stands for. RFC 5465 §6, RFC 7377 §2.2
SOURCES: Final[dict[str, Callable[[MailboxInfo, Sequence[str]], bool]]] = {
    "INBOXES": lambda info, _: info.name == "INBOX",
    "PERSONAL": lambda info, _: not info.owner,
    "SUBSCRIBED": lambda info, _: info.subscribed,
    "SUBTREE": lambda info, given: _below(info.name, given, levels=1000),
    "SUBTREE-ONE": lambda info, given: _below(info.name, given, levels=1),
    "MAILBOXES": lambda info, given: info.name in given,
}
NAMED: Final = frozenset({"SUBTREE", "SUBTREE-ONE", "MAILBOXES"})  # names stand behind these


def multisearch(session: Session, request: Request) -> Answer:
    """The messages of all these mailboxes that a program holds for, by uid. RFC 7377 §2.1."""
    args = request.args
    args.space("what to search for")
    sources = _sources(args) if args.accept(b"IN ") else [("SELECTED", [])]
    wanted = esearch.returns(args, esearch.SEARCH_OPTIONS) or esearch.Returns(["ALL"])
    here = [word for word, _ in sources if word == "SELECTED"]
    if here and session.view is None:
        raise Bad("Select a mailbox first")
    alone = len(here) == len(sources)
    if "SAVE" in wanted.words and not alone:
        raise Bad("SAVE is for searches of the selected mailbox alone")
    if "UPDATE" in wanted.words and session.view is None:
        raise Bad("UPDATE is for the selected mailbox: select one first")  # RFC 7377 §2.2
    any_view = session.view or View(session.store.open("INBOX"), True, session.enabled)
    _read(session, args, any_view, wanted, alone)  # whether the program can be read, wherever it is run
    return Answer("Done", untagged=_results(session, request, sources, wanted))


def _sources(args: Parser) -> list[Source]:
    """(subtree "Lists" mailboxes ("A" "B")) SP. RFC 7377 §4 (esearch-source-opts)."""
    found = args.items("where to search", lambda: _source(args), limit=MAX_SOURCES)
    if not found:
        raise Bad("Expected where to search")
    args.space("what to search for")
    return found


def _source(args: Parser) -> Source:
    word = args.word("where to search")
    if word != "SELECTED" and word not in SOURCES:
        raise Bad(f"Expected where to search: selected {' '.join(SOURCES).lower()}")
    if word not in NAMED:
        return word, []
    args.space("mailbox names")
    if args.peek() != b"(":
        return word, [args.mailbox()]
    return word, args.items("a mailbox name", args.mailbox)


def _read(session: Session, args: Parser, view: View, wanted: esearch.Returns, numbers: bool) -> Program:
    """The program, read anew for each mailbox: * and recent messages are others in each."""
    reading = Program(copy(args), view, session.limits.search_keys, numbers=numbers)
    reading.query = program(reading)
    check_relevancy(reading, wanted)
    return reading


def _results(session: Session, request: Request, sources: list[Source], wanted: esearch.Returns) -> Iterator[bytes]:
    """One response for each mailbox in which something was found. RFC 7377 §2.1."""
    if "UPDATE" in wanted.words:
        yield no_update(request.tag)
    alone, progress = all(word == "SELECTED" for word, _ in sources), session.progress(request.tag)
    for view in _views(session, sources):
        reading = _read(session, request.args, view, wanted, alone)
        with listening(progress):
            uids = view.known(view.mailbox.search(reading.query, reading.scores))
        covered = wanted.covered(uids)
        if "SAVE" in wanted.words:
            view.saved = array("I", covered)
        if reading.by_modseq:
            session.enable("CONDSTORE")
        if not uids or wanted.only_saves:
            continue
        wanted.scores = [reading.score(uid) for uid in uids] if reading.fuzzy else ()
        modseq = highest_modseq(view, covered) if reading.by_modseq else 0
        yield esearch.response(_correlator(session, request, view), wanted, uids, modseq)


def _correlator(session: Session, request: Request, view: View) -> bytes:
    """(TAG "a1" MAILBOX "Sent" UIDVALIDITY 7) UID. RFC 7377 §2.1."""
    uidvalidity = view.mailbox.state().uidvalidity
    name = session.quoted(view.mailbox.name)
    return b"(TAG %s MAILBOX %s UIDVALIDITY %d) UID" % (string(request.tag), name, uidvalidity)


def _views(session: Session, sources: list[Source]) -> Iterator[View]:
    """Each mailbox once; those that are not there, or may not be read, are passed over. RFC 7377 §2.2."""
    selected = session.view
    if selected is not None and any(word == "SELECTED" for word, _ in sources):
        yield selected
    for name in _names(session, sources):
        try:
            mailbox = session.store.open(name)
            is_selected = selected is not None and mailbox.mailbox_id == selected.mailbox.mailbox_id
            if not is_selected:
                yield View(mailbox, read_only=True)
            elif selected is not None and all(word != "SELECTED" for word, _ in sources):
                yield selected
        except (NoSuchMailbox, AccessDenied, InvalidName):
            continue


def _names(session: Session, sources: list[Source]) -> list[str]:
    """What is listed, and what is named itself: that may be searched without being listed (the right l). RFC 7377 §2.2."""
    others = [(SOURCES[word], given) for word, given in sources if word != "SELECTED"]
    listed = session.store.mailboxes() if others else []
    found = [info.name for info in listed if info.selectable and any(takes(info, given) for takes, given in others)]
    explicit = [name for word, given in sources if word in NAMED for name in given]
    return list(dict.fromkeys((*found, *explicit)))


COMMANDS: Final[Commands] = {"ESEARCH": Command(multisearch, LOGGED_IN, "RFC 7377 §2.1", by_uid=True)}
