"""One line for each event, key=value, on standard error. No secrets, and nothing a client sends can break a line.

    time=2026-01-31T12:00:00.123Z level=info event=connect session=3f2a90c1 listener=smtp ip=192.0.2.1

Values with anything but plain visible ASCII stand in quotes, escaped as in JSON. A log that cannot be written (a full
disk) stops nobody.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
import traceback
from collections.abc import Callable
from functools import lru_cache

LEVELS = ("debug", "info", "warning", "error")
_PLAIN = re.compile(r"[!#-<>-\[\]-~]{1,200}\Z")  # visible ASCII without the quote, the equals sign and the backslash
_LONGEST = 200

_threshold = LEVELS.index("info")


def set_level(level: str) -> None:
    """Write events of this level and those above."""
    global _threshold  # noqa: PLW0603 - one process, one log
    _threshold = LEVELS.index(level)


def event(what: str, /, level: str = "info", **fields: object) -> None:
    """Write one line."""
    if LEVELS.index(level) < _threshold:
        return
    now = time.time()
    stamp = f"{_second(int(now))}.{int(now % 1 * 1000):03}Z"
    pairs = "".join(f" {key}={value(item)}" for key, item in fields.items() if item not in ("", None))
    write(f"time={stamp} level={level} event={what}{pairs}\n")


@lru_cache(2)
def _second(second: int) -> str:
    """A busy server writes thousands of lines in a second."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def failure(error: BaseException, /, **fields: object) -> None:
    """Write an error nobody expected: what it was, and its traceback line by line."""
    event("fault", "error", error=type(error).__name__, text=str(error), **fields)
    for block in traceback.format_exception(error):
        for line in block.splitlines():
            event("traceback", "error", line=line, **fields)


def value(item: object) -> str:
    """A value as it stands after the equals sign."""
    text = str(item)
    if _PLAIN.match(text):
        return text
    return json.dumps(text if len(text) <= _LONGEST else text[:_LONGEST] + "...")


def redirect(writer: Callable[[str], object]) -> Callable[[str], object]:
    """Give lines to another writer from now on; the one before."""
    global _writer
    before, _writer = _writer, writer
    return before


def write(line: str) -> None:
    """Write a line that is made already."""
    _writer(line)


def to_stderr(line: str) -> None:
    """Hand a line to standard error in one piece, so that lines of several processes never mix."""
    try:
        os.write(sys.stderr.fileno(), line.encode("ascii", "backslashreplace"))
    except (OSError, ValueError):  # a full disk, a closed pipe, a stand-in without a descriptor
        return


_writer: Callable[[str], object] = to_stderr
