"""Files that came with a message, and the message as it came. RFC 6266, THREATS T129 and T164."""

from __future__ import annotations

from typing import Final

from pymaild.message import charsets, fields
from pymaild.message import words as encoded
from pymaild.web import words
from pymaild.web.forms import safe_name
from pymaild.web.http import HttpError, Response, download, link
from pymaild.web.pages.list import mailbox_info
from pymaild.web.pages.message import open_letter
from pymaild.web.session import Visit
from pymaild.web.shell import Room, room
from pymaild.web.templates import Page

_ORIGINAL, _FIELD = Page("original.html"), Page("original.html", "field")
# Whatever a stranger sends is a file to save, never a page of this site: no script, no origin, nothing to load.
_SEALED: Final = "sandbox; default-src 'none'; frame-ancestors 'none'; form-action 'none'; base-uri 'none'"
_SHOWN: Final = 300_000  # octets of the original on its page; the download has all
# Types that a program may be chosen by; anything else is octets. A browser never shows them here: they are downloads.
_KEPT: Final = ("application/pdf", "text/plain", "text/calendar", "message/rfc822")


def attachment(visit: Visit, uid: str, part: str, mailbox: str) -> Response:
    """One part as a download."""
    _, _, letter = open_letter(visit, mailbox, uid)
    found = letter.part(part)
    if found is None:
        raise HttpError(404, "The message has no such attachment.")
    kind = found.content_type
    safe = kind in _KEPT or (kind.startswith(("image/", "audio/", "video/")) and "svg" not in kind and "xml" not in kind)
    content_type = kind if safe and kind.isascii() and kind.isprintable() else "application/octet-stream"
    return _file(letter.content(found.part), found.name, content_type)


def raw(visit: Visit, uid: str, mailbox: str) -> Response:
    """The whole message as it is kept, byte for byte."""
    _, _, letter = open_letter(visit, mailbox, uid)
    return _file(letter.message, safe_name(f"{letter.subject or 'message'}.eml"), "message/rfc822")


def original(visit: Visit, uid: str, mailbox: str) -> Response:
    """Every header field, and the message as text."""
    mailbox_info(visit, mailbox)
    _, _, letter = open_letter(visit, mailbox, uid)
    lines = _FIELD.each(
        {"name": charsets.guess(field.name), "value": encoded.decode_words(fields.unfold(field.body)).strip()}
        for field in fields.split(letter.header)
    )
    cut = len(letter.message) > _SHOWN
    html = _ORIGINAL(
        subject=letter.subject or "(no subject)",
        back=link("message", uid, mailbox),
        raw=link("raw", uid, mailbox),
        fields=lines,
        source=charsets.guess(letter.message[:_SHOWN]),
        size=words.size(len(letter.message)),
        note="The beginning is shown; the download has all of it." if cut else "",
    )
    return room(visit, Room(f"Original: {letter.subject or '(no subject)'}", "original wide", html, mailbox))


def _file(content: bytes, name: str, content_type: str) -> Response:
    return Response(content, 200, content_type, [download(name)], policy=_SEALED)
