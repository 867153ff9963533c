"""pymaild import and export: mail moves in and out, with flags and dates, and can be stopped and started again."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from pymaild.assembly import Services, assemble, become
from pymaild.cli.accounts import existing
from pymaild.cli.errors import CANNOT_CREATE, DATA, NO_INPUT, USAGE, CommandError
from pymaild.cli.listing import as_json
from pymaild.cli.mailfiles import Found, maildir_name, mbox_entry, messages, octets_of, sources, with_lf
from pymaild.cli.parser import Options
from pymaild.cli.progress import Progress
from pymaild.mailstore import AccountStore, InvalidName, Mailbox, NoSuchMailbox, Row
from pymaild.units import show_size

_BLOCK = 1 << 16
_LOOK_BACK = 1000  # messages that an interrupted import may have stored without having noted it


@contextmanager
def account_of(options: Options) -> Iterator[tuple[Services, AccountStore]]:
    """The services, and the mail of the account that is meant."""
    become(options.config)
    services = assemble(options.config)
    try:
        yield services, services.stores(existing(services.directory, options.address).address)
    finally:
        services.close()


# ---- import


class Ledger:
    """What an import from one place has taken in: a line for each message, its mailbox, uid and digest.

    A second run leaves out as many messages of a digest as are noted. The last message may be stored and not noted; it
    is found again among those with a higher uid.
    """

    def __init__(self, folder: Path, address: str, source: Path, mailbox: str, again: bool) -> None:
        name = hashlib.sha256(f"{address}\0{source.resolve()}\0{mailbox}".encode("utf-8", "surrogateescape")).hexdigest()
        folder.mkdir(mode=0o700, exist_ok=True)
        self._file = folder / f"{name[:32]}.txt"
        if again:
            self._file.unlink(missing_ok=True)
        self._done: Counter[str] = Counter()
        self._last: dict[str, int] = {}
        self._read()
        self._out: TextIO = self._file.open("a", encoding="utf-8")

    def _read(self) -> None:
        if not self._file.exists():
            return
        for line in self._file.read_text("utf-8").splitlines():
            uid, digest, mailbox = line.split(" ", 2)
            self._done[digest + mailbox] += 1
            self._last[mailbox] = max(self._last.get(mailbox, 0), int(uid))

    def took(self, mailbox: str, digest: str) -> bool:
        """Whether an earlier run took it in; each note counts for one message."""
        if self._done[digest + mailbox] == 0:
            return False
        self._done[digest + mailbox] -= 1
        return True

    def note(self, mailbox: str, uid: int, digest: str) -> None:
        """It is stored."""
        self._out.write(f"{uid} {digest} {mailbox}\n")
        self._out.flush()

    def catch_up(self, name: str, mailbox: Mailbox) -> None:
        """Note what was stored just before an interruption."""
        last = self._last.pop(name, None)
        if last is None:
            return
        for uid in [uid for uid in mailbox.uids() if uid > last][:_LOOK_BACK]:
            digest = hashlib.sha256(mailbox.read(uid)).hexdigest()
            self._done[digest + name] += 1
            self.note(name, uid, digest)

    def close(self) -> None:
        """Let go of the file."""
        self._out.close()


def import_(options: Options) -> int:
    """Take mail in."""
    path = Path(options.path).expanduser()
    if not path.exists():
        raise CommandError(NO_INPUT, f"{path}: there is no such file or folder")
    with account_of(options) as (_, store):
        ledger = Ledger(
            options.config.server.data_dir / "imports", store.address, path, options.mailbox or "", options.again
        )
        try:
            counts = _import_all(store, path, options.mailbox, ledger)
        finally:
            ledger.close()
    if options.json:
        as_json(counts)
    else:
        before = f" {counts['left_out']} were taken in before (--again takes them once more)." if counts["left_out"] else ""
        print(f"Took in {counts['messages']} messages into {counts['mailboxes']} mailboxes.{before}")
    return 0


def _import_all(store: AccountStore, path: Path, mailbox: str | None, ledger: Ledger) -> dict[str, int]:
    from pymaild.store.names import name_of  # noqa: PLC0415 - with the storage

    found = list(sources(path, name_of))
    if not found:
        raise CommandError(DATA, f"{path}: there is neither a Maildir nor an mbox nor an .eml file in it")
    counts = {"messages": 0, "left_out": 0, "mailboxes": 0}
    opened: dict[str, Mailbox] = {}
    with Progress(f"import {path.name}", sum(octets_of(source) for _, source in found), show_size) as progress:
        for place, source in found:
            name = mailbox or mailbox_name(place)
            if name not in opened:
                opened[name] = _opened(store, name)
                ledger.catch_up(name, opened[name])
            for message in messages(name, source):
                counts[_take_in(opened[name], name, message, ledger)] += 1
                progress.advance(message.read)
    counts["mailboxes"] = len(opened)
    return counts


def mailbox_name(place: str) -> str:
    """The mailbox that a place in a folder stands for; the top is INBOX."""
    return "INBOX" if place.upper() in ("", "INBOX") else place


def _opened(store: AccountStore, name: str) -> Mailbox:
    try:
        return store.open(name)
    except NoSuchMailbox:
        try:
            store.create(name)
        except InvalidName as error:
            raise CommandError(DATA, f"{name}: {error.text}; choose another name with --mailbox") from None
        store.subscribe(name)
        return store.open(name)


def _take_in(mailbox: Mailbox, name: str, found: Found, ledger: Ledger) -> str:
    """Store one message unless it was stored before; which count it belongs to."""
    with found.message as message:
        digest = _digest(message)
        if ledger.took(name, digest):
            return "left_out"
        message.seek(0)
        uid = mailbox.append(message, found.flags, found.keywords, found.internal_date)
    ledger.note(name, uid, digest)
    return "messages"


def _digest(message: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := message.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


# ---- export


def export(options: Options) -> int:
    """Write mail out."""
    path = Path(options.path).expanduser()
    kind = options.format or ("mbox" if path.suffix == ".mbox" else "maildir")
    with account_of(options) as (_, store):
        names = [options.mailbox] if options.mailbox else [info.name for info in store.mailboxes() if info.selectable]
        if path.suffix == ".mbox" and kind == "mbox" and len(names) > 1:
            raise CommandError(USAGE, f"{path} is one file: name one mailbox with --mailbox, or a folder without .mbox")
        mailboxes = [(name, store.open(name)) for name in names]
        total = sum(mailbox.state().messages for _, mailbox in mailboxes)
        written = 0
        with Progress(f"export to {path.name}", total) as progress:
            for name, mailbox in mailboxes:
                written += _FORMATS[kind](path, name, mailbox, progress)
    if options.json:
        as_json({"messages": written, "mailboxes": len(names), "format": kind})
    else:
        there = f" {total - written} were there already." if written < total else ""
        print(f"Wrote {written} messages of {len(names)} mailboxes to {path}.{there}")
    return 0


def _rows(mailbox: Mailbox, progress: Progress) -> Iterator[tuple[Row, bytes]]:
    """Every message with what is known of it, one in memory at a time."""
    for row in list(mailbox.rows()):
        yield row, mailbox.read(row.uid)
        progress.advance()


def _to_maildir(path: Path, name: str, mailbox: Mailbox, progress: Progress) -> int:
    """A Maildir++ folder; what an earlier export wrote there is left alone."""
    from pymaild.store.names import folder_of  # noqa: PLC0415 - with the storage

    folder = path / folder_of(name)
    for part in ("cur", "new", "tmp"):
        (folder / part).mkdir(mode=0o700, parents=True, exist_ok=True)
    if name != "INBOX":
        (folder / "maildirfolder").touch()
    there = {file.name.partition(",")[0] for file in (folder / "cur").iterdir()}
    keywords = sorted({word for row in mailbox.rows() for word in row.keywords})[:26]
    if keywords:
        lines = [f"{number} {word}\n" for number, word in enumerate(keywords)]
        (folder / "dovecot-keywords").write_text("".join(lines), "utf-8")
    validity = mailbox.state().uidvalidity
    written = 0
    for row in list(mailbox.rows()):
        progress.advance()
        unique = f"{row.internal_date}.V{validity}U{row.uid}.pymaild"
        if unique in there:
            continue
        letters = "".join(sorted(chr(ord("a") + keywords.index(word)) for word in row.keywords if word in keywords))
        text = with_lf(mailbox.read(row.uid))
        _place(folder / "cur" / maildir_name(unique, len(text), row.flags, letters), text, row.internal_date)
        written += 1
    return written


def _place(file: Path, text: bytes, date: int) -> None:
    """Under its name only when it is complete."""
    part = file.parent.parent / "tmp" / file.name if file.parent.name == "cur" else file.with_name(file.name + ".part")
    part.write_bytes(text)
    os.utime(part, (date, date))
    part.rename(file)


def _to_mbox(path: Path, name: str, mailbox: Mailbox, progress: Progress) -> int:
    """One file; under its name only when it is complete."""
    file = path if path.suffix == ".mbox" else path.joinpath(*name.split("/")).with_name(name.rpartition("/")[2] + ".mbox")
    if file.exists():
        raise CommandError(CANNOT_CREATE, f"{file} is there already; remove it or choose another place")
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = file.with_name(file.name + ".part")
    written = 0
    with part.open("wb") as opened:
        for row, message in _rows(mailbox, progress):
            opened.write(mbox_entry(message, row.flags, tuple(row.keywords), row.internal_date))
            written += 1
    part.rename(file)
    return written


def _to_eml(path: Path, name: str, mailbox: Mailbox, progress: Progress) -> int:
    """A folder with a file for each message; .eml has no place for flags, the date is the file's."""
    folder = path.joinpath(*name.split("/"))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    validity = mailbox.state().uidvalidity
    written = 0
    for row in list(mailbox.rows()):
        progress.advance()
        file = folder / f"{validity}-{row.uid}.eml"
        if not file.exists():
            _place(file, mailbox.read(row.uid), row.internal_date)
            written += 1
    return written


_FORMATS = {"maildir": _to_maildir, "mbox": _to_mbox, "eml": _to_eml}
