"""Values on the wire, read back by an independent reader."""

from __future__ import annotations

import pytest

from pymaild.imap.values import Atom, Run, Value, render
from tests.imapvalues import parse


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        (None, b"NIL"),
        (0, b"0"),
        (4294967295, b"4294967295"),
        (Atom("BODY[]"), b"BODY[]"),
        (b"", b'""'),
        (b'a "quoted\\" b', b'"a \\"quoted\\\\\\" b"'),
        (b"\xc3\xa9", b"{2}\r\n\xc3\xa9"),
        (b"a\r\nb", b"{4}\r\na\r\nb"),
        (b"NIL", b'"NIL"'),
        ([], b"()"),
        ([None, [b"a", 1]], b'(NIL ("a" 1))'),
        ([Run([[b"a"], [b"b"]]), b"mixed"], b'(("a")("b") "mixed")'),
    ],
)
def test_render(value: Value, octets: bytes) -> None:
    assert render(value) == octets


@pytest.mark.parametrize(
    "text", [b"x" * 999, b"x" * 5000, b"{4294967295}\r\n", b"\\" * 10, b'"' * 10, b"a\x7fb", b") * OK"]
)
def test_text_never_leaves_its_string(text: bytes) -> None:
    assert parse(render([text, 1])) == [[text, 1]]


def test_nul_can_be_in_no_string() -> None:
    assert parse(render(b"a\0b")) == [b"a\xef\xbf\xbdb"]
