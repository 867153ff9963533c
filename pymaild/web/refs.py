"""How pages name messages: uid, uidvalidity and mailbox in one value, so that an old page never hits another message."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pymaild.mailstore import AccountStore, Mailbox
from pymaild.web.http import HttpError

_REF = re.compile(r"([1-9]\d{0,9})\.([1-9]\d{0,9})\.(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Ref:
    """One message of the account."""

    uid: int
    uidvalidity: int
    mailbox: str

    def __str__(self) -> str:
        return f"{self.uid}.{self.uidvalidity}.{self.mailbox}"


def parse_ref(text: str) -> Ref:
    """The reference that a form or an address brought back."""
    match = _REF.fullmatch(text)
    if not match or not text.isprintable():
        raise HttpError(400, "The form names a message in a way that cannot be read. Load the page again.")
    return Ref(int(match[1]), int(match[2]), match[3])


def open_refs(store: AccountStore, refs: Iterable[Ref]) -> list[tuple[Mailbox, list[int]]]:
    """The mailboxes that hold the messages, each with the uids wanted of it."""
    wanted: dict[tuple[str, int], list[int]] = {}
    for ref in refs:
        wanted.setdefault((ref.mailbox, ref.uidvalidity), []).append(ref.uid)
    found = []
    for (name, uidvalidity), uids in wanted.items():
        mailbox = store.open(name)
        if mailbox.state().uidvalidity != uidvalidity:
            raise HttpError(409, "The folder has been made anew since this page was loaded. Load it again.")
        found.append((mailbox, sorted(set(uids))))
    return found
