"""The WSGI callable (PEP 3333): finds the row of the table, and turns every refusal into a page that says what to do."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable
from typing import Any

from pymaild.status import MailError
from pymaild.web import assets
from pymaild.web.forms import BadForm
from pymaild.web.http import Environ, HttpError, Request, Response, link, page, redirect
from pymaild.web.routes import ROUTES, Access, Route
from pymaild.web.services import Services
from pymaild.web.session import Stranger, visit
from pymaild.web.templates import Markup, Page

log = logging.getLogger("pymaild.web")
StartResponse = Callable[..., Any]

_ERROR = Page("error.html")
_TITLES = {
    400: "This request cannot be read",
    403: "This is not allowed",
    404: "There is nothing here",
    405: "This cannot be done here",
    409: "This did not work",
    413: "That is too much",
    414: "That is too much",
    415: "This request cannot be read",
    500: "Something went wrong on the server",
    503: "Not right now",
}


class WebApp:
    """The webmail as a WSGI application; it may be called by many threads at once."""

    def __init__(self, services: Services) -> None:
        self.services = services

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """One request."""
        request = Request(environ)
        response = self.respond(request)
        headers, body = response.finish(request)
        start_response(response.status_line, headers)
        return body

    def respond(self, request: Request) -> Response:
        """The response, whatever happens."""
        try:
            return self._dispatch(request)
        except HttpError as error:
            return _error_page(error.status, error.text, error.headers)
        except BadForm as error:
            return _error_page(error.status, error.text)
        except MailError as error:
            return _error_page(503 if error.temporary else 409, error.text + ".")
        except Exception:
            number = secrets.token_hex(4)
            log.exception("error %s answering %s", number, request.method)
            text = f"The error has been written to the server's log under the number {number}. Try again in a minute."
            return _error_page(500, text)

    def _dispatch(self, request: Request) -> Response:
        route, values = _find(request)
        if route.access is Access.STATIC:
            return assets.serve(request, **values)
        visitor = visit(request, self.services)
        if route.access is Access.STRANGER:
            return route.handler(Stranger(request, self.services), **values)
        if visitor is None:
            return _log_in_first(request)
        return route.handler(visitor, **values)


def _find(request: Request) -> tuple[Route, dict[str, str]]:
    """The row for this method and path. HEAD is answered like GET, without the body. RFC 9110 §9.3.2."""
    method = "GET" if request.method == "HEAD" else request.method
    allowed = set()
    for route in ROUTES:
        if match := route.regex.fullmatch(request.path):
            if route.method == method:
                return route, match.groupdict()
            allowed.add(route.method)
    if allowed:
        methods = ", ".join(sorted(allowed | {"HEAD"} if "GET" in allowed else allowed))
        raise HttpError(405, "This page does not take that kind of request.", (("Allow", methods),))
    raise HttpError(404, "The address does not name a page of this webmail. It may have been mistyped.")


def _log_in_first(request: Request) -> Response:
    """To the login page, and back to where they wanted to go if looking was all they wanted."""
    if request.method == "POST":
        raise HttpError(
            403,
            "You are not logged in any more, so nothing was changed. Log in in another tab, then come back to this page "
            "with your browser's Back button and send it again: what you typed is still there.",
        )
    query = str(request.environ.get("QUERY_STRING", ""))
    wanted = link(request.path.lstrip("/")) + (f"?{query}" if query else "")
    return redirect(link("login", next="" if request.path == "/" else wanted))


def _error_page(status: int, text: str, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    values = {"status": status, "title": _TITLES.get(status, _TITLES[500]), "text": text}
    response = page(
        _ERROR(**values, style=Markup(assets.address("style.css")), icon=Markup(assets.address("icon.svg"))), status
    )
    response.headers.extend(headers)
    return response
