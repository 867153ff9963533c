"""Encoded words and charsets."""

from __future__ import annotations

import time

import pytest

from pymaild.message import charsets
from pymaild.message.words import decode_words


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?q?Gr=C3=BC=C3=9Fe_aus?= Z", "Gr\u00fc\u00dfe aus Z"),
        (b"=?UTF-8?B?4oKs?= =?UTF-8?B?4oKs?=", "\u20ac\u20ac"),
        (b"=?utf-8?q?=E2=82?=\r\n =?utf-8?q?=AC?=", "\u20ac"),
        (b"=?iso-8859-1?q?=E9?= =?utf-8?q?=C3=A9?=", "\u00e9\u00e9"),
        (b"=?iso-8859-1*fr?q?=E9t=e9?=", "\u00e9t\u00e9"),
        (b"=?iso-2022-jp?B?GyRCJDMbKEI=?=", "\u3053"),
        (b"a =?utf-8?q?b?= c", "a b c"),
        (b"=?utf-8?q?a=0D=0ABcc:_x?=", "a Bcc: x"),
        (b"=?utf-8?q?broken", "=?utf-8?q?broken"),
        (b"=?utf-8?x?broken?=", "=?utf-8?x?broken?="),
        (b"=?utf-8?b?YWJj=?=", "abc"),
        (b"=?utf-8?b?YWJjZ?=", "abc"),
        (b"=?utf-8?q?=zz_?=", "=zz "),
        (b"=?no-such?q?=C3=A9?=", "\u00e9"),
        (b"=?rot13?q?uryyb?=", "uryyb"),
        ("roh \u00fc".encode(), "roh \u00fc"),
        (b"roh \xfc", "roh \u00fc"),
        (b"=?=?utf-8?q?a?=?=", "=?a?="),
        (b"a\x00b\xe2\x80\xa8c", "a b c"),
    ],
)
def test_decode(body: bytes, text: str) -> None:
    assert decode_words(body) == text


@pytest.mark.parametrize(
    "name", ["utf-7", "UTF_8", "windows-1252", "ISO-8859-15", "gb2312", "koi8-r", "Shift_JIS", "x-sjis", "us-ascii"]
)
def test_charsets_of_real_mail(name: str) -> None:
    codec = charsets.codec(name)
    assert codec is not None
    assert "a".encode(codec).decode(codec) == "a"


@pytest.mark.parametrize(
    "name",
    ["idna", "punycode", "rot13", "zlib_codec", "zlib", "unicode_escape", "raw_unicode_escape", "undefined", "base64", "hex",
     "bz2", "quopri", "uu", "mbcs", "x" * 10_000, "utf-8\0", ""],
)  # fmt: skip
def test_codecs_that_are_no_charsets(name: str) -> None:
    assert charsets.codec(name) in (None, "utf-8")
    assert charsets.decode(b"abc", name) == "abc"


def test_every_codec_on_the_list_exists_and_never_raises() -> None:
    for name in sorted(charsets._KNOWN | set(charsets._MEANT.values())):
        for sample in (bytes(range(256)), b"\xff", b"\x1b$", b"+AAA", b""):
            assert isinstance(charsets.decode(sample, name), str), name


def test_cut_utf8_stays_utf8() -> None:
    assert charsets.guess("\u00e4\u00f6\u00fc\u00df\u00e4\u00f6\u00fc\u00df\u00e4".encode()[:-1]).startswith(
        "\u00e4\u00f6\u00fc\u00df"
    )


@pytest.mark.parametrize(
    "body", [b"=?utf-8?q?a?= " * 20_000, b"=?" * 50_000, b"=?utf-8?q?" + b"a" * 100_000, b"=?a?b?" * 80_000]
)
def test_hostile_words_take_linear_time(body: bytes) -> None:
    start = time.process_time()
    decode_words(body)
    assert time.process_time() - start < 2
