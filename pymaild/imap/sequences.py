"""Sequence sets: `1:4,7,9:*`, parsed with bounds and turned into numbers that exist. RFC 3501 §9 (sequence-set)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

from pymaild.imap.errors import Bad, No

MAX_NUMBER = 0xFFFFFFFF
MAX_RANGES = 10_000
Range = tuple[int, int]
Ranges = tuple[Range, ...]  # as written; 0 stands for *
SAVED: Ranges = ()  # $, what the last SEARCH RETURN (SAVE) found. RFC 5182 §2.2


def number(digits: bytes) -> int:
    """An nz-number: 1 to 4294967295, without leading zero. §9."""
    if not digits.isdigit() or len(digits) > 10 or digits.startswith(b"0"):
        raise Bad("Expected a number between 1 and 4294967295 in the message set")
    value = int(digits)
    if value > MAX_NUMBER:
        raise Bad("Expected a number between 1 and 4294967295 in the message set")
    return value


def parse(text: bytes) -> Ranges:
    """The ranges as they are written."""
    ranges: list[Range] = []
    if text.count(b",") >= MAX_RANGES:
        raise No(f"The message set is too long: at most {MAX_RANGES} numbers and ranges", "LIMIT")
    for piece in text.split(b","):
        first, colon, last = piece.partition(b":")
        low = 0 if first == b"*" else number(first)
        ranges.append((low, low if not colon else 0 if last == b"*" else number(last)))
    return tuple(ranges)


def resolve(ranges: Ranges, largest: int) -> list[Range]:
    """Merged, rising, with * as the largest number in use; 4:2 is 2:4. RFC 3501 §9 (seq-range)."""
    resolved = sorted(tuple(sorted((low or largest, high or largest))) for low, high in ranges)
    merged: list[Range] = []
    for low, high in resolved:
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


def select(uids: Sequence[int], ranges: Iterable[Range]) -> list[int]:
    """The uids, of a rising list, that lie in the ranges."""
    found: list[int] = []
    for low, high in ranges:
        found.extend(uids[bisect_left(uids, low) : bisect_right(uids, high)])
    return found


def compact(numbers: Iterable[int]) -> bytes:
    """Numbers as a set, in their order: 3 4 5 9 is 3:5,9."""
    values = list(numbers)
    if not values:
        return b""
    breaks = [at for at, (one, other) in enumerate(pairwise(values), 1) if other - one != 1]
    runs = ((values[first], values[end - 1]) for first, end in zip((0, *breaks), (*breaks, len(values)), strict=True))
    return b",".join(b"%d" % low if low == high else b"%d:%d" % (low, high) for low, high in runs)
