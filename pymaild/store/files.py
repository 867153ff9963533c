"""Message files: what their names say, how one is written, and how a folder is made durable. No SQL.

    <unique>,S=<size>,U=<uid>:2,<flags>          unique = <seconds>.<token>.<tag>.<sha>

`seconds` is when the message came into this mailbox, `token` names the process that wrote it, `tag` the mailbox (a file
carried to another folder thus shows that its uid is not one of that folder's), `sha` the first 130 bits of the content's
SHA-256.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import itertools
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from pymaild.mailstore import Flag, NoSpace, StorageFailed, StoreError

KEYWORDS = "abcdefghijklmnopqrstuvwxyz"
_LETTERS = {"D": Flag.DRAFT, "F": Flag.FLAGGED, "R": Flag.ANSWERED, "S": Flag.SEEN, "T": Flag.DELETED}
_NAME = re.compile(r"(?P<unique>[^,:/]+)(?P<fields>(?:,[^,:/]*)*)(?::2,(?P<letters>[^:/]*))?\Z")
_FIELD = re.compile(r",(S|U)=([0-9]{1,18})(?![^,])")
_CHUNK = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
SHA_LETTERS = 26


@dataclass(frozen=True, slots=True)
class FileName:
    """What the name of a message file says; uid and size are None in a name that is not ours."""

    unique: str
    size: int | None
    uid: int | None
    letters: str

    @property
    def tag(self) -> str:
        """The mailbox it was written for."""
        parts = self.unique.split(".")
        return parts[2] if len(parts) == 4 else ""

    @property
    def sha(self) -> str:
        """The first letters of its content's SHA-256."""
        return self.unique.rpartition(".")[2]

    @property
    def saved(self) -> int:
        """When it came into its mailbox; 0: the name does not say."""
        seconds = self.unique.partition(".")[0]
        return int(seconds) if seconds.isascii() and seconds.isdigit() and len(seconds) < 12 else 0


def parse(name: str) -> FileName:
    """Read the name of any file found in new/ or cur/; never fails."""
    match = _NAME.match(name)
    if not match:
        return FileName(name, None, None, "")
    fields = dict(_FIELD.findall(match["fields"]))
    size, uid = fields.get("S"), fields.get("U")
    letters = match["letters"] or ""
    return FileName(match["unique"], None if size is None else int(size), int(uid) if uid else None, letters)


def render(unique: str, size: int, uid: int, letters: str) -> str:
    """The name of a file in cur/."""
    return f"{unique},S={size},U={uid}:2,{letters}"


@lru_cache(maxsize=4096)
def letters_of(flags: int, keywords: int, others: str = "") -> str:
    """Flags, keywords (one bit a letter) and letters of other programs as they stand after ":2,"."""
    if not flags and not keywords and not others:
        return ""
    known = [letter for letter, flag in _LETTERS.items() if flags & flag]
    words = [letter for bit, letter in enumerate(KEYWORDS) if keywords >> bit & 1]
    return "".join(sorted({*known, *words, *others}))


@lru_cache(maxsize=4096)
def flags_of(letters: str) -> tuple[int, int, str]:
    """The reverse: flags, keywords and whatever else stands there (P of other programs)."""
    flags = keywords = 0
    others = set()
    for letter in letters:
        if letter in _LETTERS:
            flags |= _LETTERS[letter]
        elif letter in KEYWORDS:
            keywords |= 1 << KEYWORDS.index(letter)
        elif letter.isascii() and letter.isalnum():
            others.add(letter)
    return flags, keywords, "".join(sorted(others))


class Uniques:
    """Makes names no other process makes: start of the process, its number, a count and 40 random bits."""

    def __init__(self, run_id: str = "") -> None:
        run = re.sub(r"[^a-z0-9]", "", run_id.lower())[:8]
        self.process = f"{run}p{os.getpid()}{base64.b32encode(secrets.token_bytes(5)).decode().lower()}"
        self.count = itertools.count()

    def token(self) -> str:
        """The middle of a name."""
        return f"{self.process}n{next(self.count)}"


def unique_of(token: str, tag: str, sha256: bytes, at: int) -> str:
    """The unique part of a file's name."""
    return f"{at}.{token}.{tag}.{base64.b32encode(sha256[:20]).decode('ascii')[:SHA_LETTERS].lower()}"


# ---- errors


def failed(error: OSError) -> StoreError:
    """What the disk's error means to whoever waits for the reply."""
    return NoSpace() if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG} else StorageFailed()


# ---- writing


@dataclass(slots=True)
class Written:
    """A message that is on disk under tmp/, flushed, and not in its mailbox yet."""

    path: str
    token: str
    size: int
    sha256: bytes


def write(tmp: str, token: str, pieces: Iterator[bytes], internal_date: int | None = None) -> Written:
    """Write a message into tmp/ and flush it. On any error nothing of it stays behind; a failed fsync is final."""
    path = f"{tmp}/{token}"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise failed(error) from error
    try:
        size, digest = 0, hashlib.sha256()
        try:
            for piece in pieces:
                _write_all(handle, piece)
                digest.update(piece)
                size += len(piece)
            if internal_date is not None:
                os.utime(handle, (internal_date, internal_date))
            os.fsync(handle)
        finally:
            os.close(handle)
    except BaseException as error:
        remove(path)
        if isinstance(error, OSError):
            raise failed(error) from error
        raise
    return Written(path, token, size, digest.digest())


def _write_all(handle: int, data: bytes) -> None:
    written = os.write(handle, data)
    while written < len(data):
        data = data[written:]
        written = os.write(handle, data)


def pieces_of(message: BinaryIO | bytes, before: bytes = b"") -> Iterator[bytes]:
    """`before` and then the message, in pieces of a megabyte."""
    if isinstance(message, bytes):
        yield before + message if before else message
        return
    first = before + message.read(_CHUNK)
    yield first
    while piece := message.read(_CHUNK):
        yield piece


def remove(path: str) -> None:
    """Remove a file if it is there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError:
        pass  # it is swept later: a file in tmp/ is no message


def unlink(path: str) -> None:
    """Remove a message's file; one that is gone already is no error."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise failed(error) from error


def flush(path: str) -> None:
    """Make a file that another program wrote durable."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise failed(error) from error


def sync_directory(path: str) -> None:
    """Make the names in a directory durable."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise failed(error) from error


def replace(path: Path, content: bytes) -> None:
    """Give a small file a new content, durably and at once: a reader sees the old or the new."""
    temporary = f"{path}.{secrets.token_hex(6)}.tmp"
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _write_all(handle, content)
            os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(temporary, path)
    except OSError as error:
        remove(temporary)
        raise failed(error) from error
    sync_directory(os.path.dirname(path))


def read(path: str) -> bytes:
    """The content of a message file: a regular file, no link. Raises FileNotFoundError, StorageFailed."""
    try:
        handle = os.open(path, _READ)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise failed(error) from error
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise StorageFailed
        with open(handle, "rb", closefd=False) as file:
            return file.read()
    except OSError as error:
        raise failed(error) from error
    finally:
        os.close(handle)


class Folder:
    """A directory held open to read many files in it: each is found by its name alone."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._handle = -1

    def __enter__(self) -> Folder:
        with suppress(OSError):  # it was moved away: nothing is found in it then
            self._handle = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return self

    def __exit__(self, *_: object) -> None:
        if self._handle >= 0:
            os.close(self._handle)

    def read(self, name: str, size: int) -> bytes | None:
        """What is in a file of this size; None: something is not as expected, and who asks has to look."""
        try:
            handle = os.open(name, _READ, dir_fd=self._handle)
        except OSError:
            return None
        try:
            content = os.read(handle, size + 1)
        except OSError:
            return None
        finally:
            os.close(handle)
        return content if len(content) == size else None


# ---- the mark: how a change by another program is told from our own


def mark(directory: str, at: int = 0) -> int:
    """Set a directory's mtime to this very nanosecond (or to one chosen before) and return it.

    The kernel stamps changes with a clock of about 4 ms grain, so a stamp of its own could hide a second change. A value
    that only we know cannot: as long as the directory has it, nobody has added, renamed or removed a file.
    """
    now = at or time.time_ns()
    try:
        os.utime(directory, ns=(now, now))
        return os.stat(directory).st_mtime_ns
    except OSError as error:
        raise failed(error) from error


def marked(directory: str) -> int:
    """The directory's mtime; 0 when it is not there."""
    try:
        return os.stat(directory).st_mtime_ns
    except OSError:
        return 0


def free_space(path: Path) -> int:
    """Octets an ordinary user can still write there. MAIL is refused below 1.5 times the largest message."""
    numbers = os.statvfs(path)
    return numbers.f_bavail * numbers.f_frsize
