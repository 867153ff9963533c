"""Where parts begin and end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pymaild.message import sections
from pymaild.message.structure import MAX_DEPTH, MAX_PARTS, Part, scan, walk

MESSAGES = Path(__file__).parents[2] / "messages"


def crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def shape(message: bytes, part: Part) -> object:
    """A tree of what is in the parts, to compare with."""
    kind = f"{part.type}/{part.subtype}"
    if part.children:
        return [kind, *(shape(message, child) for child in part.children)]
    return kind, message[part.body_start : part.body_end]


def tree(message: bytes) -> object:
    return shape(message, scan(message))


def own(name: str) -> bytes:
    return (MESSAGES / f"{name}.eml").read_bytes()


def test_a_plain_message() -> None:
    message = crlf("Subject: x\n\nline\nline\n")
    part = scan(message)
    assert (part.header_start, part.body_start, part.body_end, part.lines) == (0, 14, 26, 2)
    assert tree(message) == ("text/plain", b"line\r\nline\r\n")


def test_a_multipart_with_preamble_and_epilogue() -> None:
    message = crlf(
        "Content-Type: multipart/mixed; boundary=b\n\npreamble\n--b\n\none\n--b\nContent-Type: text/html\n\n<p>\n\n--b--\nepilogue\n"
    )
    assert tree(message) == ["multipart/mixed", ("text/plain", b"one"), ("text/html", b"<p>\r\n")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("boundary_prefix", [
            "multipart/mixed",
            ["multipart/alternative", ("text/plain", b"plain"), ("text/html", b"<p>html")],
            ("text/plain", b"second"),
        ]),
        ("boundary_same_twice", [
            "multipart/mixed", ["multipart/mixed", ("text/plain", b"inner")], ("text/plain", b"outer"),
        ]),
        ("boundary_never_closed", [
            "multipart/mixed",
            ["message/rfc822", ["multipart/mixed", ("text/plain", b"left open")]],
            ("text/plain", b"next\r\n"),
        ]),
        ("boundary_in_header", [
            "multipart/mixed", ("text/html", b""), ["message/rfc822", ("text/plain", b"")], ("text/plain", b"text"),
        ]),
        ("boundary_missing", ("multipart/mixed", b"--x\r\n\r\ntext\r\n--x--\r\n")),
        ("digest", [
            "multipart/digest", ["message/rfc822", ("text/plain", b"one")], ("text/plain", b"not a message"),
        ]),
        ("rfc822_in_rfc822", [
            "message/rfc822",
            ["message/rfc822", ["multipart/mixed", ("text/plain", b"deep"), ("image/gif", b"R0lGODlh")]],
        ]),
        ("body_only", ("text/plain", b"No header at all\r\n")),
    ],
)  # fmt: skip
def test_malformed_messages(name: str, expected: object) -> None:
    assert tree(own(name)) == expected


def test_content_fields() -> None:
    part = scan(own("parameters_rfc2231"))
    assert part.parameters == [(b"other", b"1"), (b"name*", b"utf-8''a%C3%A4b"), (b"other*", b"us-ascii'en'2")]
    assert part.disposition_parameters == [(b"filename", b"long name.pdf"), (b"x*2", b"gap")]
    assert part.languages == [b"en", b"de"]
    assert (part.id, part.description, part.md5) == (b"<id@example.org>", b"a file", b"Q2hlY2sgSW50ZWdyaXR5IQ==")
    assert (part.encoding, part.location) == (b"BASE64", b"http://example.org/")
    assert part.filename == "long name.pdf" and part.is_attachment


def test_the_file_name_of_an_encoded_name() -> None:
    part = scan(b"Content-Type: image/png; name*0*=utf-8''%E2%82; name*1*=%AC.png; name=x.png\r\n\r\n")
    assert part.filename == "\u20ac.png"
    assert scan(b'Content-Type: image/png; name="=?utf-8?q?=E2=82=AC?="\r\n\r\n').filename == "\u20ac"


def nested(depth: int, kind: str = "multipart/mixed") -> bytes:
    parts = [f"Content-Type: {kind}; boundary=b{level:05}\n\n--b{level:05}\n" for level in range(depth)]
    return crlf("".join(parts) + "\ndeep\n")


@pytest.mark.parametrize("depth", [100, 1_000, 20_000])
@pytest.mark.parametrize("kind", ["multipart/mixed", "message/rfc822"])
def test_deep_nesting_ends_in_an_opaque_part(depth: int, kind: str) -> None:
    message = nested(depth) if kind == "multipart/mixed" else crlf("Content-Type: message/rfc822\n\n" * depth + "deep")
    start = time.process_time()
    parts = list(walk(scan(message)))
    assert len(parts) <= MAX_DEPTH + 1
    assert parts[-1].type == "application" and parts[-1].body_end == len(message)
    assert time.process_time() - start < 0.5


def test_ten_thousand_parts_are_kept() -> None:
    message = crlf("Content-Type: multipart/mixed; boundary=b\n\n" + "--b\n\nx\n" * 30_000)
    start = time.process_time()
    parts = list(walk(scan(message)))
    assert len(parts) == MAX_PARTS and parts[-1].body_end == len(message)
    assert time.process_time() - start < 3


@pytest.mark.parametrize(
    "body",
    [
        "--b\nA: b\n" * 50_000,  # parts without an empty line
        "--\n" * 200_000,
        "--bx" * 200_000,
        "\n" * 500_000,
        "--b\nContent-Type: multipart/mixed; boundary=c\n\n" * 20_000,
        "--b\nContent-Type: multipart/mixed; boundary=b\n\n" * 20_000,
        "--b\nContent-Type: message/rfc822\n\n" * 20_000,
        "--b\nContent-Type: text/plain; " + "n*0*=x; " * 50_000 + "\n\n",
        "--b\nContent-Type: text/plain; " + "n*999999*=x; " * 20_000 + "\n\n",
        "--b\nContent-Type: text/plain; " + 'n="' * 100_000 + "\n\n",
        "--b\nContent-Type: text/plain" + "(" * 300_000 + "\n\n",
        "--b\nContent-Type: text/plain; " + "(x)=;" * 100_000 + "\n\n",
    ],
    ids=lambda body: body[:40],
)
def test_hostile_structures_take_linear_time(body: str) -> None:
    message = crlf("Content-Type: multipart/mixed; boundary=b\n\n" + body)
    start = time.process_time()
    root = scan(message)
    sections.dump(root)
    assert time.process_time() - start < 3
    for part in walk(root):
        assert 0 <= part.header_start <= part.body_start <= part.body_end <= len(message)


@pytest.mark.parametrize("boundary", ["x" * 70, "x" * 10_000, ".*+(", "a b", "=_'()+,-./:?"])
def test_strange_boundaries(boundary: str) -> None:
    message = crlf(f'Content-Type: multipart/mixed; boundary="{boundary}"\n\n--{boundary}\n\none\n--{boundary}--\n')
    assert scan(message).children[0].body_end - scan(message).children[0].body_start == 3


@pytest.mark.parametrize(("encoding", "opened"), [("", True), ("8bit", True), ("BASE64", False)])
def test_message_global_is_a_message_unless_it_is_encoded(encoding: str, opened: bool) -> None:
    field = f"Content-Transfer-Encoding: {encoding}\n" if encoding else ""
    root = scan(crlf(f"Content-Type: message/global\n{field}\nSubject: x\n\nbody\n"))
    assert (root.message is not None) == opened  # RFC 6532 §3.7
