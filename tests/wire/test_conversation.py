"""The conversation over a real socket: however the octets come, the answers are the same, and the last one arrives."""

from __future__ import annotations

import socket
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wire.house import ANN, BOB, MESSAGE, PASSWORDS, House, Peer, house, imap, smtp, until

DIALOGUE = (
    b"EHLO client.example.net\r\nMAIL FROM:<x@example.net>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n"
    b"Subject: one\r\n\r\none\r\n.\r\nNOOP\r\nNONSENSE\r\nMAIL FROM:<x@example.net>\r\nRSET\r\nQUIT\r\n"
)


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("house")) as served:
        yield served


def codes(said: bytes) -> list[bytes]:
    return [line[:3] for line in said.splitlines() if line[3:4] != b"-"]


def test_one_segment_and_single_octets_get_the_same_answers(open_house: House) -> None:
    """RFC 2920: pipelining, T037: split anywhere."""
    answers = []
    for size in (len(DIALOGUE), 1, 7):
        with Peer(open_house.port("smtp")) as peer:
            peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for start in range(0, len(DIALOGUE), size):
                peer.say(DIALOGUE[start : start + size])
            answers.append(codes(peer.rest()))
    wanted = [b"220", b"250", b"250", b"250", b"354", b"250", b"250", b"500", b"250", b"250", b"221"]
    assert answers == [wanted] * 3


def test_the_last_reply_arrives_although_the_peer_goes_on_talking(open_house: House) -> None:
    """Closing with unread input would send RST and take the 221 away."""
    with Peer(open_house.port("smtp")) as peer:
        peer.reply()
        peer.say(b"QUIT\r\n" + b"NOOP\r\n" * 50_000)
        assert peer.rest().startswith(b"221 ")


def test_a_message_of_25_megabytes(open_house: House) -> None:
    body = b"".join(b"%07d 0123456789012345678901234567890123456789012345678901234567890\r\n" % n for n in range(360_000))
    assert len(body) > 25_000_000
    with smtp(open_house.port("smtp")) as client:
        client.sendmail("x@example.net", [BOB], b"Subject: long\r\n\r\n" + body)
    reader = imap(open_house.port("imap"), BOB)
    reader.select()
    _, found = reader.search(None, "SUBJECT", "long")
    _, data = reader.fetch(found[0].split()[0].decode(), "(BODY.PEEK[TEXT])")
    assert isinstance(data[0], tuple)
    assert data[0][1] == body
    reader.logout()


def test_a_submitted_message_over_tls_is_read_over_tls(open_house: House) -> None:
    with Peer(open_house.port("submissions"), tls=True) as peer:
        peer.reply()
        peer.command(b"EHLO client.example.net")
        peer.command(b"AUTH LOGIN")
        peer.command(b"YW5uQGV4YW1wbGUub3Jn")
        assert peer.command(b"YW5uLXNlY3JldC0x").startswith(b"235 ")
        peer.command(b"MAIL FROM:<ann@example.org>")
        peer.command(b"RCPT TO:<bob@example.org>")
        peer.command(b"DATA")
        assert peer.command(MESSAGE + b".").startswith(b"250 ")
    with Peer(open_house.port("imaps"), tls=True) as peer:
        peer.line()
        assert peer.imap(b"a LOGIN bob@example.org bob-secret-1").startswith(b"a OK")
        peer.say(b"b SELECT INBOX\r\n")
        assert any(b"EXISTS" in line for line in peer.tagged(b"b"))
    assert open_house.logged("message")


# ---- COMPRESS=DEFLATE. RFC 4978


def compressed(open_house: House) -> tuple[Peer, zlib._Compress, zlib._Decompress]:
    peer = Peer(open_house.port("imap"))
    peer.line()
    peer.imap(f"a LOGIN {ANN} {PASSWORDS[ANN]}".encode())
    assert peer.imap(b"b COMPRESS DEFLATE").startswith(b"b OK")
    return peer, zlib.compressobj(9, zlib.DEFLATED, -15), zlib.decompressobj(-15)


def test_compress_both_ways(open_house: House) -> None:
    peer, deflate, inflate = compressed(open_house)
    with peer:
        peer.say(deflate.compress(b"c SELECT INBOX\r\nd NOOP\r\n") + deflate.flush(zlib.Z_SYNC_FLUSH))
        said = b""
        while b"d OK" not in said:
            block = peer.sock.recv(65536)
            assert block, f"the server closed after {said!r}"
            said += inflate.decompress(block)
        assert b"c OK" in said


def test_a_compressed_bomb_is_one_line_that_is_too_long(open_house: House) -> None:
    """THREATS T150: 32 MiB in 32 KB; nothing of it is kept."""
    peer, deflate, inflate = compressed(open_house)
    with peer:
        bomb = b"".join(deflate.compress(b"A" * (1 << 20)) for _ in range(32)) + deflate.compress(b"\r\nd NOOP\r\n")
        peer.say(bomb + deflate.flush(zlib.Z_SYNC_FLUSH))
        said = b""
        while b"d OK" not in said:
            block = peer.sock.recv(65536)
            assert block, "the connection ended without an answer"
            said += inflate.decompress(block)
        assert b"BAD" in said


def test_garbage_instead_of_deflate_ends_the_connection(open_house: House) -> None:
    peer, _, _ = compressed(open_house)
    with peer:
        peer.say(b"\xff\xff\xff\xff this is no deflate stream")
        peer.rest()
    until(lambda: any("DEFLATE" in line for line in open_house.logged("disconnect")))


# ---- what nobody expected


def test_a_defect_is_logged_once_and_the_peer_gets_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with house(tmp_path) as served:
        monkeypatch.setattr("pymaild.flow.Reception.sender", lambda *_: 1 // 0)
        monkeypatch.setattr("pymaild.imap.session.Session.line", lambda *_: 1 // 0)
        with Peer(served.port("smtp")) as peer:
            peer.reply()
            peer.command(b"EHLO client.example.net")
            assert peer.command(b"MAIL FROM:<a@example.net>")[:3] in (b"421", b"451")
            assert peer.rest() == b""
        with Peer(served.port("imap")) as peer:
            peer.line()
            peer.say(b"a NOOP\r\n")
            assert peer.rest().startswith(b"* BYE ")
        until(lambda: len(served.logged("disconnect")) == 2)
        assert len(served.logged("fault")) == 2
        assert any("ZeroDivisionError" in line for line in served.logged("traceback"))
