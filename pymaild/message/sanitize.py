"""HTML of strangers made safe to show: an allow-list of elements, attributes, URL schemes and style properties.

nh3 (ammonia, an HTML5 parser in Rust) builds the tree and drops what is not on the list, SVG and MathML as a whole, so
that what is left means the same to every browser. What it leaves to us is asked here, attribute by attribute: styles
that load something or leave their place, pictures from other hosts, links. The page that shows the result still stands
in a sandboxed frame under a policy without scripts: this is the first wall, not the only one.
"""

from __future__ import annotations

import html as entities
import re
from collections.abc import Callable, Mapping
from typing import Final

import nh3

from pymaild.message.css import safe_style

MAX_HTML: Final = 4 << 20  # characters
MAX_ENTITIES: Final = 50_000
MAX_NESTING: Final = 400  # open elements; the tree builder's time grows with the depth

_TAGS: Final = frozenset(
    """a abbr address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd del details dfn
    dir div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main map area mark nav ol p
    pre q rp rt ruby s samp section small span strike strong sub summary sup table tbody td tfoot th thead time tr tt u ul
    var wbr""".split()  # noqa: SIM905  # a list of words reads best as words
)
# Dropped with everything inside: their text is no text for people
_DROPPED: Final = frozenset(
    """script style title template noscript iframe object embed applet frameset noframes noembed svg math xmp plaintext
    textarea select audio video canvas""".split()  # noqa: SIM905
)
_COMMON: Final = frozenset({"style", "dir", "lang", "title", "align", "valign", "bgcolor", "width", "height"})
_ATTRIBUTES: Final[dict[str, set[str]]] = {
    "*": set(_COMMON),
    "a": {"href"},
    "area": {"href", "shape", "coords", "alt"},
    "img": {"src", "alt", "border", "hspace", "vspace"},
    "table": {"border", "cellpadding", "cellspacing", "rules", "frame", "summary", "background"},
    "td": {"colspan", "rowspan", "nowrap", "background"},
    "th": {"colspan", "rowspan", "nowrap", "scope", "background"},
    "tr": {"background"},
    "col": {"span"},
    "colgroup": {"span"},
    "font": {"color", "face", "size"},
    "ol": {"start", "type", "reversed"},
    "ul": {"type"},
    "li": {"value", "type"},
    "hr": {"size", "color", "noshade"},
    "br": {"clear"},
    "blockquote": {"type"},
    "details": {"open"},
    "time": {"datetime"},
}
_LINK: Final = re.compile(r"(?:https?://|mailto:|tel:)", re.IGNORECASE)
_REMOTE: Final = re.compile(r"(?:https?:)?//", re.IGNORECASE)
_PICTURE: Final = re.compile(r"data:image/(?:png|jpe?g|gif|webp);base64,[A-Za-z0-9+/=\s]*\Z", re.IGNORECASE)
_IN_URL: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029]+")
_BARE_AMPERSAND: Final = re.compile(r"&(?![#A-Za-z])")
_OPENING: Final = re.compile(r"<[a-zA-Z]")
Cid = Callable[[str], str | None]


def safe_html(source: str, *, allow_remote: bool, cid: Cid) -> tuple[str, int]:
    """The HTML that may be shown, and how many remote pictures it asks for and does not get.

    `cid` turns the Content-ID of a part into the URL its picture has here (RFC 2392), or None.
    """
    blocked = 0

    def attribute(tag: str, name: str, value: str) -> str | None:
        nonlocal blocked
        if name == "style":
            return safe_style(value) or None
        if name == "href":
            return _link(value)
        if name in ("src", "background"):
            url = _picture(value, allow_remote, cid)
            blocked += url is None and bool(_REMOTE.match(_IN_URL.sub("", value)))
            return url
        return value

    source = _bounded(source)
    if not _is_shallow(source):
        return f"<pre>{entities.escape(source)}</pre>", 0
    cleaned = nh3.clean(
        source,
        tags=set(_TAGS),
        clean_content_tags=set(_DROPPED),
        attributes=_ATTRIBUTES,
        attribute_filter=attribute,
        strip_comments=True,
        link_rel="noopener noreferrer",
        url_schemes={"http", "https", "mailto", "tel", "cid", "data"},
        set_tag_attribute_values={"a": {"target": "_blank"}, "area": {"target": "_blank"}},
    )
    return cleaned, blocked


def sanitize(source: str, pictures: Mapping[str, str] | None = None, remote: bool = False) -> str:
    """The HTML that may be shown; `pictures` maps Content-IDs without brackets to URLs."""
    return safe_html(source, allow_remote=remote, cid=(pictures or {}).get)[0]


def has_remote(source: str) -> bool:
    """Whether it asks for pictures from other hosts."""
    return safe_html(source, allow_remote=False, cid=lambda _: None)[1] > 0


def _bounded(source: str) -> str:
    """As much as a tree can be built of in reasonable time: a long row of entities takes quadratic time."""
    pieces = source[:MAX_HTML].split("&", MAX_ENTITIES)
    return _BARE_AMPERSAND.sub("&amp;", "&".join(pieces[:MAX_ENTITIES]))


def _is_shallow(source: str) -> bool:
    """Whether the tree would have a sane depth; if not, the text is shown as text."""
    return len(_OPENING.findall(source)) <= MAX_NESTING or _depth(source) <= MAX_NESTING


_TAG: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_VOID: Final = frozenset({"br", "img", "hr", "col", "wbr", "input", "meta", "link", "area", "base", "p", "li", "td", "tr"})


def _depth(source: str) -> int:
    """How deep elements are nested at most, give or take what a browser closes by itself."""
    depth = deepest = 0
    for found in _TAG.finditer(source):
        if found[2].lower() not in _VOID:
            depth = max(depth + (-1 if found[1] else 1), 0)
            deepest = max(deepest, depth)
    return deepest


def _link(value: str) -> str | None:
    """A link to the Web, a mail address or a telephone; everything else leads nowhere."""
    url = _IN_URL.sub("", value)
    return url if _LINK.match(url) else None


def _picture(value: str, allow_remote: bool, cid: Cid) -> str | None:
    """A part of the message, a picture inside the URL itself, or, if that is wished, one from another host."""
    url = _IN_URL.sub("", value)
    if url[:4].lower() == "cid:":
        return cid(_unquoted(url[4:]))
    if _PICTURE.match(url):
        return url
    return url if allow_remote and re.match(r"https?://", url, re.IGNORECASE) else None


def _unquoted(text: str) -> str:
    from urllib.parse import unquote  # noqa: PLC0415

    return unquote(text).strip("<>")
