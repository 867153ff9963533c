"""Where each part of a MIME message begins and ends: one pass over the bytes, in linear time. RFC 2046, RFC 2045.

    header_start            body_start                body_end
         |  Content-Type: ...   |  text of the part       |  CRLF --boundary
         v                      v                         v

A part is what lies between two boundary lines of the multipart around it; the line end before a boundary line belongs
to the boundary (RFC 2046 §5.1.1). Broken messages are read as Dovecot reads them:

    a boundary line of any multipart that is still open ends every part inside it, closed or not
    a line that merely begins with a boundary is a boundary line; the longest boundary that fits is meant
    a boundary line ends a header, too: the part then has no body
    after the closing line of a multipart ("--boundary--") its boundary means nothing any more
    of two fields of one name the first counts

Parts nest up to MAX_DEPTH levels and count up to MAX_PARTS; what lies deeper is one opaque part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pymaild.message import fields, parameters
from pymaild.message.parameters import Parameters

MAX_DEPTH = 100
MAX_PARTS = 10_000
MAX_BOUNDARY = 80  # octets that count; RFC 2046 §5.1.1 allows 70


@dataclass(slots=True)
class Part:
    """One node of the tree. Offsets count octets from the start of the message."""

    header_start: int = 0
    body_start: int = 0
    body_end: int = 0
    lines: int = 0  # line ends in the body
    type: str = "text"  # lower case
    subtype: str = "plain"
    parameters: Parameters = field(default_factory=list)  # of Content-Type, as written
    encoding: bytes | None = None  # Content-Transfer-Encoding; None: not said
    disposition: bytes | None = None
    disposition_parameters: Parameters = field(default_factory=list)
    id: bytes | None = None
    description: bytes | None = None
    md5: bytes | None = None
    location: bytes | None = None
    languages: list[bytes] = field(default_factory=list)
    children: list[Part] = field(default_factory=list)  # of a multipart; the one message inside a message/rfc822
    typed: bool = False  # a Content-Type field was there

    @property
    def is_multipart(self) -> bool:
        """Whether its children are numbered below it. RFC 9051 §6.4.5.1."""
        return self.type == "multipart"

    @property
    def holds_message(self) -> bool:
        """Whether there is a message inside: message/rfc822, or message/global that is not encoded. RFC 6532 §3.7."""
        if self.type != "message":
            return False
        plain = (self.encoding or b"7bit").lower() in (b"7bit", b"8bit", b"binary")
        return self.subtype == "rfc822" or (self.subtype == "global" and plain)

    @property
    def message(self) -> Part | None:
        """The message inside a message/rfc822."""
        return self.children[0] if self.children and not self.is_multipart else None

    @property
    def filename(self) -> str | None:
        """What the sender called it; never to be used as a path. RFC 2183 §2.3."""
        name = parameters.text_value(self.disposition_parameters, "filename")
        return parameters.text_value(self.parameters, "name") if name is None else name

    @property
    def is_attachment(self) -> bool:
        """Whether a reader wants it as a file beside the text. RFC 2183 §2.2."""
        if self.type == "multipart":
            return False
        if self.disposition is not None and self.disposition.lower() == b"attachment":
            return True
        return self.type != "text" or (self.subtype not in ("plain", "html") and self.filename is not None)


def scan(message: bytes) -> Part:
    """The tree of a whole message; its root is the message itself."""
    scanner = _Scanner(message)
    root = scanner.run()
    _count_lines(message, root)
    return root


class _Scanner:
    """The parts that are open at the cursor, outermost first, and the boundaries that can end them."""

    def __init__(self, message: bytes) -> None:
        self.message = message
        self.open: list[Part] = []
        self.boundaries: list[tuple[bytes, int]] = []  # of open multiparts: (boundary, index in self.open)
        self.markers: tuple[bytes, ...] = ()
        self.parts = 0
        self.closed = 0  # behind the last closing line
        self._empty_line = (0, -1, -1)  # from where it was searched, where it begins, where it ends

    def run(self) -> Part:
        root: Part | None = Part()
        first = root
        while root is not None:
            root = self._part(root)
        assert first is not None  # noqa: S101  # for mypy: it is the one made above
        return first

    def _part(self, part: Part) -> Part | None:
        """Read the part that starts at its header; the next one that begins, inside it or behind it."""
        self.open.append(part)
        self.parts += 1
        line = self._header(part)
        if line < 0:
            inner = self._inside(part)
            if inner is not None:
                return inner
            return self._after(self._find(part.body_start, len(self.message)))
        elif part.holds_message:
            part.children.append(Part(line, line, line))
        return self._after(line)

    def _header(self, part: Part) -> int:
        """Read the header; where the boundary line stands that cut it short, or -1."""
        start = part.header_start
        part.body_start = end = self._header_end(start)
        line = self._find(start, end) if self.boundaries else -1
        if line >= 0:
            part.body_start = end = line
        describe(part, self.message[start:end])
        if not part.typed and self._in_digest():
            part.type, part.subtype = "message", "rfc822"  # RFC 2046 §5.1.5
        return line

    def _in_digest(self) -> bool:
        return len(self.open) > 1 and (self.open[-2].type, self.open[-2].subtype) == ("multipart", "digest")

    def _header_end(self, start: int) -> int:
        """As fields.header_end, but an empty line far away is searched only once for all the parts before it."""
        searched, begin, end = self._empty_line
        if self.message.startswith((b"\n", b"\r\n"), start):
            return start + (1 if self.message.startswith(b"\n", start) else 2)
        if not searched <= start <= begin:
            end = fields.header_end(self.message, start)
            self._empty_line = (start, end - 3 if end < len(self.message) else len(self.message), end)
        return end

    def _inside(self, part: Part) -> Part | None:
        """Open a multipart or a message; the message inside, which begins at once."""
        deep = len(self.open) >= MAX_DEPTH or self.parts >= MAX_PARTS
        if part.type == "multipart":
            boundary = (parameters.find(part.parameters, b"boundary") or b"")[:MAX_BOUNDARY]
            if deep:
                part.type, part.subtype = "application", "octet-stream"
            elif boundary:
                self.boundaries.append((boundary, len(self.open) - 1))
                self._boundaries_changed()
        elif part.holds_message:
            if deep:
                part.type, part.subtype = "application", "octet-stream"
            else:
                part.children.append(Part(header_start=part.body_start))
                return part.children[0]
        return None

    def _boundaries_changed(self) -> None:
        self.markers = tuple(boundary for boundary, _ in self.boundaries)

    def _find(self, start: int, end: int) -> int:
        """Where the first boundary line at or behind `start` begins, or -1."""
        if not self.markers or self.parts >= MAX_PARTS:
            return -1
        at = start - 1
        while True:
            at = self.message.find(b"\n--", at, end)
            if at < 0:
                return -1
            if self.message.startswith(self.markers, at + 3):
                return at + 1
            at += 3

    def _after(self, line: int) -> Part | None:
        """End what the boundary line ends, and begin the part behind it."""
        while line >= 0:
            at, closing = self._meant(line)
            index = self.boundaries[at][1]
            self._close(index + 1, line - 2 if self.message.startswith(b"\r\n", line - 2) else line - 1)
            del self.boundaries[at + (not closing) :]
            self._boundaries_changed()
            line_end = self.message.find(b"\n", line) + 1 or len(self.message)
            if not closing:
                if not self.message.startswith(b"\n", line_end - 1):
                    break  # a message that was cut off in this line: nothing begins behind it
                child = Part(header_start=line_end)
                self.open[index].children.append(child)
                return child
            self.closed = line_end
            line = self._find(line_end, len(self.message))
        self._close(0, len(self.message))
        return None

    def _meant(self, line: int) -> tuple[int, bool]:
        """Which open boundary the line names, and whether it closes it."""
        end = self.message.find(b"\n", line)
        text = self.message[line + 2 : line + 2 + MAX_BOUNDARY + 4 if end < 0 else min(end, line + MAX_BOUNDARY + 6)]
        text = text.rstrip(b" \t\r")
        best = -1
        for at in reversed(range(len(self.boundaries))):
            boundary = self.boundaries[at][0]
            if not text.startswith(boundary) and not self.message.startswith(boundary, line + 2):
                continue
            if best < 0 or len(boundary) > len(self.boundaries[best][0]):
                best = at
            if text in (boundary, boundary + b"--"):
                best = at
                break
        boundary = self.boundaries[best][0]
        return best, self.message.startswith(b"--", line + 2 + len(boundary))

    def _close(self, index: int, end: int) -> None:
        """End the open parts from `index` on. A header and a closing line keep their line end before the next boundary."""
        end = max(end, self.open[-1].body_start, self.closed)
        for part in self.open[index:]:
            part.body_end = end
        del self.open[index:]


def _count_lines(message: bytes, root: Part) -> None:
    """Count line ends once between all the places where parts begin and end, whatever the nesting."""
    parts = list(walk(root))
    places = sorted({place for part in parts for place in (part.body_start, part.body_end)})
    before, total, last = {}, 0, 0
    for place in places:
        total += message.count(b"\n", last, place)
        before[place], last = total, place
    for part in parts:
        part.lines = before[part.body_end] - before[part.body_start]


def walk(root: Part) -> Iterator[Part]:
    """Every part, parents first."""
    waiting = [root]
    while waiting:
        part = waiting.pop()
        yield part
        waiting.extend(reversed(part.children))


def describe(part: Part, header: bytes) -> None:
    """Read the Content fields of a part; of two of one name the first counts. RFC 2045 §3, RFC 2183, RFC 2557, RFC 3282."""
    seen: set[bytes] = set()
    for name, raw, _start, _end in fields.split(header):
        if name[:8].lower() != b"content-":
            continue
        key = name[8:].lower()
        reader = _READERS.get(key)
        if reader is not None and key not in seen:
            reader(part, fields.unfold(raw))
            if key != b"disposition" or part.disposition_parameters:  # one without a file name gives way to one with it
                seen.add(key)


def _content_type(part: Part, body: bytes) -> None:
    main, sub, at = parameters.media_type(body)
    part.typed = True
    if main and sub:
        part.type, part.subtype = main.decode("latin-1").lower(), sub.decode("latin-1").lower()
        part.parameters = parameters.parse(body, at)
    # else a field without a meaning is none: text/plain. RFC 2045 §5.2


_ENCODINGS = frozenset({b"7bit", b"8bit", b"binary", b"base64", b"quoted-printable"})


def _encoding(part: Part, body: bytes) -> None:
    word, at = parameters.token(body)
    if word.lower() in _ENCODINGS or at == len(body):
        part.encoding = word or None


def _disposition(part: Part, body: bytes) -> None:
    part.disposition, at = parameters.token(body)
    part.disposition_parameters = parameters.parse(body, at)


def _id(part: Part, body: bytes) -> None:
    part.id = body


def _description(part: Part, body: bytes) -> None:
    part.description = body


def _md5(part: Part, body: bytes) -> None:
    part.md5 = body


def _location(part: Part, body: bytes) -> None:
    part.location = body


def _languages(part: Part, body: bytes) -> None:
    """Tags between commas, comments left out. RFC 3282 §2."""
    words = (parameters.token(word)[0] for word in body.split(b",")[:100])
    part.languages = [word for word in words if word]


_READERS = {
    b"type": _content_type,
    b"transfer-encoding": _encoding,
    b"disposition": _disposition,
    b"id": _id,
    b"description": _description,
    b"md5": _md5,
    b"location": _location,
    b"language": _languages,
}
