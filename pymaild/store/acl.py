"""Access control lists: who else may do what with a mailbox, and the file pymaild-acl that says so. RFC 4314.

    bob@example.org lrs
    -bob@example.org s        negative rights: taken away again, whatever else grants them
    anyone l                  every account of the server

A line is an identifier and its rights. The owner is not in it: he has every right, always. A file that cannot be read to
the end grants nothing to anybody.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pymaild.mailstore import ALL_RIGHTS, ANYONE, LimitReached, StorageFailed
from pymaild.store import files

FILE: Final = "pymaild-acl"
MAX_ENTRIES: Final = 1000
_REMEMBERED: Final = 20_000  # files
_GRAIN: Final = 50_000_000  # nanoseconds; two changes closer than the kernel's clock can tell may bear one stamp


def ordered(rights: Iterable[str]) -> str:
    """Each right once, as RFC 4314 §2.1 lists them; what is no right is left out."""
    given = set(rights)
    return "".join(right for right in ALL_RIGHTS if right in given)


@dataclass(frozen=True, slots=True)
class Acl:
    """The entries of one mailbox: identifier -> rights."""

    entries: Mapping[str, str] = field(default_factory=dict)

    def rights_of(self, account: str) -> str:
        """What all entries for an account, and for anyone, come to. RFC 4314 §2."""
        granted = set(self.entries.get(account, "")) | set(self.entries.get(ANYONE, ""))
        denied = set(self.entries.get(f"-{account}", "")) | set(self.entries.get(f"-{ANYONE}", ""))
        return ordered(granted - denied)

    def changed(self, identifier: str, change: str, rights: str) -> Acl:
        """With rights added ("+"), removed ("-") or replaced (""); an entry without rights is none. RFC 4314 §3.1."""
        before = self.entries.get(identifier, "")
        after = {"+": set(before) | set(rights), "-": set(before) - set(rights)}.get(change, set(rights))
        entries = {**self.entries, identifier: ordered(after)}
        if not entries[identifier]:
            del entries[identifier]
        if len(entries) > MAX_ENTRIES:
            raise LimitReached("5.0.0", f"A mailbox cannot have more than {MAX_ENTRIES} entries in its access control list")
        return Acl(dict(sorted(entries.items())))

    @property
    def granted(self) -> set[str]:
        """The identifiers that are given rights."""
        return {identifier for identifier in self.entries if not identifier.startswith("-")}


NOBODY: Final = Acl()


def load(folder: Path) -> Acl:
    """What the file says; no file: nobody but the owner has any right."""
    try:
        text = (folder / FILE).read_bytes().decode()
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return NOBODY
    except OSError as error:
        raise StorageFailed from error
    entries = {}
    for line in text.split("\n")[:-1]:
        identifier, space, rights = line.rpartition(" ")
        if not space or not identifier or set(rights) - set(ALL_RIGHTS) or identifier in entries:
            return NOBODY
        entries[identifier] = ordered(rights)
    return Acl(entries)


def save(folder: Path, acl: Acl) -> None:
    """Durable when it returns; an empty list needs no file."""
    lines = [f"{identifier} {rights}\n" for identifier, rights in acl.entries.items()]
    if lines:
        files.replace(folder / FILE, "".join(lines).encode())
    else:
        discard(folder, FILE)


def discard(folder: Path, name: str) -> None:
    """Remove a small file, durably, if it is there."""
    if (folder / name).exists():
        files.unlink(f"{folder}/{name}")
        files.sync_directory(str(folder))


class Reader:
    """Reads files that seldom change: again only when the file is another one."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, int, int], Acl]] = {}

    def __call__(self, folder: Path) -> Acl:
        """As load()."""
        path = f"{folder}/{FILE}"
        try:
            found = os.stat(path)
        except OSError:
            return load(folder)
        stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
        known = self._known.get(path)
        if known is None or known[0] != stamp:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = (stamp, load(folder))
            if time.time_ns() - found.st_mtime_ns > _GRAIN:
                self._known[path] = known
        return known[1]
