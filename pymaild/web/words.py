"""Dates, sizes and names in the reader's words."""

from __future__ import annotations

import hashlib
import time
from typing import Final

from pymaild.mailstore import MailboxInfo, SpecialUse

_MONTHS: Final = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_DAYS: Final = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
HUES: Final = 8

# Where the folders with a use stand, how they are called and which icon they get.
SPECIAL: Final = {
    SpecialUse.DRAFTS: (1, "Drafts", "drafts"),
    SpecialUse.SENT: (2, "Sent", "sent"),
    SpecialUse.ARCHIVE: (3, "Archive", "archive"),
    SpecialUse.JUNK: (4, "Junk", "junk"),
    SpecialUse.TRASH: (5, "Trash", "trash"),
}


def order(box: MailboxInfo) -> tuple[int, list[str]]:
    """Inbox first, then the folders with a use, then the others by name, each with its subfolders below it."""
    top = box.name.partition("/")[0]
    if top == "INBOX":
        rank = 0
    elif box.special_use and "/" not in box.name:
        rank = SPECIAL[box.special_use][0]
    else:
        rank = 9
    return rank, [level.casefold() for level in box.name.split("/")]


def folder_name(name: str) -> str:
    """The whole name of a mailbox as people read it."""
    if name == "INBOX":
        return "Inbox"
    return " / ".join(["Inbox", *name.split("/")[1:]] if name.startswith("INBOX/") else name.split("/"))


def folder_icon(box: MailboxInfo) -> str:
    """Which icon it gets."""
    if box.name == "INBOX":
        return "inbox"
    return SPECIAL[box.special_use][2] if box.special_use else "folder"


def size(octets: int) -> str:
    """3 KB, 1.4 MB."""
    if octets < 1000:
        return "1 byte" if octets == 1 else f"{octets} bytes"
    amount, unit = octets / 1000, "KB"
    for larger in ("MB", "GB"):
        if amount >= 999.5:
            amount, unit = amount / 1000, larger
    return f"{amount:.1f} {unit}" if amount < 9.95 and unit != "KB" else f"{amount:.0f} {unit}"


def count(number: int, one: str, many: str = "") -> str:
    """1 message, 2 messages."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def date(at: float, now: float) -> str:
    """As short as it can be: 14:05 today, Tue in this week, 3 Mar this year, 3 Mar 2021."""
    then, today = _local(at), _local(now)
    days = _day(now, today) - _day(at, then)
    if days == 0:
        return f"{then.tm_hour:02}:{then.tm_min:02}"
    if days == 1:
        return "Yesterday"
    if 1 < days < 7:
        return _DAYS[then.tm_wday]
    day = f"{then.tm_mday} {_MONTHS[then.tm_mon - 1]}"
    return day if then.tm_year == today.tm_year else f"{day} {then.tm_year}"


def _day(at: float, local: time.struct_time) -> int:
    return (int(_within_calendar(at)) + local.tm_gmtoff) // 86400


def full_date(at: float) -> str:
    """Tue 3 March 2026, 14:05, in the server's time zone."""
    then = _local(at)
    day = f"{_DAYS[then.tm_wday]} {then.tm_mday} {_MONTHS[then.tm_mon - 1]} {then.tm_year}"
    return f"{day}, {then.tm_hour:02}:{then.tm_min:02}"


def iso(at: float) -> str:
    """For the datetime attribute: the script shows it in the reader's own zone."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(_within_calendar(at)))


def _local(at: float) -> time.struct_time:
    return time.localtime(_within_calendar(at))


def _within_calendar(at: float) -> float:
    """Strangers choose the Date field, and the calendar of the C library ends somewhere."""
    return min(max(at, 0), 253402214400)  # 9999-12-31


def initial(name: str) -> str:
    """One letter to stand for a person."""
    return next((char.upper()[:1] for char in name if char.isalnum()), "?")


def hue(name: str) -> str:
    """The class of a colour that stays with a name."""
    return f"hue{hashlib.sha256(name.casefold().encode('utf-8', 'replace')).digest()[0] % HUES}"
