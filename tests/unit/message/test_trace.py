"""Trace fields: what they say, what they keep to themselves, and that nobody can write into them."""

from __future__ import annotations

import io

import pytest

from pymaild.envelope import Address, Client, Envelope, Recipient, Role
from pymaild.message import trace
from pymaild.status import MailError

ANN = Address("ann", "example.org")


def envelope(**client: object) -> Envelope:
    peer = Client("s1", "192.0.2.1", helo="mail.example.net", extended=True)
    for name, value in client.items():
        setattr(peer, name, value)
    return Envelope(peer, Address("bob", "example.net"), [Recipient(ANN)], message_id="m1")


def test_received_names_both_ends() -> None:
    field = trace.received(envelope(), "mx.example.org", 1172000000, ANN)
    assert field == (
        b"Received: from mail.example.net ([192.0.2.1])\r\n\tby mx.example.org with ESMTP\r\n"
        b"\tid m1 for <ann@example.org>;\r\n\tTue, 20 Feb 2007 19:33:20 +0000\r\n"
    )


def test_received_over_tls_and_ipv6() -> None:
    field = trace.received(envelope(tls="TLSv1.3 TLS_AES_256_GCM_SHA384", ip="2001:db8::1"), "mx", 0, None)
    assert b"([IPv6:2001:db8::1])" in field
    assert b"with ESMTPS (TLSv1.3 TLS_AES_256_GCM_SHA384)" in field
    assert b" for " not in field


def test_received_of_our_own_people_says_nothing_about_them() -> None:
    field = trace.received(envelope(account="ann@example.org", role=Role.MSA, tls="TLSv1.3"), "mx", 0, ANN)
    assert b"192.0.2.1" not in field and b"mail.example.net" not in field and b"ann@example.org>" in field
    assert field.startswith(b"Received: by mx with ESMTPSA (TLSv1.3)\r\n")


def test_received_with_smtputf8() -> None:
    utf8 = envelope()
    utf8.smtputf8 = True
    assert b" with UTF8SMTP\r\n" in trace.received(utf8, "mx", 0, Address("jos\u00e9", "example.org"))


def test_received_from_a_unix_socket() -> None:
    assert trace.received(envelope(role=Role.LMTP, ip=""), "mx", 0, None).startswith(
        b"Received: from mail.example.net\r\n\tby mx with LMTP\r\n"
    )


@pytest.mark.parametrize("helo", ["x\r\nBcc: eve@example.net", "a b (c)", "\u2028x", "(" * 9000, ""])
def test_helo_cannot_write_into_the_header(helo: str) -> None:
    field = trace.received(envelope(helo=helo), "mx", 0, None)
    assert field.count(b"\r\n") == 4 and b"\r\nBcc" not in field and len(field) < 800
    assert field.count(b"(") == 1


def test_return_path_and_delivered_to() -> None:
    assert trace.return_path(None) == b"Return-Path: <>\r\n"
    assert trace.return_path(Address("a b", "example.org")) == b'Return-Path: <"a b"@example.org>\r\n'
    assert trace.return_path(Address("a\r\nb", "example.org")).count(b"\n") == 1
    assert trace.delivered_to("jos\u00e9@example.org") == "Delivered-To: jos\u00e9@example.org\r\n".encode()


def test_count_received() -> None:
    assert trace.count_received(b"Received: a\r\nX-Received: b\r\nRECEIVED : c\r\n received: folded\r\n\r\n") == 2


@pytest.mark.parametrize(
    ("message", "header"),
    [
        (b"A: b\r\n\r\nbody\r\n\r\n", b"A: b\r\n\r\n"),
        (b"A: b\n\nbody", b"A: b\n\n"),
        (b"\r\nbody", b"\r\n"),
        (b"A: b\r\n", b"A: b\r\n"),
        (b"A: b\r\n\r\n", b"A: b\r\n\r\n"),
        (b"", b""),
        (b"A: " + b"b" * 65529 + b"\r\n\r\nbody", b"A: " + b"b" * 65529 + b"\r\n\r\n"),
    ],
)
def test_header_block(message: bytes, header: bytes) -> None:
    assert trace.header_block(io.BytesIO(message), 1 << 20) == header


def test_header_block_has_a_limit() -> None:
    assert trace.header_block(io.BytesIO(b"A: " + b"b" * 200_000), 100_000) is None
    assert trace.header_block(io.BytesIO(b"A: b\r\n\r\n"), 7) is None
    assert trace.header_block(io.BytesIO(b"A: b\r\n\r\n"), 8) == b"A: b\r\n\r\n"


def test_authors() -> None:
    message = io.BytesIO(
        "From: Ann <ann@EXAMPLE.org>,\r\n bob@b\u00fccher.example\r\nSender: ann@example.org\r\n\r\n".encode()
    )
    assert trace.authors(message) == [ANN, Address("bob", "xn--bcher-kva.example"), ANN]


def test_who_resends_is_an_author() -> None:
    message = io.BytesIO(b"From: ann@example.org\r\nResent-From: bob@example.net\r\nResent-Sender: ann@example.org\r\n\r\n")
    assert trace.authors(message) == [ANN, Address("bob", "example.net"), ANN]


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"To: ann@example.org\r\n",
        b"From: \r\n",
        b"From: admin@example.org <any@attack.example>\r\n",
        b"From: ann@example.org\r\nFrom: bob@example.net <x\r\n",
        b"From: undisclosed:;\r\n",
        b"From: ann\r\n",
        b" From: bob@example.net\r\nFrom: ann@example.org\r\n",  # readers differ about who that is
        b"From\r\n: bob@example.net\r\nFrom: ann@example.org\r\n",
    ],
)
def test_an_author_who_is_not_certain_is_refused(header: bytes) -> None:
    with pytest.raises(MailError) as caught:
        trace.authors(io.BytesIO(header + b"\r\nbody\r\n"))
    assert caught.value.status == "5.6.0"
