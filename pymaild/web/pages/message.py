"""One message: who, when, what about, the text, the files, and what can be done with it."""

from __future__ import annotations

from typing import Final

from pymaild.mailstore import Flag, FlagChange, Mailbox, MailboxInfo, MessageGone, Row, SpecialUse
from pymaild.web import text, words
from pymaild.web.http import HttpError, Response, link
from pymaild.web.letter import Letter, Person
from pymaild.web.pages.list import OPTION, folder_pane, mailbox_info
from pymaild.web.refs import Ref
from pymaild.web.session import Visit
from pymaild.web.shell import Room, here, room, targets
from pymaild.web.templates import Markup, Page, join

_MESSAGE, _PERSON, _TO, _MORE, _FILE, _FILES, _FRAME = (
    Page("message.html", name) for name in ("", "person", "to", "more", "file", "files", "frame")
)
_BLOCKED, _UNBLOCKED, _VIEW, _PLAIN, _DELETE, _SURE, _REPLYALL = (
    Page("message.html", name) for name in ("blocked", "unblocked", "view", "plain", "delete", "sure", "replyall")
)
_FEW: Final = 4  # recipients shown before the rest is folded away


def open_letter(visit: Visit, mailbox: str, uid: str) -> tuple[Mailbox, Row, Letter]:
    """The message an address names. One of another account cannot be named: the store is the visitor's own."""
    box = visit.store.open(mailbox)
    box.refresh()
    rows = list(box.rows([int(uid)]))
    if not rows:
        raise HttpError(404, "There is no such message here any more: it may have been moved or deleted.")
    try:
        return box, rows[0], Letter(box.read(int(uid)))
    except MessageGone:
        raise HttpError(404, "There is no such message here any more: another program removed it.") from None


def show(visit: Visit, uid: str, mailbox: str) -> Response:
    """The page of one message; looking at it marks it as read."""
    info = mailbox_info(visit, mailbox)
    box, row, letter = open_letter(visit, mailbox, uid)
    if not row.flags & Flag.SEEN and visit.request.method == "GET":
        box.change_flags([row.uid], FlagChange.ADD, Flag.SEEN)
    reading = _reading(visit, info, row, letter, Ref(row.uid, box.state().uidvalidity, mailbox))
    panes = folder_pane(visit, mailbox, 1, row.uid)
    title = letter.subject or "(no subject)"
    return room(visit, Room(title, "mail message", Markup(panes + reading), mailbox))


def remote_wanted(visit: Visit) -> bool:
    """Whether the reader asked for remote pictures; a link in somebody's mail cannot ask in their place."""
    return visit.request.query.get("images") == "once" and visit.request.own_origin


def _reading(visit: Visit, info: MailboxInfo, row: Row, letter: Letter, ref: Ref) -> Markup:
    author = (letter.people("from") or [Person("", "unknown sender")])[0]
    at = letter.date if letter.date is not None else row.internal_date
    back = link("mail", ref.mailbox)
    in_junk, in_trash = info.special_use is SpecialUse.JUNK, info.special_use is SpecialUse.TRASH
    return _MESSAGE(
        subject=letter.subject or "(no subject)",
        back=back,
        here=here(visit),
        folder=words.folder_name(ref.mailbox),
        token=visit.token,
        ref=ref,
        hue=words.hue(author.shown),
        initial=words.initial(author.shown),
        author=_PERSON(name=author.name, address=author.address) if author.name else author.address,
        iso=words.iso(at),
        date=words.full_date(at),
        recipients=_recipients(letter),
        more=_more(letter),
        reply=link("compose", reply=ref),
        replyall=_REPLYALL(href=link("compose", replyall=ref)) if _several(visit, letter) else "",
        forward=link("compose", forward=ref),
        original=link("original", ref.uid, ref.mailbox),
        raw=link("raw", ref.uid, ref.mailbox),
        star="unstar" if row.flags & Flag.FLAGGED else "star",
        star_label="Remove the star" if row.flags & Flag.FLAGGED else "Star",
        starred="true" if row.flags & Flag.FLAGGED else "false",
        junk_action="notjunk" if in_junk else "junk",
        junk_label="Not junk" if in_junk else "Junk",
        delete=_SURE() if in_trash else _DELETE(),
        targets=targets(visit.store, OPTION, ref.mailbox),
        files=_files(letter, ref),
        body=_body(visit, letter, ref),
    )


def _recipients(letter: Letter) -> Markup:
    kinds = (("To", letter.people("to")), ("Cc", letter.people("cc")), ("Bcc", letter.people("bcc")))
    return join(_TO(label=label, people=", ".join(map(str, _some(people)))) for label, people in kinds if people)


def _some(people: list[Person]) -> list[str]:
    rest = len(people) - _FEW
    return [person.shown for person in people[:_FEW]] + ([f"and {rest} more"] if rest > 0 else [])


def _more(letter: Letter) -> Markup:
    """Every address in full, folded away."""
    names = (("From", "from"), ("Sender", "sender"), ("Reply to", "reply-to"), ("To", "to"), ("Cc", "cc"), ("Bcc", "bcc"))
    lines = [(label, ", ".join(map(str, letter.people(name)))) for label, name in names]
    lines += [("Date", letter.field("date")), ("Message-ID", letter.message_id), ("List", letter.field("list-id"))]
    return _MORE.each({"label": label, "value": value} for label, value in lines if value)


def _several(visit: Visit, letter: Letter) -> bool:
    own = set(visit.services.directory.addresses(visit.account))
    people = {person.address for name in ("to", "cc", "from") for person in letter.people(name)}
    return len(people - own) > 1


def _files(letter: Letter, ref: Ref) -> Markup:
    files = letter.attachments
    if not files:
        return Markup("")
    items = _FILE.each(
        {"href": link("part", ref.uid, file.number, ref.mailbox), "name": file.name, "size": words.size(file.size)}
        for file in files[:200]
    )
    return _FILES(count=words.count(len(files), "attachment"), items=items)


def _body(visit: Visit, letter: Letter, ref: Ref) -> Markup:
    """The HTML in its frame, or the text; the reader can look at the other one, too."""
    wants_text = visit.request.query.get("view") == "text"
    address = link("message", ref.uid, ref.mailbox)
    if letter.has_html and not wants_text:
        remote = remote_wanted(visit)
        frame = link("frame", ref.uid, ref.mailbox, images="once" if remote else "")
        bar = _remote_bar(letter, address, remote)
        switch = _VIEW(href=f"{address}?view=text", text="Show as plain text")
        return Markup(bar + _FRAME(src=frame, extent=_extent(letter.html)) + switch)
    switch = _VIEW(href=address, text="Show the formatted message") if letter.has_html else Markup("")
    return Markup(_PLAIN(text=text.as_html(letter.plain)) + switch)


def _remote_bar(letter: Letter, address: str, loaded: bool) -> Markup:
    from pymaild.web.pages.frame import asks_for_remote  # noqa: PLC0415 - frame.py opens letters with this module

    if not asks_for_remote(letter):
        return Markup("")
    return _UNBLOCKED() if loaded else _BLOCKED(href=f"{address}?images=once")


def _extent(html: str) -> str:
    """How tall the frame is: it has no script and no origin, so nobody can measure what is inside."""
    visible = len(html)
    return "short" if visible < 900 else "middle" if visible < 4000 else "long"
