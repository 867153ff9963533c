"""The Date field: written exactly, read generously. RFC 5322 §3.3, §4.3."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

MAX_DATE = 200  # characters worth looking at: a real date has 31, with comments perhaps 80
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# The day's name is optional and never checked; seconds, zone and century may be missing. Blanks may stand around colons.
_DATE = re.compile(
    r"""\s*(?:[A-Za-z]+\s*,?\s*)?
    (?P<day>\d{1,2})[\s-]+(?P<month>[A-Za-z]{3})[A-Za-z]*[.]?[\s,-]+(?P<year>\d{2,4})(?!\d)[\s,]*
    (?:(?P<hour>\d{1,2})\s*[:.]\s*(?P<minute>\d{2})(?:\s*[:.]\s*(?P<second>\d{2}))?(?:\.\d+)?
       \s*(?P<zone>[+-]\d{1,4}(?!\d)|[+-]\d{2}:\d{2}|[A-Za-z]+)?)?""",
    re.VERBOSE | re.ASCII,
)
# "Fri Dec  8 12:34:56 2006": ctime's order, as old programs write it
_CTIME = re.compile(
    r"""\s*(?:[A-Za-z]+\s*,?\s+)?(?P<month>[A-Za-z]{3})[A-Za-z]*[.]?\s+(?P<day>\d{1,2}),?\s+
    (?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?\s+(?:(?P<zone>[+-]\d{4}|[A-Z]{1,5})\s+)?
    (?P<year>\d{4})(?!\d)(?:\s+(?P<zone2>[+-]\d{4}))?""",
    re.VERBOSE | re.ASCII,
)
# RFC 5322 §4.3; every other name, and the military letters, mean "unknown": +0000
_ZONES = {"EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420}
_COMMENT = re.compile(r"\([^()]*\)?")


class Date(NamedTuple):
    """A moment as its writer saw it."""

    epoch: int  # seconds since 1970 UTC
    zone: int  # minutes east of UTC
    day: int  # the calendar day in the writer's own zone, in days since 1970-01-01


def parse(body: bytes) -> Date | None:
    """The moment a Date field names; None when it names none. RFC 5322 §3.3, §4.3."""
    return _parsed(body[:MAX_DATE])


@lru_cache(maxsize=16)  # a message's own date is asked for from several sides
def _parsed(body: bytes) -> Date | None:
    text = body.decode("latin-1")
    if "(" in text:
        text = _COMMENT.sub(" ", text)
    found = _DATE.match(text) or _CTIME.match(text)
    if found is None or found["month"].capitalize() not in MONTHS:
        return None
    year = _year(found["year"])
    clock = [int(found[unit] or 0) for unit in ("hour", "minute", "second")]
    try:
        day = datetime(year, MONTHS.index(found["month"].capitalize()) + 1, int(found["day"]), tzinfo=UTC)
    except ValueError:
        return None
    if clock[0] > 24 or clock[1] > 59 or clock[2] > 60:  # 60: a leap second
        return None
    days = (day - datetime(1970, 1, 1, tzinfo=UTC)).days
    zone = _zone(found["zone"] or found.groupdict().get("zone2") or "")
    return Date(days * 86400 + clock[0] * 3600 + clock[1] * 60 + clock[2] - zone * 60, zone, days)


def _year(digits: str) -> int:
    """Two digits mean 1950 to 2049, three count from 1900. RFC 5322 §4.3."""
    year = int(digits)
    if len(digits) == 2:
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(digits) == 3 else year


def _zone(text: str) -> int:
    """Minutes east of UTC; what cannot be is +0000. RFC 5322 §3.3."""
    if text[:1] not in ("+", "-"):
        return _ZONES.get(text.upper(), 0)
    digits = text[1:].replace(":", "")
    digits = digits + "00" if len(digits) <= 2 else digits
    hours, minutes = int(digits[:-2]), int(digits[-2:])
    offset = hours * 60 + minutes if hours < 24 and minutes < 60 else 0
    return -offset if text[0] == "-" else offset


def format_date(at: float, zone: int = 0) -> str:
    """The moment as a Date or Received field has it, `zone` in minutes east of UTC. RFC 5322 §3.3."""
    try:
        moment = datetime.fromtimestamp(at, UTC) + timedelta(minutes=zone)
    except (OverflowError, ValueError, OSError):
        moment = datetime(1970, 1, 1, tzinfo=UTC)
    sign, size = "+" if zone >= 0 else "-", abs(zone)
    return (
        f"{DAYS[moment.weekday()]}, {moment.day:02} {MONTHS[moment.month - 1]} {moment.year:04}"
        f" {moment:%H:%M:%S} {sign}{size // 60:02}{size % 60:02}"
    )
