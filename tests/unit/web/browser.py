"""A browser without a network: it calls the WSGI app, keeps cookies, and fills in the forms that pages hold."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlencode

from pymaild.web.app import WebApp


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    @property
    def words(self) -> str:
        """The text a reader sees, on one line."""
        return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", re.sub(r"(?s)<(script|style).*?</\1>", "", self.text))))

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    @property
    def location(self) -> str:
        return self.header("Location")

    @property
    def token(self) -> str:
        match = re.search(r'name="token" value="([^"]+)"', self.text)
        assert match, self.text[:500]
        return match[1]

    def values(self, name: str) -> list[str]:
        return [unescape(value) for value in re.findall(rf'name="{name}" value="([^"]*)"', self.text)]


@dataclass
class Browser:
    app: WebApp
    cookies: dict[str, str] = field(default_factory=dict)
    scheme: str = "http"
    headers: dict[str, str] = field(default_factory=dict)

    def request(self, method: str, url: str, body: bytes = b"", content_type: str = "", **headers: str) -> Answer:
        path, _, query = url.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": unquote_latin(path),
            "QUERY_STRING": query,
            "REMOTE_ADDR": "192.0.2.7",
            "wsgi.url_scheme": self.scheme,
            "wsgi.input": io.BytesIO(body),
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": content_type,
            "HTTP_HOST": "mail.example.org",
            "HTTP_COOKIE": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
        }
        environ.update({"HTTP_" + key.upper(): value for key, value in {**self.headers, **headers}.items()})
        started: list[Any] = []
        body_out = b"".join(self.app(environ, lambda *args: started.extend(args)))
        answer = Answer(int(started[0].split()[0]), started[1], body_out)
        self._remember(answer)
        return answer

    def _remember(self, answer: Answer) -> None:
        for key, value in answer.headers:
            if key == "Set-Cookie":
                name, _, rest = value.partition("=")
                content = rest.partition(";")[0]
                if content:
                    self.cookies[name] = content
                else:
                    self.cookies.pop(name, None)

    def get(self, url: str, **headers: str) -> Answer:
        return self.request("GET", url, b"", "", **headers)

    def post(self, url: str, fields: list[tuple[str, str]] | dict[str, str], **headers: str) -> Answer:
        pairs = list(fields.items()) if isinstance(fields, dict) else fields
        return self.request("POST", url, urlencode(pairs).encode(), "application/x-www-form-urlencoded", **headers)

    def upload(self, url: str, fields: list[tuple[str, str]], files: list[tuple[str, str, bytes]] | None = None) -> Answer:
        return self.request("POST", url, multipart(fields, files), "multipart/form-data; boundary=XyZ")

    def log_in(self, username: str = "ann@example.org", password: str = "correct horse") -> Answer:
        page = self.get("/login")
        return self.post("/login", {"token": page.token, "username": username, "password": password, "next": "/mail/INBOX"})

    def act(self, action: str, *refs: str, **more: str) -> Answer:
        token = self.get("/settings").token
        return self.post("/messages", [("token", token), ("action", action), *more.items(), *(("m", ref) for ref in refs)])

    def refs(self, mailbox: str = "INBOX") -> list[str]:
        return self.get(f"/mail/{quote(mailbox)}").values("m")


def unquote_latin(path: str) -> str:
    """As PEP 3333 hands a path over: octets as latin-1."""
    return unquote_to_bytes(path).decode("latin-1")


def multipart(
    fields: list[tuple[str, str]], files: list[tuple[str, str, bytes]] | None = None, boundary: str = "XyZ"
) -> bytes:
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'.encode() for n, v in fields]
    parts += [
        f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\nContent-Type: {kind}\r\n\r\n'.encode()
        + content
        + b"\r\n"
        for name, kind, content in files or ()
    ]
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


class Elements(HTMLParser):
    """Every start tag of a page with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
