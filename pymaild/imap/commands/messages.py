"""Messages of the selected mailbox, by number or by uid: FETCH, STORE, SEARCH, COPY, MOVE. RFC 3501 §6.4."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from pymaild.imap.answers import Answer, ok
from pymaild.imap.commands.append import flags_argument, target
from pymaild.imap.commands.selected import refuse_read_only
from pymaild.imap.errors import Bad, No
from pymaild.imap.fetch import Responses, fetch_items, responses
from pymaild.imap.grammar import Parser
from pymaild.imap.search import program
from pymaild.imap.sequences import compact
from pymaild.imap.table import Command, Commands, Request, State
from pymaild.imap.view import View
from pymaild.mailstore import FlagChange

if TYPE_CHECKING:
    from pymaild.imap.session import Session

GONE: Final = "Some of the messages are gone: another session expunged them"
Copied = tuple[int, list[tuple[int, int]]]


def _messages(view: View, request: Request) -> list[int]:
    """SP sequence-set, as uids."""
    request.args.space("a message set")
    return view.select(request.args.sequence_set(), request.by_uid)


def fetch(session: Session, request: Request) -> Answer:
    """Parts of messages; they are read while they are sent. §6.4.5."""
    view = session.selected
    uids = _messages(view, request)
    request.args.space("what to fetch")
    items = fetch_items(request.args, request.by_uid, session.limits.fetch_items)
    request.args.end()
    answer = Answer("Done")
    answer.untagged = _fetched(answer, request, responses(view, uids, items))
    return answer


def _fetched(answer: Answer, request: Request, lines: Responses) -> Iterator[bytes]:
    """A message that is gone is left out; when it was asked for by number, the client hears of it. RFC 2180 §4.1.3."""
    gone = yield from lines
    if gone and not request.by_uid:
        answer.text, answer.code = GONE, "EXPUNGEISSUED"


def store(session: Session, request: Request) -> Answer:
    """Change flags. §6.4.6."""
    view, args = session.selected, request.args
    uids = _messages(view, request)
    args.space("FLAGS, +FLAGS or -FLAGS")
    change, silent = _change(args)
    args.space("a list of flags")
    flags, keywords = flags_argument(_flags(args))
    args.end()
    refuse_read_only(view)
    rows, _ = view.mailbox.change_flags(uids, change, flags, keywords)
    lines = list(view.new_keywords(rows))
    lines += [] if silent else [view.flags_line(row, request.by_uid) for row in rows]
    view.told.update((row.uid, row.modseq) for row in rows)
    gone = len(rows) < len(uids) and not request.by_uid  # the others are done all the same: RFC 2180 §4.2.1
    return Answer(GONE, "EXPUNGEISSUED", lines) if gone else Answer("Done", untagged=lines)


def _change(args: Parser) -> tuple[FlagChange, bool]:
    """[+-]FLAGS[.SILENT]. §9 (store-att-flags)."""
    for change in (FlagChange.ADD, FlagChange.REMOVE, FlagChange.REPLACE):
        if args.accept(change.value.encode("ascii")):
            return change, args.accept(b".SILENT")
    raise Bad("Expected FLAGS, +FLAGS or -FLAGS, each perhaps with .SILENT")


def _flags(args: Parser) -> list[str]:
    """A list of flags, or flags without parentheses. §9 (store-att-flags)."""
    if args.peek() == b"(":
        return args.items("a flag", args.flag)
    words = [args.flag()]
    while args.accept(b" "):
        words.append(args.flag())
    return words


def search(session: Session, request: Request) -> Answer:
    """The messages a program of keys holds for. §6.4.4."""
    view = session.selected
    query = program(request.args, view, session.limits.search_keys)
    found = view.mailbox.search(query)
    numbers = view.known(found) if request.by_uid else view.numbers(found)
    return Answer("Done", untagged=(b" ".join([b"* SEARCH", *(b"%d" % n for n in numbers)]) + b"\r\n",))


def copy(session: Session, request: Request) -> Answer:
    """Copy messages to another mailbox: all of them or none. §6.4.7."""
    view, uids, name = _copy_arguments(session, request)
    return _copied(uids, name, view.mailbox.copy, in_tag=True)


def move(session: Session, request: Request) -> Answer:
    """Copy, and remove here; COPYUID comes before the EXPUNGEs. RFC 6851 §3, §4.3."""
    view, uids, name = _copy_arguments(session, request)
    refuse_read_only(view)
    return _copied(uids, name, view.mailbox.move, in_tag=False)


def _copy_arguments(session: Session, request: Request) -> tuple[View, list[int], str]:
    view = session.selected
    uids = _messages(view, request)
    request.args.space("a mailbox name")
    name = request.args.mailbox()
    request.args.end()
    target(session, name)
    return view, uids, name


def _copied(uids: list[int], name: str, run: Callable[[Sequence[int], str], Copied], in_tag: bool) -> Answer:
    """COPYUID names the copies. RFC 4315 §3."""
    uidvalidity, pairs = run(uids, name) if uids else (0, [])
    if not pairs:
        if uids:
            raise No(GONE, "EXPUNGEISSUED")
        return Answer("There are no such messages")
    old, new = compact(pair[0] for pair in pairs), compact(pair[1] for pair in pairs)
    code = f"COPYUID {uidvalidity} {old.decode('ascii')} {new.decode('ascii')}"
    return Answer("Copied", code) if in_tag else Answer("Done", untagged=(ok(code, "Moved"),))


COMMANDS: Final[Commands] = {
    "FETCH": Command(fetch, State.SELECTED, "RFC 3501 §6.4.5", keeps_numbers=True),
    "STORE": Command(store, State.SELECTED, "RFC 3501 §6.4.6", keeps_numbers=True),
    "SEARCH": Command(search, State.SELECTED, "RFC 3501 §6.4.4", keeps_numbers=True),
    "COPY": Command(copy, State.SELECTED, "RFC 3501 §6.4.7"),
    "MOVE": Command(move, State.SELECTED, "RFC 6851 §3.1"),
    "UID FETCH": Command(fetch, State.SELECTED, "RFC 3501 §6.4.8", by_uid=True),
    "UID STORE": Command(store, State.SELECTED, "RFC 3501 §6.4.8", by_uid=True),
    "UID SEARCH": Command(search, State.SELECTED, "RFC 3501 §6.4.8", by_uid=True),
    "UID COPY": Command(copy, State.SELECTED, "RFC 3501 §6.4.8", by_uid=True),
    "UID MOVE": Command(move, State.SELECTED, "RFC 6851 §3.2", by_uid=True),
}
