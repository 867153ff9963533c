"""HTML as plain text, for search, previews and replies. Nothing here makes HTML safe to show: see sanitize.py."""

from __future__ import annotations

import html
import re

_TAG = re.compile(r"<(?:(!--)|(/?)([a-zA-Z][a-zA-Z0-9]*)[^<>]*>?|[!?][^<>]*>?)")
_DROPPED = frozenset({"script", "style", "title", "head", "template", "noscript", "svg", "math"})
_BLOCKS = re.compile("p|div|br|tr|table|[uo]l|li|h[1-6r]|blockquote|pre|section|article|header|footer")
_SPACES = re.compile(r"[^\S\n]+")
_EMPTY_LINES = re.compile(r"\n\s*\n\s*")


def html_to_text(source: str) -> str:
    """Tags out, blocks on lines of their own, entities decoded. Linear whatever the input."""
    out, at, unclosed = [], 0, set[str]()
    while found := _TAG.search(source, at):
        out.append(source[at : found.start()].replace("\n", " "))
        comment, closing, name = found[1], found[2], (found[3] or "").lower()
        at = found.end()
        if comment or (name in _DROPPED and not closing):
            at = _behind(source, at, "-->" if comment else f"</{name}", unclosed)
        elif _BLOCKS.fullmatch(name):
            out.append("\n")
        elif name in ("td", "th"):
            out.append(" ")
    out.append(source[at:].replace("\n", " "))
    lines = (_SPACES.sub(" ", line).strip() for line in html.unescape("".join(out)).split("\n"))
    return _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip()


def _behind(source: str, at: int, closer: str, unclosed: set[str]) -> int:
    """Behind the closer; where there is none, nothing is skipped, and it is not looked for again."""
    if closer in unclosed:
        return at
    end = source.find(closer, at)
    if end < 0 and closer != closer.upper():
        end = source.find(closer.upper(), at)
    if end < 0:
        unclosed.add(closer)
        return at
    return end + len(closer) if closer == "-->" else end
