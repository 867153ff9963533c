"""The folders of an account on disk: made, found, moved away. A folder is a mailbox when it has a cur/."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
from pathlib import Path

from pymaild.mailstore import StorageFailed
from pymaild.store import files, index, names, sidecar
from pymaild.store.index import Box

GONE = "pymaild-gone"  # deleted mailboxes, until their files are removed


def make(root: Path, folder: str) -> Path:
    """Make the directories of a mailbox; durable but for the folder's name in the account's directory."""
    path = root / folder
    try:
        for directory in (path / "tmp", path / "new", path / "cur"):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise files.failed(error) from error
    files.sync_directory(str(path))
    return path


def make_account(root: Path) -> None:
    """The account's own directory, which is its INBOX, and every name above it, durable."""
    if (root / "cur").is_dir():
        return
    above = [path for path in (root, *list(root.parents)[:3]) if not path.exists()]
    make(root, names.INBOX_FOLDER)
    for path in above:
        files.sync_directory(str(path.parent))


def found(root: Path) -> dict[str, str]:
    """Folder -> mailbox name, of every folder that can be one; the canonical folder wins where two have one name."""
    try:
        entries = [entry.name for entry in os.scandir(root) if entry.name.startswith(".") and entry.is_dir()]
    except OSError as error:
        raise files.failed(error) from error
    by_name = {names.INBOX: names.INBOX_FOLDER}
    for folder in sorted(entries):
        name = names.name_of(folder)
        if name and (name not in by_name or names.folder_of(name) == folder):
            by_name[name] = folder
    return {folder: name for name, folder in by_name.items()}


def moved(root: Path, known: list[Box]) -> bool:
    """Whether another program made or removed a mailbox."""
    there, ours = found(root), {box.folder for box in known}
    return not ours <= there.keys() or any((root / folder / "cur").is_dir() for folder in there.keys() - ours)


def take_in(root: Path, db: sqlite3.Connection, doubt: bool = False) -> list[str]:
    """Make the index know the folders that are there, and forget those that are not; the names that changed.

    `doubt`: the index may be older than the folders, so another mailbox may be under a name it knows.
    """
    there = found(root)
    known = {box.folder: box for box in index.boxes(db)}
    changed = []
    for folder, box in list(known.items()):
        if folder not in there or (doubt and _is_another(root, box)):
            index.delete_box(db, box)
            changed.append(known.pop(folder).name)
    ids = {box.mailbox_id for box in known.values()}
    for folder in sorted(there.keys() - known.keys()):
        if not (root / folder / "cur").is_dir():
            continue
        make(root, folder)  # another program may have made no tmp/ or new/
        box = _adopt(root, folder, there[folder], ids)
        index.insert_box(db, box)
        ids.add(box.mailbox_id)
        changed.append(box.name)
    return changed


def _is_another(root: Path, box: Box) -> bool:
    numbers = sidecar.load_numbers(root / box.folder)
    return numbers is None or (numbers.mailbox_id, numbers.uidvalidity) != (box.mailbox_id, box.uidvalidity)


def _adopt(root: Path, folder: str, name: str, taken: set[str]) -> Box:
    """A folder the index does not know; one without numbers of its own, or with those of another, gets new ones."""
    numbers = sidecar.load_numbers(root / folder)
    if numbers is None or numbers.mailbox_id in taken:
        use = numbers.special_use if numbers and numbers.mailbox_id not in taken else ""
        numbers = sidecar.Numbers(sidecar.next_uidvalidity(root), sidecar.new_mailbox_id(), special_use=use)
        sidecar.save_numbers(root / folder, numbers)
    return new_box(folder, name, numbers)


def new_box(folder: str, name: str, numbers: sidecar.Numbers) -> Box:
    """A mailbox of which nothing is known but its numbers; its files are looked at when it is first used."""
    box = Box(*([0] * len(index.BOX_FIELDS)))  # type: ignore[arg-type]
    box.folder, box.name, box.keywords = folder, name, ""
    box.mailbox_id, box.special_use, box.uidvalidity = numbers.mailbox_id, numbers.special_use, numbers.uidvalidity
    box.uid_bound, box.modseq_bound = numbers.uid_bound, numbers.modseq_bound
    box.uidnext = box.modseq = box.recent_uid = box.rendered_uid = box.text_uid = 1
    box.recovering = index.LOST
    return box


def move_away(root: Path, folder: str) -> Path:
    """Take a folder out of the account in one step; the caller removes what it returns after its commit."""
    gone = root / GONE
    target = gone / secrets.token_hex(8)
    try:
        gone.mkdir(mode=0o700, exist_ok=True)
        os.rename(root / folder, target)
    except OSError as error:
        raise files.failed(error) from error
    files.sync_directory(str(gone))
    files.sync_directory(str(root))
    return target


def destroy(path: Path) -> None:
    """Remove a tree; what cannot be removed stays for the next sweep."""
    shutil.rmtree(path, ignore_errors=True)


def sweep(root: Path, before: float) -> None:
    """Remove what interrupted deliveries left in tmp/ before a moment, and what is left of deleted mailboxes."""
    for folder in found(root):
        tmp = root / folder / "tmp"
        try:
            stale = [entry.path for entry in os.scandir(tmp) if entry.stat(follow_symlinks=False).st_mtime < before]
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StorageFailed from error
        for path in stale:
            files.remove(path)
    gone = root / GONE
    if gone.is_dir():
        for path in gone.iterdir():  # type: ignore[assignment]
            destroy(Path(path))
