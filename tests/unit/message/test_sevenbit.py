"""8 bits for a server of 7: the parts decode to what they were, and what may not be touched is refused."""

from __future__ import annotations

import base64
import email
import quopri

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pymaild.message.sevenbit import quoted_printable, seven_bit
from pymaild.status import MailError

HEAD = b"Subject: x\r\nMIME-Version: 1.0\r\n"


def leaf(type: bytes, body: bytes, encoding: bytes = b"8bit") -> bytes:
    return b"Content-Type: " + type + b"\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n" + body


def test_text_and_attachment() -> None:
    text = "Grüße\r\n.\r\nende ".encode()
    data = bytes(range(128, 256)) * 3
    message = (
        HEAD
        + b'Content-Type: multipart/mixed; boundary="b"\r\nContent-Transfer-Encoding: 8bit\r\n\r\npre\xe4mble\r\n--b\r\n'
        + leaf(b"text/plain; charset=utf-8", text)
        + b"\r\n--b\r\n"
        + leaf(b"image/png", data, b"binary")
        + b"\r\n--b\r\n"
        + leaf(b"text/plain", b"plain", b"7bit")
        + b"\r\n--b--\r\n"
    )
    converted = seven_bit(message)
    assert converted.isascii()
    parsed = email.message_from_bytes(converted)
    first, second, third = [part for part in parsed.walk() if not part.is_multipart()]
    assert parsed["Content-Transfer-Encoding"] == "7bit"
    assert first.get_payload(decode=True) == text
    assert second.get_payload(decode=True) == data
    assert third.get_payload() == "plain"
    assert converted.count(b"MIME-Version") == 1


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([b"a", b"=", b" ", b"\t", b".", b"\r\n", b"\xc3\xa4", b"x" * 80, b"\x01", b"From "])))
def test_quoted_printable_is_what_it_was(pieces: list[bytes]) -> None:
    body = b"".join(pieces)
    encoded = quoted_printable(body)
    assert quopri.decodestring(encoded) == body
    assert encoded.isascii() and max(map(len, encoded.split(b"\r\n"))) <= 76


def test_a_message_without_mime_becomes_one() -> None:
    converted = seven_bit("Subject: x\r\n\r\nGrüße\r\n".encode())
    parsed = email.message_from_bytes(converted)
    assert parsed.get_content_charset() == "utf-8" and parsed["MIME-Version"] == "1.0"
    assert parsed.get_payload(decode=True) == "Grüße\r\n".encode()
    assert b"charset=unknown-8bit" in seven_bit(b"Subject: x\r\n\r\nGr\xfc\xdfe\r\n")


def test_a_message_in_a_message() -> None:
    inner = HEAD + leaf(b"text/plain; charset=utf-8", "ä".encode())
    converted = seven_bit(HEAD + b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + inner)
    assert converted.isascii() and b"Content-Transfer-Encoding: 7bit\r\n\r\nSubject" in converted
    assert b"quoted-printable\r\n\r\n=C3=A4" in converted


def test_encodings_that_lie() -> None:
    assert seven_bit(HEAD + leaf(b"text/plain", b"a=20\xe4", b"quoted-printable")).endswith(b"a=20=E4")
    assert seven_bit(HEAD + leaf(b"image/png", base64.b64encode(b"abc") + b"\xff", b"base64")).endswith(b"YWJj")


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (b"Subject: \xe4\r\n\r\nx\r\n", "5.6.7"),
        (HEAD + leaf(b"multipart/signed; boundary=b", b"--b\r\n\r\n\xe4\r\n--b--\r\n"), "5.6.3"),
        (HEAD + leaf(b"message/partial", b"\xe4"), "5.6.3"),
        (HEAD + leaf(b"text/plain", b"\xe4", b"x-uuencode"), "5.6.3"),
    ],
)
def test_what_may_not_be_touched(message: bytes, status: str) -> None:
    with pytest.raises(MailError) as caught:
        seven_bit(message)
    assert caught.value.status == status


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.binary(max_size=120))
def test_any_octets(body: bytes) -> None:
    try:
        assert seven_bit(HEAD + b"\r\n" + body).isascii()
    except MailError as error:
        assert error.status in ("5.6.3", "5.6.7")
