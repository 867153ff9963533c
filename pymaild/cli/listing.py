"""Listings: a table for people, JSON for programs."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence


def as_json(value: object) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def table(titles: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """Columns under their titles; `empty` says so when there is nothing."""
    if not rows:
        print(empty)
        return
    cells = [list(titles), *([_safe(str(cell)) for cell in row] for row in rows)]
    widths = [max(_width(row[column]) for row in cells) for column in range(len(titles))]
    for row in cells:
        print("  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip())


def _safe(text: str) -> str:
    """Nothing that moves a terminal's cursor."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _width(text: str) -> int:
    """Columns on a terminal: wide characters take two, combining ones none."""
    return sum(0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF") for char in text)
