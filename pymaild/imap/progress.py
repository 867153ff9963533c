"""A client that waits long is told how far its command is. RFC 9585.

C: a1 SEARCH BODY "needle"
S: * OK [INPROGRESS ("a1" 4711 100000)] Still at work
S: * SEARCH 7 9
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pymaild.imap.answers import ok
from pymaild.imap.values import string

EVERY: Final = 10.0  # seconds; the first time, too. RFC 9585 §4


class Progress:
    """Of one command; called with how much is done of how much."""

    def __init__(self, tag: bytes, now: Callable[[], float], tell: Callable[[bytes], None]) -> None:
        self._tag, self._now, self._tell = tag, now, tell
        self._due = now() + EVERY
        self._share = 0.0  # that was told last

    def __call__(self, done: int, goal: int) -> None:
        """Tell, if it is time. Numbers only rise: where a second part of the work begins, there are none. RFC 9585 §3."""
        now = self._now()
        if now < self._due:
            return
        self._due = now + EVERY
        numbers = "NIL NIL"
        if done >= self._share * goal:
            self._share, numbers = done / goal, f"{done} {goal}"
        tag = string(self._tag).decode("ascii") if b"]" not in self._tag else "NIL"
        self._tell(ok(f"INPROGRESS ({tag} {numbers})", "Still at work"))
