"""A new message from what a person typed. RFC 5322 §3.6, RFC 2045, RFC 2047, RFC 2231, RFC 3676.

Nothing that is passed in can end a line of the header: every value goes through `_line`, an encoder, or a pattern that
allows no line end.
"""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from pymaild.envelope import Address
from pymaild.message import repair
from pymaild.message.dates import format_date
from pymaild.message.flowed import flow

MAX_LINE = 76  # of a header line where it can be folded; RFC 5322 §2.1.1 asks for 78
MAX_ENCODED = 39  # octets in one encoded word: with "Subject: " before it the line has 76. RFC 2047 §2
MAX_NAME = 200  # characters of a file's name
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_PLAIN_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~ ]*\Z")
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,500}>")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+\-]{1,64}/[A-Za-z0-9!#$&^_.+\-]{1,64}\Z")
_NOT_IN_ATTACHED_MESSAGE = re.compile(rb"\0|\r(?!\n)|[^\n]{999}|(?<!\r)\n")


@dataclass(frozen=True, slots=True)
class Author:
    """A person in an address field."""

    name: str
    address: Address


@dataclass(frozen=True, slots=True)
class Attached:
    """A file that goes with the message."""

    name: str
    content_type: str  # what the browser or the first message called it; not believed further than its form
    content: bytes


def compose(  # noqa: PLR0913  # the fields of a message are what they are; all but the first two by name
    author: Author,
    to: Sequence[Author],
    *,
    cc: Sequence[Author] = (),
    bcc: Sequence[Author] = (),
    subject: str = "",
    text: str = "",
    attachments: Iterable[Attached] = (),
    in_reply_to: str = "",
    references: str = "",
    at: float,
    hostname: str,
) -> bytes:
    """The whole message with CRLF line ends."""
    header = [people_field("From", [author])]
    header += [people_field(name, people) for name, people in (("To", to), ("Cc", cc), ("Bcc", bcc)) if people]
    header.append(text_field("Subject", subject))
    header.append(f"Date: {format_date(at)}\r\n")
    header.append(f"Message-ID: {repair.new_message_id(hostname)}\r\n")
    header.append(ids_field("In-Reply-To", in_reply_to) + ids_field("References", references))
    header.append("MIME-Version: 1.0\r\n")
    return "".join(header).encode("utf-8", "replace") + _content(text, list(attachments))


def _content(text: str, attachments: list[Attached]) -> bytes:
    """The Content fields, the empty line and the body. RFC 2046 §5.1.3."""
    if not attachments:
        return text_part(text)
    boundary = f"=_{uuid.uuid4().hex}".encode()  # "=_" stands in no base64 and no quoted-printable. RFC 2045 §6.7
    parts = [text_part(text), *map(file_part, attachments)]
    body = b"".join(b"--%s\r\n%s\r\n" % (boundary, part) for part in parts)
    return b'Content-Type: multipart/mixed; boundary="%s"\r\n\r\n%s--%s--\r\n' % (boundary, body, boundary)


def text_part(text: str) -> bytes:
    """Typed text as format=flowed; in quoted-printable where it is more than short ASCII lines. RFC 3676 §4."""
    lines = flow(_CONTROL_IN_TEXT.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
    body = "".join(line + "\r\n" for line in lines).encode("utf-8", "replace")
    charset, encoding = ("us-ascii", b"7bit") if body.isascii() else ("utf-8", b"quoted-printable")
    if encoding != b"7bit" or any(len(line) > 998 for line in lines):
        encoding, body = b"quoted-printable", _quoted_printable(body)
    return (
        f"Content-Type: text/plain; charset={charset}; format=flowed\r\n".encode()
        + b"Content-Transfer-Encoding: %s\r\n\r\n%s" % (encoding, body)
    )


_CONTROL_IN_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def _quoted_printable(body: bytes) -> bytes:
    """Lines of 76 octets; blanks at line ends kept, which flowed text needs. RFC 2045 §6.7."""
    encoded = binascii.b2a_qp(body.replace(b"\r\n", b"\n"), istext=True)
    return encoded.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def file_part(file: Attached) -> bytes:
    """One attachment. A whole message goes as it is: RFC 2046 §5.2.1 forbids to encode it."""
    kind = file.content_type.lower() if _MEDIA_TYPE.match(file.content_type) else "application/octet-stream"
    as_it_is = kind == "message/rfc822" and not _NOT_IN_ATTACHED_MESSAGE.search(file.content)
    if kind.startswith(("multipart/", "message/")) and not as_it_is:
        kind = "application/octet-stream"
    fields = f"Content-Type: {kind}\r\nContent-Disposition: attachment{filename_parameter(file.name)}\r\n"
    if as_it_is:
        encoding = "7bit" if file.content.isascii() else "8bit"
        return f"{fields}Content-Transfer-Encoding: {encoding}\r\n\r\n".encode() + file.content
    body = base64.encodebytes(file.content).replace(b"\n", b"\r\n")
    return f"{fields}Content-Transfer-Encoding: base64\r\n\r\n".encode() + body


def filename_parameter(name: str) -> str:
    """A filename on lines of its own; in RFC 2231 form where it is long or more than ASCII. RFC 2231 §3, §4."""
    name = _CONTROL.sub("", name)[:MAX_NAME]
    if not name:
        return ""
    if name.isascii() and len(name) < 60:
        return ';\r\n filename="' + re.sub(r'(["\\])', r"\\\1", name) + '"'
    escaped = "utf-8''" + quote(name, safe="")
    # A piece may not end inside %C3: readers decode each on its own
    pieces = re.findall(r"(?:%[0-9A-F]{2}|[^%]){1,20}", escaped)
    if len(pieces) == 1:
        return f";\r\n filename*={pieces[0]}"
    return "".join(f";\r\n filename*{number}*={piece}" for number, piece in enumerate(pieces))


def people_field(name: str, people: Sequence[Author]) -> str:
    """An address field, one person a line when they do not fit on one. RFC 5322 §3.4."""
    return _folded(f"{name}:", [_person(person) + "," for person in people[:-1]] + [_person(people[-1])])


def _person(person: Author) -> str:
    address = _line(str(person.address))
    name = _line(person.name)
    return f"{_phrase(name)} <{address}>" if name else address


def _phrase(name: str) -> str:
    """A display name as atoms, as a quoted string or as encoded words. RFC 5322 §3.2.5, RFC 2047 §5."""
    if not name.isascii() or "=?" in name or len(name) > 70:
        return "\r\n ".join(encoded_words(name))
    if _PLAIN_PHRASE.match(name):
        return name
    return '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'


def text_field(name: str, text: str) -> str:
    """An unstructured field. RFC 5322 §3.6.5."""
    text = _line(text)
    words = text.split(" ")
    if not text.isascii() or "=?" in text or any(len(word) > MAX_LINE for word in words) or "" in words[1:-1]:
        words = encoded_words(text)
    return _folded(f"{name}:", words)


def ids_field(name: str, ids: str) -> str:
    """Message ids, folded; no field when there are none. RFC 5322 §3.6.4."""
    found = _MESSAGE_ID.findall(ids)
    if len(found) > 30:  # the first, and the last ones: enough for every threading algorithm
        found = [found[0], *found[-29:]]
    return _folded(f"{name}:", found) if found else ""


def encoded_words(text: str) -> list[str]:
    """The text as encoded words of whole characters. RFC 2047 §2, §5."""
    words, piece = [], b""
    for character in text:
        octets = character.encode("utf-8", "replace")
        if len(piece) + len(octets) > MAX_ENCODED:
            words.append(piece)
            piece = b""
        piece += octets
    return [f"=?utf-8?b?{base64.b64encode(word).decode()}?=" for word in [*words, piece]]


def _folded(line: str, words: Iterable[str]) -> str:
    """Words on lines of at most MAX_LINE characters where that is possible. RFC 5322 §2.2.3."""
    out, length = [line], len(line)
    for word in words:
        first = word.partition("\r\n")[0]
        if length + 1 + len(first) > MAX_LINE and length > 1 and out[1:]:
            out.append("\r\n")
            length = 0
        out.append(" " + word)
        length = len(word.rpartition("\r\n")[2]) + (1 if "\r\n" in word else length + 1)
    return "".join(out) + "\r\n"


def _line(text: str) -> str:
    """Without anything that could begin another line. RFC 5322 §2.2."""
    return _CONTROL.sub(" ", text).strip()
