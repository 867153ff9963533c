"""Encoded words in header fields. RFC 2047, RFC 6532."""

from __future__ import annotations

import binascii
import re

from pymaild.message import charsets

MAX_WORD = 4096  # octets; RFC 2047 §2 allows 75, real mail has some hundreds
# =?charset*language?encoding?text?=  The text has no "?": the pattern cannot run away. RFC 2231 §5 adds the language.
_WORD = re.compile(rb"=\?([!-)+->@-~]{1,64})(?:\*[!->@-~]{0,64})?\?([BbQq])\?([^?\r\n]{0,4096})\?=")
_Q_ESCAPE = re.compile(rb"=([0-9A-Fa-f]{2})")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_LINE_ENDS = re.compile("[\r\n\x00\x0b\x0c\x85\u2028\u2029]+")


def decode_words(body: bytes) -> str:
    """A field body as people read it, on one line: words decoded, other octets guessed. Never raises."""
    text = _decoded(body) if b"=?" in body else charsets.guess(body)
    # A decoded line end must never become one: somebody might write it into a header. RFC 2047 §5, §6
    return _LINE_ENDS.sub(" ", text)


def _decoded(body: bytes) -> str:
    """Join neighbours in one charset before they are decoded: many senders cut in the middle of a character. §6.2."""
    out: list[str] = []
    run, run_charset, end = b"", "", 0
    for found in _WORD.finditer(body):
        between = body[end : found.start()]
        content = _content(found[2], found[3])
        if content is None:
            continue
        charset = found[1].decode("ascii").lower()
        adjacent = end > 0 and not between.strip(b" \t\r\n")
        if not adjacent or charset != run_charset:
            out.append(charsets.decode(run, run_charset))
            run = b""
        if not adjacent:
            out.append(charsets.guess(between))
        run, run_charset, end = run + content, charset, found.end()
    out += [charsets.decode(run, run_charset), charsets.guess(body[end:])]
    return "".join(out)


def _content(encoding: bytes, text: bytes) -> bytes | None:
    """The octets of one word; None when they cannot be had. RFC 2047 §4."""
    if encoding in b"Qq":
        return _Q_ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), text.replace(b"_", b" "))
    digits = _NOT_BASE64.sub(b"", text)
    if len(digits) % 4 == 1:
        digits = digits[:-1]
    try:
        return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))
    except binascii.Error:
        return None
