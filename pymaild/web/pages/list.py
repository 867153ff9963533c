"""One folder: its messages, fifty to a page, the newest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pymaild.mailstore import Flag, MailboxInfo, SpecialUse
from pymaild.web import words
from pymaild.web.http import HttpError, Response, link, redirect
from pymaild.web.refs import Ref
from pymaild.web.session import Visit
from pymaild.web.shell import Room, here, hint, now, room, targets
from pymaild.web.summary import Entry, entries
from pymaild.web.templates import Markup, Page

PER_PAGE: Final = 50
_LIST = Page("list.html")
_ROWS, _ROW, _UNREAD, _CLIP, _ANSWERED, _PLACE, _EMPTY, _PAGES, _NEWER, _OLDER, _EMPTY_TRASH = (
    Page("list.html", name)
    for name in ("rows", "row", "unread", "clip", "answered", "place", "empty", "pages", "newer", "older", "empty_trash")
)
OPTION = Page("list.html", "option")
# The list is what a page is about, or stands beside a message that is.
_AS_PAGE: Final = {"element": Markup('main id="content"'), "closing": "main", "heading": "h1"}
_BESIDE: Final = {"element": Markup('section aria-label="List of messages"'), "closing": "section", "heading": "h2"}
_CURRENT = Markup(' aria-current="true"')

# What an empty folder says.
_NOTHING: Final = {
    None: ("Nothing in here", "Messages that you move into this folder show up here."),
    SpecialUse.ARCHIVE: ("Nothing archived yet", "Archive what you have dealt with and want to keep."),
    SpecialUse.DRAFTS: ("No drafts", "What you write and do not send yet is kept here."),
    SpecialUse.JUNK: ("No junk", "Unwanted mail lands here."),
    SpecialUse.SENT: ("Nothing sent yet", "Copies of what you send are kept here."),
    SpecialUse.TRASH: ("The trash is empty", "Deleted messages rest here until you remove them for good."),
}


def home(visit: Visit) -> Response:
    """The front door leads to the inbox."""
    return redirect(link("mail", "INBOX"))


def show(visit: Visit, mailbox: str) -> Response:
    """The list of one folder."""
    number = page_number(visit.request.query.get("page", ""))
    panes = folder_pane(visit, mailbox, number) + hint("Choose a message to read it here.")
    return room(visit, Room(words.folder_name(mailbox), "mail listing", Markup(panes), mailbox))


def page_number(text: str) -> int:
    """Which page was asked for."""
    return int(text) if text.isascii() and text.isdigit() and int(text[:9]) > 0 and len(text) < 9 else 1


def folder_pane(visit: Visit, name: str, number: int, open_uid: int = 0) -> Markup:
    """The middle pane: one page of a folder; with a message open, the page that holds it."""
    info = mailbox_info(visit, name)
    mailbox = visit.store.open(name)
    mailbox.refresh()
    uids = mailbox.uids()[::-1]
    if open_uid in uids:
        number = uids.index(open_uid) // PER_PAGE + 1
    number = min(number, max(1, -(-len(uids) // PER_PAGE)))
    first = (number - 1) * PER_PAGE
    state = mailbox.state()
    lines = entries(mailbox, uids[first : first + PER_PAGE])
    refs = {line.row.uid: Ref(line.row.uid, state.uidvalidity, name) for line in lines}
    outgoing = info.special_use in {SpecialUse.SENT, SpecialUse.DRAFTS}
    shown = _ROWS(rows=rows(lines, refs, outgoing, open_uid)) if lines else nothing(*_nothing(info))
    unread = f", {state.unseen:,} unread" if state.unseen else ""
    return list_pane(
        visit,
        info,
        name=words.folder_name(name),
        sum=(words.count(len(uids), "message") if uids else "No messages") + unread,
        rows=shown,
        pages=_pages(name, number, len(uids)),
        here=link("mail", name, page=number if number > 1 else ""),
        **(_BESIDE if open_uid else _AS_PAGE),
    )


def mailbox_info(visit: Visit, name: str) -> MailboxInfo:
    """What the list of mailboxes says of this one. Raises NoSuchMailbox as 404."""
    for box in visit.store.mailboxes():
        if box.name == name and box.selectable:
            return box
    raise HttpError(404, "There is no such folder: it may have been renamed or deleted.")


def list_pane(visit: Visit, info: MailboxInfo | None, **values: object) -> Markup:
    """The pane of any list: a form with checkboxes and the actions for what is ticked."""
    use = info.special_use if info else None
    in_junk = use is SpecialUse.JUNK
    empties = info is not None and use in {SpecialUse.TRASH, SpecialUse.JUNK}
    return _LIST(
        **{**_AS_PAGE, "here": here(visit), **values},
        token=visit.token,
        junk_action="notjunk" if in_junk else "junk",
        junk_label="Not junk" if in_junk else "Junk",
        targets=targets(visit.store, OPTION, info.name if info else ""),
        empty_trash=_EMPTY_TRASH(href=link("empty", info.name), name=words.folder_name(info.name))
        if info and empties
        else "",
    )


def rows(
    lines: Sequence[Entry], refs: dict[int, Ref], outgoing: bool = False, open_uid: int = 0, places: bool = False
) -> Markup:
    """The lines of a list."""
    at = now()
    return _ROW.each(
        {**_row(line, at, outgoing), "ref": refs[line.row.uid], "current": _CURRENT if line.row.uid == open_uid else "",
         "place": _PLACE(name=words.folder_name(line.mailbox)) if places else ""}
        for line in lines
    )  # fmt: skip


def nothing(title: str, text: str) -> Markup:
    """What an empty list says."""
    return _EMPTY(title=title, text=text)


def _nothing(info: MailboxInfo) -> tuple[str, str]:
    if info.name == "INBOX":
        return "All quiet", "New mail shows up here."
    return _NOTHING[info.special_use]


def _row(line: Entry, at: float, outgoing: bool) -> dict[str, object]:
    people = line.recipients or "nobody yet" if outgoing else line.authors or "unknown sender"
    unread, draft = not line.has(Flag.SEEN), line.has(Flag.DRAFT)
    subject = line.subject or "(no subject)"
    href = link("compose", draft=line.row.uid, of=line.mailbox) if draft else link("message", line.row.uid, line.mailbox)
    return {
        "classes": (" unread" if unread else "") + (" starred" if line.has(Flag.FLAGGED) else ""),
        "hue": words.hue(people),
        "initial": words.initial(people),
        "sender": f"To {people}" if outgoing else people,
        "label": f"{subject}, {people}",
        "href": href,
        "unread": _UNREAD() if unread else "",
        "subject": subject,
        "preview": line.preview,
        "clip": _CLIP() if line.has_attachment else "",
        "answered": _ANSWERED() if line.has(Flag.ANSWERED) else "",
        "iso": words.iso(line.date),
        "full": words.full_date(line.date),
        "date": words.date(line.date, at),
        "starred": "true" if line.has(Flag.FLAGGED) else "false",
    }


def _pages(name: str, number: int, total: int) -> Markup:
    if total <= PER_PAGE:
        return Markup("")
    last = number * PER_PAGE >= total
    newer = (
        _NEWER(href=link("mail", name, page=number - 1 if number > 2 else "")) if number > 1 else Markup("<span></span>")
    )
    older = Markup("<span></span>") if last else _OLDER(href=link("mail", name, page=number + 1))
    span = f"{(number - 1) * PER_PAGE + 1:,} to {min(number * PER_PAGE, total):,} of {total:,}"
    return _PAGES(newer=newer, older=older, range=span)
