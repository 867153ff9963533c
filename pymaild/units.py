"""Sizes and durations as people write them: "50M", "25 MiB", "5G"; "90s", "5d", "1h 30m"."""

from __future__ import annotations

import re

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
_SIZE_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_DURATION = re.compile(r"(\d+)\s*(ms|[smhdw])", re.IGNORECASE)
_DURATION_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def size(text: str) -> int:
    """Octets. "50M" and "50 MiB" are the same: 50 times 1,048,576. Raises ValueError with what is expected."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError("a size such as 500K, 25 MiB or 5G (a plain number counts octets)")
    return int(float(match[1]) * _SIZE_UNITS[match[2].upper()])


def show_size(octets: int) -> str:
    """A size for people: "1.4 MiB"; exact where it is a whole number of units."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        factor = _SIZE_UNITS[unit[0]]
        if octets >= factor:
            return f"{octets // factor} {unit}" if octets % factor == 0 else f"{octets / factor:.1f} {unit}"
    return f"{octets} octets"


def duration(text: str) -> float:
    """Seconds. Raises ValueError with what is expected."""
    parts = _DURATION.findall(text)
    if not parts or _DURATION.sub("", text).strip():
        raise ValueError("a duration such as 30s, 5m, 12h, 5d or 1h 30m")
    return float(sum(int(number) * _DURATION_UNITS[unit.lower()] for number, unit in parts))


def show_duration(seconds: float) -> str:
    """A duration for people, to about a tenth: "40 seconds", "5 minutes", "3 hours", "2 days"."""
    for name, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 1.5 * length or (name == "minute" and seconds >= length):
            count = round(seconds / length)
            return f"{count} {name}{'s' if count != 1 else ''}"
    count = max(round(seconds), 0)
    return f"{count} second{'s' if count != 1 else ''}"
