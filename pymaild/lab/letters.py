"""A letter as a value, and the message it becomes. RFC 5322, RFC 2045-2047, RFC 3676.

A story says who wrote what to whom, when, and in which charset and encoding. The text is kept as a person would type it:
paragraphs are wrapped here, `{said}` becomes "On ... somebody wrote:" and `{quote}` the quoted text of the letter that is
answered (`{quote2}`: only its second paragraph).
"""

from __future__ import annotations

import base64
import hashlib
import quopri
import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.charset import BASE64, QP, Charset
from email.header import Header
from email.utils import format_datetime
from urllib.parse import quote

from pymaild.lab.cast import Person
from pymaild.lab.things import Thing

WIDTH = 72


@dataclass(frozen=True, slots=True)
class Letter:
    """What one person wrote, once."""

    key: str  # its name within the stories: answers refer to it
    sender: Person
    to: tuple[Person, ...]
    when: str  # "12 18:40": twelve days ago by the sender's clock; "-25": 25 minutes ago
    subject: str
    text: str
    cc: tuple[Person, ...] = ()
    answers: str = ""
    charset: str = "utf-8"
    encoding: str = "quoted-printable"  # or 7bit, 8bit, base64
    words: str = "B"  # how the subject is encoded: B or Q (RFC 2047 §4), or "" for raw UTF-8 (RFC 6532)
    flowed: bool = False
    verbatim: bool = False  # no wrapping: poems, tables, scripts without spaces
    html: str = ""
    things: tuple[Thing, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    report: str = ""  # the report-type, when the things are the parts of a multipart/report (RFC 6522)
    mailbox: str = ""  # where its recipients keep it; empty: INBOX, or Archive when it is old
    flagged: bool = False
    keywords: tuple[str, ...] = ()
    draft: bool = False


class Post:
    """All letters of the stories on a given day: dates, message ids, references and bytes."""

    def __init__(self, letters: Iterable[Letter], now: datetime, seed: int = 1) -> None:
        self.letters = {letter.key: letter for letter in letters}
        self.now = now
        self.seed = seed

    def date(self, letter: Letter) -> datetime:
        """When it was written, by the clock of its sender."""
        zone = timezone(timedelta(minutes=letter.sender.zone))
        if letter.when.startswith("-"):
            return (self.now - timedelta(minutes=int(letter.when[1:]))).astimezone(zone)
        days, clock = letter.when.split()
        hour, minute = map(int, clock.split(":"))
        second = self._digest(letter)[0] % 60
        day = self.now.astimezone(zone) - timedelta(days=int(days))
        return day.replace(hour=hour, minute=minute, second=second, microsecond=0)

    def message_id(self, letter: Letter) -> str:
        """RFC 5322 §3.6.4."""
        return f"<{self._digest(letter).hex()[:20]}@{letter.sender.domain}>"

    def references(self, letter: Letter) -> list[str]:
        """The ids of all letters it goes back to, oldest first. RFC 5322 §3.6.4."""
        if not letter.answers:
            return []
        parent = self.letters[letter.answers]
        return [*self.references(parent), self.message_id(parent)]

    def render(self, letter: Letter) -> bytes:
        """The message, with CRLF line ends."""
        return b"\r\n".join([*self._header(letter), b""]) + self._body(letter)

    def _digest(self, letter: Letter) -> bytes:
        return hashlib.sha256(f"{self.seed}/{letter.key}".encode()).digest()

    def _header(self, letter: Letter) -> list[bytes]:
        encoder = HeaderEncoder(letter.charset, letter.words)
        lines = [
            b"Date: " + format_datetime(self.date(letter)).encode(),
            b"From: " + encoder.addresses([letter.sender]),
            b"To: " + encoder.addresses(letter.to),
        ]
        if letter.cc:
            lines.append(b"Cc: " + encoder.addresses(letter.cc))
        lines.append(b"Subject: " + encoder.text(letter.subject, "Subject"))
        lines.append(b"Message-ID: " + self.message_id(letter).encode())
        if references := self.references(letter):
            lines.append(b"In-Reply-To: " + references[-1].encode())
            lines.append(b"References: " + "\r\n ".join(references).encode())
        lines += [f"{name}: {body}".encode() for name, body in letter.fields]
        lines.append(b"MIME-Version: 1.0")
        return lines

    def _body(self, letter: Letter) -> bytes:
        """From the inside out: text, alternative, related, mixed. RFC 2046 §5.1, RFC 2387."""
        content = self._text(letter)
        boundary = self._digest(letter).hex()[20:36]
        if letter.html:
            page = part("text/html; charset=utf-8", letter.html.encode(), "quoted-printable")
            content = multipart("alternative", [content, page], boundary + "a")
        inline = [attachment(thing) for thing in letter.things if thing.content_id]
        if inline:
            content = multipart("related", [content, *inline], boundary + "r")
        attached = [attachment(thing, bool(letter.report)) for thing in letter.things if not thing.content_id]
        if attached:
            kind = f"report; report-type={letter.report}" if letter.report else "mixed"
            content = multipart(kind, [content, *attached], boundary + "m")
        return content

    def _text(self, letter: Letter) -> bytes:
        text = self._filled(letter)
        if letter.sender.signature and not letter.draft and letter.charset in ("utf-8", "us-ascii"):
            text += f"\n-- \n{letter.sender.signature}\n"
        kind = f"text/plain; charset={letter.charset}" + ("; format=flowed" if letter.flowed else "")
        return part(kind, text.encode(letter.charset), letter.encoding)

    def _filled(self, letter: Letter) -> str:
        """The text with its quotation, wrapped."""
        text = textwrap.dedent(letter.text).strip("\n")
        if not letter.verbatim:
            text = "\n\n".join(wrapped(paragraph, letter.flowed) for paragraph in re.split(r"\n\n+", text))
        if letter.answers:
            parent = self.letters[letter.answers]
            date = self.date(parent)
            text = text.replace(
                "{said}", f"On {date:%a}, {date.day} {date:%b %Y} at {date:%H:%M}, {parent.sender.name} wrote:"
            )
            text = re.sub(r"\{quote(\d?)\}", lambda match: quoted(parent, match[1]), text)
        return text + "\n"


def wrapped(paragraph: str, flowed: bool = False) -> str:
    """A paragraph at 72 columns; lists, quotations and indented lines stay as they are. RFC 3676 §4.2 for flowed."""
    lines = paragraph.splitlines()
    if any(re.match(r" |[-*>] |[|{]|>|\d+\. ", line) for line in lines):
        return paragraph
    filled = textwrap.wrap(" ".join(lines), WIDTH, break_long_words=False, break_on_hyphens=False)
    return (" \n" if flowed else "\n").join(filled)


def quoted(parent: Letter, number: str) -> str:
    """What the parent's author wrote, without what was quoted there."""
    paragraphs = re.split(r"\n\n+", textwrap.dedent(parent.text).strip("\n"))
    own = [wrapped(paragraph) if not parent.verbatim else paragraph for paragraph in paragraphs if "{" not in paragraph]
    chosen = own[int(number) - 1 : int(number)] if number else own
    return "\n".join(f"> {line}".rstrip() for line in "\n\n".join(chosen).splitlines())


class HeaderEncoder:
    """Header fields with words outside ASCII. RFC 2047."""

    def __init__(self, charset: str, words: str) -> None:
        self.raw = not words
        self.charset = Charset(charset)
        self.charset.header_encoding = QP if words == "Q" else BASE64

    def text(self, value: str, name: str) -> bytes:
        """An unstructured field body, folded."""
        if self.raw:
            return value.encode()
        charset = None if value.isascii() else self.charset
        return Header(value, charset, header_name=name).encode(linesep="\r\n").encode()

    def addresses(self, people: Sequence[Person]) -> bytes:
        """An address-list. RFC 5322 §3.4."""
        return b",\r\n ".join(self._address(person) for person in people)

    def _address(self, person: Person) -> bytes:
        return self._phrase(person.name) + f" <{person.address}>".encode()

    def _phrase(self, name: str) -> bytes:
        """A name that the letter's charset lacks goes in UTF-8."""
        if name.isascii():
            return name.encode() if re.fullmatch(r"[A-Za-z0-9 '\-]+", name) else b'"' + name.encode() + b'"'
        if self.raw:
            return name.encode()
        try:
            name.encode(self.charset.input_charset)
        except UnicodeEncodeError:
            return Header(name, "utf-8").encode(linesep="\r\n").encode()
        return Header(name, self.charset).encode(linesep="\r\n").encode()


# ---- MIME entities: header fields, empty line, body


def part(content_type: str, body: bytes, encoding: str, *fields: str) -> bytes:
    """A leaf; `body` has LF line ends when it is text. RFC 2045 §6."""
    if encoding == "base64":
        data = base64.encodebytes(re.sub(rb"\r?\n", b"\r\n", body) if content_type.startswith("text/") else body)
    elif encoding == "quoted-printable":
        data = quopri.encodestring(body)
    else:
        data = body
    head = [f"Content-Type: {content_type}", f"Content-Transfer-Encoding: {encoding}", *fields]
    return "\r\n".join([*head, "", ""]).encode() + re.sub(rb"\r?\n", b"\r\n", data)


def multipart(subtype: str, parts: Sequence[bytes], boundary: str) -> bytes:
    """Several entities in one. RFC 2046 §5.1."""
    head = f'Content-Type: multipart/{subtype};\r\n boundary="={boundary}"\r\n\r\n'.encode()
    body = b"".join(b"--=" + boundary.encode() + b"\r\n" + inner.removesuffix(b"\r\n") + b"\r\n" for inner in parts)
    return head + body + b"--=" + boundary.encode() + b"--\r\n"


def attachment(thing: Thing, bare: bool = False) -> bytes:
    """A leaf for something attached, or shown inline; `bare`: a part of a report. RFC 2183, RFC 2231 §4."""
    data = thing.make()
    if thing.content_type.startswith(("message/", "multipart/")) or bare:
        return part(thing.content_type, data, "8bit" if not data.isascii() else "7bit")
    where = "inline" if thing.content_id else "attachment"
    fields = [f"Content-Disposition: {where};\r\n {file_name(thing.name)}"]
    if thing.content_id:
        fields.append(f"Content-ID: <{thing.content_id}>")
    return part(thing.content_type, data, "base64", *fields)


def file_name(name: str) -> str:
    """The filename parameter. RFC 2231 §4."""
    return f'filename="{name}"' if name.isascii() else f"filename*=utf-8''{quote(name)}"
