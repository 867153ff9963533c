"""Logging in and out."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Final

from pymaild.mailstore import AccountStore, SpecialUse, StoreError
from pymaild.status import MailError
from pymaild.web import assets
from pymaild.web.http import Response, page, redirect
from pymaild.web.session import Stranger, Visit
from pymaild.web.session import log_in as begin_session
from pymaild.web.session import log_out as end_session
from pymaild.web.templates import Markup, Page

_LOGIN, _PROBLEM, _WARNING = Page("login.html"), Page("login.html", "problem"), Page("login.html", "warning")
_DESCRIBES = Markup(' aria-describedby="problem" aria-invalid="true"')
# A path of ours and nothing else: not //host, not /\host, no control character that a browser would drop.
_OWN_PATH: Final = re.compile(r"/(?![/\\])[!-\[\]-~]{0,2000}\Z")


def own_path(text: str, otherwise: str = "/mail/INBOX") -> str:
    """Where a form may send its reader afterwards: only within this webmail."""
    return text if _OWN_PATH.match(text) else otherwise


def show(stranger: Stranger) -> Response:
    """The login form."""
    return _form(stranger, own_path(stranger.request.query.get("next", "")), "", "")


def log_in(stranger: Stranger) -> Response:
    """Name and password: a new session, or the form again with what is wrong."""
    form = stranger.form()
    username, then = form.get("username").strip(), own_path(form.get("next"))
    try:
        account = stranger.services.directory.login(username, form.get("password"), stranger.request.ip, "web")
    except MailError as error:
        response = _form(stranger, then, username, error.text + ".")
        response.status = 429 if error.temporary else 403
        return response
    _furnish(stranger.services.stores(account))
    response = redirect(then)
    begin_session(stranger, account, form.get("remember") == "yes", response)
    return response


def _furnish(store: AccountStore) -> None:
    """The folders with a use, should one be missing; a full disk is no reason not to let somebody in."""
    with suppress(StoreError):
        for use in SpecialUse:
            store.special(use)


def log_out(visit: Visit) -> Response:
    """End this session."""
    visit.form()
    response = redirect("/login")
    end_session(visit, response)
    return response


def _form(stranger: Stranger, then: str, username: str, problem: str) -> Response:
    token, headers = stranger.token()
    encrypted = stranger.request.https or stranger.request.ip in {"127.0.0.1", "::1"}
    html = _LOGIN(
        style=assets.address("style.css"),
        icon=assets.address("icon.svg"),
        hostname=stranger.services.config.server.hostname,
        problem=_PROBLEM(text=problem) if problem else "",
        describes=_DESCRIBES if problem else "",
        token=token,
        next=then,
        username=username,
        warning="" if encrypted else _WARNING(),
    )
    response = page(html)
    response.headers.extend(headers)
    return response
