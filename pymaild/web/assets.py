"""www/static: style, script and icon, under names that carry a hash, so that browsers keep them for good."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Final

from pymaild.paths import www
from pymaild.web.http import HttpError, Request, Response

TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, read once."""

    content: bytes
    packed: bytes  # gzip
    content_type: str
    tag: str


@cache
def assets() -> dict[str, Asset]:
    """By the name a page uses: style.3f2a1b4c.css. A request only names what is in here: no path to escape from."""
    found = {}
    for path in sorted((www() / "static").iterdir()):
        if path.suffix in TYPES:
            content = path.read_bytes()
            tag = hashlib.sha256(content).hexdigest()[:12]
            found[f"{path.stem}.{tag}{path.suffix}"] = Asset(content, gzip.compress(content, 9), TYPES[path.suffix], tag)
    return found


@cache
def address(name: str) -> str:
    """The path of a file of www/static for a page."""
    stem, _, extension = name.rpartition(".")
    for hashed in assets():
        if hashed.startswith(stem + ".") and hashed.endswith("." + extension):
            return f"/static/{hashed}"
    raise KeyError(name)


def serve(request: Request, name: str) -> Response:
    """One file; 304 when the browser has it already. RFC 9110 §13.1.2, RFC 8246."""
    asset = assets().get(name)
    if asset is None:
        raise HttpError(404, "There is no such file.")
    etag = f'"{asset.tag}"'
    headers = [("Cache-Control", "public, max-age=31536000, immutable"), ("ETag", etag), ("Vary", "Accept-Encoding")]
    if any(tag.strip().removeprefix("W/") in {etag, "*"} for tag in request.header("If-None-Match").split(",")):
        return Response(status=304, headers=headers, private=False)
    if request.takes_gzip:
        headers.append(("Content-Encoding", "gzip"))
        return Response([asset.packed], 200, asset.content_type, [*headers, _length(asset.packed)], private=False)
    return Response([asset.content], 200, asset.content_type, [*headers, _length(asset.content)], private=False)


def _length(body: bytes) -> tuple[str, str]:
    return ("Content-Length", str(len(body)))
