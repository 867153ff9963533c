"""The small files beside the messages: what must survive the loss of the index and does not fit into a file's name.

pymaild-mailbox      in each folder: uidvalidity, mailbox id, special use, and the numbers below which no uid and no
                     modseq may be given out again
pymaild-keywords     in each folder: which keyword each of the letters a-z stands for
pymaild-uidvalidity  in the account's directory: the last uidvalidity given out
subscriptions        in the account's directory: one mailbox name a line
"""

from __future__ import annotations

import base64
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from pymaild.mailstore import StorageFailed
from pymaild.store import files

MAILBOX = "pymaild-mailbox"
KEYWORDS = "pymaild-keywords"
UIDVALIDITY = "pymaild-uidvalidity"
SUBSCRIPTIONS = "subscriptions"
ID_LETTERS = 10


@dataclass(frozen=True, slots=True)
class Numbers:
    """The content of pymaild-mailbox. Uids below uid_bound and modseqs below modseq_bound may be in use already."""

    uidvalidity: int
    mailbox_id: str
    uid_bound: int = 1
    modseq_bound: int = 1
    special_use: str = ""


def load_numbers(folder: Path) -> Numbers | None:
    """None: there is no such file, or it is damaged; the mailbox then starts a new life with a new uidvalidity."""
    words = _read(folder / MAILBOX).split()
    try:
        version, uidvalidity, mailbox_id, uid_bound, modseq_bound, *use = words
        numbers = Numbers(int(uidvalidity), mailbox_id, int(uid_bound), int(modseq_bound), use[0] if use else "")
    except (ValueError, IndexError):
        return None
    valid = version == "1" and numbers.uidvalidity > 0 and numbers.uid_bound > 0 and mailbox_id.isalnum()
    return numbers if valid else None


def save_numbers(folder: Path, numbers: Numbers) -> None:
    """Durable before any number below the new bounds is used."""
    line = f"1 {numbers.uidvalidity} {numbers.mailbox_id} {numbers.uid_bound} {numbers.modseq_bound}"
    files.replace(folder / MAILBOX, f"{line} {numbers.special_use}".rstrip().encode("ascii") + b"\n")


def new_mailbox_id() -> str:
    """An id that no other mailbox of the account has. RFC 8474 §5.1."""
    return base64.b32encode(secrets.token_bytes(7)).decode("ascii").lower()[:ID_LETTERS]


def next_uidvalidity(account: Path) -> int:
    """A uidvalidity above every one this account has used: the time, or one more than the last. RFC 9051 §2.3.1.1."""
    text = _read(account / UIDVALIDITY).strip()
    last = int(text) if text.isascii() and text.isdigit() and len(text) < 11 else 0
    number = max(int(time.time()), last + 1)
    files.replace(account / UIDVALIDITY, b"%d\n" % number)
    return number


def load_keywords(folder: Path) -> tuple[str, ...]:
    """The keywords by letter; an empty word: the letter is free."""
    words = [""] * len(files.KEYWORDS)
    for line in _read(folder / KEYWORDS).splitlines():
        number, _, word = line.partition(" ")
        if number.isascii() and number.isdigit() and int(number) < len(words) and word:
            words[int(number)] = word
    while words and not words[-1]:
        words.pop()
    return tuple(words)


def save_keywords(folder: Path, words: tuple[str, ...]) -> None:
    """Durable before a letter is used."""
    lines = [f"{number} {word}\n" for number, word in enumerate(words) if word]
    files.replace(folder / KEYWORDS, "".join(lines).encode())


def load_subscriptions(account: Path) -> list[str]:
    """The subscribed names, sorted."""
    return sorted({line for line in _read(account / SUBSCRIPTIONS).splitlines() if line})


def save_subscriptions(account: Path, names: list[str]) -> None:
    """One a line."""
    files.replace(account / SUBSCRIPTIONS, "".join(f"{name}\n" for name in sorted(set(names))).encode())


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        raise StorageFailed from error
