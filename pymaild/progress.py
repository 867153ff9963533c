"""Long work says how far it is, to whoever listens in this thread; where nobody does that costs next to nothing.

with listening(told):
    for message in counted(messages):    # told(0, 5000), told(1, 5000), ...
        ...
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TypeVar

T = TypeVar("T")
Listener = Callable[[int, int], None]  # how many are done, of how many

_LISTENER: Final[ContextVar[Listener | None]] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener | None) -> Iterator[None]:
    """Who is told during the block."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def counted(items: Collection[T]) -> Iterator[T]:
    """The items, while the listener is told how many are done. What is counted inside of that is part of it."""
    listener = _LISTENER.get()
    if listener is None:
        yield from items
        return
    goal = len(items)
    with listening(None):
        for done, item in enumerate(items):
            listener(done, goal)
            yield item
