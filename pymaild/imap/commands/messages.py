"""Messages of the selected mailbox, by number or by uid: FETCH, STORE, COPY, MOVE. RFC 3501 §6.4."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from pymaild.imap.answers import Answer, ok
from pymaild.imap.commands.append import flags_argument, target
from pymaild.imap.commands.selected import refuse_read_only
from pymaild.imap.errors import Bad, No
from pymaild.imap.fetch import Modifiers, Responses, fetch_items, fetch_modifiers, responses
from pymaild.imap.grammar import Parser
from pymaild.imap.resync import modseq, vanished
from pymaild.imap.sequences import compact
from pymaild.imap.table import Command, Commands, Request, State
from pymaild.imap.view import View
from pymaild.mailstore import FlagChange, Row

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
    view, args = session.selected, request.args
    args.space("a message set")
    ranges = args.sequence_set()
    uids = view.select(ranges, request.by_uid)
    args.space("what to fetch")
    items = fetch_items(args, request.by_uid, session.limits.fetch_items)
    modifiers = fetch_modifiers(args, items)
    args.end()
    _check_vanished(session, request, modifiers)
    if "MODSEQ" in items.names:
        session.enable("CONDSTORE")
    earlier: list[bytes] = []
    if modifiers.page is not None:  # first: of these messages those that changed. RFC 9394 §3.4
        uids = list(modifiers.page.of(uids))
    if modifiers.changed_since is not None:
        changes = view.mailbox.changes(modifiers.changed_since)
        uids = sorted({row.uid for row in changes.rows}.intersection(uids))
        earlier += vanished(view, changes.vanished, ranges) if modifiers.vanished else ()
    answer = Answer("Done")
    answer.untagged = _fetched(answer, request, earlier, responses(view, uids, items))
    return answer


def _check_vanished(session: Session, request: Request, modifiers: Modifiers) -> None:
    """VANISHED goes with UID FETCH and CHANGEDSINCE, after ENABLE QRESYNC. RFC 7162 §3.2.6."""
    if not modifiers.vanished:
        return
    if "QRESYNC" not in session.enabled:
        raise Bad("Enable QRESYNC first")
    if not request.by_uid or modifiers.changed_since is None:
        raise Bad("VANISHED is for UID FETCH with CHANGEDSINCE")


def _fetched(answer: Answer, request: Request, earlier: list[bytes], lines: Responses) -> Iterator[bytes]:
    """A message that is gone is left out; when it was asked for by number, the client hears of it. RFC 2180 §4.1.3."""
    yield from earlier
    gone = yield from lines
    if gone and not request.by_uid:
        answer.text, answer.code = GONE, "EXPUNGEISSUED"


def store(session: Session, request: Request) -> Answer:
    """Change flags, §6.4.6; perhaps only where they did not change since: RFC 7162 §3.1.3."""
    view, args = session.selected, request.args
    uids = _messages(view, request)
    args.space("FLAGS, +FLAGS or -FLAGS")
    since = _unchanged_since(args)
    change, silent = _change(args)
    args.space("a list of flags")
    flags, keywords = flags_argument(_flags(args))
    args.end()
    refuse_read_only(view)
    if since is not None:
        session.enable("CONDSTORE")
    run = partial(view.mailbox.change_flags, change=change, flags=flags, keywords=keywords)
    quiet, loud, refused = _run(view, run, uids, since, silent)
    rows = [*quiet, *loud]
    lines = list(view.new_keywords(rows))
    if view.condstore:  # MODSEQ is told even when it is silent: RFC 7162 §3.1.3
        lines += view.flags_lines(quiet, request.by_uid, silent=True)
    lines += view.flags_lines(loud, request.by_uid)
    view.told_of(rows)
    if refused:
        return Answer("Some messages have changed since", _modified(view, request, refused), lines)
    gone = len(rows) < len(uids) and not request.by_uid  # the others are done all the same: RFC 2180 §4.2.1
    return Answer(GONE, "EXPUNGEISSUED", lines) if gone else Answer("Done", untagged=lines)


def _run(
    view: View, run: Callable[..., tuple[list[Row], list[int]]], uids: list[int], since: int | None, silent: bool
) -> tuple[list[Row], list[Row], list[int]]:
    """The rows to be quiet about, those to tell, and the uids that were refused.

    Flags that somebody else changed and the client does not know of yet are told, however silent the STORE. §6.4.6
    """
    if not silent:
        loud, refused = run(uids, unchanged_since=since)
        return [], loud, refused
    first = view.modseq if since is None else min(since, view.modseq)
    quiet, changed = run(uids, unchanged_since=first)
    if not changed or first == since:
        return quiet, [], changed
    loud, refused = run(changed, unchanged_since=since)
    return quiet, loud, refused


def _unchanged_since(args: Parser) -> int | None:
    """[(UNCHANGEDSINCE 12345) SP]. RFC 7162 §7 (store-modifier)."""
    if not args.accept(b"("):
        return None
    args.expect(b"UNCHANGEDSINCE ", "UNCHANGEDSINCE and a mod-sequence")
    since = modseq(args)
    args.expect(b")", ")")
    args.space("FLAGS, +FLAGS or -FLAGS")
    return since


def _modified(view: View, request: Request, refused: list[int]) -> str:
    """The messages that were left alone, by number or by uid. RFC 7162 §3.1.3."""
    return f"MODIFIED {compact(refused if request.by_uid else view.numbers(refused)).decode('ascii')}"


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


def copy(session: Session, request: Request) -> Answer:
    """Copy messages to another mailbox: all of them or none. §6.4.7."""
    view, uids, name = _copy_arguments(session, request)
    return _copied(session, uids, name, view.mailbox.copy)


def move(session: Session, request: Request) -> Answer:
    """Copy, and remove here; COPYUID comes before the EXPUNGEs. RFC 6851 §3, §4.3."""
    view, uids, name = _copy_arguments(session, request)
    refuse_read_only(view)
    answer = _copied(session, uids, name, view.mailbox.move, moved=True)
    if uids and view.qresync:
        answer.code = lambda: f"HIGHESTMODSEQ {view.modseq}"  # RFC 7162 §3.2.7, RFC 6851 §4.4
    return answer


def _copy_arguments(session: Session, request: Request) -> tuple[View, list[int], str]:
    view = session.selected
    uids = _messages(view, request)
    request.args.space("a mailbox name")
    name = request.args.mailbox()
    request.args.end()
    return view, uids, target(session, name).name


def _copied(
    session: Session, uids: list[int], name: str, run: Callable[[Sequence[int], str], Copied], moved: bool = False
) -> Answer:
    """COPYUID names the copies, for those who may see them there. RFC 4315 §3."""
    uidvalidity, pairs = run(uids, name) if uids else (0, [])
    if not pairs:
        if uids:
            raise No(GONE, "EXPUNGEISSUED")
        return Answer("There are no such messages")
    session.did(name, uids=[new for _, new in pairs])
    if moved:
        session.selected.own.update(old for old, _ in pairs)
    old, new = compact(pair[0] for pair in pairs), compact(pair[1] for pair in pairs)
    code = f"COPYUID {uidvalidity} {old.decode('ascii')} {new.decode('ascii')}" if uidvalidity else ""
    if moved:
        return Answer("Done", untagged=(ok(code, "Moved"),) if code else ())
    return Answer("Copied", code)


COMMANDS: Final[Commands] = {
    "FETCH": Command(fetch, State.SELECTED, "RFC 3501 §6.4.5", keeps_numbers=True),
    "STORE": Command(store, State.SELECTED, "RFC 3501 §6.4.6", keeps_numbers=True),
    "COPY": Command(copy, State.SELECTED, "RFC 3501 §6.4.7"),
    "MOVE": Command(move, State.SELECTED, "RFC 6851 §3.1"),
    "UID FETCH": Command(fetch, State.SELECTED, "RFC 3501 §6.4.8", by_uid=True),
    "UID STORE": Command(store, State.SELECTED, "RFC 3501 §6.4.8", by_uid=True),
    "UID COPY": Command(copy, State.SELECTED, "RFC 3501 §6.4.8", by_uid=True),
    "UID MOVE": Command(move, State.SELECTED, "RFC 6851 §3.2", by_uid=True),
}
