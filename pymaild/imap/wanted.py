"""Which changes of the selected mailbox a client is told: all, until it says otherwise with NOTIFY. RFC 5465 §3.1."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pymaild.imap.view import View

Arrivals = Callable[["View", Sequence[int]], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is told of the selected mailbox."""

    messages: bool = True  # MessageNew and MessageExpunge: one never comes without the other. RFC 5465 §5
    flags: bool = True
    expunges_at_once: bool = False  # also while no command runs: numbers change at any time. RFC 5465 §6.1.1
    with_uids: bool = False  # FETCH of changed flags has UID. RFC 5465 §5.1
    arrivals: Arrivals | None = None  # FETCH of what came in. RFC 5465 §5.2


EVERYTHING: Final = Wanted()
NOTHING: Final = Wanted(messages=False, flags=False)
