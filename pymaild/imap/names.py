"""Mailbox names on the wire: modified UTF-7 and the wildcards of LIST. RFC 3501 §5.1.3, §6.3.8."""

from __future__ import annotations

import binascii
import unicodedata

from pymaild.imap.errors import No

DELIMITER = "/"


def encode(name: str) -> bytes:
    """Unicode to modified UTF-7: printable ASCII as it is, & as &-, the rest as base64 of UTF-16. §5.1.3."""
    if name.isascii() and name.isprintable() and "&" not in name:
        return name.encode("ascii")
    out, run = [], ""
    for char in name:
        if " " <= char <= "~":
            out.append(_shifted(run) + ("&-" if char == "&" else char))
            run = ""
        else:
            run += char
    return "".join([*out, _shifted(run)]).encode("ascii")


def _shifted(run: str) -> str:
    """One run of characters that are not printable ASCII."""
    if not run:
        return ""
    base64 = binascii.b2a_base64(run.encode("utf-16-be", "surrogatepass"), newline=False).decode("ascii")
    return "&" + base64.rstrip("=").replace("/", ",") + "-"


def decode(wire: bytes, utf8: bool = False) -> str:
    """What the client wrote, in the spelling that the server uses."""
    return canonical(typed(wire, utf8))


def typed(wire: bytes, utf8: bool = False) -> str:
    """Modified UTF-7 to Unicode; only the one right spelling of a name is taken, so `&AC8-` is no hidden "/".

    After ENABLE IMAP4rev2 or UTF8=ACCEPT names are UTF-8, and so is what can be nothing else. RFC 9051 §5.1, RFC 9755 §3.
    """
    if utf8 or not wire.isascii():
        return _utf8(wire)
    try:
        text = wire.decode("ascii")
        pieces = text.split("&")
        name = pieces[0] + "".join(_unshifted(piece) for piece in pieces[1:])
    except ValueError:
        raise No("The mailbox name is not in modified UTF-7 (RFC 3501 section 5.1.3)", "CANNOT") from None
    if encode(name) != wire:
        raise No("The mailbox name is not in modified UTF-7 (RFC 3501 section 5.1.3)", "CANNOT")
    return name


def _utf8(wire: bytes) -> str:
    try:
        return wire.decode("utf-8")
    except UnicodeDecodeError:
        raise No("The mailbox name is not in UTF-8", "CANNOT") from None


def _unshifted(piece: str) -> str:
    """What stands between one & and the next: base64 up to the hyphen, then plain text."""
    base64, hyphen, plain = piece.partition("-")
    if not hyphen:
        raise ValueError
    if not base64:
        return "&" + plain
    padded = base64.replace(",", "/") + "=" * (-len(base64) % 4)
    return binascii.a2b_base64(padded, strict_mode=True).decode("utf-16-be") + plain


def canonical(name: str) -> str:
    """INBOX in any case is INBOX, also as the first level of a longer name. §5.1."""
    first, delimiter, rest = name.partition(DELIMITER)
    return f"INBOX{delimiter}{rest}" if first.upper() == "INBOX" else name


def quoted(name: str, utf8: bool = False) -> bytes:
    """A mailbox name as it stands in LIST, LSUB and STATUS: always a quoted string. §4.3."""
    wire = name.encode("utf-8", "replace") if utf8 else encode(name)
    return b'"' + wire.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


class Pattern:
    """A LIST pattern, matched in time linear in the name, whatever the wildcards.

    Every pattern position is one bit of an integer; one character of the name moves all the positions that fit at
    once, so nothing is ever tried twice. Adjacent wildcards are one wildcard, which keeps the empty match to one step.
    """

    def __init__(self, wire: bytes, utf8: bool = False) -> None:
        text = unicodedata.normalize("NFC", wire.decode("utf-8", "replace")) if utf8 else wire.decode("latin-1")
        tokens = _merged(canonical(text))
        self._utf8 = utf8
        self._least = sum(1 for each in tokens if each not in ("*", "%"))
        self._everything = tokens == ["*"]
        self._star = self._percent = 0
        self._literal: dict[str, int] = {}
        for place, each in enumerate(tokens):
            if each == "*":
                self._star |= 1 << place
            elif each == "%":
                self._percent |= 1 << place
            else:
                self._literal[each] = self._literal.get(each, 0) | 1 << place
        self._end = 1 << len(tokens)

    def matches(self, name: str) -> bool:
        """Whether the pattern describes the whole name. §6.3.8."""
        wire = name if self._utf8 else encode(name).decode("ascii")
        if self._everything or len(wire) < self._least:
            return self._everything
        wild = self._star | self._percent
        now = 1 | (1 & wild) << 1
        for char in wire:
            stays = self._star if char == DELIMITER else wild
            now = (now & stays) | (now & self._literal.get(char, 0)) << 1
            if not now:
                return False
            now |= (now & wild) << 1
        return bool(now & self._end)


def _merged(pattern: str) -> list[str]:
    """The pattern's characters with every run of wildcards as one: * if it has a *, else %."""
    tokens: list[str] = []
    for char in pattern:
        if char in "*%" and tokens and tokens[-1] in ("*", "%"):
            tokens[-1] = "*" if "*" in (char, tokens[-1]) else "%"
        else:
            tokens.append(char)
    return tokens
