"""A mailbox whose messages stand for something: before any of them leaves, somebody else is asked.

The Outbox is one: a message in it waits in the queue, and taking it away means that it is not sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO

from pymaild.mailstore import Flag, FlagChange, HasFlag, NotPermitted, Row, Upload
from pymaild.store.mailbox import OpenMailbox

# The account, the uidvalidity and the uids of messages that are about to leave. What it raises lets them stay.
Leaving = Callable[[str, int, Sequence[int]], None]


class WatchedMailbox(OpenMailbox):
    """As OpenMailbox, but nothing is put in by hand, and `leaving` is asked before something goes."""

    leaving: Leaving

    def _ask_first(self, uids: Sequence[int]) -> None:
        if uids:
            self.leaving(self._engine.address, self.state().uidvalidity, uids)

    def append(
        self, message: BinaryIO | bytes, flags: int = 0, keywords: Iterable[str] = (), internal_date: int | None = None
    ) -> int:
        """Not here."""
        raise filled_by_itself()

    def append_all(self, uploads: Sequence[Upload]) -> list[int]:
        """Not here."""
        raise filled_by_itself()

    def replace(self, uid: int, upload: Upload, to: str) -> int:
        """The old one leaves."""
        self._ask_first([uid])
        return super().replace(uid, upload, to)

    def change_flags(
        self,
        uids: Sequence[int],
        change: FlagChange,
        flags: int,
        keywords: Iterable[str] = (),
        unchanged_since: int | None = None,
    ) -> tuple[list[Row], list[int]]:
        r"""\Deleted is how most programs begin to take a message away."""
        if flags & Flag.DELETED and change is not FlagChange.REMOVE:
            self._ask_first(uids)
        return super().change_flags(uids, change, flags, keywords, unchanged_since)

    def move(self, uids: Sequence[int], to: str) -> tuple[int, list[tuple[int, int]]]:
        """They leave."""
        self._ask_first(uids)
        return super().move(uids, to)

    def expunge(self, uids: Sequence[int] | None = None) -> list[int]:
        r"""Those with \Deleted leave."""
        deleted = self.search(HasFlag(Flag.DELETED))
        wanted = None if uids is None else set(uids)
        self._ask_first([uid for uid in deleted if wanted is None or uid in wanted])
        return super().expunge(uids)


def filled_by_itself() -> NotPermitted:
    """Why nothing can be put in."""
    return NotPermitted("5.7.1", "The Outbox shows what waits to be sent, and fills by itself: put the message into Drafts")
