"""What a list of messages shows of one, made when the message is taken in."""

from __future__ import annotations

import re
from typing import Any  # of JSON

from pymaild.message import addresses, dates, fields
from pymaild.message.structure import Part, walk
from pymaild.message.text import preview
from pymaild.message.words import decode_words

MAX_PEOPLE = 50
MAX_TEXT = 500  # characters of a subject or a name
MAX_REFERENCES = 100
_MESSAGE_ID = re.compile(rb"<([^<>\s]{1,500})>")


def summary(message: bytes, part: Part) -> dict[str, Any]:
    """Plain values for JSON. People are [name, address] pairs; ids stand without their angle brackets."""
    header: dict[bytes, bytes] = {}
    for name, body, _start, _end in fields.split(message[: part.body_start]):
        header.setdefault(name.lower(), fields.unfold(body))
    date = dates.parse(header.get(b"date", b""))
    return {
        "from": people(header.get(b"from", b"")),
        "to": people(header.get(b"to", b"")),
        "cc": people(header.get(b"cc", b"")),
        "subject": decode_words(header.get(b"subject", b""))[:MAX_TEXT],
        "date": date.epoch if date else None,
        "date_day": date.day if date else None,
        "preview": preview(message, part),
        "has_attachment": any(child.is_attachment for child in walk(part)),
        "message_id": next(iter(message_ids(header.get(b"message-id", b""))), ""),
        "in_reply_to": message_ids(header.get(b"in-reply-to", b"")),
        "references": message_ids(header.get(b"references", b"")),
    }


def people(body: bytes) -> list[list[str]]:
    """Whom an address field names, groups flattened."""
    found = []
    for entry in addresses.parse(body):
        if not entry.is_group_mark:
            found.append([decode_words(entry.name or b"")[:MAX_TEXT].strip(), addresses.shown(entry)])
        if len(found) == MAX_PEOPLE:
            break
    return found


def message_ids(body: bytes) -> list[str]:
    """The ids in a field, the last ones when there are too many. RFC 5322 §3.6.4."""
    found = [words.decode("utf-8", "replace") for words in _MESSAGE_ID.findall(body)]
    return found[:1] + found[-MAX_REFERENCES + 1 :] if len(found) > MAX_REFERENCES else found
