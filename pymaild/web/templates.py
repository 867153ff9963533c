"""HTML from templates: $name is replaced by an escaped value, and a name that is missing is a KeyError."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Template

from pymaild.paths import www

_FRAGMENT = re.compile(r"^<!-- fragment (\w+) -->\n", re.MULTILINE)
_SPECIAL = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;", "`": "&#96;", "\0": "\N{REPLACEMENT CHARACTER}"}
)
# Lone surrogates cannot be encoded as UTF-8, so one in a header field would take the page down.
_SURROGATE = re.compile("[\ud800-\udfff]")


class Markup(str):
    """Text that is HTML already: the only kind that goes into a page as it is."""

    __slots__ = ()


def escape(value: object) -> str:
    """A value as text for an element or a quoted attribute; Markup stays as it is."""
    if isinstance(value, Markup):
        return value
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", str(value)).translate(_SPECIAL)


def join(pieces: Iterable[Markup], between: str = "") -> Markup:
    """Several pieces of HTML as one."""
    return Markup(between.join(pieces))


class Page:
    """One template: a file of www/, or one fragment of it.

    A file may hold fragments, each under a line `<!-- fragment name -->`; what stands before the first is the page itself.
    """

    def __init__(self, name: str, fragment: str = "") -> None:
        self.template = Template(_fragments(www() / name)[fragment])

    def __call__(self, **values: object) -> Markup:
        """The template with every value escaped, unless it is Markup already."""
        return Markup(self.template.substitute({name: escape(value) for name, value in values.items()}))

    def each(self, rows: Iterable[Mapping[str, object]]) -> Markup:
        """The template once for every row."""
        return join(self(**row) for row in rows)


def _fragments(path: Path) -> dict[str, str]:
    pieces = _FRAGMENT.split(path.read_text("utf-8"))
    return {"": pieces[0], **dict(zip(pieces[1::2], pieces[2::2], strict=True))}
