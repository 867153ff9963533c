"""The HTML of a message, for the frame on its page: the second wall behind message/sanitize.py.

The response carries a policy that gives the page no script, no origin, no form and no network. Pictures of the message
itself are written into it as data: URLs, so even they need no request (and no cookie, which a page without origin would
not have).
"""

from __future__ import annotations

import base64
from typing import Final

from pymaild.message import sanitize
from pymaild.web.http import Response, page
from pymaild.web.letter import MAX_PICTURES, Letter
from pymaild.web.pages.message import open_letter, remote_wanted
from pymaild.web.session import Visit
from pymaild.web.templates import Markup, Page

_FRAME, _SHEET = Page("frame.html"), Page("frame.html", "sheet")
_POLICY: Final = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src {images}; style-src 'unsafe-inline'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)


def show(visit: Visit, uid: str, mailbox: str) -> Response:
    """The sanitised HTML of one message as a page of its own."""
    _, _, letter = open_letter(visit, mailbox, uid)
    remote = remote_wanted(visit)
    response = page(_FRAME(body=Markup(safe_html(letter, remote)), sheet=_SHEET()))
    response.policy = _POLICY.format(images="data: https: http:" if remote else "data:")
    response.framed = True
    return response


def safe_html(letter: Letter, remote: bool = False) -> str:
    """What may be shown of the letter's HTML."""
    return sanitize.sanitize(letter.html, _pictures(letter), remote)


def asks_for_remote(letter: Letter) -> bool:
    """Whether there is something remote to load."""
    return sanitize.has_remote(letter.html)


def _pictures(letter: Letter) -> dict[str, str]:
    """Content-ID to data: URL, as far as the room goes."""
    urls, left = {}, MAX_PICTURES
    for cid, part in letter.pictures().items():
        content = letter.content(part)
        left -= len(content)
        if left < 0:
            break
        urls[cid] = f"data:{part.type}/{part.subtype};base64,{base64.b64encode(content).decode('ascii')}"
    return urls
