"""The folders: all of them with their numbers; making, renaming and deleting them; emptying trash and junk."""

from __future__ import annotations

from typing import Final

from pymaild.mailstore import Flag, FlagChange, MailboxInfo, NoSuchMailbox, SpecialUse, StoreError
from pymaild.web import words
from pymaild.web.forms import Form
from pymaild.web.http import HttpError, Response, link, redirect
from pymaild.web.pages.list import OPTION, mailbox_info
from pymaild.web.session import Visit
from pymaild.web.shell import Room, room
from pymaild.web.templates import Markup, Page, join

_FOLDERS, _BOX, _CHANGE, _PROBLEM, _CONFIRM = (
    Page("folders.html", name) for name in ("", "box", "change", "problem", "confirm")
)
EMPTIED: Final = frozenset({SpecialUse.TRASH, SpecialUse.JUNK})


def show(visit: Visit) -> Response:
    """All folders; on a phone this is the way to them."""
    return _page(visit, "", "", 200)


def act(visit: Visit) -> Response:
    """Make, rename or delete one."""
    form = visit.form()
    action = {"create": _create, "rename": _rename, "delete": _delete}.get(form.get("action"))
    if action is None:
        raise HttpError(400, "The form does not say what to do. Go back and load the page again.")
    try:
        visit.say(action(visit, form))
    except StoreError as error:
        return _page(visit, error.text + ".", form.get("name"), 409)
    return redirect("/folders")


def _create(visit: Visit, form: Form) -> str:
    parent, name = form.get("parent"), form.get("name").strip()
    full = f"{parent}/{name}" if parent and name else name
    visit.store.create(full)
    visit.store.subscribe(full)
    return f"The folder {words.folder_name(full)} is there now."


def _rename(visit: Visit, form: Form) -> str:
    old, new = form.get("folder"), form.get("name").strip()
    _changeable(visit, old)
    visit.store.rename(old, new)
    visit.store.subscribe(old, False)
    visit.store.subscribe(new)
    return f"{words.folder_name(old)} is called {words.folder_name(new)} now."


def _delete(visit: Visit, form: Form) -> str:
    """With the messages in it, so it has to be ticked; a folder with others below it stays."""
    name = form.get("folder")
    _changeable(visit, name)
    if form.get("sure") != "yes":
        raise HttpError(409, "Nothing was deleted: tick the box to say that the messages in the folder may go with it.")
    visit.store.delete(name)
    visit.store.subscribe(name, False)
    return f"The folder {words.folder_name(name)} is gone."


def _changeable(visit: Visit, name: str) -> None:
    box = mailbox_info(visit, name)
    if box.name == "INBOX" or box.special_use:
        raise HttpError(409, "This folder has a use of its own, so it can neither be renamed nor deleted.")


def _page(visit: Visit, problem: str, typed: str, status: int) -> Response:
    boxes = sorted(visit.store.mailboxes(), key=words.order)
    parents = OPTION.each(
        {"value": box.name, "text": f"in {words.folder_name(box.name)}", "selected": ""} for box in boxes if box.selectable
    )
    html = _FOLDERS(
        token=visit.token,
        boxes=join(_box(visit, box) for box in boxes),
        parents=parents,
        typed=typed,
        problem=_PROBLEM(text=problem) if problem else "",
    )
    return room(visit, Room("Folders", "folders wide", html, status=status))


def _box(visit: Visit, box: MailboxInfo) -> Markup:
    try:
        state = visit.store.open(box.name).state() if box.selectable else None
    except NoSuchMailbox:
        return Markup("")
    numbers = words.count(state.messages, "message") if state else "only holds other folders"
    unread = f", {state.unseen:,} unread" if state and state.unseen else ""
    fixed = box.name == "INBOX" or box.special_use or not box.selectable
    return _BOX(
        level=min(box.name.count("/"), 5),
        href=link("mail", box.name) if box.selectable else link("folders"),
        icon=words.folder_icon(box),
        name=words.folder_name(box.name) if "/" not in box.name else box.name.rpartition("/")[2],
        numbers=numbers + unread,
        size=f", {words.size(state.size)}" if state and state.messages else "",
        change="" if fixed else _CHANGE(token=visit.token, folder=box.name, label=words.folder_name(box.name)),
    )


def confirm_empty(visit: Visit, mailbox: str) -> Response:
    """Ask once more before everything goes."""
    number = _emptied(visit, mailbox)
    html = _CONFIRM(
        token=visit.token,
        action=link("empty", mailbox),
        name=words.folder_name(mailbox),
        number=words.count(number, "message"),
        back=link("mail", mailbox),
    )
    return room(visit, Room(f"Empty {words.folder_name(mailbox)}", "folders wide", html, mailbox))


def empty(visit: Visit, mailbox: str) -> Response:
    """Remove every message of trash or junk for good."""
    visit.form()
    _emptied(visit, mailbox)
    box = visit.store.open(mailbox)
    uids = box.uids()
    box.change_flags(uids, FlagChange.ADD, Flag.DELETED)
    visit.say(f"{words.count(len(box.expunge(uids)), 'message')} deleted for good.")
    return redirect(link("mail", mailbox))


def _emptied(visit: Visit, mailbox: str) -> int:
    if mailbox_info(visit, mailbox).special_use not in EMPTIED:
        raise HttpError(409, "Only the trash and the junk folder can be emptied.")
    return visit.store.open(mailbox).state().messages
