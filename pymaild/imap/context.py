"""Searches that are kept up to date: the client hears what comes to the result and what leaves it. RFC 5267 §4.3.

    a1 SEARCH RETURN (UPDATE COUNT) UNSEEN   ->   * ESEARCH (TAG "a1") ADDTO (0 17)      a new message came
                                                  * ESEARCH (TAG "a1") REMOVEFROM (0 3)  it was read

A context lives in the View, so it ends with it. Only messages that changed are searched again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from pymaild.imap.answers import line
from pymaild.imap.errors import Bad
from pymaild.imap.esearch import correlator
from pymaild.imap.sequences import compact
from pymaild.imap.values import string
from pymaild.imap.wanted import Arrivals
from pymaild.mailstore import And, Mailbox, Query, Uids

if TYPE_CHECKING:
    from pymaild.imap.view import View

MAX_CONTEXTS: Final = 20  # of one mailbox, opened once


class Context:
    """One search, and the messages that the client believes to be its result."""

    def __init__(
        self, tag: bytes, by_uid: bool, query: Query, members: Iterable[int], arrivals: Arrivals | None = None
    ) -> None:
        self.tag = tag
        self._by_uid = by_uid
        self._query = query
        self._arrivals = arrivals
        self._members = set(members)
        self._arriving: set[int] = set()
        self._leaving: set[int] = set()

    def look(self, mailbox: Mailbox, changed: Collection[int]) -> None:
        """Search messages that changed or arrived once more."""
        among = Uids(tuple((uid, uid) for uid in changed))
        found = set(mailbox.search(And((among, self._query)))) if changed else set()
        self._arriving = found - self._members
        self._leaving = self._members.intersection(changed) - found

    def left(self, view: View, gone: Collection[int]) -> Iterator[bytes]:
        """REMOVEFROM, before an EXPUNGE changes the numbers. RFC 5267 §4.3.3."""
        leaving = sorted(self._leaving | self._members.intersection(gone))
        self._members.difference_update(leaving)
        self._leaving = set()
        yield from self._told(view, b"REMOVEFROM", leaving)

    def came(self, view: View, arrived: Collection[int]) -> Iterator[bytes]:
        """ADDTO, after the EXISTS of what arrived. The order is that of the mailbox, so the position is 0. §4.3.2.

        Of messages that are new in the mailbox, not only in the result, what UPDATE (...) asks for: RFC 5465 §7.
        """
        arriving = view.known(sorted(self._arriving))
        self._members.update(arriving)
        self._arriving = set()
        new = [uid for uid in arriving if uid in arrived] if self._arrivals is not None else []
        if self._arrivals is not None and new:
            yield from self._arrivals(view, new)
        yield from self._told(view, b"ADDTO", arriving)

    def _told(self, view: View, word: bytes, uids: Sequence[int]) -> Iterator[bytes]:
        numbers = uids if self._by_uid else view.numbers(uids)
        if numbers:
            yield b"* ESEARCH %s %s (0 %s)\r\n" % (correlator(self.tag, self._by_uid), word, compact(numbers))


def check_tag(view: View, tag: bytes) -> None:
    """A tag names one context only. RFC 5267 §4.3."""
    if tag in view.contexts:
        raise Bad("The tag names a search already that is kept up to date: take another tag")


def keep(view: View, context: Context) -> Iterator[bytes]:
    """Keep the result up to date; NOUPDATE if there are too many already. RFC 5267 §4.3.1."""
    if len(view.contexts) < MAX_CONTEXTS:
        view.contexts[context.tag] = context
        return
    yield no_update(context.tag)


def no_update(tag: bytes) -> bytes:
    """The result will not be kept up to date. RFC 5267 §4.3.1."""
    code = f"NOUPDATE {string(tag).decode('ascii')}"
    return line(b"*", "NO", "The result of this search will not be kept up to date", code)
