"""The style attribute: a list of properties that change how text looks, and none that loads, moves or hides. CSS Syntax 3.

Values are read after escapes and comments are gone, and whatever is not plainly a value of colours, lengths and words is
dropped: a declaration too few costs a colour, one too many costs privacy.
"""

from __future__ import annotations

import re
from typing import Final

MAX_STYLE: Final = 8192  # characters of one attribute
_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_PROPERTY: Final = re.compile(
    r"""color|background(?:-color)?|font(?:-(?:family|size|style|weight|variant|stretch))?|line-height|letter-spacing
    |word-spacing|text-(?:align|align-last|decoration(?:-(?:color|line|style))?|indent|transform|overflow)|vertical-align
    |white-space|word-(?:break|wrap)|overflow-wrap|direction|unicode-bidi|hyphens|tab-size
    |(?:margin|padding)(?:-(?:top|right|bottom|left))?|border(?:-(?:top|right|bottom|left))?(?:-(?:color|style|width))?
    |border-(?:(?:top|bottom)-(?:left|right)-)?radius|border-(?:collapse|spacing)|(?:min-|max-)?(?:width|height)|display
    |float|clear|list-style(?:-(?:type|position))?|table-layout|caption-side|empty-cells|box-sizing""",
    re.VERBOSE,
)
# Words, numbers, colours, lists of font names; functions only where they compute a colour
_VALUE: Final = re.compile(r"""(?:[\w\s.,%#+!/'"\u0080-\U0010ffff-]|\b(?:rgb|rgba|hsl|hsla)\([\w\s.,%/+-]*\))*""")
_LOADS: Final = re.compile(
    r"url|image|src|@import|expression|element\(|cross-fade|paint\(|attr\(|var\(|env\(", re.IGNORECASE
)
_NEGATIVE: Final = re.compile(r"(?:^|[\s,])-\s*[\d.]")
_DISPLAY: Final = frozenset({"block", "inline", "inline-block", "none", "table", "table-cell", "table-row", "list-item"})


def safe_style(style: str) -> str:
    """The declarations that may stay; none that would load something, also when remote pictures are wished."""
    kept = []
    for declaration in _COMMENT.sub(" ", style[:MAX_STYLE]).split(";"):
        name, _, value = declaration.partition(":")
        name, value = name.strip().lower(), " ".join(value.split())
        if _is_safe(name, value) and not _LOADS.search(_unescaped(value)):
            kept.append(f"{name}: {value}")
    return "; ".join(kept)


def _is_safe(name: str, value: str) -> bool:
    if not value or "\\" in value or not _PROPERTY.fullmatch(name) or not _VALUE.fullmatch(value):
        return False
    if name.startswith("margin") or name == "text-indent":
        return not _NEGATIVE.search(value)  # nothing is drawn over what stands around the message
    return name != "display" or value.lower().removesuffix("!important").strip() in _DISPLAY


def _unescaped(value: str) -> str:
    """With CSS escapes undone, so that \\75rl( is seen for what it is."""
    return re.sub(r"\\([0-9a-fA-F]{1,6})\s?|\\(.)", _character, value)


def _character(found: re.Match[str]) -> str:
    if found[2]:
        return found[2]
    number = int(found[1], 16)
    return chr(number) if number < 0x110000 else "\ufffd"
