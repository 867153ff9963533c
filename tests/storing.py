"""What tests of storage share: a store in a folder of its own, messages, and the plain truth about a mailbox."""

from __future__ import annotations

import os
from pathlib import Path

from pymaild.mailstore import Column, Mailbox, MailboxState
from pymaild.store import Stores

ANN = "ann@example.org"


def describe(message: bytes) -> dict[Column, bytes]:
    """A stand-in that can be recognised."""
    undated = {Column.SENT: b"", Column.SENT_DAY: b""}
    return {column: column.value.encode() + b":" + message[:20] for column in Column} | undated


def stores(directory: Path, quota: tuple[int, int] = (0, 0)) -> Stores:
    return Stores(directory, describe, None, lambda _: quota)


def message(subject: str, body: str = "Hello\r\n") -> bytes:
    return f"From: bob@example.net\r\nSubject: {subject}\r\n\r\n{body}".encode()


def root(directory: Path) -> Path:
    return directory / "mail" / "example.org" / "ann"


def cur(directory: Path, folder: str = ".") -> list[str]:
    return sorted(os.listdir(root(directory) / folder / "cur"))


def truth(mailbox: Mailbox) -> dict[int, tuple[bytes, int, frozenset[str]]]:
    """uid -> content, flags, keywords."""
    return {row.uid: (mailbox.read(row.uid), int(row.flags), row.keywords) for row in mailbox.rows()}


def numbers(state: MailboxState) -> tuple[int, ...]:
    """What a rebuilt index must say exactly as the lost one did."""
    return (state.uidvalidity, state.messages, state.unseen, state.deleted, state.size, state.first_unseen)


def memory() -> str | None:
    """A directory in memory, where there is one: what dies is a process, not the machine, and flushes would only cost time."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
