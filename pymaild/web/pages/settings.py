"""What people can see and change about their own account: addresses, password, where they are logged in."""

from __future__ import annotations

import re

from pymaild.accounts.names import shown
from pymaild.accounts.websessions import WebSession
from pymaild.status import MailError
from pymaild.web import words
from pymaild.web.http import Response, redirect
from pymaild.web.session import Visit
from pymaild.web.shell import Room, room
from pymaild.web.templates import Markup, Page, join

_SETTINGS, _ADDRESS, _SESSION, _PROBLEM, _END = (
    Page("settings.html", name) for name in ("", "address", "session", "problem", "end")
)
# Enough of User-Agent to recognise one's own devices; a later pattern only counts where no earlier one fits.
_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = re.compile(r"Android|iPhone|iPad|Windows|Macintosh|CrOS|Linux")


def show(visit: Visit) -> Response:
    """The page."""
    return _page(visit, "", 200)


def change_password(visit: Visit) -> Response:
    """With the old one. Every other browser is logged out. RFC 3463 5.7.8: the old one was wrong."""
    form = visit.form()
    new = form.get("new")
    if new != form.get("again"):
        return _page(visit, "The new password was not typed the same way twice: nothing was changed.", 409)
    try:
        visit.services.directory.change_password(visit.account, form.get("old"), new)
    except MailError as error:
        text = "The old password is not right" if error.status == "5.7.8" else error.text
        return _page(visit, f"{text}. Nothing was changed.", 409)
    others = visit.services.sessions.end_all(visit.account, but=visit.cookie)
    visit.say("The password is changed." + (f" {words.count(others, 'other browser')} logged out." if others else ""))
    return redirect("/settings")


def end_sessions(visit: Visit) -> Response:
    """Log one other browser out, or all of them."""
    form = visit.form()
    if form.get("session") == "others":
        number = visit.services.sessions.end_all(visit.account, but=visit.cookie)
        visit.say(f"{words.count(number, 'other browser')} logged out.")
    elif visit.services.sessions.end_one(visit.account, form.get("session")):
        visit.say("That browser is logged out.")
    else:
        visit.say("That browser was logged out already.")
    return redirect("/settings")


def _page(visit: Visit, problem: str, status: int) -> Response:
    html = _SETTINGS(
        token=visit.token,
        username=shown(visit.account),
        addresses=_ADDRESS.each(
            {"address": shown(address)} for address in visit.services.directory.addresses(visit.account)
        ),
        sessions=join(_session(visit, session) for session in visit.services.sessions.of(visit.account)),
        problem=_PROBLEM(text=problem) if problem else "",
    )
    return room(visit, Room("Settings", "settings wide", html, status=status))


def _session(visit: Visit, session: WebSession) -> Markup:
    own = session.session_id == visit.session.session_id
    return _SESSION(
        device=device(session.agent),
        ip=session.ip or "an unknown address",
        created=words.full_date(session.created),
        used=words.full_date(session.used),
        end="this browser" if own else _END(token=visit.token, session=session.session_id),
    )


def device(agent: str) -> str:
    """A browser and a system from a User-Agent."""
    browser = next((name for mark, name in _BROWSERS if mark in agent), "A browser")
    system = _SYSTEMS.search(agent)
    names = {"Macintosh": "Mac", "CrOS": "ChromeOS"}
    return f"{browser} on {names.get(system[0], system[0])}" if system else browser
