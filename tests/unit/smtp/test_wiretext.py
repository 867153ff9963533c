"""What leaves is canonical whatever was stored and however it is cut; our own server reads it back exactly."""

from __future__ import annotations

import io
import re
import time
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pymaild.smtp.data import Message, TextReader
from pymaild.smtp.wiretext import canonical, chunks, stuffed

# Everything that line ends, dots and ends of messages are made of.
TEXT = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"a", b"\0", b"MAIL", b"\r\n.\r\n", b"\n.\n"]), max_size=30)
PIECES = st.lists(TEXT.map(b"".join), max_size=6)


def whole(pieces: list[bytes]) -> bytes:
    return b"".join(canonical(pieces))


@settings(derandomize=True, max_examples=500, deadline=None)
@given(PIECES)
def test_only_crlf_and_the_same_however_cut(pieces: list[bytes]) -> None:
    text = b"".join(pieces)
    wire = whole(pieces)
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", wire)
    assert wire == whole([text]) == whole([text[i : i + 1] for i in range(len(text))])
    assert wire == b"" or wire.endswith(b"\r\n")
    assert whole([wire]) == wire
    assert wire.replace(b"\r\n", b"") == text.replace(b"\r", b"").replace(b"\n", b"")


@settings(derandomize=True, max_examples=500, deadline=None)
@given(PIECES)
def test_our_server_reads_what_was_sent(pieces: list[bytes]) -> None:
    def spool() -> BinaryIO:
        return io.BytesIO()

    message = Message(spool, 1 << 20)
    wire = b"".join(stuffed(canonical(pieces)))
    assert wire.endswith(b".\r\n") and not re.search(rb"\r\n\.\r\n.", wire, re.S)
    rest = TextReader(message).feed(wire)
    assert rest == b""
    assert message.finish().read() == whole(pieces)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(PIECES, st.integers(1, 9))
def test_chunks(pieces: list[bytes], size: int) -> None:
    found = list(chunks(canonical(pieces), size))
    assert b"".join(chunk for chunk, _ in found) == whole(pieces)
    assert [last for _, last in found] == [False] * (len(found) - 1) + [True]
    assert all(len(chunk) == size for chunk, last in found if not last)
    assert len(found) == 1 or found[-1][0]


@pytest.mark.parametrize(
    ("stored", "sent"),
    [
        (b"", b".\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b"a\n.\nb", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\r.\rb", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\r\r\nb", b"a\r\nb\r\n.\r\n"),
        (b"a\r\r", b"a\r\n\r\n.\r\n"),
        (b"\n.\r\nMAIL FROM:<x@y>\r\n", b"\r\n..\r\nMAIL FROM:<x@y>\r\n.\r\n"),
    ],
)
def test_examples(stored: bytes, sent: bytes) -> None:
    assert b"".join(stuffed(canonical([stored]))) == sent


def test_linear_time() -> None:
    began = time.process_time()
    for stored in (b"\r" * 4_000_000, b"\r\n." * 1_500_000, b"\r." * 2_000_000):
        blocks = [stored[i : i + 65536] for i in range(0, len(stored), 65536)]
        assert b"".join(stuffed(canonical(blocks)))
    assert time.process_time() - began < 8
