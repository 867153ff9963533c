"""What transcripts cannot show of metadata: octets that are no text. RFC 5464 §5."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.imap_world import World
from tests.player import SessionConnection


@pytest.fixture
def ann(tmp_path: Path) -> Iterator[SessionConnection]:
    world = World(tmp_path, mailbox="empty", uses=())
    connection = SessionConnection(world.session())
    connection.receive()
    said(connection, b"a LOGIN ann@example.org ann-secret\r\n")
    yield connection
    world.close()


def said(connection: SessionConnection, octets: bytes) -> bytes:
    connection.send(octets)
    heard = b""
    while more := connection.receive():
        heard += more
    return heard


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (b'"plain"', b'"plain"'),
        (b'"say \\"so\\""', b'"say \\"so\\""'),
        (b"{5+}\r\na\r\nbc", b"{5}\r\na\r\nbc"),
        (b"{2+}\r\n\xc3\xa9", b"{2}\r\n\xc3\xa9"),
        (b"~{3+}\r\n\xff\xfe\x01", b"{3}\r\n\xff\xfe\x01"),
        (b"~{3+}\r\n\x00\x01\x02", b"~{3}\r\n\x00\x01\x02"),
        (b"~{0+}\r\n", b'""'),
    ],
)
def test_values_come_back_as_they_went(ann: SessionConnection, sent: bytes, shown: bytes) -> None:
    assert said(ann, b"b SETMETADATA INBOX (/private/a " + sent + b")\r\n") == b"b OK Done\r\n"
    assert said(ann, b"c GETMETADATA INBOX /private/a\r\n").startswith(
        b'* METADATA "INBOX" (/private/a ' + shown + b")\r\n"
    )


def test_a_literal8_asks_for_leave(ann: SessionConnection) -> None:
    assert said(ann, b"b SETMETADATA INBOX (/private/a ~{2}\r\n") == b"+ OK\r\n"
    assert said(ann, b"\x00\x00)\r\n") == b"b OK Done\r\n"


def test_values_of_one_command_are_bounded_together(ann: SessionConnection) -> None:
    value = b"~{32000+}\r\n" + b"a" * 32000
    entries = b" ".join(b"/private/%d " % number + value for number in range(9))
    assert b"b BAD [TOOBIG]" in said(ann, b"b SETMETADATA INBOX (" + entries + b")\r\n")


def test_a_literal8_is_nothing_for_names(ann: SessionConnection) -> None:
    heard = said(ann, b"b SETMETADATA ~{5+}\r\nINBOX (/private/a NIL)\r\n")
    assert b"b BAD" in heard
