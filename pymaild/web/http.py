"""Requests and responses over WSGI (PEP 3333), and the headers that keep a browser careful. RFC 9110, RFC 6265."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, quote

from pymaild.web.forms import Form, read_form

Environ = dict[str, Any]  # as PEP 3333 has it: text, and objects of the server's own

MAX_QUERY = 16 << 10
_WORTH_PACKING = 600  # octets; below that gzip saves nothing

# What a page of ours may do: load our own style, script and pictures, nothing inline, nothing from elsewhere.
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("X-DNS-Prefetch-Control", "off"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=(), interest-cohort=()"),
)
HSTS = ("Strict-Transport-Security", "max-age=31536000")


class HttpError(Exception):
    """Why a request gets no page of its own: the status, and what happened and what to do in plain words."""

    def __init__(self, status: int, text: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers


class Request:
    """One HTTP request, read strictly."""

    def __init__(self, environ: Environ) -> None:
        self.environ = environ
        self.method = str(environ.get("REQUEST_METHOD", "GET"))
        self.https = environ.get("wsgi.url_scheme") == "https"
        self.ip = str(environ.get("REMOTE_ADDR", ""))  # never X-Forwarded-For: any client can write that

    def header(self, name: str) -> str:
        """A header field, empty when it is not there."""
        return str(self.environ.get("HTTP_" + name.upper().replace("-", "_"), ""))

    @cached_property
    def path(self) -> str:
        """The path as text. PEP 3333 hands octets over as latin-1."""
        try:
            path = str(self.environ.get("PATH_INFO", "")).encode("latin-1").decode("utf-8")
        except UnicodeError:
            raise HttpError(400, "The address of this page is not valid: it is not encoded as UTF-8.") from None
        if any(ord(char) < 32 for char in path):
            raise HttpError(400, "The address of this page is not valid: it contains control characters.")
        return path or "/"

    @cached_property
    def query(self) -> dict[str, str]:
        """What follows the question mark; the last of several values counts."""
        text = str(self.environ.get("QUERY_STRING", ""))
        if len(text) > MAX_QUERY:
            raise HttpError(414, "The address of this page is too long.")
        try:
            return dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=50))
        except ValueError:
            raise HttpError(400, "The address of this page is not valid: its query cannot be read.") from None

    @cached_property
    def cookies(self) -> dict[str, str]:
        """The cookies; the first of several with one name counts (RFC 6265 §5.4 sends the most specific one first)."""
        pairs = (piece.strip().partition("=") for piece in self.header("Cookie").split(";"))
        found: dict[str, str] = {}
        for name, _, value in pairs:
            found.setdefault(name, value)
        return found

    def form(self, limit: int, files: bool = False) -> Form:
        """The body, at most `limit` octets of it; read once."""
        return read_form(self.environ, limit, files)

    @property
    def own_origin(self) -> bool:
        """Whether a page of ours sent this, as far as the browser tells. W3C Fetch Metadata; RFC 6454.

        Under Referrer-Policy no-referrer browsers send `Origin: null` with our own forms too, so null alone proves nothing:
        the token in the form decides then.
        """
        site = self.header("Sec-Fetch-Site")
        if site and site not in {"same-origin", "none"}:
            return False
        origin = self.header("Origin")
        if origin in {"", "null"}:
            return True
        scheme = "https" if self.https else "http"
        return origin.lower() == f"{scheme}://{self.header('Host').lower()}"

    @property
    def takes_gzip(self) -> bool:
        """Whether the answer may be packed. RFC 9110 §12.5.3."""
        return any(
            coding.partition(";")[0].strip() == "gzip" and "q=0" not in coding.replace(" ", "").split(";")[1:]
            for coding in self.header("Accept-Encoding").lower().split(",")
        )


@dataclass(slots=True)
class Response:
    """What goes back. `private` pages are never stored; `policy` is the Content-Security-Policy."""

    body: bytes | Iterable[bytes] = b""
    status: int = 200
    content_type: str = "text/html; charset=utf-8"
    headers: list[tuple[str, str]] = field(default_factory=list)
    private: bool = True
    policy: str = PAGE_POLICY
    framed: bool = False  # whether a page of ours may show it in a frame

    @property
    def status_line(self) -> str:
        """Code and reason. RFC 9110 §15."""
        return f"{self.status} {HTTPStatus(self.status).phrase}"

    def finish(self, request: Request) -> tuple[list[tuple[str, str]], Iterable[bytes]]:
        """Headers and body as WSGI wants them."""
        headers = [*self.headers, *SECURITY, ("Content-Security-Policy", self.policy)]
        headers.append(("X-Frame-Options", "SAMEORIGIN" if self.framed else "DENY"))
        if request.https:
            headers.append(HSTS)
        if self.private:
            headers.append(("Cache-Control", "no-store"))
        if self.status == 304:
            return headers, ()
        headers.append(("Content-Type", self.content_type))
        body = self.body
        if isinstance(body, bytes):
            body = self._packed(body, headers, request)
            headers.append(("Content-Length", str(len(body))))
            body = (body,)
        return headers, () if request.method == "HEAD" else body

    def _packed(self, body: bytes, headers: list[tuple[str, str]], request: Request) -> bytes:
        """The body in gzip where that pays. Tokens in a page are masked anew each time, against guessing by length."""
        packs = self.content_type.startswith(("text/html", "text/css", "text/javascript", "image/svg"))
        if not packs or len(body) < _WORTH_PACKING:
            return body
        headers.append(("Vary", "Accept-Encoding"))
        if not request.takes_gzip:
            return body
        headers.append(("Content-Encoding", "gzip"))
        return gzip.compress(body, 5, mtime=0)


def page(html: str, status: int = 200) -> Response:
    """An HTML page."""
    return Response(html.encode("utf-8", "replace"), status)


def redirect(to: str) -> Response:
    """Go there with GET: the answer to every form that worked. RFC 9110 §15.4.4."""
    return Response(b"", 303, "text/plain; charset=utf-8", [("Location", to)])


def download(name: str, kind: str = "attachment") -> tuple[str, str]:
    """A Content-Disposition that every browser reads alike. RFC 6266 §4.3, RFC 8187."""
    plain = "".join(char if " " <= char < "\x7f" and char not in '"\\%;' else "_" for char in name) or "file"
    value = f'{kind}; filename="{plain}"'
    if plain != name:
        value += f"; filename*=UTF-8''{quote(name, safe='')}"
    return ("Content-Disposition", value)


def link(*levels: object, **query: object) -> str:
    """The path /a/b/c, each level quoted but for slashes inside it, with a query of what is not empty."""
    path = "/" + "/".join(quote(str(level), safe="/") for level in levels)
    pairs = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in query.items() if value not in ("", None))
    return f"{path}?{pairs}" if pairs else path
