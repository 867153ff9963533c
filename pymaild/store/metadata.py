"""What is noted of mailboxes, of an account and of the server: entries with values, for everybody or for one. RFC 5464.

pymaild-metadata           in each folder: of that mailbox
pymaild-account-metadata   in the account's directory: what its owner noted of the server (mailbox name "")
mail/pymaild-metadata      of the server, for everybody

A line is a JSON list: whose entry it is ("" for /shared), its name, and its value as text or, where it is no UTF-8, as
base64 in a list of its own. A line that cannot be read is passed over.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pymaild.mailstore import StorageFailed, TooManyEntries
from pymaild.store import acl, files

FILE: Final = "pymaild-metadata"
ACCOUNT_FILE: Final = "pymaild-account-metadata"
MAX_ENTRIES: Final = 100  # of one person, in one file
MAX_FILE: Final = 1 << 20
SHARED: Final = "/shared/"

Key = tuple[str, str]  # whose (an address; "" is everybody's), entry
Entries = dict[Key, bytes]


def load(path: Path) -> Entries:
    """Every entry of everybody."""
    try:
        text = path.read_bytes().decode("utf-8", "replace")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise StorageFailed from error
    entries: Entries = {}
    for line in text.split("\n"):
        try:
            whose, entry, value = json.loads(line)
            entries[str(whose), str(entry)] = value.encode() if isinstance(value, str) else base64.b64decode(value[0])
        except (ValueError, TypeError, IndexError):
            continue
    return entries


def save(path: Path, entries: Entries) -> None:
    """Durable when it returns; no entries need no file."""
    if not entries:
        acl.discard(path.parent, path.name)
        return
    content = "".join(_line(key, value) for key, value in sorted(entries.items())).encode()
    if len(content) > MAX_FILE:
        raise TooManyEntries
    files.replace(path, content)


def _line(key: Key, value: bytes) -> str:
    try:
        shown: object = value.decode()
    except UnicodeDecodeError:
        shown = [base64.b64encode(value).decode("ascii")]
    return json.dumps([*key, shown], ensure_ascii=False) + "\n"


def seen_by(entries: Entries, who: str) -> dict[str, bytes]:
    """What somebody can see: everybody's entries and his own. RFC 5464 §3.3."""
    return {entry: value for (whose, entry), value in entries.items() if whose in ("", who)}


def changed(entries: Entries, who: str, changes: Mapping[str, bytes | None]) -> Entries:
    """With values set, or removed where they are None. Raises TooManyEntries."""
    after = dict(entries)
    for entry, value in changes.items():
        key = ("" if entry.startswith(SHARED) else who, entry)
        if value is None:
            after.pop(key, None)
        else:
            after[key] = value
    for whose in ("", who):
        if sum(key[0] == whose for key in after) > MAX_ENTRIES:
            raise TooManyEntries
    return after


def without(entries: Entries, who: str) -> Entries:
    """Without what somebody noted for himself."""
    return {key: value for key, value in entries.items() if key[0] != who}
