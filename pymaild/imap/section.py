"""BODY[1.2.HEADER]: which octets of a message a section names. RFC 3501 §6.4.5; BINARY decodes them, RFC 3516 §4.2."""

from __future__ import annotations

import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from pymaild.imap.errors import Bad, No
from pymaild.imap.grammar import Parser
from pymaild.message import fields, sections, structure
from pymaild.message.structure import Part
from pymaild.message.text import quoted_printable

MAX_PATH: Final = structure.MAX_DEPTH
_IDENTITY: Final = (None, b"7bit", b"8bit", b"binary")


@dataclass(frozen=True, slots=True)
class Section:
    """What stands in the brackets. An empty path and an empty word: the whole message."""

    path: tuple[int, ...] = ()
    what: str = ""  # HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT, MIME
    names: tuple[str, ...] = ()  # of header fields
    decoded: bool = False  # BINARY

    @property
    def header_only(self) -> bool:
        """Whether the header block of the message is enough to answer."""
        return not self.path and self.what.startswith("HEADER")

    @property
    def usual_only(self) -> bool:
        """Whether even those fields are enough that are asked for most."""
        return self.header_only and self.what == "HEADER.FIELDS" and sections.USUAL.issuperset(map(str.lower, self.names))

    def octets(self, message: bytes) -> bytes | None:
        """The octets; None where the message has no such part."""
        if not self.path:
            return self._whole(message)
        root = structure.scan(message)
        part = sections.find(root, ".".join(map(str, self.path)))
        return None if part is None else self._part(message, part)

    def picker(self) -> Callable[[Sequence[bytes]], Sequence[bytes]]:
        """What makes the octets of header blocks, where those are enough; to be used for many."""
        if self.what == "HEADER":
            return lambda headers: headers
        return sections.picker(self.names, negate=self.what == "HEADER.FIELDS.NOT")

    def _whole(self, message: bytes) -> bytes:
        """Of the message itself; its structure is not needed for that, and a header block alone will do for HEADER."""
        body = fields.header_end(message) if self.what else 0
        if not self.what or self.what == "TEXT":
            return message[body:]
        return self._header(message[:body])

    def _part(self, message: bytes, part: Part) -> bytes | None:
        """Of one part; HEADER and TEXT are those of a message inside it."""
        if self.decoded:
            return decoded(message, part)
        if not self.what:
            return sections.body_bytes(message, part)
        if self.what == "MIME":
            return sections.mime_bytes(message, part)
        if part.message is None:
            return None
        if self.what == "TEXT":
            return message[part.message.body_start : part.message.body_end]
        return self._header(message[part.message.header_start : part.message.body_start])

    def _header(self, header: bytes) -> bytes:
        if self.what == "HEADER":
            return header
        return sections.filter_fields(header, self.names, negate=self.what == "HEADER.FIELDS.NOT")


def decoded(message: bytes, part: Part) -> bytes:
    """The body without its content transfer encoding; what is broken in it is skipped. RFC 3516 §4.2, RFC 2045 §6."""
    body = message[part.body_start : part.body_end]
    encoding = None if part.encoding is None else part.encoding.lower()
    if encoding in _IDENTITY or part.is_multipart:
        return body
    if encoding == b"quoted-printable":
        return quoted_printable(body)
    if encoding != b"base64":
        raise No("The part has a content transfer encoding that is not known", "UNKNOWN-CTE")
    letters = body.translate(None, _NOT_BASE64)
    return binascii.a2b_base64(letters[: len(letters) // 4 * 4] + _last(letters))


_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64: Final = bytes(set(range(256)) - set(_BASE64))


def _last(letters: bytes) -> bytes:
    """The padding that fits, whatever padding was sent; a letter alone carries no octet."""
    rest = letters[len(letters) // 4 * 4 :]
    return rest + b"=" * (4 - len(rest)) if len(rest) > 1 else b""


# ---- reading a section


def section(args: Parser) -> tuple[Section, bytes]:
    """[path.word (names)], and how the answer repeats it. §9 (section)."""
    args.expect(b"[", "[ and a section")
    path = _path(args)
    what = _what(args, path)
    names: list[bytes] = []
    if what.startswith("HEADER.FIELDS"):
        args.space("a list of header field names")
        names = args.items("the name of a header field", lambda: args.astring("the name of a header field").upper())
        if not names:
            raise Bad("Expected at least one header field name")
    args.expect(b"]", "] at the end of the section")
    label = ".".join([*map(str, path), *([what] if what else [])]).encode("ascii")
    if names:
        label += b" (" + b" ".join(map(_astring, names)) + b")"
    return Section(path, what, tuple(name.decode("utf-8", "replace") for name in names)), label


def binary_section(args: Parser) -> tuple[Section, bytes]:
    """[path]. RFC 3516 §7 (section-binary)."""
    args.expect(b"[", "[ and a part number")
    path = _path(args)
    args.expect(b"]", "] after the part number")
    return Section(path, decoded=True), ".".join(map(str, path)).encode("ascii")


def _path(args: Parser) -> tuple[int, ...]:
    """1.2.3; a dot at the end means that a word follows."""
    path: list[int] = []
    while args.peek().isdigit():
        number = args.number("a part number")
        if not number:
            raise Bad("Expected part numbers from 1")
        if len(path) >= MAX_PATH:
            raise No(f"There are too many part numbers: at most {MAX_PATH}", "LIMIT")
        path.append(number)
        if not args.accept(b"."):
            break
        if args.peek() == b"]":
            raise Bad("Expected a part number or a word after the dot")
    return tuple(path)


def _what(args: Parser, path: tuple[int, ...]) -> str:
    if args.peek() == b"]":
        return ""
    what = args.section_word()
    if what not in WORDS or (what == "MIME" and not path):
        raise Bad("Expected HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT or, after a part number, MIME")
    return what


WORDS: Final = ("HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT", "MIME")


def _astring(name: bytes) -> bytes:
    """A field name as the client may have quoted it."""
    if all(33 <= octet <= 126 and octet not in b'(){%*"\\]' for octet in name) and name:
        return name
    if b"\r" in name or b"\n" in name or b"\0" in name:
        raise Bad("Expected the name of a header field")
    return b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
