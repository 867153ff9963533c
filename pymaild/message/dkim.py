"""DKIM signatures: what is hashed, and the field that says so. RFC 6376 (rsa-sha256), RFC 8301, RFC 8463 (ed25519-sha256).

Both header and body are canonicalised "relaxed": white space may change on the way, words may not. The keys come from
outside as functions, so nothing here knows a file or a library for cryptography.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from pymaild.message import fields

# What a reader's eye falls on, and what forwarders do not touch. RFC 6376 §5.4.1. Each is named once more
# than it is there, so that nobody can add a second one (§8.15). Received, Return-Path and the like change on the way.
SIGNED = (
    b"from", b"reply-to", b"subject", b"date", b"to", b"cc", b"message-id", b"in-reply-to", b"references",
    b"mime-version", b"content-type", b"content-transfer-encoding",
)  # fmt: skip
# Named only as often as it is there: others may rightly add these.
SIGNED_IF_THERE = (
    b"sender", b"content-id", b"content-description", b"resent-date", b"resent-from", b"resent-to", b"resent-cc",
    b"list-id", b"list-help", b"list-unsubscribe", b"list-unsubscribe-post", b"list-subscribe", b"list-post",
    b"list-owner", b"list-archive", b"tls-required",
)  # fmt: skip
_BLANKS = re.compile(rb"[ \t]+")
_LINE_LENGTH = 70


@dataclass(frozen=True, slots=True)
class Key:
    """A domain's signing key. `sign` takes the octets the algorithm signs: the data itself for RSA and Ed25519 alike."""

    domain: str  # A-labels
    selector: str
    algorithm: str  # "rsa-sha256", "ed25519-sha256"
    sign: Callable[[bytes], bytes]  # rsa: PKCS1 v1.5 with SHA-256 over the data; ed25519: over the data's SHA-256


def header_field(name: bytes, body: bytes) -> bytes:
    """A field as it is hashed: name in lower case, one line, single blanks, none around the colon. RFC 6376 §3.4.2."""
    return name.lower() + b":" + _BLANKS.sub(b" ", fields.unfold(body)).strip(b" \r\n") + b"\r\n"


class Body:
    """The hash of a body, taken in blocks: blanks at line ends and empty lines at the end do not count. RFC 6376 §3.4.4."""

    def __init__(self) -> None:
        self._hash = sha256()
        self._held: list[bytes] = []  # a line that goes on in the next block
        self._empty = 0  # empty lines that may be the last

    def update(self, block: bytes) -> None:
        """The next octets. Every line end is a CRLF."""
        end = block.rfind(b"\n") + 1
        if end:
            self._lines(b"".join([*self._held, block[:end]]))
            self._held.clear()
        self._held.append(block[end:])

    def _lines(self, text: bytes) -> None:
        if b" " in text or b"\t" in text:
            text = _BLANKS.sub(b" ", text).replace(b" \r\n", b"\r\n")
        kept = text.rstrip(b"\r\n")
        behind = (len(text) - len(kept)) // 2
        if kept:
            self._hash.update(b"\r\n" * self._empty + kept + b"\r\n")
            self._empty = behind - 1
        else:
            self._empty += behind

    def digest(self) -> bytes:
        """SHA-256 of it all. A last line without CRLF gets one; a body of nothing but empty lines is empty. §3.4.4."""
        rest = b"".join(self._held)
        self._held.clear()
        if rest:
            self._lines(rest + b"\r\n")
        return self._hash.digest()


def signatures(header: bytes, body: Iterable[bytes], keys: Sequence[Key], at: int) -> bytes:
    """DKIM-Signature fields to stand above `header`, one for each key; `at` in seconds since 1970 UTC. RFC 6376 §5."""
    if not keys:
        return b""
    hashed = Body()
    for block in body:
        hashed.update(block)
    digest = hashed.digest()
    names, data = _header_data(header)
    return b"".join(_signature(key, names, data, digest, at) for key in keys)


def _header_data(header: bytes) -> tuple[list[bytes], bytes]:
    """The names for h=, and the fields they stand for: of several, the last comes first. §5.4.2."""
    there: dict[bytes, list[bytes]] = {}
    for field in fields.split(header):
        there.setdefault(field.name.lower(), []).append(field.body)
    names: list[bytes] = []
    data = []
    for name in (*SIGNED, *SIGNED_IF_THERE):
        bodies = there.get(name, [])
        names += [name] * (len(bodies) + (name in SIGNED))
        data += [header_field(name, body) for body in reversed(bodies)]
    return names, b"".join(data)


def _signature(key: Key, names: Sequence[bytes], data: bytes, body: bytes, at: int) -> bytes:
    """One field; it signs itself with b= empty and without its last line end. §3.5, §3.7."""
    value = (
        f"v=1; a={key.algorithm}; c=relaxed/relaxed;\r\n"
        f"\td={key.domain}; s={key.selector};\r\n"
        f"\tt={at}; bh={b64encode(body).decode('ascii')};\r\n\th={_folded_names(names)};\r\n\tb="
    ).encode("ascii")
    signed = key.sign(data + header_field(b"dkim-signature", value)[:-2])
    return b"DKIM-Signature: " + value + _folded(b64encode(signed)) + b"\r\n"


def _folded_names(names: Sequence[bytes]) -> str:
    """h=, in lines of a bearable length."""
    lines, line = [], ""
    for name in names:
        word = name.decode("ascii")
        if line and len(line) + 1 + len(word) > _LINE_LENGTH:
            lines.append(line)
            line = word
        else:
            line = f"{line}:{word}" if line else word
    return ":\r\n\t ".join([*lines, line])


def _folded(base64: bytes) -> bytes:
    return b"\r\n\t ".join(base64[start : start + _LINE_LENGTH] for start in range(0, len(base64), _LINE_LENGTH))
