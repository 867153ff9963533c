"""The table of routes: method, pattern, handler, and who may ask. docs/webmail.md explains every row."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from pymaild.web.http import Response
from pymaild.web.pages import actions, compose, folders, frame, list, login, message, parts, search, settings

# What the names in a pattern may be. A mailbox stands last, because its name may hold slashes.
_NAMES: Final = {
    "uid": r"[1-9]\d{0,9}",
    "part": r"[1-9]\d{0,4}(?:\.[1-9]\d{0,4}){0,100}|0",
    "mailbox": r".+",
    "name": r"[A-Za-z0-9_.-]+",
}


class Access(Enum):
    """Who may ask."""

    STATIC = "anybody; a file of ours"
    STRANGER = "anybody"
    VISITOR = "whoever has logged in"


@dataclass(frozen=True, slots=True)
class Route:
    """One row."""

    method: str
    pattern: str
    handler: Callable[..., Response]
    access: Access = Access.VISITOR
    regex: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        pieces = re.split(r"\{(\w+)\}", self.pattern)
        regex = "".join(f"(?P<{p}>{_NAMES[p]})" if odd % 2 else re.escape(p) for odd, p in enumerate(pieces))
        object.__setattr__(self, "regex", re.compile(regex, re.DOTALL))


def _static(*_: Any, **__: Any) -> Response:
    raise AssertionError("app.py serves static files itself")


ROUTES: Final = (
    Route("GET", "/static/{name}", _static, Access.STATIC),
    Route("GET", "/login", login.show, Access.STRANGER),
    Route("POST", "/login", login.log_in, Access.STRANGER),
    Route("POST", "/logout", login.log_out),
    Route("GET", "/", list.home),
    Route("GET", "/mail/{mailbox}", list.show),
    Route("GET", "/search", search.show),
    Route("GET", "/message/{uid}/{mailbox}", message.show),
    Route("GET", "/frame/{uid}/{mailbox}", frame.show),
    Route("GET", "/part/{uid}/{part}/{mailbox}", parts.attachment),
    Route("GET", "/original/{uid}/{mailbox}", parts.original),
    Route("GET", "/raw/{uid}/{mailbox}", parts.raw),
    Route("POST", "/messages", actions.act),
    Route("GET", "/compose", compose.show),
    Route("POST", "/compose", compose.act),
    Route("GET", "/folders", folders.show),
    Route("POST", "/folders", folders.act),
    Route("GET", "/empty/{mailbox}", folders.confirm_empty),
    Route("POST", "/empty/{mailbox}", folders.empty),
    Route("GET", "/settings", settings.show),
    Route("POST", "/settings/password", settings.change_password),
    Route("POST", "/settings/sessions", settings.end_sessions),
)
