"""What makes a change of several files one change, also when the process dies or the power goes in the middle of it.

One small file in the account's directory, there while such a change is under way:

    new <folder> <mailbox id> <first uid> <last uid>    messages that come together (COPY, MULTIAPPEND): whoever finds
                                                        the line takes out those that are there already
    rename <folder> <folder>                            mailboxes that are renamed together: whoever finds the lines
                                                        renames the rest

The words of a line are separated by tabs. The file is durable before the first message or folder is touched, and its end is
durable before the change is seen by anybody: none before, all after. Only who holds the account's lock writes it, so
whoever takes the lock and finds it takes over from the dead.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from pymaild.store import files

JOURNAL = "pymaild-journal"


def write(root: Path, lines: list[str]) -> None:
    """Say what is about to be done."""
    files.replace(root / JOURNAL, "".join(f"{line}\n" for line in lines).encode())


def end(root: Path) -> None:
    """It is done, or undone: for good."""
    files.unlink(f"{root}/{JOURNAL}")
    files.sync_directory(str(root))


def recover(root: Path) -> None:
    """Undo or finish what somebody who died had begun. Call it while holding the lock."""
    try:
        lines = files.read(f"{root}/{JOURNAL}").decode().splitlines()
    except FileNotFoundError:
        return
    try:
        for line in lines:
            _settle(root, line.split("\t"))
    except OSError as error:
        raise files.failed(error) from error
    end(root)


def _settle(root: Path, words: list[str]) -> None:
    match words:
        case ["new", folder, tag, first, last]:
            with suppress(FileNotFoundError):  # another program has removed the whole mailbox
                _take_out(f"{root}/{folder}/cur", tag, range(int(first), int(last) + 1))
        case ["rename", source, target] if not (root / target).exists():
            with suppress(FileNotFoundError):
                os.rename(root / source, root / target)


def _take_out(cur: str, tag: str, uids: range) -> None:
    """Remove the messages of these uids; another program may have changed their flags meanwhile."""
    for name in os.listdir(cur):
        found = files.parse(name)
        if found.tag == tag and found.uid in uids:
            files.unlink(f"{cur}/{name}")
    files.sync_directory(cur)
