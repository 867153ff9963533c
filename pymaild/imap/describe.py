"""ENVELOPE, BODY and BODYSTRUCTURE of a message as plain values, and all that the index keeps. RFC 9051 §7.5.2."""

from __future__ import annotations

import re

from pymaild.imap.values import Run, Value, render
from pymaild.mailstore import Column
from pymaild.message import addresses, dates, fields, sections
from pymaild.message.addresses import Mailbox
from pymaild.message.folded import NAMES, folded
from pymaild.message.parameters import Parameters, find
from pymaild.message.sorting import sort_keys
from pymaild.message.structure import Part, scan
from pymaild.message.summary import summary

MAX_HEADER = 1 << 16  # octets of a header that the index keeps
_BLANKS = re.compile(rb"[ \t\r\n]+")
_LINE_ENDS = re.compile(rb"[\r\n]+")
_ADDRESSES = (b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc")
_TEXTS = (b"date", b"subject", b"in-reply-to", b"message-id")


def describe(message: bytes) -> dict[Column, bytes]:
    """Everything the index keeps of a message."""
    part = scan(message)
    header = message[: part.body_start]
    return {
        Column.ENVELOPE: render(envelope(header)),
        Column.BODY: render(body(message, part)),
        Column.BODYSTRUCTURE: render(bodystructure(message, part)),
        Column.SORTING: sections.to_json(sort_keys(header)),
        Column.SUMMARY: sections.to_json(summary(message, part)),
        Column.HEADER: _short(header),
        Column.USUAL: _short(sections.usual_fields(header)),
        Column.PARTS: sections.dump(part),
        **_sought(header),
    }


def _short(header: bytes) -> bytes:
    return header if len(header) <= MAX_HEADER else b""


_FOLDED = {name: Column(name.replace("-", "_") + "_text") for name in NAMES}


def _sought(header: bytes) -> dict[Column, bytes]:
    """What whole mailboxes are searched and sorted by; of several Date fields the first counts."""
    date = dates.parse(next(iter(fields.bodies(header, "date")), b""))
    return {
        Column.SENT: b"%d" % date.epoch if date else b"",
        Column.SENT_DAY: b"%d" % date.day if date else b"",
        **{_FOLDED[name]: text for name, text in folded(header).items()},
    }


def envelope(header: bytes) -> list[Value]:
    """Sender and Reply-To stand for From where absent or empty. RFC 9051 §7.5.2.

    Several address fields of one name are one list, so that no second From can hide behind the first.
    """
    texts: dict[bytes, bytes] = {}
    people: dict[bytes, list[Mailbox]] = {}
    for name, body, _start, _end in fields.split(header):
        key = name.lower()
        if key in _ADDRESSES:
            people.setdefault(key, []).extend(addresses.parse(fields.unfold(body)))
        elif key in _TEXTS:
            texts[key] = _LINE_ENDS.sub(b" ", fields.unfold(body))
    lists: dict[bytes, Value] = {key: [Run(map(_mailbox, people[key]))] for key in people if people[key]}
    author = lists.get(b"from")
    return [
        texts.get(b"date"),
        _readable(texts.get(b"subject")),
        author,
        lists.get(b"sender") or author,
        lists.get(b"reply-to") or author,
        lists.get(b"to"),
        lists.get(b"cc"),
        lists.get(b"bcc"),
        texts.get(b"in-reply-to"),
        texts.get(b"message-id"),
    ]


def _mailbox(entry: Mailbox) -> Value:
    return [_readable(entry.name), entry.route, entry.local_part, entry.domain]


def _readable(text: bytes | None) -> bytes | None:
    """White space as single spaces: fields come folded, and words have it between them. RFC 2047 §6.2."""
    return None if text is None else _BLANKS.sub(b" ", text).strip(b" ")


def body(message: bytes, part: Part) -> Value:
    """The structure without extension data. RFC 9051 §7.5.2 (BODY)."""
    return structure(message, part, extended=False)


def bodystructure(message: bytes, part: Part) -> Value:
    """The structure with extension data. RFC 9051 §7.5.2 (BODYSTRUCTURE)."""
    return structure(message, part, extended=True)


def structure(message: bytes, part: Part, extended: bool) -> list[Value]:
    """One part with everything below it. Nesting is bounded by structure.MAX_DEPTH."""
    if part.is_multipart:
        return _multipart(message, part, extended)
    value: list[Value] = [*_basic(part)]
    if part.message is not None:
        inner = part.message
        header = message[inner.header_start : inner.body_start]
        value += [envelope(header), structure(message, inner, extended), part.lines]
    elif part.type == "text":
        value.append(part.lines)
    if extended:
        value += [part.md5, *_extension(part)]
    return value


def _multipart(message: bytes, part: Part, extended: bool) -> list[Value]:
    """A multipart has at least one part: an empty text where the message has none. RFC 9051 §7.5.2."""
    children = part.children or [Part()]
    value: list[Value] = [Run(structure(message, child, extended) for child in children), part.subtype.encode("latin-1")]
    if extended:
        value += [_parameters(part.parameters), *_extension(part)]
    return value


def _basic(part: Part) -> list[Value]:
    return [
        part.type.encode("latin-1"),
        part.subtype.encode("latin-1"),
        _parameters(_with_charset(part)),
        part.id,
        part.description,
        part.encoding.lower() if part.encoding else b"7bit",
        part.body_end - part.body_start,
    ]


def _with_charset(part: Part) -> Parameters:
    """Text is US-ASCII unless it says otherwise. RFC 2045 §5.2."""
    if part.type != "text" or find(part.parameters, b"charset") is not None:
        return part.parameters
    return [*part.parameters, (b"charset", b"us-ascii")]


def _parameters(pairs: Parameters) -> Value:
    return [word for pair in pairs for word in pair] or None


def _extension(part: Part) -> list[Value]:
    """Disposition, language, location. RFC 9051 §7.5.2."""
    disposition: Value = None
    if part.disposition is not None:
        disposition = [part.disposition, _parameters(part.disposition_parameters)]
    return [disposition, list(part.languages) or None, part.location]
