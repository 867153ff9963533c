"""Writing: the form, with what it answers; sending, keeping a draft. Whatever goes wrong, nothing typed is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from pymaild.accounts.names import shown
from pymaild.message.compose import Attached
from pymaild.status import MailError
from pymaild.web import answer, words, writing
from pymaild.web.forms import Form
from pymaild.web.http import HttpError, Response, link, redirect
from pymaild.web.letter import Attachment, Letter
from pymaild.web.pages.list import OPTION
from pymaild.web.pages.message import open_letter
from pymaild.web.refs import Ref, parse_ref
from pymaild.web.session import Visit
from pymaild.web.shell import Room, room
from pymaild.web.templates import Markup, Page, join
from pymaild.web.writing import Problems, Typed

_COMPOSE, _KEPT, _PROBLEM = (Page("compose.html", name) for name in ("", "kept", "problem"))
_SELECTED = Markup(" selected")
_ROOM_FOR_TEXT: Final = 4 << 20  # octets of a form beside its files


@dataclass(slots=True)
class Sheet:
    """The form: what was typed, which attachments are kept from which message, what it answers and replaces."""

    typed: Typed
    kept: Sequence[tuple[Ref, Attachment]] = ()
    answers: str = ""  # the reference of the message that gets \Answered
    draft: str = ""  # the reference of the draft that this one replaces


def show(visit: Visit) -> Response:
    """An empty form, or one that a reply, a forward, a draft or a link has filled."""
    return _page(visit, _sheet(visit), Problems())


def _sheet(visit: Visit) -> Sheet:
    query = visit.request.query
    if ref := query.get("reply") or query.get("replyall"):
        letter, found = _letter(visit, ref)
        return Sheet(answer.reply(visit, letter, "replyall" in query), answers=str(found))
    if ref := query.get("forward"):
        letter, found = _letter(visit, ref)
        return Sheet(answer.forward(visit, letter), [(found, file) for file in letter.attachments])
    if uid := query.get("draft"):
        box, row, letter = open_letter(visit, query.get("of", ""), uid if uid.isascii() and uid.isdigit() else "0")
        found = Ref(row.uid, box.state().uidvalidity, box.name)
        return Sheet(answer.draft(letter), [(found, file) for file in letter.attachments], draft=str(found))
    return Sheet(answer.from_link(query))


def _letter(visit: Visit, text: str) -> tuple[Letter, Ref]:
    ref = parse_ref(text)
    box, _, letter = open_letter(visit, ref.mailbox, str(ref.uid))
    if box.state().uidvalidity != ref.uidvalidity:
        raise HttpError(409, "The folder has been made anew since this page was loaded. Load it again.")
    return letter, ref


def act(visit: Visit) -> Response:
    """Send, or keep as a draft."""
    form = visit.form(visit.services.config.limits.message_size + _ROOM_FOR_TEXT, files=True)
    try:
        sheet = _typed(visit, form)
        action = {"send": _send, "save": _save}.get(form.get("action", "send"))
        if action is None:
            raise HttpError(400, "The form does not say what to do. Go back and try again.")
        return action(visit, sheet)
    finally:
        form.close()


def _typed(visit: Visit, form: Form) -> Sheet:
    names = ("sender", "to", "cc", "bcc", "subject", "text", "in_reply_to", "references")
    kept = [_kept(visit, value) for value in form.all("keep")]
    files = [Attached(file.name, file.content_type, letter.content(file.part)) for _, file, letter in kept]
    files += [Attached(upload.name, upload.content_type, upload.file.read()) for upload in form.files]
    typed = Typed(**{name: form.get(name).replace("\r\n", "\n") for name in names}, files=tuple(files))
    return Sheet(typed, [(ref, file) for ref, file, _ in kept], form.get("answers"), form.get("draft"))


def _kept(visit: Visit, value: str) -> tuple[Ref, Attachment, Letter]:
    number, _, ref_text = value.partition("@")
    letter, ref = _letter(visit, ref_text)
    file = letter.part(number)
    if file is None:
        raise HttpError(409, "An attachment that should go along is not there any more.")
    return ref, file, letter


def _send(visit: Visit, sheet: Sheet) -> Response:
    problems = Problems()
    outcomes = writing.send(visit, sheet.typed, problems)
    if problems:
        return _page(visit, _safe(visit, sheet, problems), problems)
    _tidy(visit, sheet)
    if sheet.answers:
        _quietly(writing.answered, visit, sheet.answers)
    failed = [outcome for outcome in outcomes if outcome.error]
    reasons = " ".join(f"{outcome.recipient.address}: {outcome.error.text}." for outcome in failed if outcome.error)
    visit.say(f"Sent, but not to everybody. {reasons}" if failed else "Sent.")
    return redirect(link("mail", "INBOX"))


def _save(visit: Visit, sheet: Sheet) -> Response:
    try:
        ref = writing.save_draft(visit, sheet.typed)
    except MailError as error:
        problems = Problems()
        problems.add("", f"The draft could not be kept: {error.text}.")
        return _page(visit, sheet, problems)
    _tidy(visit, sheet)
    visit.say("The draft is kept.")
    return redirect(link("compose", draft=ref.uid, of=ref.mailbox))


def _safe(visit: Visit, sheet: Sheet, problems: Problems) -> Sheet:
    """A page cannot give files back to a browser, so what was uploaded is kept as a draft first."""
    if len(sheet.typed.files) == len(sheet.kept):
        return sheet
    try:
        ref = writing.save_draft(visit, sheet.typed)
    except MailError as error:
        problems.add("files", f"The attachments have to be chosen again: {error.text}.")
        return sheet
    _tidy(visit, sheet)
    _, _, letter = open_letter(visit, ref.mailbox, str(ref.uid))
    return Sheet(sheet.typed, [(ref, file) for file in letter.attachments], sheet.answers, str(ref))


def _tidy(visit: Visit, sheet: Sheet) -> None:
    if sheet.draft:
        _quietly(writing.remove, visit, sheet.draft)


def _quietly(change: Callable[[Visit, Ref], None], visit: Visit, ref: str) -> None:
    """The message is out: a draft or an original that has gone in the meantime is no reason to say it failed."""
    with suppress(MailError, HttpError):
        change(visit, parse_ref(ref))


_FIELDS: Final = ("sender", "to", "cc", "bcc", "files", "whole")


def _page(visit: Visit, sheet: Sheet, problems: Problems) -> Response:
    typed = sheet.typed
    said = {name: _said(problems, name) for name in _FIELDS}
    own = [shown(address) for address in visit.services.directory.addresses(visit.account)]
    html = _COMPOSE(
        token=visit.token,
        senders=OPTION.each(
            {"value": address, "text": address, "selected": _SELECTED if address == typed.sender else ""} for address in own
        ),
        **{name: getattr(typed, name) for name in ("to", "cc", "bcc", "subject", "text", "in_reply_to", "references")},
        answers=sheet.answers,
        draft=sheet.draft,
        kept=join(_kept_row(ref, file) for ref, file in sheet.kept),
        open_cc=Markup(" open") if typed.cc or typed.bcc or said["cc"] or said["bcc"] else "",
        limit=words.size(visit.services.config.limits.message_size * 3 // 4),
        **{f"{name}_problem": text for name, text in said.items()},
        **{f"{name}_wrong": _wrong(name) if said[name] else "" for name in ("to", "cc", "bcc")},
    )
    return room(visit, Room("Write", "compose wide", html, status=409 if problems else 200))


def _said(problems: Problems, name: str) -> Markup:
    said = problems.by_field.get("" if name == "whole" else name, [])
    return _PROBLEM(name=name, text=" ".join(said)) if said else Markup("")


def _wrong(name: str) -> Markup:
    return Markup(f' aria-invalid="true" aria-describedby="{name}_problem"')


def _kept_row(ref: Ref, file: Attachment) -> Markup:
    return _KEPT(value=f"{file.number}@{ref}", name=file.name, size=words.size(file.size))
