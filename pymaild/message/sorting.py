"""What messages are sorted and threaded by, worked out once when a message is taken in. RFC 5256 §2, RFC 5957 §3."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pymaild.message import addresses, dates, fields
from pymaild.message.addresses import Mailbox
from pymaild.message.casemap import casemap
from pymaild.message.words import decode_words

MAX_TEXT = 500  # characters of a key: what differs only after them counts as equal
MAX_SUBJECT = 2000  # characters of a subject that are looked at
MAX_REFERENCES = 100
_NAMES = (b"subject", b"date", b"from", b"to", b"cc", b"message-id", b"references", b"in-reply-to")
_ID = re.compile(rb'<[ \t]*([^<>\s@"]{1,500}|"[^<>\s"]{1,500}")@([^<>\s@]{1,500})[ \t]*>')
_BLANKS = re.compile(r"\s+")
_TRAILER = re.compile(r"\(fwd\)$", re.IGNORECASE)
_BLOB = re.compile(r"\[[^\[\]]*\]\s*")
_REFWD = re.compile(r"(?:re|fwd?)\s*(?:\[[^\[\]]*\]\s*)?:", re.IGNORECASE)


class SortKeys(NamedTuple):
    """One message's keys, texts casemapped; an empty text where the field is not there."""

    subject: str  # the base subject. RFC 5256 §2.1
    is_reply: bool  # the subject had Re:, Fwd: or the like
    sent: int | None  # seconds since 1970 UTC; None: sort by the internal date. RFC 5256 §2.2
    from_: str  # the local part of the first address
    to: str
    cc: str
    display_from: str  # the name, else the address. RFC 5957 §3
    display_to: str
    message_id: str
    references: Sequence[str]  # the ancestors, eldest first. RFC 5256 §3 (REFERENCES)


NO_KEYS = SortKeys("", False, None, "", "", "", "", "", "", ())


def from_json(kept: Iterable[bytes]) -> list[SortKeys]:
    """The keys of several messages as the index keeps them, read in one go; of none that is empty."""
    lists = json.loads(b"[" + b",".join(each or b"null" for each in kept) + b"]")
    return [SortKeys._make(each) if each else NO_KEYS for each in lists]


def sort_keys(header: bytes) -> SortKeys:
    """The keys of a message with this header; of several fields of a name the first counts."""
    found: dict[bytes, bytes] = {}
    for name, body, _start, _end in fields.split(header):
        key = name.lower()
        if key in _NAMES:
            found.setdefault(key, fields.unfold(body))
    subject, is_reply = base_subject(decode_words(found.get(b"subject", b"")))
    date = dates.parse(found.get(b"date", b""))
    people = {name: _first(found.get(name, b"")) for name in (b"from", b"to", b"cc")}
    return SortKeys(
        casemap(subject)[:MAX_TEXT],
        is_reply,
        date.epoch if date else None,
        _local_part(people[b"from"]),
        _local_part(people[b"to"]),
        _local_part(people[b"cc"]),
        _display(people[b"from"]),
        _display(people[b"to"]),
        next(iter(message_ids(found.get(b"message-id", b""))), ""),
        _references(found),
    )


def _first(body: bytes) -> Mailbox | None:
    """The first entry of an address field; a group counts by its name. RFC 5256 §3 (FROM)."""
    return next(iter(addresses.parse(body)), None) if body else None


def _local_part(entry: Mailbox | None) -> str:
    text = (entry.local_part or b"") if entry else b""
    return casemap(text.decode("utf-8", "replace"))[:MAX_TEXT]


def _display(entry: Mailbox | None) -> str:
    """The name as people read it; where there is none the address. RFC 5957 §3."""
    if entry is None:
        return ""
    name = decode_words(entry.name or b"").strip()
    return casemap(name or _address(entry))[:MAX_TEXT]


def _address(entry: Mailbox) -> str:
    """As ENVELOPE has it, also where a part is missing; a group counts by its name."""
    parts = [entry.local_part or b""] if entry.domain is None else [entry.local_part or b"", entry.domain]
    return b"@".join(parts).decode("utf-8", "replace")


def _references(found: dict[bytes, bytes]) -> tuple[str, ...]:
    """References, or else the first id of In-Reply-To. RFC 5256 §3 (REFERENCES, step 1)."""
    ids = message_ids(found.get(b"references", b"")) or message_ids(found.get(b"in-reply-to", b""))[:1]
    return tuple(ids if len(ids) <= MAX_REFERENCES else [*ids[:1], *ids[-MAX_REFERENCES + 1 :]])


def message_ids(body: bytes) -> list[str]:
    """The ids in a field without brackets, quotes that are not needed taken off. RFC 5256 §3, RFC 5322 §3.6.4."""
    found = _ID.findall(body)
    return [(local.strip(b'"') + b"@" + domain).decode("utf-8", "replace") for local, domain in found]


# ---- base subject, RFC 5256 §2.1


def base_subject(subject: str) -> tuple[str, bool]:
    """The subject without Re:, Fwd:, [list] and (fwd); and whether it had any that make it a reply or forward."""
    text, is_reply = _BLANKS.sub(" ", subject[:MAX_SUBJECT]), False
    while True:
        text, trailer = _without_trailers(text)
        text, leader = _without_leaders(text)
        is_reply = is_reply or trailer or leader
        if not (text[:5].lower() == "[fwd:" and text.endswith("]")):  # step 6
            return text, is_reply
        text, is_reply = text[5:-1], True


def _without_trailers(text: str) -> tuple[str, bool]:
    """Step 2."""
    found = False
    while True:
        text = text.rstrip()
        shorter = _TRAILER.sub("", text)
        if shorter == text:
            return text, found
        text, found = shorter, True


def _without_leaders(text: str) -> tuple[str, bool]:
    """Steps 3 to 5: blobs in front of Re: go with it; a blob alone goes only if something is left."""
    found, at = False, len(text) - len(text.lstrip())
    while True:
        end = _leader(text, at)
        if end is not None:
            found, at = True, _past_blanks(text, end)
            continue
        blob = _BLOB.match(text, at)
        if blob is None or blob.end() == len(text):
            return text[at:], found
        at = blob.end()


def _leader(text: str, at: int) -> int | None:
    """Where *subj-blob subj-refwd ends, if it comes next."""
    while blob := _BLOB.match(text, at):
        at = blob.end()
    refwd = _REFWD.match(text, at)
    return refwd.end() if refwd else None


def _past_blanks(text: str, at: int) -> int:
    while text[at : at + 1] == " ":
        at += 1
    return at
