"""What can be done with messages, one or many: flags, moving, deleting, and taking it back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pymaild.mailstore import Flag, FlagChange, Mailbox, SpecialUse
from pymaild.web import words
from pymaild.web.forms import Form
from pymaild.web.http import HttpError, Response, redirect
from pymaild.web.pages.login import own_path
from pymaild.web.refs import Ref, open_refs, parse_ref
from pymaild.web.session import Visit


@dataclass(slots=True)
class Selection:
    """The messages a form names, and what else the form says."""

    visit: Visit
    groups: list[tuple[Mailbox, list[int]]]
    form: Form

    def say(self, done: str, number: int, undo: list[Ref] | None = None, to: str = "") -> None:
        """Leave a sentence such as `2 messages moved`."""
        text = f"{words.count(number, 'message')} {done}."
        self.visit.say(text, [str(ref) for ref in undo or ()], to)


def act(visit: Visit) -> Response:
    """One action on the messages that were ticked."""
    form = visit.form()
    back = own_path(form.get("back"))
    if flipped := form.get("flip"):  # the star of one line, whatever else is ticked
        _flip(Selection(visit, open_refs(visit.store, [parse_ref(flipped)]), form))
        return redirect(back)
    action = ACTIONS.get(form.get("action"))
    if action is None:
        raise HttpError(400, "The form does not say what to do. Go back and load the page again.")
    refs = [parse_ref(ref) for ref in form.all("m")]
    if not refs:
        visit.say("Nothing was selected: tick some messages first.")
        return redirect(back)
    action(Selection(visit, open_refs(visit.store, refs), form))
    return redirect(back)


def _flip(selection: Selection) -> None:
    for mailbox, uids in selection.groups:
        starred = any(row.flags & Flag.FLAGGED for row in mailbox.rows(uids))
        mailbox.change_flags(uids, FlagChange.REMOVE if starred else FlagChange.ADD, Flag.FLAGGED)


def _flag(change: FlagChange, flag: Flag) -> Callable[[Selection], None]:
    def apply(selection: Selection) -> None:
        for mailbox, uids in selection.groups:
            mailbox.change_flags(uids, change, flag)

    return apply


def _move(selection: Selection) -> None:
    to = selection.form.get("to")
    if not to:
        selection.visit.say("Nothing was moved: choose a folder first.")
        return
    _move_to(selection, to, f"moved to {words.folder_name(to)}")


def _move_to_special(use: SpecialUse, done: str) -> Callable[[Selection], None]:
    def apply(selection: Selection) -> None:
        _move_to(selection, selection.visit.store.special(use), done)

    return apply


def _not_junk(selection: Selection) -> None:
    _move_to(selection, "INBOX", "moved back to the inbox")


def _undo(selection: Selection) -> None:
    to = selection.form.get("to")
    number = sum(_moved(mailbox, uids, to)[1] for mailbox, uids in selection.groups)
    selection.say(f"back in {words.folder_name(to)}", number)


def _move_to(selection: Selection, to: str, done: str) -> None:
    """Move what is not there already; taking it back is offered when all came from one folder."""
    groups = [(mailbox, uids) for mailbox, uids in selection.groups if mailbox.name != to]
    undo: list[Ref] = []
    number = 0
    for mailbox, uids in groups:
        refs, moved = _moved(mailbox, uids, to)
        undo += refs
        number += moved
    one = len(groups) == 1 and len(undo) <= 100
    selection.say(done, number, undo if one else None, groups[0][0].name if one else "")


def _moved(mailbox: Mailbox, uids: list[int], to: str) -> tuple[list[Ref], int]:
    uidvalidity, pairs = mailbox.move(uids, to)
    return [Ref(new, uidvalidity, to) for _, new in pairs], len(pairs)


def _delete(selection: Selection) -> None:
    """Into the trash; what is there already goes for good, once that was confirmed."""
    trash = selection.visit.store.special(SpecialUse.TRASH)
    in_trash = [(mailbox, uids) for mailbox, uids in selection.groups if mailbox.name == trash]
    if not in_trash:
        _move_to(selection, trash, "moved to the trash")
        return
    if selection.form.get("sure") != "yes":
        raise HttpError(
            409, "These messages are in the trash: to remove them for good, open one and confirm, or empty the trash."
        )
    for mailbox, uids in in_trash:
        mailbox.change_flags(uids, FlagChange.ADD, Flag.DELETED)
        gone = mailbox.expunge(uids)
        selection.say("deleted for good", len(gone))


ACTIONS: Final[dict[str, Callable[[Selection], None]]] = {
    "read": _flag(FlagChange.ADD, Flag.SEEN),
    "unread": _flag(FlagChange.REMOVE, Flag.SEEN),
    "star": _flag(FlagChange.ADD, Flag.FLAGGED),
    "unstar": _flag(FlagChange.REMOVE, Flag.FLAGGED),
    "archive": _move_to_special(SpecialUse.ARCHIVE, "archived"),
    "junk": _move_to_special(SpecialUse.JUNK, "moved to junk"),
    "notjunk": _not_junk,
    "delete": _delete,
    "move": _move,
    "undo": _undo,
}
