"""Parts with a NUL become base64, and mean what they meant. RFC 3516 §4.4."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pymaild.message.binary import without_nul
from pymaild.message.structure import scan, walk
from pymaild.message.text import decode_part

MIXED = (
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\nprologue\r\n--b\r\n\r\nplain\r\n--b\r\n"
    b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding:\r\n binary\r\nContent-ID: <x>\r\n\r\n\0\1\2\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\na\0b\r\n--b--\r\nepilogue\r\n"
)


def test_parts_with_nul_and_no_others() -> None:
    made = without_nul(MIXED)
    assert b"\0" not in made
    assert b"\r\n\r\nplain\r\n" in made and made.endswith(b"\r\nepilogue\r\n")
    assert b"Content-ID: <x>\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\n" in made
    assert b"Subject: inner\r\nContent-Transfer-Encoding: base64\r\n\r\nYQBi\r\n" in made
    assert b"binary" not in made


def test_what_cannot_be_encoded_stays() -> None:
    for message in (b"Subject: x\0\r\n\r\nbody", b"Content-Transfer-Encoding: base64\r\n\r\nAA\0==", b"", b"Subject: x"):
        assert without_nul(message) == message


@settings(max_examples=100, derandomize=True)
@given(st.lists(st.binary(max_size=40).map(lambda body: body.replace(b"--b", b"")), min_size=1, max_size=4))
def test_every_part_means_the_same(bodies: list[bytes]) -> None:
    head = b"Content-Type: multipart/mixed; boundary=bb\r\n\r\n"
    part = b"\r\n--bb\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    message = head + b"".join(part + body for body in bodies) + b"\r\n--bb--\r\n"
    made = without_nul(message)
    assert b"\0" not in made
    leaves = [[decode_part(m, p) for p in walk(scan(m)) if not p.children] for m in (message, made)]
    assert leaves[0] == leaves[1]
