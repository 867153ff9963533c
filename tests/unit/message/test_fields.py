"""Header blocks cut into fields."""

from __future__ import annotations

import time

from pymaild.message import fields


def test_split_keeps_offsets_and_folds() -> None:
    header = b"A: b\r\nFolded : one\r\n\ttwo\r\n three\r\nno colon\r\nE:\r\n\r\nbody: x\r\n"
    found = list(fields.split(header))
    assert [(field.name, field.body) for field in found] == [
        (b"A", b"b"), (b"Folded", b"one\r\n\ttwo\r\n three"), (b"no colon", b""), (b"E", b""),
    ]  # fmt: skip
    assert b"".join(header[field.start : field.end] for field in found) == header[: header.index(b"\r\nbody")]
    assert fields.unfold(found[1].body) == b"one\ttwo three"


def test_header_end() -> None:
    assert fields.header_end(b"A: b\r\n\r\nx") == 8
    assert fields.header_end(b"A: b\n\nx") == 6
    assert fields.header_end(b"\r\nx") == 2
    assert fields.header_end(b"A: b") == 4
    assert fields.header_end(b"") == 0
    assert fields.header_end(b"x\n\nA: b\n\ny", 3) == 9


def test_bodies() -> None:
    assert fields.bodies(b"X: 1\r\nx : 2\r\n 3\r\nXY: 4\r\n\r\nX: 5", "x") == [b"1", b"2 3"]


def test_hostile_headers_take_linear_time() -> None:
    start = time.process_time()
    for header in (
        b"A: b\r\n" * 50_000,
        b"A: " + b"b\r\n " * 100_000,
        b" " * 250_000,
        b"a\n" * 75_000,
        b":" * 250_000,
    ):
        for field in fields.split(header):
            fields.unfold(field.body)
    assert time.process_time() - start < 4
