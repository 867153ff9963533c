"""What submission adds and removes."""

from __future__ import annotations

import io
import re

import pytest

from pymaild.message.repair import repair
from pymaild.status import MailError


def test_adds_what_is_missing_and_removes_bcc() -> None:
    message = io.BytesIO(
        b"From: a@b.example\r\nBcc: secret@b.example,\r\n other@b.example\r\nSubject: x\r\n\r\nBcc: stays\r\n"
    )
    repaired = repair(message, "example.org", 1172000000).read()
    header, _, body = repaired.partition(b"\r\n\r\n")
    assert header.startswith(b"From: a@b.example\r\nSubject: x\r\nDate: Tue, 20 Feb 2007 19:33:20 +0000\r\nMessage-ID: <")
    assert re.search(rb"Message-ID: <[0-9a-f-]{36}@example\.org>\Z", header)
    assert b"secret" not in repaired and b"other" not in repaired
    assert body == b"Bcc: stays\r\n"


def test_leaves_a_complete_message_alone() -> None:
    message = b"Date: x\r\nMESSAGE-ID : <a@b>\r\nX-Any: 1\r\n\r\nbody"
    repaired = repair(io.BytesIO(message), "example.org", 0)
    assert repaired.tell() == 0 and repaired.read() == message


@pytest.mark.parametrize(
    "message", [b"", b"\r\nbody", b"Subject: no line end", b"Subject: x\n\nbody", b" folded first\r\n\r\nb"]
)
def test_odd_messages_get_their_fields_and_keep_their_body(message: bytes) -> None:
    repaired = repair(io.BytesIO(message), "example.org", 0).read()
    assert re.search(rb"(?m)^Date: ", repaired) and re.search(rb"(?m)^Message-ID: <", repaired)
    assert repaired.count(b"\r\n\r\n") + repaired.count(b"\n\n") == 1
    assert repaired.endswith(message[-4:] if message.endswith((b"body", b"\nb")) else b"\r\n")


def test_reads_from_anywhere_without_copying_the_body() -> None:
    body = bytes(range(256)) * 1000
    repaired = repair(io.BytesIO(b"Date: x\r\nMessage-ID: <a@b>\r\nBcc: gone\r\n\r\n" + body), "example.org", 0)
    whole = b"Date: x\r\nMessage-ID: <a@b>\r\n\r\n" + body
    assert repaired.seek(0, io.SEEK_END) == len(whole)
    for position in (0, 5, 30, 31, 33, 100_000, len(whole) - 1, len(whole)):
        repaired.seek(position)
        assert repaired.read(70_000) == whole[position : position + 70_000]
    repaired.seek(0)
    assert b"".join(iter(lambda: repaired.read(777), b"")) == whole


def test_a_header_without_end_is_refused() -> None:
    with pytest.raises(MailError):
        repair(io.BytesIO(b"A: " + b"b" * (1 << 25)), "example.org", 0)
