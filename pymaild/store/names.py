"""Mailbox names and the folders they live in: Unicode with "/" above, Maildir++ with "." below.

A level is written in modified UTF-7 (RFC 9051 §A.1, as Dovecot does), and "." and "/" inside a level are encoded too,
so no name can leave the account's directory. INBOX is the directory itself; "A/B" is the folder `.A.B`.
"""

from __future__ import annotations

import binascii
import re
import unicodedata

from pymaild.mailstore import InvalidName

INBOX = "INBOX"
INBOX_FOLDER = "."
MAX_LEVELS = 32
MAX_FOLDER = 255  # octets of a file name on every file system in use

_PLAIN = re.compile(r"[ -%'-\-0-~]*\Z")  # printable ASCII without "&", "." and "/"
_RUN = re.compile(r"[ -%'-\-0-~]+|&|[^ -%'-\-0-~&]+")
_SHIFTED = re.compile(r"&([A-Za-z0-9+,]*)-")
_FORBIDDEN = {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}  # controls, surrogates, unassigned, line separators


def canonical(name: str) -> str:
    """The one spelling of a name: NFC, INBOX in upper case. Raises InvalidName for what cannot be a mailbox."""
    levels = unicodedata.normalize("NFC", name).split("/")
    if levels[0].upper() == INBOX:
        levels[0] = INBOX
    if len(levels) > MAX_LEVELS:
        raise InvalidName(f"it has more than {MAX_LEVELS} levels")
    for level in levels:
        _check_level(level)
    name = "/".join(levels)
    if len(_folder(levels)) > MAX_FOLDER:
        raise InvalidName("it is too long")
    return name


def _check_level(level: str) -> None:
    if not level:
        raise InvalidName("a level of it is empty")
    if level in {".", ".."}:
        raise InvalidName("a level of it is only dots")
    if level != level.strip():
        raise InvalidName("a level of it begins or ends with a space")
    if not level.isascii() or not level.isprintable():
        for char in level:
            if unicodedata.category(char) in _FORBIDDEN:
                raise InvalidName("it has control characters or characters that are not in Unicode")


def folder_of(name: str) -> str:
    """The folder's own name in the account's directory."""
    return INBOX_FOLDER if name == INBOX else _folder(name.split("/"))


def _folder(levels: list[str]) -> str:
    return "." + ".".join(map(_encode, levels))


def name_of(folder: str) -> str | None:
    """The mailbox name of a folder found on disk; None: it is no folder that could have been made through a name.

    Folders of other programs may hold raw UTF-8; those are taken as they are.
    """
    if folder == INBOX_FOLDER:
        return INBOX
    if not folder.startswith("."):
        return None
    try:
        name = "/".join(_decode(level) for level in folder[1:].split("."))
        folder.encode()
        return name if name != INBOX and canonical(name) == name else None
    except (InvalidName, ValueError):
        return None


def parents(name: str) -> list[str]:
    """Every level above a name, topmost first."""
    levels = name.split("/")
    return ["/".join(levels[:depth]) for depth in range(1, len(levels))]


def _encode(level: str) -> str:
    """RFC 9051 §A.1, RFC 3501 §5.1.3."""
    if _PLAIN.match(level):
        return level
    return "".join(map(_encode_run, _RUN.findall(level)))


def _encode_run(run: str) -> str:
    if run == "&":
        return "&-"
    if _PLAIN.match(run):
        return run
    base64 = binascii.b2a_base64(run.encode("utf-16-be"), newline=False).decode("ascii")
    return "&" + base64.rstrip("=").replace("/", ",") + "-"


def _decode(level: str) -> str:
    return _SHIFTED.sub(lambda match: _decode_run(match[1]), level)


def _decode_run(base64: str) -> str:
    if not base64:
        return "&"
    padded = base64.replace(",", "/") + "=" * (-len(base64) % 4)
    text = binascii.a2b_base64(padded.encode("ascii")).decode("utf-16-be")
    if "/" in text:
        raise InvalidName("a level of it holds the separator")
    return text
