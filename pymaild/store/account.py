"""The mail of one account: mailstore.AccountStore. Folders on disk are the list of mailboxes; the index follows them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from pymaild.mailstore import (
    ALL_RIGHTS,
    AccessDenied,
    Describe,
    InvalidName,
    LimitReached,
    Mailbox,
    MailboxExists,
    MailboxHasChildren,
    MailboxInfo,
    NoSuchMailbox,
    NotPermitted,
    Quota,
    SpecialUse,
)
from pymaild.store import acl, delivery, files, folders, index, metadata, names, rows, sidecar, transfer
from pymaild.store.acl import Acl
from pymaild.store.engine import Engine
from pymaild.store.index import Box
from pymaild.store.mailbox import OpenMailbox
from pymaild.store.transaction import Transaction
from pymaild.store.watched import WatchedMailbox

MAX_MAILBOXES = 10_000
SPECIAL_USE = "/private/specialuse"  # RFC 6154 §5.4
_acls = acl.Reader()


class Account:
    """Safe to use from any thread; holds nothing open."""

    def __init__(self, engine: Engine, describe: Describe) -> None:
        self._engine = engine
        self._describe = describe

    @property
    def address(self) -> str:
        """Whose it is."""
        return self._engine.address

    # ---- lists

    def _boxes(self) -> dict[str, Box]:
        """Every mailbox by name, after looking at the folders."""
        known = self._engine.read(index.boxes)
        if folders.moved(self._engine.root, known):
            with self._engine.writing() as tx:
                tx.changed.update(folders.take_in(self._engine.root, tx.db))
            known = self._engine.read(index.boxes)
        return {box.name: box for box in known}

    def mailboxes(self) -> list[MailboxInfo]:
        """All of them and the levels above them, sorted, INBOX first."""
        boxes, subscribed = self._boxes(), set(self.subscriptions())
        above = {level for name in boxes for level in names.parents(name)}
        order = sorted(boxes.keys() | above, key=lambda name: (name != names.INBOX, name.split("/")))
        return [_info(name, boxes.get(name), name in subscribed, name in above) for name in order]

    def subscriptions(self) -> list[str]:
        """Subscribed names, also of mailboxes that do not exist. RFC 9051 §6.3.7."""
        return sidecar.load_subscriptions(self._engine.root)

    def subscribe(self, name: str, subscribed: bool = True) -> None:
        """Remember or forget the name."""
        name = names.canonical(name)
        with self._engine.lock:
            there = set(sidecar.load_subscriptions(self._engine.root))
            if (name in there) != subscribed:
                sidecar.save_subscriptions(self._engine.root, sorted(there ^ {name}))
                if self._engine.feed:
                    self._engine.feed.publish(self.address, "")

    def quota(self) -> Quota:
        """What is used and allowed."""
        octets_limit, messages_limit = self._engine.limits(self.address)
        octets, messages = self._engine.read(index.usage)
        return Quota(octets, octets_limit, messages, messages_limit)

    # ---- one mailbox

    def open(self, name: str) -> Mailbox:
        """Raises NoSuchMailbox, InvalidName."""
        box = self._box(names.canonical(name))
        leaving = self._engine.leaving.get(box.name)
        mailbox: OpenMailbox = (WatchedMailbox if leaving else OpenMailbox)(self._engine, self._describe, box)
        if isinstance(mailbox, WatchedMailbox) and leaving:
            mailbox.leaving = leaving
        mailbox.refresh()
        return mailbox

    def _box(self, name: str) -> Box:
        """The index's row; a folder that another program made or removed is noticed here."""
        box = self._engine.read(lambda db: index.box_by_name(db, name))
        if box is None or not (self._engine.root / box.folder / "cur").is_dir():
            box = self._boxes().get(name)
        if box is None:
            raise NoSuchMailbox
        return box

    def deliver(self, mailbox: str, trace: bytes, message: BinaryIO, flags: int = 0) -> int:
        """Append `trace` and then the whole of `message`; its uid."""
        box = self._engine.inbox if mailbox == names.INBOX else None
        if box is None:
            found = self._box(names.canonical(mailbox))
            box = (found.mailbox_id, found.folder)
            if found.name == names.INBOX:
                self._engine.inbox = box
        message.seek(0)
        return delivery.deliver(self._engine, box, message, trace, flags)

    def special(self, use: SpecialUse) -> str:
        """The name of the mailbox for this use, made if it is missing."""
        marked = [box.name for box in self._boxes().values() if box.special_use == use.value]
        if marked:
            return min(marked)
        try:
            self.create(use.value, use)
        except MailboxExists:
            with self._engine.writing() as tx:
                box = tx.named(use.value)
                box.special_use = use.value
                tx.save_numbers(box)
        return use.value

    # ---- the tree

    def create(self, name: str, special_use: SpecialUse | None = None) -> None:
        """With every level above it that is missing. RFC 9051 §6.3.4."""
        name = names.canonical(name)
        boxes = self._boxes()
        if name in boxes:
            raise MailboxExists
        missing = [level for level in [*names.parents(name), name] if level not in boxes]
        if len(boxes) + len(missing) > MAX_MAILBOXES:
            raise LimitReached("5.0.0", f"An account cannot have more than {MAX_MAILBOXES} mailboxes")
        with self._engine.writing() as tx:
            for level in missing:
                self._make(tx, level, special_use if level == name else None)

    def _make(self, tx: Transaction, name: str, use: SpecialUse | None) -> None:
        """One new mailbox: numbers first, so that a folder with a cur/ always has them."""
        root, folder = self._engine.root, names.folder_of(name)
        if index.box_by_name(tx.db, name):
            if use or (root / folder / "cur").is_dir():
                raise MailboxExists
            return
        path = root / folder
        path.mkdir(mode=0o700, exist_ok=True)
        numbers = sidecar.Numbers(sidecar.next_uidvalidity(root), sidecar.new_mailbox_id())
        if use:
            numbers = sidecar.Numbers(numbers.uidvalidity, numbers.mailbox_id, special_use=use.value)
        sidecar.save_numbers(path, numbers)
        acl.save(path, self._inherited(tx, name))
        acl.discard(path, metadata.FILE)  # of another mailbox that other programs removed only in part
        folders.make(root, folder)
        files.sync_directory(str(root))
        box = folders.new_box(folder, name, numbers)
        index.insert_box(tx.db, box)
        tx.box(box.mailbox_id)
        tx.changed.add(name)

    def _inherited(self, tx: Transaction, name: str) -> Acl:
        """Who may use the mailbox above may use this one. RFC 4314 §4."""
        above = names.parents(name)
        parent = index.box_by_name(tx.db, above[-1]) if above else None
        return acl.load(tx.root / parent.folder) if parent else acl.NOBODY

    def delete(self, name: str) -> None:
        """Its messages go; mailboxes below it stay. RFC 9051 §6.3.5."""
        name = names.canonical(name)
        if name == names.INBOX:
            raise NotPermitted("5.7.1", "INBOX cannot be deleted")
        self._need_unwatched(name)
        boxes = self._boxes()
        if name not in boxes:
            below = any(other.startswith(name + "/") for other in boxes)
            raise MailboxHasChildren if below else NoSuchMailbox
        with self._engine.writing() as tx:
            box = index.box_by_name(tx.db, name)
            if box is None:
                raise NoSuchMailbox
            gone = folders.move_away(self._engine.root, box.folder)
            index.delete_box(tx.db, box)
            tx.changed.add(name)
        folders.destroy(gone)

    def _need_unwatched(self, name: str) -> None:
        """Raises NotPermitted where something else relies on the mailbox."""
        if name in self._engine.leaving:
            raise NotPermitted("5.7.1", "The server itself keeps this mailbox: it can neither be deleted nor renamed")

    def rename(self, old: str, new: str) -> None:
        """With everything below; INBOX: its messages move and it stays. RFC 9051 §6.3.6."""
        old, new = names.canonical(old), names.canonical(new)
        boxes = self._boxes()
        moving = sorted(name for name in boxes if name == old or name.startswith(old + "/"))
        if not moving:
            raise NoSuchMailbox
        if new in boxes:
            raise MailboxExists
        if old == names.INBOX:
            self._empty_inbox(new)
            return
        for name in moving:
            self._need_unwatched(name)
        if (new + "/").startswith(old + "/"):
            raise NotPermitted("5.0.0", "A mailbox cannot be moved below itself")
        targets = {name: names.canonical(new + name[len(old) :]) for name in moving}
        if boxes.keys() & set(targets.values()):
            raise MailboxExists
        for level in names.parents(new):
            if level not in boxes and level not in moving:
                self.create(level)
        with self._engine.writing() as tx:
            self._announce(tx, targets)
            for source, target in targets.items():
                self._rename(tx, source, target)

    def _announce(self, tx: Transaction, targets: dict[str, str]) -> None:
        """A tree is renamed whole, whoever dies on the way."""
        folder_of = {box.name: box.folder for box in index.boxes(tx.db)}
        moves = [(folder_of[source], names.folder_of(target)) for source, target in targets.items() if source in folder_of]
        if len(moves) > 1:
            tx.announce([f"rename\t{source}\t{target}" for source, target in moves])

    def _rename(self, tx: Transaction, source: str, target: str) -> None:
        box = index.box_by_name(tx.db, source)
        if box is None:
            raise NoSuchMailbox
        root, folder = self._engine.root, names.folder_of(target)
        tx.soil()
        tx.rename(os.path.join(root, box.folder), os.path.join(root, folder))
        tx.db.execute("UPDATE doomed SET folder = ? WHERE folder = ?", (folder, box.folder))
        tx.db.execute("UPDATE mailbox SET folder = ?, name = ? WHERE id = ?", (folder, target, box.id))
        files.sync_directory(str(root))
        tx.changed.update((source, target))

    def _empty_inbox(self, new: str) -> None:
        self.create(new)
        with self._engine.writing() as tx:
            source, target = tx.named(names.INBOX), tx.named(new)
            tx.look(source)
            transfer.move(tx, source, _all(tx.db, source), target)

    # ---- who else may use them

    def has(self, name: str) -> bool:
        """Whether there is a mailbox of this name."""
        try:
            self._box(names.canonical(name))
        except (NoSuchMailbox, InvalidName):
            return False
        return True

    def grants(self, name: str) -> Acl:
        """What others may do with a mailbox."""
        return _acls(self._engine.root / self._box(names.canonical(name)).folder)

    def grants_of(self, mailbox_id: str) -> Acl:
        """The same, of a mailbox that may have been renamed. Raises NoSuchMailbox."""
        box = self._engine.read(lambda db: index.box_by_id(db, mailbox_id))
        if box is None:
            raise NoSuchMailbox
        return _acls(self._engine.root / box.folder)

    def shared(self) -> list[tuple[MailboxInfo, Acl]]:
        """Every mailbox, and what others may do with it."""
        boxes = self._boxes().values()
        return [(MailboxInfo(box.name, mailbox_id=box.mailbox_id), _acls(self._engine.root / box.folder)) for box in boxes]

    def acl(self, name: str) -> list[tuple[str, str]]:
        """The owner and his rights, then all others. RFC 4314 §3.6."""
        return [(self.address, ALL_RIGHTS), *self.grants(name).entries.items()]

    def change_acl(self, name: str, identifier: str, change: str, rights: str) -> None:
        """Rights of anybody but the owner. RFC 4314 §3.1."""
        if identifier.removeprefix("-") == self.address:
            raise NotPermitted("5.0.0", "The owner of a mailbox has every right to it, always")
        with self._engine.writing() as tx:
            box = tx.named(names.canonical(name))
            folder = tx.root / box.folder
            acl.save(folder, acl.load(folder).changed(identifier, change, rights))
            tx.changed.add(box.name)

    def required_rights(self, name: str, identifier: str) -> str:
        """RFC 4314 §3.7."""
        self._box(names.canonical(name))
        return ALL_RIGHTS if identifier == self.address else ""

    def tell_granted(self, keep: Callable[[set[str]], None]) -> None:
        """Hand on every identifier that has rights to some mailbox; nobody changes any of them meanwhile."""
        with self._engine.lock:
            root = self._engine.root
            keep({identifier for folder in folders.found(root) for identifier in acl.load(root / folder).granted})

    def forget_guest(self, guest: str) -> None:
        """Take an account out of every access control list, and what it noted out of every mailbox."""
        with self._engine.writing() as tx:
            for folder in folders.found(tx.root):
                path = tx.root / folder
                before = acl.load(path)
                after = before.changed(guest, "", "").changed(f"-{guest}", "", "")
                if after != before:
                    acl.save(path, after)
                noted = metadata.load(path / metadata.FILE)
                if metadata.without(noted, guest) != noted:
                    metadata.save(path / metadata.FILE, metadata.without(noted, guest))

    # ---- what is noted of them

    def metadata(self, name: str, who: str = "") -> dict[str, bytes]:
        """Entries of a mailbox, or of the server (""), as the owner or a guest sees them. RFC 5464 §3.3."""
        who = who or self.address
        if not name:
            return metadata.seen_by(metadata.load(self._engine.root / metadata.ACCOUNT_FILE), who)
        box = self._box(names.canonical(name))
        found = metadata.seen_by(metadata.load(self._engine.root / box.folder / metadata.FILE), who)
        if box.special_use and who == self.address:
            found[SPECIAL_USE] = b"\\" + box.special_use.encode("ascii")
        return found

    def set_metadata(self, name: str, changes: Mapping[str, bytes | None], who: str = "") -> None:
        """Set some entries, or remove them (None): all or none. RFC 5464 §4.3."""
        who, changes = who or self.address, dict(changes)
        use = _use(changes, is_owner=who == self.address)
        if not name and (use is not None or any(entry.startswith(metadata.SHARED) for entry in changes)):
            raise AccessDenied("What is noted of the server for everybody cannot be changed here")
        with self._engine.writing() as tx:
            box = tx.named(names.canonical(name)) if name else None
            if changes:
                _note(tx.root / box.folder / metadata.FILE if box else tx.root / metadata.ACCOUNT_FILE, changes, who)
            if box and use is not None:
                box.special_use = use
                tx.save_numbers(box)
            tx.changed.add(box.name if box else "")


def _use(changes: dict[str, bytes | None], is_owner: bool) -> str | None:
    """The special use that is asked for, taken out of the changes; "": none; None: it stays. RFC 6154 §5.4."""
    if SPECIAL_USE not in changes:
        return None
    use = (changes.pop(SPECIAL_USE) or b"").decode("ascii", "replace").removeprefix("\\").capitalize()
    if not is_owner:
        raise AccessDenied("Only its owner can say what a mailbox is for")
    if use and use not in SpecialUse._value2member_map_:
        raise NotPermitted("5.0.0", "A mailbox can have one of the special uses Archive, Drafts, Junk, Sent and Trash")
    return use


def _note(path: Path, changes: Mapping[str, bytes | None], who: str) -> None:
    metadata.save(path, metadata.changed(metadata.load(path), who, changes))


def _all(db: sqlite3.Connection, box: Box) -> list[int]:
    return [row.uid for row in rows.rows(db, box, None)]


def _info(name: str, box: Box | None, subscribed: bool, has_children: bool) -> MailboxInfo:
    use = SpecialUse(box.special_use) if box and box.special_use in SpecialUse._value2member_map_ else None
    return MailboxInfo(name, box is not None, subscribed, has_children, use, box.mailbox_id if box else "")
