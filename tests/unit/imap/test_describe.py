"""ENVELOPE, BODY and BODYSTRUCTURE. What Dovecot says to the same messages: tests/clients/test_dovecot_describe.py."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from pymaild.imap.describe import describe
from pymaild.mailstore import Column
from pymaild.message import sections
from tests.imapvalues import Parsed, parse

MESSAGES = Path(__file__).parents[2] / "messages"
CORPUS = Path(__file__).parents[3].parent / "shared" / "messages"


def own(name: str) -> bytes:
    return (MESSAGES / f"{name}.eml").read_bytes()


def column(message: bytes, which: Column) -> Parsed:
    values = parse(describe(message)[which])
    assert len(values) == 1
    return values[0]


def test_envelope() -> None:
    message = b"\r\n".join(
        [
            b"Date: Thu, 15 Feb 2007 01:02:03 +0200", b"Subject: folded", b"\tsubject", b"From: Ann <ann@example.org>",
            b"Sender:", b"To: g: b@example.org;", b"Message-ID: <1@example.org>", b"", b"",
        ]
    )  # fmt: skip
    ann: Parsed = [[b"Ann", None, b"ann", b"example.org"]]
    group: Parsed = [[None, None, b"g", None], [None, None, b"b", b"example.org"], [None, None, None, None]]
    assert column(message, Column.ENVELOPE) == [
        b"Thu, 15 Feb 2007 01:02:03 +0200", b"folded subject", ann, ann, ann,
        group, None, None, None, b"<1@example.org>",
    ]  # fmt: skip


def test_an_envelope_of_nothing() -> None:
    assert describe(b"")[Column.ENVELOPE] == b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"


def test_two_from_fields_are_one_list() -> None:
    envelope = column(own("two_from_fields"), Column.ENVELOPE)
    assert isinstance(envelope, list)
    assert envelope[2] == [[None, None, b"ann", b"example.org"], [b"Eve", None, b"eve", b"example.net"]]


def test_body_and_bodystructure() -> None:
    message = own("parameters_rfc2231")
    pairs: list[Parsed] = [b"other", b"1", b"name*", b"utf-8''a%C3%A4b", b"other*", b"us-ascii'en'2"]
    basic: list[Parsed] = [
        b"application", b"pdf", pairs,
        b"<id@example.org>", b"a file", b"base64", 10,
    ]  # fmt: skip
    disposition: list[Parsed] = [b"attachment", [b"filename", b"long name.pdf", b"x*2", b"gap"]]
    assert column(message, Column.BODY) == basic
    assert column(message, Column.BODYSTRUCTURE) == [
        *basic, b"Q2hlY2sgSW50ZWdyaXR5IQ==", disposition, [b"en", b"de"], b"http://example.org/",
    ]  # fmt: skip


def test_a_multipart_and_a_message_inside() -> None:
    assert describe(own("boundary_prefix"))[Column.BODY] == (
        b'((("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 5 0)("text" "html" ("charset" "us-ascii") NIL NIL "7bit" 7 0)'
        b' "alternative")("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 6 0) "mixed")'
    )
    body = column(own("rfc822_in_rfc822"), Column.BODY)
    assert isinstance(body, list) and body[:2] == [b"message", b"rfc822"]
    assert isinstance(body[7], list) and body[7][1] == b"second" and body[9] == 15


def test_no_subject_breaks_out_of_its_string() -> None:
    message = own("subject_injection")
    envelope = column(message, Column.ENVELOPE)
    assert isinstance(envelope, list) and len(envelope) == 10
    summary = json.loads(describe(message)[Column.SUMMARY])
    assert summary["subject"] == "Hello Bcc: eve@example.net\u20ac\u00ff4\u20ac"
    assert not any(character in "\r\n" for name, address in summary["from"] for character in name + address)


def test_the_header_column_is_bounded() -> None:
    assert describe(b"A: b\r\n\r\nbody")[Column.HEADER] == b"A: b\r\n\r\n"
    long = describe(b"A: " + b"b" * 70_000 + b"\r\nTo: c\r\n\r\n")
    assert long[Column.HEADER] == b"" and long[Column.USUAL] == b"To: c\r\n\r\n"


def test_parts_can_be_loaded() -> None:
    message = own("digest")
    root = sections.load_parts(describe(message)[Column.PARTS])
    part = sections.find(root, "1.1")
    assert part is not None and sections.body_bytes(message, part) == b"one"


@pytest.mark.parametrize("depth", [100, 20_000])
def test_deep_nesting_is_described(depth: int) -> None:
    start = time.process_time()
    columns = describe(b"Content-Type: message/rfc822\r\n\r\n" * depth)
    parse(columns[Column.BODYSTRUCTURE])
    nested = b"".join(
        b"Content-Type: multipart/x; boundary=%05d\r\n\r\n--%05d\r\n" % (level, level) for level in range(depth)
    )
    parse(describe(nested)[Column.BODYSTRUCTURE])
    assert time.process_time() - start < 1


@pytest.mark.slow
@pytest.mark.skipif(not CORPUS.is_dir(), reason="the public test messages are not beside the checkout")
def test_real_mail_is_described_quickly_and_never_raises() -> None:
    files = [path for path in sorted(CORPUS.rglob("*")) if path.is_file()]
    start = time.process_time()
    for file in files:
        columns = describe(file.read_bytes())
        assert set(columns) == set(Column)
        for which in (Column.ENVELOPE, Column.BODY, Column.BODYSTRUCTURE):
            parse(columns[which])
        json.loads(columns[Column.SUMMARY])
        sections.load_parts(columns[Column.PARTS])
    assert (time.process_time() - start) / len(files) < 0.01
