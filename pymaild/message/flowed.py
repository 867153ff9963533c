"""Paragraphs that a reader may wrap to the width of the window. RFC 3676 §4."""

from __future__ import annotations

import textwrap

WIDTH = 72


def flow(text: str) -> list[str]:
    """Lines as they are sent: a space at the end says that the paragraph goes on in the next one. RFC 3676 §4.2."""
    lines: list[str] = []
    for line in text.removesuffix("\n").split("\n") if text else []:
        if line == "-- ":  # the signature's separator is fixed. §4.3
            lines.append(line)
        elif line.startswith(">"):
            lines.append(line.rstrip(" "))  # quoted lines stay as they came
        else:
            lines += _wrapped(line.rstrip(" "))
    return lines


def _wrapped(line: str) -> list[str]:
    if len(line) <= WIDTH + 6:
        return [_stuffed(line)]
    pieces = textwrap.wrap(
        line, WIDTH, break_long_words=False, break_on_hyphens=False, drop_whitespace=False, replace_whitespace=False
    )
    return [_stuffed(piece) for piece in _joined(pieces)]


def _joined(pieces: list[str]) -> list[str]:
    """Every piece but the last ends with exactly the space it was broken at; a break without one is undone."""
    joined: list[str] = []
    for piece in pieces:
        if joined and not joined[-1].endswith(" "):
            if not piece.startswith(" "):
                joined[-1] += piece
                continue
            joined[-1] += " "
            joined.append(piece[1:])
        else:
            joined.append(piece)
    return [*joined[:-1], joined[-1].rstrip(" ")] if joined else [""]


def _stuffed(line: str) -> str:
    """A space before what a reader or a mailbox file would take for something else. §4.4."""
    return " " + line if line.startswith((" ", ">", "From ")) else line
