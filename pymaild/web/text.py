"""Plain text as HTML: links made clickable, quotations folded. Nothing of it is trusted; every piece is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Final

from pymaild.web.http import link
from pymaild.web.templates import Markup, escape, join

MAX_SHOWN: Final = 400_000  # characters; the whole is in the original
_FOLDED_FROM: Final = 4  # a quotation of fewer lines stays open
# One pass, no nesting, so linear time. http, https and mailto are the only schemes that become links.
_LINK = re.compile(
    r"(?P<url>\bhttps?://[^\s<>\"'`\\\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]{1,2000})"
    r"|(?P<address>(?<![\w.+@/-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}\b)"
)
_TRAILING = ".,;:!?"


def as_html(text: str) -> Markup:
    """A whole text part: paragraphs as they were typed, links, long quotations behind a summary."""
    shown = text[:MAX_SHOWN].replace("\r\n", "\n").replace("\r", "\n")
    lines = shown.split("\n")
    pieces = [_block(quoted, list(group)) for quoted, group in groupby(lines, lambda line: line.startswith(">"))]
    if len(text) > MAX_SHOWN:
        pieces.append(Markup('<p class="cut">The text goes on: download the original to read all of it.</p>'))
    return join(pieces)


def _block(quoted: bool, lines: list[str]) -> Markup:
    if not quoted:
        return Markup(f'<div class="typed" dir="auto">{join(_linked(chr(10).join(lines)))}</div>')
    text = "\n".join(_unquoted(line) for line in lines)
    quote = f'<blockquote class="typed" dir="auto">{join(_linked(text))}</blockquote>'
    if len(lines) < _FOLDED_FROM:
        return Markup(quote)
    return Markup(f'<details class="quoted"><summary>Quoted text, {len(lines)} lines</summary>{quote}</details>')


def _unquoted(line: str) -> str:
    """One level of quotation is shown by the block, the deeper ones keep their marks."""
    return line[2:] if line.startswith("> ") else line[1:]


def _linked(text: str) -> Iterator[Markup]:
    position = 0
    for match in _LINK.finditer(text):
        found, start, end = match.group(), match.start(), match.end()
        if match["url"]:
            found = _without_trailing(found)
            end = start + len(found)
        yield Markup(escape(text[position:start]))
        yield _anchor(found, "" if match["url"] else "mailto:")
        position = end
    yield Markup(escape(text[position:]))


def _without_trailing(url: str) -> str:
    """The full stop of the sentence and an unpaired bracket do not belong to the address."""
    url = url.rstrip(_TRAILING)
    while url.endswith(")") and url.count(")") > url.count("("):
        url = url[:-1].rstrip(_TRAILING)
    return url


def _anchor(text: str, scheme: str) -> Markup:
    if scheme:  # mail is written here, not in whatever program the browser would start
        return Markup(f'<a href="{escape(link("compose", to=text))}">{escape(text)}</a>')
    return Markup(f'<a href="{escape(text)}" target="_blank" rel="noopener noreferrer nofollow">{escape(text)}</a>')
