"""How far a long command has come: a bar on a terminal, a line every ten seconds in a log, both on standard error."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

_BAR_EVERY = 0.1  # seconds
_LINE_EVERY = 10.0


class Progress:
    """Counts up to `total` (0: nobody knows); a context manager, so that the terminal's line is given back."""

    def __init__(
        self,
        what: str,
        total: int = 0,
        show: Callable[[int], str] = str,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.what, self.total, self.done, self._show, self._clock = what, total, 0, show, clock
        self._stream = stream or sys.stderr
        self._bar = self._stream.isatty()
        self._every = _BAR_EVERY if self._bar else _LINE_EVERY
        self._shown_at = clock()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def advance(self, amount: int = 1, what: str | None = None) -> None:
        """So much more is done."""
        self.at(self.done + amount, what)

    def at(self, done: int, what: str | None = None) -> None:
        """So much is done in all."""
        self.done = done
        self.what = what or self.what
        now = self._clock()
        if now - self._shown_at >= self._every:
            self._shown_at = now
            self._stream.write(self._drawn() if self._bar else f"{self.what}: {self._numbers()}\n")
            self._stream.flush()

    def _numbers(self) -> str:
        if not self.total:
            return self._show(self.done)
        return f"{self._show(self.done)} of {self._show(self.total)} ({min(100, 100 * self.done // self.total)}%)"

    def _drawn(self) -> str:
        columns = shutil.get_terminal_size().columns
        numbers = self._numbers()
        width = max(0, min(40, columns - len(numbers) - len(self.what) - 6))
        bar = ""
        if self.total and width > 5:
            full = min(width, width * self.done // self.total)
            bar = f"[{'#' * full}{'-' * (width - full)}] "
        return f"\r\x1b[K{self.what} {bar}{numbers}"[: columns + 3]
