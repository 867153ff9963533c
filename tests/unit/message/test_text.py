"""What a person reads in a part."""

from __future__ import annotations

import base64
import time

import pytest

from pymaild.message.structure import scan, walk
from pymaild.message.summary import summary
from pymaild.message.text import decode, html_to_text, part_text, preview, searchable_body, searchable_header


@pytest.mark.parametrize(
    ("encoding", "body", "octets"),
    [
        (b"base64", b"aGVs\r\nbG8=\r\n", b"hello"),
        (b"BASE64", b"aGVs!!bG8", b"hello"),
        (b"base64", b"aGVsbG8=aGVsbG8=", b"hellohello"),
        (b"base64", b"aGVsb", b"hel"),
        (b"base64", b"=", b""),
        (b"base64", b"====", b""),
        (b"base64", b"\xff\x00", b""),
        (b"quoted-printable", b"a=3D=\r\nb=zz =e9=E9", b"a=b=zz \xe9\xe9"),
        (b"quoted-printable", b"a=", b"a"),
        (b"quoted-printable", b"a \t\r\nb= \t\r\nc ", b"a\r\nbc"),
        (b"x-uuencode", b"begin 644 x\r\n%:&5L;&\\ \r\n`\r\nend\r\n", b"hello"),
        (b"x-uuencode", b"begin 644 x\r\nM\x01\x02\r\n", b""),
        (b"8bit", b"a=3D", b"a=3D"),
        (b"x-unknown", b"a=3D", b"a=3D"),
        (None, b"a=3D", b"a=3D"),
    ],
)
def test_transfer_encodings(encoding: bytes | None, body: bytes, octets: bytes) -> None:
    assert decode(body, encoding) == octets


def text(content_type: str, body: bytes, encoding: str = "8bit") -> str:
    message = f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body
    return part_text(message, scan(message))


def test_charsets() -> None:
    assert text("text/plain; charset=iso-8859-1", b"\xe9") == "\u00e9"
    assert text('text/plain; charset="UTF-8"', "\u20ac".encode()) == "\u20ac"
    assert text("text/plain", b"\x93quoted\x94") == "\u201cquoted\u201d"
    assert text("text/plain; charset=no-such", "\u20ac".encode()) == "\u20ac"
    assert text("text/plain", "\ufeffx".encode("utf-16")) == "x"
    assert text("text/plain", b"a\r\nb\rc\n") == "a\nb\nc\n"


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>one<p>two", "one\ntwo"),
        ("a<br>b&amp;c", "a\nb&c"),
        ("<style>x{}</style><script>alert(1)</script>text", "text"),
        ("<!-- hidden -->text<!-- open", "text open"),
        ("a  \n  b", "a b"),
        ("<td>a</td><td>b</td>", "a b"),
        ("1 < 2 and <b>3</b>", "1 < 2 and 3"),
        ("<SCRIPT>x</SCRIPT>y", "y"),
        ("<a href='x>y'>z</a>", "y'>z"),
    ],
)
def test_html_as_text(html: str, expected: str) -> None:
    assert html_to_text(html) == expected


@pytest.mark.parametrize(
    "html", ["<!--" * 100_000, "<script>" * 100_000, "<" * 300_000, "<a " * 100_000, "\n" * 300_000, "&" * 300_000, "<p>" * 100_000]
)  # fmt: skip
def test_hostile_html_takes_linear_time(html: str) -> None:
    start = time.process_time()
    html_to_text(html)
    assert time.process_time() - start < 2


def test_hostile_encodings_take_linear_time() -> None:
    start = time.process_time()
    for encoding, body in (
        (b"base64", b"=A" * 300_000), (b"base64", b"A" * 5_000_000), (b"base64", b"=" * 1_000_000),
        (b"quoted-printable", b"=\n" * 1_000_000), (b"quoted-printable", b"=" * 1_000_000), (b"quoted-printable", b" \t" * 500_000 + b"x"),
        (b"x-uuencode", b"begin 644 x\n" * 100_000), (b"x-uuencode", b"M" * 1_000_000),
    ):  # fmt: skip
        decode(body, encoding)
    assert time.process_time() - start < 5


MESSAGE = b"\r\n".join(
    [
        b"From: =?utf-8?q?J=C3=B6rg?= <joerg@example.org>, List: bob@example.net;",
        b"To: Ann <ann@example.org>",
        b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=",
        b"Date: Tue, 24 Nov 2026 00:30:00 +0100",
        b"Message-ID: <1@example.org>",
        b"In-Reply-To: <0@example.org> (comment)",
        b"References: <r@example.org>",
        b" <0@example.org>",
        b"Content-Type: multipart/mixed; boundary=b",
        b"",
        b"--b",
        b"Content-Type: text/html",
        b"",
        b"<p>Hello <b>Ann</b>,</p>",
        b"--b",
        b"Content-Type: message/rfc822",
        b"",
        b"Subject: =?utf-8?q?inn=C3=A9r?=",
        b"",
        b"deep words",
        b"--b",
        b"Content-Type: application/pdf; name=x.pdf",
        b"Content-Transfer-Encoding: base64",
        b"",
        b"JVBERg==",
        b"--b--",
        b"",
    ]
)


def test_summary() -> None:
    assert summary(MESSAGE, scan(MESSAGE)) == {
        "from": [["J\u00f6rg", "joerg@example.org"], ["", "bob@example.net"]],
        "to": [["Ann", "ann@example.org"]],
        "cc": [],
        "subject": "Gr\u00fc\u00dfe",
        "date": 1795476600,
        "date_day": 20781,
        "preview": "Hello Ann,",
        "has_attachment": True,
        "message_id": "1@example.org",
        "in_reply_to": ["0@example.org"],
        "references": ["r@example.org", "0@example.org"],
    }


def test_search_sees_text_html_and_inner_headers_but_no_attachments() -> None:
    found = "\n".join(searchable_body(MESSAGE))
    assert "Hello Ann" in found and "inn\u00e9r" in found and "deep words" in found
    assert "<b>" not in found and "JVBERg" not in found and "PDF" not in found
    assert searchable_header(MESSAGE, "Subject") == ["Gr\u00fc\u00dfe"]


def test_preview() -> None:
    assert preview(b"\r\nOn Monday Bob wrote:\r\n> quoted\r\n\r\n  my\tanswer \x00\x07 \r\n") == "my answer"
    assert preview(b"\r\n> only quoted\r\n") == "> only quoted"
    assert preview(b"Content-Type: image/png\r\n\r\nxx") == ""
    assert len(preview(b"\r\n" + b"word " * 1000)) <= 200
    assert preview(b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(b"x" * 30_000)) == "x" * 200


def test_a_summary_of_nothing() -> None:
    nothing = summary(b"", scan(b""))
    assert nothing["from"] == [] and nothing["date"] is None and nothing["has_attachment"] is False
    assert len(list(walk(scan(b"")))) == 1
