"""What a list says of a message: the index's SUMMARY column (message/summary.py) as values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pymaild.mailstore import Column, Flag, Mailbox, Row


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a list."""

    mailbox: str
    row: Row
    authors: str
    recipients: str
    subject: str
    date: float
    preview: str
    has_attachment: bool

    def has(self, flag: Flag) -> bool:
        """Whether a system flag is set."""
        return bool(self.row.flags & flag)


def entries(mailbox: Mailbox, uids: Sequence[int]) -> list[Entry]:
    """The lines of these messages, the newest uid first; messages that have gone in the meantime are left out."""
    summaries = {uid: summary for uid, (summary,) in mailbox.columns(sorted(uids), [Column.SUMMARY])}
    found = [_entry(mailbox.name, row, summaries[row.uid]) for row in mailbox.rows(sorted(uids)) if row.uid in summaries]
    return found[::-1]


def _entry(mailbox: str, row: Row, summary: bytes) -> Entry:
    said = json.loads(summary)
    return Entry(
        mailbox=mailbox,
        row=row,
        authors=_people(said["from"]),
        recipients=_people(said["to"]),
        subject=str(said["subject"] or "").strip(),
        date=said["date"] if isinstance(said["date"], int | float) else row.internal_date,
        preview=str(said["preview"] or ""),
        has_attachment=bool(said["has_attachment"]),
    )


def _people(pairs: list[list[str]]) -> str:
    """Names where there are some, addresses otherwise."""
    names = [str(name or address) for name, address in pairs[:3]]
    return ", ".join(names) + (f" and {len(pairs) - 3} more" if len(pairs) > 3 else "")
