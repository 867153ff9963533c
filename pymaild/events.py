"""One line for every step of a message's journey, so that a single page can show all of it.

An event says when, to which message (`message_id` of the envelope), what happened and the details, as plain words and
numbers. Whoever does a step records it; nobody but accounts/journal.py knows where events are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a message: `received`, `delivered`, `refused`, `submitted`, `fetched` ..."""

    message_id: str
    what: str
    details: dict[str, str | int] = field(default_factory=dict)
    session_id: str = ""
    at: float = 0.0  # seconds since 1970 UTC; 0: the journal fills in now


class Journal(Protocol):
    """Where events go. Recording never fails a delivery and never waits for a disk."""

    def record(self, event: Event) -> None:
        """Keep one event."""
