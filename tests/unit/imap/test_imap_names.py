"""Modified UTF-7 and LIST patterns. RFC 3501 §5.1.3, §6.3.8; THREATS T143, T144."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pymaild.imap import names
from pymaild.imap.errors import No

NAMES = st.text(st.characters(blacklist_categories=["Cs"]), max_size=30)


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("INBOX", b"INBOX"),
        ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),  # the RFC's own example
        ("Gr\u00fc\u00dfe & mehr", b"Gr&APwA3w-e &- mehr"),
        ("a\u00e9", b"a&AOk-"),
        ("\U0001f4e7", b"&2D3c5w-"),
        ("tab\there", b"tab&AAk-here"),
    ],
)
def test_names_as_they_stand_on_the_wire(name: str, wire: bytes) -> None:
    assert names.encode(name) == wire
    assert names.decode(wire) == name


@pytest.mark.parametrize(
    "wire",
    [
        b"&AC4ALg-/x", b"&AC8-", b"&", b"a&b", b"&AGE-", b"&2D0-", b"&AOk", b"&AOk-&AOk-", b"&!!-", b"caf\xe9",
        b"a\r\nb", b"a\0", b"&AAAAAA", b"&A-",
    ],
)  # fmt: skip
def test_what_is_not_the_one_right_spelling_is_refused(wire: bytes) -> None:
    with pytest.raises(No) as caught:
        names.decode(wire)
    assert caught.value.code == "CANNOT"


def test_quoted_utf8_is_taken_before_enable_too() -> None:
    assert names.decode("Caf\u00e9 & co".encode()) == "Caf\u00e9 & co"  # RFC 9755 §3


@given(NAMES)
def test_every_name_comes_back(name: str) -> None:
    assert names.decode(names.encode(name)) == names.canonical(name)


@given(st.binary(max_size=30))
def test_what_decodes_encodes_to_the_same(wire: bytes) -> None:
    try:
        name = names.decode(wire)
    except No:
        return
    if not wire.isascii():
        assert names.canonical(wire.decode("utf-8")) == name  # what cannot be UTF-7 is UTF-8: RFC 9755 §3
        return
    assert names.encode(name).upper() == wire.upper()  # INBOX is INBOX in any case


def test_quotes_and_backslashes_are_escaped() -> None:
    assert names.quoted('a"b\\c') == b'"a\\"b\\\\c"'


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*", "a/b", True),
        ("%", "a/b", False),
        ("%", "ab", True),
        ("%/%", "a/b", True),
        ("a*", "a", True),
        ("a%b", "a/b", False),
        ("*b", "a/b", True),
        ("", "a", False),
        ("inbox", "INBOX", True),
        ("inbox/%", "INBOX/x", True),
        ("*a*", "bab", True),
        ("%a", "b/a", False),
        ("*%", "a/b", True),
        ("Gr&APwA3w-e", "Gr\u00fc\u00dfe", True),
    ],
)
def test_patterns(pattern: str, name: str, matches: bool) -> None:
    assert names.Pattern(pattern.encode()).matches(name) is matches


@given(st.text("ab/%*", max_size=12), st.text("ab/", max_size=12))
def test_patterns_mean_what_a_regular_expression_says(pattern: str, name: str) -> None:
    regex = "".join({"*": ".*", "%": "[^/]*"}.get(c, re.escape(c)) for c in pattern)
    assert names.Pattern(pattern.encode()).matches(name) is bool(re.fullmatch(regex, name))


def test_many_wildcards_take_linear_time() -> None:
    """52 seconds for one name as a regular expression."""
    boxes = [f"Archive/{number}/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" for number in range(2000)]
    started = time.process_time()
    for wire in (b"%*" * 500, b"*a" * 12 + b"b", b"%a*" * 300):
        pattern = names.Pattern(wire)
        [name for name in boxes if pattern.matches(name)]
    assert time.process_time() - started < 2


def test_names_in_utf8() -> None:
    assert names.decode("inbox/Grüße & more".encode(), utf8=True) == "INBOX/Grüße & more"
    assert names.quoted('Gr"üße&', utf8=True) == '"Gr\\"üße&"'.encode()
    assert names.Pattern(b"Gr%e", utf8=True).matches("Grüße")
    assert names.Pattern("Cafe\u0301*".encode(), utf8=True).matches("Caf\u00e9 1")
    assert not names.Pattern(b"&AMA-*", utf8=True).matches("\u00c0")
    with pytest.raises(No):
        names.decode(b"\xff", utf8=True)
