"""Messages made from what was typed, read back with the standard library and with our own reader."""

from __future__ import annotations

import email
import email.header
import re
from email.message import Message

import pytest

from pymaild.envelope import Address
from pymaild.message import addresses
from pymaild.message.compose import Attached, Author, compose
from pymaild.message.flowed import flow
from pymaild.message.structure import scan
from pymaild.message.text import part_text
from pymaild.message.words import decode_words

ANN = Author("Ann Example", Address("ann", "example.org"))
BOB = Author("", Address("bob", "example.net"))
EVIL = [
    "a\r\nBcc: eve@example.net",
    "a\nBcc: e",
    "a\rBcc: e",
    "a\x0bb",
    "a\x0cb",
    "a\x85b",
    "a\u2028b",
    "a\x00b",
    "a\ud800b",
]


def made(**changes: object) -> bytes:
    values: dict[str, object] = {
        "author": ANN,
        "to": [BOB],
        "subject": "Hello",
        "text": "Hi\n",
        "at": 0.0,
        "hostname": "mx.example.org",
    }
    return compose(**(values | changes))  # type: ignore[arg-type]


def read(message: bytes) -> Message:
    return email.message_from_bytes(message)


def test_a_simple_message() -> None:
    message = made(in_reply_to="<1@x>", references="<0@x> <1@x>", cc=[ANN], bcc=[BOB])
    assert re.fullmatch(
        rb"From: Ann Example <ann@example\.org>\r\nTo: bob@example\.net\r\nCc: Ann Example <ann@example\.org>\r\n"
        rb"Bcc: bob@example\.net\r\nSubject: Hello\r\nDate: Thu, 01 Jan 1970 00:00:00 \+0000\r\n"
        rb"Message-ID: <[0-9a-f-]{36}@mx\.example\.org>\r\nIn-Reply-To: <1@x>\r\nReferences: <0@x> <1@x>\r\nMIME-Version: 1\.0\r\n"
        rb"Content-Type: text/plain; charset=us-ascii; format=flowed\r\nContent-Transfer-Encoding: 7bit\r\n\r\nHi\r\n",
        message,
    )


@pytest.mark.parametrize("evil", EVIL)
def test_no_value_can_begin_another_header_field(evil: str) -> None:
    person = Author(evil, Address(evil, "example.org"))
    message = made(
        author=person, to=[person], subject=evil, in_reply_to=evil, references=f"<{evil}@x>",
        hostname=evil, attachments=[Attached(evil, evil, b"x")],
    )  # fmt: skip
    names = set(read(message).keys())
    assert names <= {"From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"}
    part = read(message).get_payload()[1]  # type: ignore[index]
    assert isinstance(part, Message) and set(part.keys()) == {
        "Content-Type",
        "Content-Disposition",
        "Content-Transfer-Encoding",
    }
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", message)


@pytest.mark.parametrize(
    "text", ["Gr\u00fc\u00dfe " * 40, "x" * 500, "=?utf-8?q?x?=", "\U0001f600" * 50, "a  b", "", "word " * 100]
)
def test_subjects_survive(text: str) -> None:
    message = made(subject=text)
    assert all(len(line) <= 78 for line in message.partition(b"\r\n\r\n")[0].split(b"\r\n"))
    found = re.search(rb"Subject:(.*?)\r\n\S", message, re.DOTALL)
    assert found and decode_words(found[1].replace(b"\r\n", b"")).strip() == text.strip()
    decoded = str(email.header.make_header(email.header.decode_header(str(read(message)["Subject"]))))
    assert re.sub("[\r\n]", "", decoded).strip() == text.strip()


@pytest.mark.parametrize("name", ["Bob, Jr.", 'The "boss"', "J\u00f6rg", "x" * 100, "a (b)", "\\", "=?x?=", "A. B"])
def test_names_survive(name: str) -> None:
    message = made(to=[Author(name, BOB.address), BOB])
    found = re.search(rb"To:(.*?)\r\nSubject", message, re.DOTALL)
    entries = addresses.parse(found[1].replace(b"\r\n", b"") if found else b"")
    assert addresses.is_clean(entries) and len(entries) == 2
    assert decode_words(entries[0].name or b"") == name
    assert addresses.mailbox_address(entries[0]) == BOB.address


@pytest.mark.parametrize(
    "text",
    [
        "\u00fc\u00f1\u00ee\n",
        "long " * 300,
        "x" * 2000,
        "From me\n > not quoted\n>quoted\n-- \nAnn",
        ".\n..\n",
        "",
        "\n\n",
        "a \u2028 b",
    ],
)
def test_text_survives(text: str) -> None:
    message = made(text=text)
    assert all(len(line) <= 998 for line in message.split(b"\r\n"))
    assert unflowed(part_text(message, scan(message))).strip("\n") == "\n".join(
        line.rstrip(" ") if line != "-- " else line for line in text.split("\n")
    ).strip("\n")


def unflowed(text: str) -> str:
    """A reader of format=flowed. RFC 3676 §4.1."""
    out = ""
    for line in text.split("\n"):
        soft = line.endswith(" ") and line != "-- " and not line.startswith(">")
        out += line.removeprefix(" ") + ("" if soft else "\n")
    return out


def test_flow() -> None:
    assert flow("") == []
    assert all(len(line) <= 79 for line in flow("word " * 100))
    assert flow("a\n\nb\n") == ["a", "", "b"]


@pytest.mark.parametrize(
    "name",
    ["report.pdf", "\u00dcbersicht \u20ac.pdf", 'a"b\\c.txt', "long " * 30 + ".txt", "../../etc/passwd", "\u202ecod.exe"],
)
def test_attachments_survive(name: str) -> None:
    content = bytes(range(256)) * 100
    message = made(attachments=[Attached(name, "application/x-test", content), Attached("", "not a type", b"")])
    root = scan(message)
    assert len(root.children) == 3
    assert root.children[1].filename == name
    parts = read(message).get_payload()
    assert isinstance(parts, list) and isinstance(parts[1], Message)
    assert parts[1].get_payload(decode=True) == content
    assert parts[1].get_filename() is not None
    assert root.children[2].type == "application"


def test_a_message_as_attachment_goes_as_it_is() -> None:
    inner = b"Subject: inside\r\n\r\ntext\r\n"
    root = scan(
        made(attachments=[Attached("a.eml", "message/rfc822", inner), Attached("b.eml", "message/rfc822", b"x\ny\0")])
    )
    assert root.children[1].message is not None
    assert (root.children[2].type, root.children[2].encoding) == ("application", b"base64")


def test_many_references_are_cut() -> None:
    message = made(references=" ".join(f"<{number}@x>" for number in range(500)))
    ids = str(read(message)["References"]).split()
    assert len(ids) == 30 and ids[0] == "<0@x>" and ids[-1] == "<499@x>"


def test_an_address_with_unicode() -> None:
    message = made(author=Author("", Address("j\u00fcrgen", "example.org")))
    assert "From: j\u00fcrgen@example.org\r\n".encode() in message
