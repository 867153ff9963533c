"""Dates of real mail."""

from __future__ import annotations

import pytest

from pymaild.message.dates import format_date, parse


@pytest.mark.parametrize(
    ("body", "epoch", "zone"),
    [
        (b"Tue, 24 Nov 2026 09:00:00 +0100", 1795507200, 60),
        (b"24 Nov 2026 09:00 +0100", 1795507200, 60),
        (b"Tue, 24 Nov 26 08:00:00 GMT", 1795507200, 0),
        (b"Tue, 24 Nov 2026 03:00:00 EST (Eastern)", 1795507200, -300),
        (b"Tue, 24-Nov-2026 08:00:00", 1795507200, 0),
        (b"Tue Nov 24 08:00:00 2026", 1795507200, 0),
        (b"Tue Nov 24 00:00:00 PST 2026", 1795507200, -480),
        (b"  Tuesday , 24 November 2026 08 : 00 : 00 -0000", 1795507200, 0),
        (b"24 Nov 126 08:00:00 +0000", 1795507200, 0),
        (b"Tue, 19 Jan 2038 03:14:08 +0000", 1 << 31, 0),
        (b"1 Jan 1900 00:00:00 +0000", -2208988800, 0),
        (b"1 Jan 2000 00:00:00 +9999", 946684800, 0),
        (b"1 Jan 2000 23:59:60 +0000", 946771200, 0),
    ],
)
def test_read(body: bytes, epoch: int, zone: int) -> None:
    date = parse(body)
    assert date is not None
    assert (date.epoch, date.zone) == (epoch, zone)


def test_the_day_is_the_writers_own() -> None:
    date = parse(b"Tue, 24 Nov 2026 00:30:00 +1300")
    assert date is not None and date.day == 20781 and date.epoch // 86400 == 20780


@pytest.mark.parametrize(
    "body",
    [
        b"", b"99999", b"yesterday", b"32 Jan 2020 00:00:00 +0000", b"1 Foo 2020 00:00:00", b"1 Jan 0 00:00:00",
        b"1 Jan 99999 00:00:00 +0000", b"1 Jan 2020 25:00:00", b"1 Jan 2020 00:61:00", b"9223372036854775808", b"\xff" * 50,
        b"1 Jan 0000 00:00:00 +0000", b"(" * 100_000, b"Tue, " * 50_000, b" " * 100_000, b"29 Feb 2023 00:00:00 +0000",
    ],
)  # fmt: skip
def test_not_a_date(body: bytes) -> None:
    assert parse(body) is None


def test_write() -> None:
    assert format_date(1795507200) == "Tue, 24 Nov 2026 08:00:00 +0000"
    assert format_date(1795507200, 345) == "Tue, 24 Nov 2026 13:45:00 +0545"
    assert format_date(1795507200, -210) == "Tue, 24 Nov 2026 04:30:00 -0330"
    assert format_date(1e30) == format_date(0)
