"""One message made ready for reading: its fields, its text, its HTML, its attachments. RFC 5322, RFC 2045, RFC 2183."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from pymaild.accounts.names import shown_domain
from pymaild.message import addresses, charsets, dates, fields, parameters, structure, text, words
from pymaild.message.structure import Part
from pymaild.web.forms import safe_name

MAX_PEOPLE: Final = 500  # shown of one list
MAX_HTML: Final = 2 << 20  # octets of HTML that are made safe and shown
# Pictures that may stand inside a message. No SVG: that is a program (THREATS T161).
PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"})
MAX_PICTURES: Final = 8 << 20  # octets of pictures in one message, all together


@dataclass(frozen=True, slots=True)
class Person:
    """A name and an address as they are shown."""

    name: str
    address: str

    @property
    def shown(self) -> str:
        """The name, or the address where there is none."""
        return self.name or self.address

    def __str__(self) -> str:
        """As it is typed into an address field. RFC 5322 §3.4."""
        if not self.name:
            return self.address
        plain = re.fullmatch(r"[\w!#$%&'*+/=?^`{|}~ -]+", self.name)
        name = self.name if plain else '"' + re.sub(r'(["\\])', r"\\\1", self.name) + '"'
        return f"{name} <{self.address}>"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with the message."""

    number: str  # its part number, as in IMAP
    name: str
    content_type: str
    size: int  # octets, roughly: as they are encoded
    part: Part


@dataclass
class Letter:
    """A message and what it shows. Everything is found when it is asked for."""

    message: bytes
    _texts: list[Part] = field(default_factory=list)
    _html: list[Part] = field(default_factory=list)
    _numbers: dict[int, str] = field(default_factory=dict)
    _files: list[Part] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.root = structure.scan(self.message)
        self.header = self.message[: self.root.body_start]
        self._sort(self.root)
        for number, part in numbered(self.root):
            self._numbers[id(part)] = number

    # ---- fields

    def field(self, name: str) -> str:
        """The first field of this name as text on one line."""
        found = fields.bodies(self.header, name)
        return words.decode_words(found[0]).strip() if found else ""

    def people(self, name: str) -> list[Person]:
        """Everybody in the address fields of this name; groups are opened."""
        found = [entry for body in fields.bodies(self.header, name)[:20] for entry in addresses.parse(body)[:MAX_PEOPLE]]
        return [_person(entry) for entry in found if not entry.is_group_mark]

    @cached_property
    def subject(self) -> str:
        """The subject, empty if there is none."""
        return self.field("subject")

    @cached_property
    def date(self) -> float | None:
        """When it says it was written."""
        found = fields.bodies(self.header, "date")
        date = dates.parse(found[0]) if found else None
        return float(date.epoch) if date else None

    @property
    def message_id(self) -> str:
        """Its id with the angle brackets, if it is one. RFC 5322 §3.6.4."""
        found = message_ids(self.field("message-id"))
        return found[0] if found else ""

    @property
    def references(self) -> list[str]:
        """The ids of the messages it answers, the oldest first."""
        return message_ids(self.field("references")) or message_ids(self.field("in-reply-to"))[:1]

    # ---- contents

    @cached_property
    def plain(self) -> str:
        """The text parts, one after another; of a message that is HTML only, the text in it."""
        if self._texts or not self._html:
            return "\n\n".join(self._read(part) for part in self._texts)
        return text.html_to_text(self.html)

    def _read(self, part: Part) -> str:
        """A text part; what was broken into short lines for the way is put together again. RFC 3676."""
        content = text.part_text(self.message, part)
        flowed = (parameters.text_value(part.parameters, "format") or "").lower() == "flowed"
        return unflowed(content) if flowed else content

    @cached_property
    def html(self) -> str:
        """The HTML parts as they came: nothing to show before it was made safe."""
        pieces, room = [], MAX_HTML
        for part in self._html:
            piece = text.part_text(self.message, part)[: max(room, 0)]
            room -= len(piece)
            pieces.append(piece)
        return "<hr>".join(pieces)

    @property
    def has_html(self) -> bool:
        """Whether there is any."""
        return bool(self._html)

    @property
    def has_text(self) -> bool:
        """Whether the sender wrote a plain text as well."""
        return bool(self._texts)

    @cached_property
    def attachments(self) -> list[Attachment]:
        """The files; pictures that the HTML shows in its text are not among them."""
        inline = self._shown_inline()
        return [self._attachment(part) for part in self._files if id(part) not in inline]

    def _attachment(self, part: Part) -> Attachment:
        kind = f"{part.type}/{part.subtype}"
        name = part.filename or self._invented_name(part)
        return Attachment(self._numbers[id(part)], safe_name(name), kind, decoded_size(part), part)

    def _invented_name(self, part: Part) -> str:
        """A name for a file that came without one."""
        if part.message:
            return "message.eml"
        return "attachment" + (mimetypes.guess_extension(f"{part.type}/{part.subtype}") or "")

    def part(self, number: str) -> Attachment | None:
        """Any part by its number."""
        for candidate in structure.walk(self.root):
            if self._numbers.get(id(candidate)) == number and not candidate.is_multipart:
                return self._attachment(candidate)
        return None

    def content(self, part: Part) -> bytes:
        """The octets of a part, decoded."""
        return text.decode_part(self.message, part)

    def pictures(self) -> dict[str, Part]:
        """The pictures that HTML may show by their Content-ID. RFC 2392."""
        found: dict[str, Part] = {}
        for part in self._files:
            if part.id and f"{part.type}/{part.subtype}" in PICTURES:
                found.setdefault(content_id(part.id), part)
        return found

    def _shown_inline(self) -> set[int]:
        if not self._html:
            return set()
        used = {found.lower() for found in re.findall(r"cid:([^\"'\s>)]{1,300})", self.html, re.IGNORECASE)}
        return {id(part) for cid, part in self.pictures().items() if cid.lower() in used}

    def _sort(self, root: Part) -> None:
        """Which parts are read and which are files. Of alternatives the last that can be shown counts. RFC 2046 §5.1.4."""
        waiting = [root]
        while waiting:
            part = waiting.pop()
            if part.is_multipart:
                waiting.extend(reversed(part.children))
            elif part.type == "text" and not part.is_attachment and part.subtype == "html":
                self._html.append(part)
            elif part.type == "text" and not part.is_attachment and part.subtype in {"plain", "enriched", ""}:
                self._texts.append(part)
            else:
                self._files.append(part)


def unflowed(content: str) -> str:
    """Paragraphs of format=flowed text: a line that ends in a space goes on in the next one. RFC 3676 §4.1."""
    out: list[str] = []
    going_on, depth = False, 0
    for line in content.split("\n"):
        words = line.lstrip(">")
        quoted = len(line) - len(words)
        words = words[1:] if words.startswith(" ") else words
        if going_on and quoted == depth and words != "-- ":
            out[-1] += words
        else:
            out.append((">" * quoted + " " if quoted else "") + words)
        going_on, depth = words.endswith(" ") and words != "-- ", quoted
    return "\n".join(out)


def numbered(root: Part) -> Iterator[tuple[str, Part]]:
    """Every part with its number. RFC 9051 §6.4.5.1; the root of a message that is one part is 1."""
    waiting = [("1", root)] if not root.is_multipart else _children("", root)
    while waiting:
        number, part = waiting.pop()
        yield number, part
        if part.is_multipart:
            waiting.extend(_children(f"{number}.", part))
        elif part.message:
            inner = part.message
            waiting.extend(_children(f"{number}.", inner) if inner.is_multipart else [(f"{number}.1", inner)])


def _children(prefix: str, part: Part) -> list[tuple[str, Part]]:
    return [(f"{prefix}{number}", child) for number, child in enumerate(part.children, 1)][::-1]


def decoded_size(part: Part) -> int:
    """How large a file will be: base64 grows by a third and its line ends."""
    octets = part.body_end - part.body_start
    return (octets - 2 * part.lines) * 3 // 4 if (part.encoding or b"").lower() == b"base64" else octets


def content_id(raw: bytes) -> str:
    """What stands between the angle brackets. RFC 2045 §7."""
    return raw.decode("latin-1").strip().removeprefix("<").removesuffix(">")


def message_ids(value: str) -> list[str]:
    """The ids in a References or In-Reply-To field, the last fifty."""
    return re.findall(r"<[^<>\s\x00-\x1f]{1,250}>", value)[-50:]


def _person(entry: addresses.Mailbox) -> Person:
    name = words.decode_words(entry.name or b"").strip()
    local_part = charsets.guess(entry.local_part or b"")
    domain = charsets.guess(entry.domain or b"")
    if domain == "MISSING_DOMAIN":
        return Person(name, local_part)
    return Person(name, f"{local_part}@{shown_domain(domain.lower())}")
