"""Who is asking: the cookie, the token against forged forms, and the visit that a handler works with. RFC 6265."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from functools import cached_property

from pymaild.accounts.websessions import ABSOLUTE_REMEMBERED, WebSession
from pymaild.mailstore import AccountStore
from pymaild.web.forms import Form
from pymaild.web.http import HttpError, Request, Response
from pymaild.web.services import Services

_STRANGER = "-login"  # the cookie of somebody who has not logged in yet, so that the login form has a token as well
SMALL_FORM = 512 << 10  # octets: a page of checkboxes, a password; nothing with a text


def cookie_name(request: Request, suffix: str = "") -> str:
    """With TLS the name binds the cookie to this host and path. RFC 6265bis §4.1.3.2."""
    return ("__Host-pymaild" if request.https else "pymaild") + suffix


def set_cookie(request: Request, value: str, suffix: str = "", max_age: int | None = None) -> tuple[str, str]:
    """The header that sets a cookie; scripts cannot read it and other sites cannot make a browser send it with a form."""
    age = "" if max_age is None else f"; Max-Age={max_age}"
    secure = "; Secure" if request.https else ""
    return ("Set-Cookie", f"{cookie_name(request, suffix)}={value}; Path=/; HttpOnly; SameSite=Lax{age}{secure}")


def masked(secret: bytes) -> str:
    """A secret for a page, different each time, so that its length after gzip tells nothing (BREACH)."""
    pad = secrets.token_bytes(len(secret))
    return base64.urlsafe_b64encode(pad + bytes(a ^ b for a, b in zip(pad, secret, strict=True))).decode("ascii")


def unmasked(token: str) -> bytes:
    """The secret again; empty for anything that `masked` did not make."""
    try:
        both = base64.b64decode(token.encode("ascii"), b"-_", validate=True)
    except ValueError:
        return b""
    half = len(both) // 2
    return bytes(a ^ b for a, b in zip(both[:half], both[half:], strict=False)) if len(both) % 2 == 0 else b""


def _secret(cookie: str) -> bytes:
    return hmac.new(cookie.encode("utf-8", "replace"), b"form", hashlib.sha256).digest()


def check_token(request: Request, form: Form, cookie: str) -> None:
    """Refuse a form that none of our pages made for this browser."""
    good = cookie and hmac.compare_digest(unmasked(form.get("token")), _secret(cookie))
    if not good or not request.own_origin:
        raise HttpError(
            403,
            "This form was not sent from a page of this webmail, or it waited too long. "
            "Nothing was changed. Go back, load the page again and repeat it.",
        )


class Stranger:
    """A request of somebody who has not logged in."""

    def __init__(self, request: Request, services: Services) -> None:
        self.request = request
        self.services = services
        self.cookie = request.cookies.get(cookie_name(request, _STRANGER), "")

    def form(self) -> Form:
        """The body of the login form, checked."""
        form = self.request.form(SMALL_FORM)
        check_token(self.request, form, self.cookie)
        return form

    def token(self) -> tuple[str, list[tuple[str, str]]]:
        """The token for a form, and the header that sets its cookie."""
        cookie = self.cookie or secrets.token_urlsafe(32)
        return masked(_secret(cookie)), [set_cookie(self.request, cookie, _STRANGER)]


@dataclass(slots=True)
class Notice:
    """One sentence at the top of the next page, and what takes the thing back."""

    text: str
    undo: list[str]  # references of messages
    undo_to: str = ""  # the mailbox they go back to


class Visit:
    """A request of somebody who has logged in: what handlers get."""

    def __init__(self, request: Request, services: Services, session: WebSession, cookie: str) -> None:
        self.request = request
        self.services = services
        self.session = session
        self.cookie = cookie
        self.account = session.account

    @cached_property
    def store(self) -> AccountStore:
        """The mail of whoever asks: no other account can be reached from here."""
        return self.services.stores(self.account)

    @property
    def token(self) -> str:
        """The token for a form of this session."""
        return masked(_secret(self.cookie))

    def form(self, limit: int = SMALL_FORM, files: bool = False) -> Form:
        """The body of a form, checked. Where it comes from is looked at before it is read."""
        if not self.request.own_origin:
            raise HttpError(403, "This form was sent from another web site. Nothing was changed.")
        form = self.request.form(limit, files)
        try:
            check_token(self.request, form, self.cookie)
        except HttpError:
            form.close()
            raise
        return form

    def say(self, text: str, undo: list[str] | None = None, undo_to: str = "") -> None:
        """Leave a sentence for the next page."""
        self.services.sessions.leave_notice(self.cookie, {"text": text, "undo": undo or [], "undo_to": undo_to})

    def notice(self) -> Notice | None:
        """What was left for this page."""
        found = self.services.sessions.take_notice(self.cookie)
        undo = found.get("undo")
        if not found:
            return None
        return Notice(
            str(found["text"]), [str(ref) for ref in undo] if isinstance(undo, list) else [], str(found["undo_to"])
        )


def visit(request: Request, services: Services) -> Visit | None:
    """The visit that the cookie proves, if any."""
    cookie = request.cookies.get(cookie_name(request), "")
    session = services.sessions.find(cookie) if cookie else None
    return Visit(request, services, session, cookie) if session else None


def log_in(stranger: Stranger, account: str, remembered: bool, response: Response) -> None:
    """Begin a session under a new token, whatever the browser sent before (no fixation)."""
    request, sessions = stranger.request, stranger.services.sessions
    if old := request.cookies.get(cookie_name(request)):
        sessions.end(old)
    token = sessions.begin(account, request.ip, request.header("User-Agent"), remembered)
    response.headers.append(set_cookie(request, token, max_age=ABSOLUTE_REMEMBERED if remembered else None))
    response.headers.append(set_cookie(request, "", _STRANGER, max_age=0))


def log_out(visit: Visit, response: Response) -> None:
    """End the session and have the browser forget what it may have kept."""
    visit.services.sessions.end(visit.cookie)
    response.headers.append(set_cookie(visit.request, "", max_age=0))
    response.headers.append(("Clear-Site-Data", '"cache"'))
