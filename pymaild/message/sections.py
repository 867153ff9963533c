"""Which octets of a message BODY[1.2.HEADER] and its relatives mean. RFC 9051 §6.4.5.1, RFC 3501 §6.4.5.

Part numbers count the children of a multipart from 1; a message that is no multipart has the single part 1. Numbers below
a message/rfc822 part count the parts of the message inside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Any  # of parsed JSON

from pymaild.message import fields
from pymaild.message.structure import Part


def find(root: Part, number: str) -> Part | None:
    """The part of this number ("1.2"); "" is the whole message. None: there is no such part."""
    part: Part | None = root
    inside_message = True  # numbers now count the parts of a whole message
    for word in number.split(".") if number else []:
        if part is None or not word.isascii() or not word.isdigit() or len(word) > 9:
            return None
        part, inside_message = _child(part, int(word), inside_message)
    return part


def _child(part: Part, index: int, inside_message: bool) -> tuple[Part | None, bool]:
    if not inside_message and part.message is not None:
        part = part.message  # 2.1: below a message/rfc822 stand the parts of its message
    elif not inside_message and not part.is_multipart:
        return None, False
    if part.is_multipart:
        children = part.children or [_empty(part)]  # BODYSTRUCTURE shows one, so it can be asked for
        return (children[index - 1] if 1 <= index <= len(children) else None), False
    return (part if index == 1 else None), False


def _empty(part: Part) -> Part:
    return Part(part.body_end, part.body_end, part.body_end)


def body_bytes(message: bytes, part: Part, root: Part | None = None) -> bytes:
    """BODY[number]: the part without its MIME header; of the root the whole message (BODY[])."""
    return message if part is root else message[part.body_start : part.body_end]


def mime_bytes(message: bytes, part: Part) -> bytes:
    """BODY[number.MIME]: the part's own header with the empty line behind it."""
    return message[part.header_start : part.body_start]


def header_bytes(message: bytes, part: Part, root: Part) -> bytes | None:
    """BODY[HEADER] or BODY[number.HEADER]: the header of the message, of the one inside a message/rfc822; else None."""
    owner = part if part is root else part.message
    return None if owner is None else message[owner.header_start : owner.body_start]


def text_bytes(message: bytes, part: Part, root: Part) -> bytes | None:
    """BODY[TEXT] or BODY[number.TEXT]: the body of the message, of the one inside a message/rfc822; else None."""
    owner = part if part is root else part.message
    return None if owner is None else message[owner.body_start : owner.body_end]


_USUAL = """from to cc bcc sender reply-to subject date message-id in-reply-to references content-type content-description
    mime-version importance priority x-priority x-msmail-priority list-id list-post list-subscribe list-unsubscribe lines
    newsgroups followup-to mail-followup-to mail-reply-to x-label x-original-to x-draft-info x-k9mail-identity
    x-chat-version x-uniform-type-identifier x-universally-unique-identifier disposition-notification-to"""
USUAL = frozenset(_USUAL.split())  # fields that mail programs ask for to show a list of messages, without much else


def usual_fields(header: bytes) -> bytes:
    """A small header that answers for the whole one when nothing but USUAL is asked for."""
    return _pick_usual([header])[0]


def filter_fields(header: bytes, names: Iterable[str], negate: bool = False) -> bytes:
    """HEADER.FIELDS or, with `negate`, HEADER.FIELDS.NOT: the fields as they are, and an empty line. RFC 3501 §6.4.5.

    A message that ends with its header has no empty line; as in Dovecot, only HEADER.FIELDS adds one.
    """
    wanted = {name.lower().encode("utf-8", "replace") for name in names}
    kept = [
        header[field.start : field.end] for field in fields.split(header) if (field.name.lower() in wanted) is not negate
    ]
    if negate and not header.endswith((b"\n\r\n", b"\n\n")) and header not in (b"\r\n", b"\n"):
        return b"".join(kept)
    if kept and not kept[-1].endswith(b"\n"):
        kept.append(b"\r\n")
    return b"".join(kept) + b"\r\n"


def picker(names: Iterable[str], negate: bool = False) -> Callable[[Sequence[bytes]], list[bytes]]:
    """filter_fields() with this list of names, for many headers: one search finds all the fields of a header."""
    wanted = tuple(names)
    plain = [name.encode("utf-8", "replace") for name in wanted]
    easy = not negate and all(map(_PLAIN_NAME.fullmatch, plain))
    pattern = b"\n(?:%b)%b" % (b"|".join(map(re.escape, plain)), _BEHIND_NAME) if easy else b""
    find = re.compile(pattern, re.IGNORECASE).findall

    def pick(headers: Sequence[bytes]) -> list[bytes]:
        if not easy or not all(map(bytes.endswith, headers, repeat(b"\n"))):
            return [filter_fields(header, wanted, negate) for header in headers]
        found = [b"".join(find(b"\n" + header)) for header in headers]
        return [fields[1:] + b"\n\r\n" if fields else b"\r\n" for fields in found]

    return pick


_PLAIN_NAME = re.compile(rb"[!-9;-~]+")
_BEHIND_NAME = rb"[ \t\r]*(?::[^\n]*(?:\n[ \t][^\n]*)*|(?=\n))"  # up to the line end; without a colon as in fields.split()

_pick_usual = picker(USUAL)

_TEXTS = ("encoding", "disposition", "id", "description", "md5", "location")
_PAIRS = ("parameters", "disposition_parameters")


def dump(root: Part) -> bytes:
    """The tree as JSON: what Column.PARTS holds. Octets above 127 travel as Latin-1."""
    return to_json(_plain(root))


def to_json(value: object) -> bytes:
    """Compact JSON in UTF-8; lone surrogates, which UTF-8 cannot say, as question marks."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _plain(part: Part) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "at": [part.header_start, part.body_start, part.body_end, part.lines],
        "type": f"{part.type}/{part.subtype}",
    }
    for name in _TEXTS:
        value = getattr(part, name)
        if value is not None:
            plain[name] = value.decode("latin-1")
    for name in _PAIRS:
        if pairs := getattr(part, name):
            plain[name] = [[key.decode("latin-1"), value.decode("latin-1")] for key, value in pairs]
    if part.languages:
        plain["languages"] = [language.decode("latin-1") for language in part.languages]
    if part.children:
        plain["parts"] = [_plain(child) for child in part.children]
    return plain


def load_parts(data: bytes) -> Part:
    """The tree that `dump` wrote."""
    return _part(json.loads(data))


def _part(plain: dict[str, Any]) -> Part:
    part = Part(*plain["at"])
    part.type, _, part.subtype = plain["type"].partition("/")
    for name in _TEXTS:
        if name in plain:
            setattr(part, name, plain[name].encode("latin-1"))
    for name in _PAIRS:
        setattr(part, name, [(key.encode("latin-1"), value.encode("latin-1")) for key, value in plain.get(name, [])])
    part.languages = [language.encode("latin-1") for language in plain.get("languages", [])]
    part.children = [_part(child) for child in plain.get("parts", [])]
    return part
