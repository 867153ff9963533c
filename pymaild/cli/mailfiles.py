"""Mail in files as other programs keep it: mbox, Maildir and Maildir++, .eml; read as a stream, one message at a time.

mbox is read by hand: stdlib's mailbox.mbox indexes the whole file first and leaves ">From " as it stands. A message
begins at a line "From ... hh:mm ... yyyy" after an empty line; one ">" is taken from lines of ">From " (mboxrd), so what
mbox_entry() writes comes back exact. Lines end in CRLF afterwards, as everywhere in pymaild.
"""

from __future__ import annotations

import calendar
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from pymaild.mailstore import Flag

_IN_MEMORY = 1 << 20  # octets of one message; more goes to a temporary file
_LONGEST_LINE = 1 << 20
_MONTHS = {name: number for number, name in enumerate(calendar.month_abbr) if name}
_FROM = re.compile(rb"From .*\d\d:\d\d.*\b(\d{4})\b")
_QUOTED = re.compile(rb">+From ")
_FROM_DATE = re.compile(r"(\w{3})\s+(\d{1,2})\s+(\d\d):(\d\d)(?::(\d\d))?.*?([+-]\d{4})?\s+(\d{4})(?:\s+([+-]\d{4}))?\s*$")
_UID = re.compile(r",U=(\d+)|V\d+U(\d+)\.pymaild")
_STATUS_FIELD = re.compile(rb"(status|x-status|x-keywords|x-mozilla-status|x-mozilla-keys):[ \t]*(.*)", re.IGNORECASE)
_LETTERS = {"S": Flag.SEEN, "R": Flag.ANSWERED, "F": Flag.FLAGGED, "T": Flag.DELETED, "D": Flag.DRAFT}
_MBOX_LETTERS = {"R": Flag.SEEN, "A": Flag.ANSWERED, "F": Flag.FLAGGED, "D": Flag.DELETED, "T": Flag.DRAFT}
_MOZILLA_BITS = {0x1: Flag.SEEN, 0x2: Flag.ANSWERED, 0x4: Flag.FLAGGED}
_MOZILLA_GONE = 0x8  # deleted, and still in the file until it is compacted


@dataclass(slots=True)
class Found:
    """One message of a source: where it lay, its octets, its flags and its date."""

    mailbox: str
    message: BinaryIO
    flags: int = 0
    keywords: tuple[str, ...] = ()
    internal_date: int | None = None
    read: int = 0  # octets of the source behind it, for a progress bar


# ---- what is where


def is_maildir(folder: Path) -> bool:
    """Whether the folder is a Maildir."""
    return (folder / "cur").is_dir() and (folder / "new").is_dir()


def sources(path: Path, name_of: Callable[[str], str | None]) -> Iterator[tuple[str, Path]]:
    """Every Maildir, mbox and .eml file below a path with the mailbox its place names; "" at the top.

    `name_of` reads the folder names of Maildir++ (".Sent").
    """
    if path.is_file():
        yield "", path
        return
    if is_maildir(path):
        yield "", path
    for entry in sorted(path.iterdir()):
        if entry.name in ("cur", "new", "tmp") and is_maildir(path):
            continue
        if entry.is_dir() and not entry.is_symlink():
            level = (name_of(entry.name) or entry.name.strip(".")) if is_maildir(path) else entry.name.removesuffix(".sbd")
            for name, found in sources(entry, name_of):
                yield "/".join(filter(None, (level, name))), found
        elif entry.is_file() and entry.suffix == ".eml":
            yield "", entry
        elif entry.is_file() and _is_mbox(entry):
            yield entry.stem if entry.suffix == ".mbox" else entry.name, entry


def _is_mbox(file: Path) -> bool:
    with file.open("rb") as opened:
        return bool(_FROM.match(opened.readline(1000)))


def octets_of(source: Path) -> int:
    """How much there is to read."""
    if source.is_file():
        return source.stat().st_size
    return sum(file.stat().st_size for file in maildir_files(source))


def messages(mailbox: str, source: Path) -> Iterator[Found]:
    """The messages of one source."""
    if source.is_dir():
        return read_maildir(mailbox, source)
    if source.suffix != ".eml" and _is_mbox(source):
        return read_mbox(mailbox, source)
    return read_eml(mailbox, source)


# ---- octets


def _spool() -> BinaryIO:
    return cast("BinaryIO", tempfile.SpooledTemporaryFile(_IN_MEMORY))


def with_crlf(source: BinaryIO) -> BinaryIO:
    """A message with CRLF line ends; one that has them in its first line already is left exactly as it is."""
    target = _spool()
    first = source.readline(_LONGEST_LINE)
    exact = first.endswith(b"\r\n")
    line = first
    while line:
        target.write(line[:-1] + b"\r\n" if line.endswith(b"\n") and not exact else line)
        line = source.readline(_LONGEST_LINE)
    target.seek(0)
    return target


def with_lf(message: bytes) -> bytes:
    """The line ends of files on Unix, where with_crlf() can undo it: every CR stands before an LF and the reverse."""
    if message.count(b"\r\n") == message.count(b"\n") == message.count(b"\r"):
        return message.replace(b"\r\n", b"\n")
    return message


# ---- .eml


def read_eml(mailbox: str, file: Path) -> Iterator[Found]:
    """A file that is one message."""
    with file.open("rb") as opened:
        message = with_crlf(opened)
    facts = file.stat()
    yield Found(mailbox, message, internal_date=int(facts.st_mtime), read=facts.st_size)


# ---- Maildir


def maildir_files(folder: Path) -> list[Path]:
    """The messages of a Maildir, the oldest first as far as their names tell."""
    files = [file for part in ("cur", "new") for file in (folder / part).iterdir() if file.is_file()]
    return sorted((file for file in files if not file.name.startswith(".")), key=_age)


def _age(file: Path) -> tuple[int, int, str]:
    """By UID where the name tells it (our own store and exports), then by the second it came in."""
    uid = _UID.search(file.name)
    seconds = file.name.partition(".")[0]
    return int(uid[1] or uid[2]) if uid else 0, int(seconds) if seconds.isdigit() else 0, file.name


def read_maildir(mailbox: str, folder: Path) -> Iterator[Found]:
    """A Maildir with the keywords that Dovecot keeps beside it."""
    keywords = _dovecot_keywords(folder)
    for file in maildir_files(folder):
        letters = file.name.partition(":2,")[2]
        flags = sum({flag for letter, flag in _LETTERS.items() if letter in letters})
        words = [keywords[letter] for letter in letters if letter in keywords]
        with file.open("rb") as opened:
            message = with_crlf(opened)
        facts = file.stat()
        yield Found(mailbox, message, flags, tuple(words), int(facts.st_mtime), facts.st_size)


def _dovecot_keywords(folder: Path) -> dict[str, str]:
    """Letter to keyword: lines of "0 $Forwarded"."""
    file = folder / "dovecot-keywords"
    if not file.is_file():
        return {}
    lines = [line.split(" ", 1) for line in file.read_text("utf-8", "replace").splitlines()]
    return {chr(ord("a") + int(line[0])): line[1] for line in lines if len(line) == 2 and line[0].isdigit()}


def maildir_name(unique: str, size: int, flags: int, letters: str) -> str:
    """The file name of a message in cur/."""
    info = "".join(sorted(letter for letter, flag in _LETTERS.items() if flags & flag))
    return f"{unique},S={size}:2,{info}{letters}"


# ---- mbox


def read_mbox(mailbox: str, file: Path) -> Iterator[Found]:
    """A mailbox in one file (RFC 4155), read once from its start to its end."""
    with file.open("rb") as opened:
        line = opened.readline(_LONGEST_LINE)
        while line:
            found, line = _one_message(mailbox, line, opened)
            if found:
                yield found


def _one_message(mailbox: str, from_line: bytes, opened: BinaryIO) -> tuple[Found | None, bytes]:
    """The message after a From line; None: one that is in the file, but deleted. And the next From line."""
    before = opened.tell() - len(from_line)
    header, line = _header(opened)
    marks, header = _marks(header)
    body = _spool()
    body.write(b"".join(header))
    after_empty, held = True, False  # an empty line belongs to the message only if no From line follows
    while line and not (after_empty and _FROM.match(line)):
        if held:
            body.write(b"\r\n")
        after_empty = held = line in (b"\n", b"\r\n")
        if not held:
            body.write(_crlf(line[1:] if _QUOTED.match(line) else line))
        line = opened.readline(_LONGEST_LINE)
    if "gone" in marks:
        return None, line
    body.seek(0)
    flags, keywords = _flags(marks)
    date = _from_date(from_line.decode("ascii", "replace"))
    return Found(mailbox, body, flags, keywords, date, opened.tell() - len(line) - before), line


def _header(opened: BinaryIO) -> tuple[list[bytes], bytes]:
    """The header's lines with the empty line after them, and the line after that."""
    lines: list[bytes] = []
    while line := opened.readline(_LONGEST_LINE):
        if line in (b"\n", b"\r\n"):
            return [*lines, b"\r\n"], opened.readline(_LONGEST_LINE)
        lines.append(_crlf(line))
    return lines, b""


def _crlf(line: bytes) -> bytes:
    return line[:-1] + b"\r\n" if line.endswith(b"\n") and not line.endswith(b"\r\n") else line


def _marks(header: list[bytes]) -> tuple[dict[str, str], list[bytes]]:
    """What the program that kept the file noted in fields of its own, which are no part of the message."""
    marks: dict[str, str] = {}
    kept: list[bytes] = []
    match = None
    for line in header:
        if match and line.startswith((b" ", b"\t")):
            continue  # a mark's second line
        match = _STATUS_FIELD.match(line)
        if match:
            marks.setdefault(match[1].decode().lower(), match[2].decode("utf-8", "replace").strip())
        else:
            kept.append(line)
    bits = marks.get("x-mozilla-status", "0")
    if re.fullmatch(r"[0-9a-fA-F]{1,4}", bits) and int(bits, 16) & _MOZILLA_GONE:
        marks["gone"] = "yes"
    return marks, kept


def _flags(marks: dict[str, str]) -> tuple[int, tuple[str, ...]]:
    letters = marks.get("status", "") + marks.get("x-status", "")
    flags = 0
    for letter, flag in _MBOX_LETTERS.items():
        flags |= flag if letter in letters else 0
    bits = marks.get("x-mozilla-status", "0")
    for bit, flag in _MOZILLA_BITS.items():
        flags |= flag if re.fullmatch(r"[0-9a-fA-F]{1,4}", bits) and int(bits, 16) & bit else 0
    words = f"{marks.get('x-keywords', '')} {marks.get('x-mozilla-keys', '')}".split()
    return flags, tuple(words)


def _from_date(line: str) -> int | None:
    """The date of a From line, UTC unless it names a zone."""
    match = _FROM_DATE.search(line)
    if not match or match[1] not in _MONTHS:
        return None
    month, day, hour, minute, second, zone, year, zone_after = match.groups()
    try:
        at = calendar.timegm((int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second or 0)))
    except ValueError:
        return None
    offset = zone or zone_after or "+0000"
    return at - int(offset[0] + "1") * (int(offset[1:3]) * 3600 + int(offset[3:]) * 60)


def mbox_entry(message: bytes, flags: int, keywords: tuple[str, ...], internal_date: int) -> bytes:
    """A message as it stands in an mbox: From line, our marks, the message with LF ends and ">" before "From "."""
    status = ("R" if flags & Flag.SEEN else "") + "O"
    x_status = "".join(letter for letter, flag in _MBOX_LETTERS.items() if letter != "R" and flags & flag)
    marks = f"Status: {status}\n" + (f"X-Status: {x_status}\n" if x_status else "")
    marks += f"X-Keywords: {' '.join(sorted(keywords))}\n" if keywords else ""
    text = message.replace(b"\r\n", b"\n")
    quoted = re.sub(rb"^(>*From )", rb">\1", text, flags=re.MULTILINE)
    date = time.asctime(time.gmtime(internal_date))
    return f"From MAILER-DAEMON {date}\n{marks}".encode() + quoted + (b"\n" if text.endswith(b"\n") else b"\n\n")
