"""Sections of a message by number, as FETCH names them. The nested example is that of RFC 3501 §6.4.5."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pymaild.message import fields, sections
from pymaild.message.structure import scan, walk

EXAMPLE = b"\r\n".join(
    b"""Subject: root
Content-Type: multipart/mixed; boundary=m

--m

one
--m
Content-Type: application/octet-stream

two
--m
Content-Type: message/rfc822
X: mime of 3

Subject: three
To: x
Content-Type: multipart/mixed; boundary=n

--n

three one
--n
Content-Type: application/octet-stream

three two
--n--
--m
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: image/gif

four one
--o
Content-Type: message/rfc822

Subject: four two

four two text
--o--
--m--""".split(b"\n")
)
ROOT = scan(EXAMPLE)


def body(number: str) -> bytes | None:
    part = sections.find(ROOT, number)
    return None if part is None else sections.body_bytes(EXAMPLE, part, ROOT)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("1", b"one"), ("2", b"two"), ("3.1", b"three one"), ("3.2", b"three two"), ("4.1", b"four one"),
        ("4.2", b"Subject: four two\r\n\r\nfour two text"), ("4.2.1", b"four two text"),
        ("", EXAMPLE),
        ("5", None), ("0", None), ("1.1", None), ("3.3", None), ("4.2.2", None), ("4.2.1.1", None), ("x", None), ("1.", None),
        ("\u0661", None), ("1" * 5000, None), (".".join("1" * 500), None),
    ],
)  # fmt: skip
def test_part_numbers(number: str, expected: bytes | None) -> None:
    assert body(number) == expected


def test_header_text_and_mime() -> None:
    three = sections.find(ROOT, "3")
    assert three is not None
    assert sections.header_bytes(EXAMPLE, three, ROOT) == (
        b"Subject: three\r\nTo: x\r\nContent-Type: multipart/mixed; boundary=n\r\n\r\n"
    )
    text = sections.text_bytes(EXAMPLE, three, ROOT)
    assert text is not None and text.startswith(b"--n\r\n") and text.endswith(b"--n--\r\n")
    assert sections.mime_bytes(EXAMPLE, three) == b"Content-Type: message/rfc822\r\nX: mime of 3\r\n\r\n"
    one = sections.find(ROOT, "1")
    assert one is not None and sections.header_bytes(EXAMPLE, one, ROOT) is None
    assert sections.text_bytes(EXAMPLE, one, ROOT) is None
    header, rest = sections.header_bytes(EXAMPLE, ROOT, ROOT), sections.text_bytes(EXAMPLE, ROOT, ROOT)
    assert header is not None and rest is not None and header + rest == EXAMPLE


def test_a_message_without_multipart_has_part_1() -> None:
    message = b"Subject: x\r\n\r\ntext"
    root = scan(message)
    part = sections.find(root, "1")
    assert part is not None and sections.body_bytes(message, part) == b"text"
    assert sections.find(root, "2") is None and sections.find(root, "1.1") is None


def test_a_message_that_is_a_message() -> None:
    message = b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ntext"
    root = scan(message)
    part = sections.find(root, "1.1")
    assert part is not None and sections.body_bytes(message, part) == b"text"


def test_filter_fields() -> None:
    header = b"A: 1\r\nB: 2\r\n folded\r\na : 3\r\nC: 4\r\n\r\n"
    assert sections.filter_fields(header, ["a", "X"]) == b"A: 1\r\na : 3\r\n\r\n"
    assert sections.filter_fields(header, ["A"], negate=True) == b"B: 2\r\n folded\r\nC: 4\r\n\r\n"
    assert sections.filter_fields(b"A: 1", ["A"]) == b"A: 1\r\n\r\n"
    assert sections.filter_fields(b"", ["A"]) == b"\r\n"
    assert sections.filter_fields(b"A: 1\r\nB: 2", ["A"], negate=True) == b"B: 2"
    assert sections.filter_fields(b"\r\n", ["A"], negate=True) == b"\r\n"


def test_dump_and_load() -> None:
    data = sections.dump(ROOT)
    assert sections.dump(sections.load_parts(data)) == data
    pairs = zip(walk(ROOT), walk(sections.load_parts(data)), strict=True)
    assert all((a.header_start, a.body_start, a.body_end) == (b.header_start, b.body_start, b.body_end) for a, b in pairs)


LINES = st.sampled_from(
    (b"From: a", b"from : b", b"FROM\t\r", b"From", b"Fromage: c", b" folded: From: d", b"\tTo: e", b"To:f", b"To::", b":", b"\r", b"X: 1", b"Y: \0")
)  # fmt: skip
HEADERS = st.lists(st.tuples(LINES, st.sampled_from((b"\r\n", b"\n"))), max_size=8).map(
    lambda lines: b"".join(line + end for line, end in lines)
)
NAMES = st.lists(
    st.sampled_from(("From", "TO", "x", ":", "From:", " From", "To ", "\u00fc", "F.*")), min_size=1, max_size=4
)


MESSAGES = st.lists(
    st.tuples(HEADERS, st.sampled_from((b"", b"\r\n", b"\n", b"From: no end"))).map(b"".join), min_size=1, max_size=4
)


@settings(derandomize=True, max_examples=500, deadline=None)
@given(MESSAGES, NAMES, st.booleans())
def test_a_picker_is_a_filter_for_many_headers(messages: list[bytes], names: list[str], negate: bool) -> None:
    headers = [message[: fields.header_end(message)] for message in messages]
    expected = [sections.filter_fields(header, names, negate) for header in headers]
    assert sections.picker(names, negate)(headers) == expected
    usual = ["From", "to"]
    small = [sections.usual_fields(header) for header in headers]
    assert sections.picker(usual)(small) == [sections.filter_fields(header, usual) for header in headers]
