"""What every room shares: the head of the page, the folders, the notice, and the panes in the middle."""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.parse import quote

from pymaild.accounts.names import shown
from pymaild.mailstore import AccountStore, MailboxInfo, NoSuchMailbox
from pymaild.web import assets, words
from pymaild.web.http import Response, link, page
from pymaild.web.session import Visit
from pymaild.web.templates import Markup, Page, join

_SHELL, _FOLDER, _LEVEL, _COUNT, _QUOTA, _NOTICE, _UNDO, _REF, _HINT = (
    Page("shell.html", name) for name in ("", "folder", "level", "count", "quota", "notice", "undo", "ref", "hint")
)
ICONS = Page("icons.html")()
_HERE = Markup(' aria-current="page"')


@dataclass(frozen=True, slots=True)
class Room:
    """What a page puts into the shell."""

    title: str
    kind: str  # the class of the body: which panes there are
    panes: Markup
    mailbox: str = ""  # the folder that is open
    query: str = ""
    status: int = 200


def room(visit: Visit, content: Room) -> Response:
    """A whole page."""
    boxes = sorted(visit.store.mailboxes(), key=words.order)
    shown_account = shown(visit.account)
    unread = _unread_counts(visit.store, boxes)
    inbox = f"({unread['INBOX']}) " if unread.get("INBOX") else ""
    html = _SHELL(
        title=f"{inbox}{content.title} - {shown_account}",
        room=content.kind,
        icons=ICONS,
        style=assets.address("style.css"),
        script=assets.address("app.js"),
        icon=assets.address("icon.svg"),
        query=content.query,
        account=shown_account,
        initial=words.initial(shown_account),
        hue=words.hue(visit.account),
        token=visit.token,
        folders=folder_list(boxes, unread, content.mailbox),
        quota=_quota(visit.store),
        notice=_notice(visit),
        panes=content.panes,
        **{f"here_{place}": _HERE if place == content.kind.split()[0] else "" for place in _BAR},
    )
    return page(html, content.status)


_BAR = ("mail", "folders", "search", "compose")


def folder_list(boxes: list[MailboxInfo], unread: dict[str, int], current: str) -> Markup:
    """The folders as a list of links with their unread counts."""
    return join(_folder(box, unread.get(box.name, 0), box.name == current) for box in boxes)


def _folder(box: MailboxInfo, unread: int, current: bool) -> Markup:
    levels = box.name.split("/")
    level = min(len(levels) - 1, 5)
    name = words.folder_name(levels[-1]) if level == 0 else levels[-1]
    if not box.selectable:
        return _LEVEL(level=level, name=name)
    return _FOLDER(
        level=level,
        href=link("mail", box.name),
        current=_HERE if current else "",
        icon=words.folder_icon(box),
        name=name,
        count=_COUNT(number=f"{unread:,}") if unread else "",
    )


def _unread_counts(store: AccountStore, boxes: list[MailboxInfo]) -> dict[str, int]:
    counts = {}
    for box in boxes:
        if box.selectable:
            try:
                counts[box.name] = store.open(box.name).state().unseen
            except NoSuchMailbox:  # removed by another program a moment ago
                continue
    return counts


def _quota(store: AccountStore) -> Markup:
    quota = store.quota()
    if not quota.octets_limit:
        return Markup("")
    percent = min(100, quota.octets * 100 // quota.octets_limit)
    return _QUOTA(used=words.size(quota.octets), limit=words.size(quota.octets_limit), percent=percent)


def _notice(visit: Visit) -> Markup:
    notice = visit.notice()
    if notice is None:
        return Markup("")
    undo = Markup("")
    if notice.undo:
        refs = _REF.each({"ref": ref} for ref in notice.undo)
        undo = _UNDO(token=visit.token, to=notice.undo_to, back=here(visit), refs=refs)
    return _NOTICE(text=notice.text, undo=undo)


def here(visit: Visit) -> str:
    """The address of this very page, to come back to."""
    query = str(visit.request.environ.get("QUERY_STRING", ""))
    return quote(visit.request.path) + (f"?{query}" if query else "")


def hint(text: str) -> Markup:
    """The third pane when no message is open."""
    return _HINT(text=text)


def targets(store: AccountStore, option: Page, but: str = "") -> Markup:
    """The folders as <option>s of a select."""
    boxes = sorted((box for box in store.mailboxes() if box.selectable and box.name != but), key=words.order)
    return option.each({"value": box.name, "text": words.folder_name(box.name), "selected": ""} for box in boxes)


def now() -> float:
    """The clock; one place, so that tests can hold it."""
    return time.time()
