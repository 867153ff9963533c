"""What was said in clear counts for nothing inside TLS. RFC 3207 §4.2, RFC 9051 §11.1, THREATS T060-T063."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.wire.house import House, Peer, house


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("house")) as served:
        yield served


@pytest.mark.parametrize("name", ["smtp", "submission"])
@pytest.mark.parametrize("tail", [b"EHLO x\r\nMAIL FROM:<a@b.example>\r\n", b"NOO", b"NOOP\r\n" * 2000])
def test_smtp_tail_in_the_same_segment_is_never_answered(open_house: House, name: str, tail: bytes) -> None:
    with Peer(open_house.port(name)) as peer:
        peer.reply()
        peer.command(b"EHLO client.example.net")
        peer.say(b"STARTTLS\r\n" + tail)
        assert peer.reply().startswith(b"220 ")
        try:
            peer.start_tls()
        except OSError:
            return  # the connection was dropped: as good
        assert peer.command(b"EHLO after.example.net").startswith(b"250 ")
        assert peer.command(b"NOOP").startswith(b"250 ")
        assert peer.input == b""


def test_imap_tail_in_the_same_segment_is_never_answered(open_house: House) -> None:
    with Peer(open_house.port("imap")) as peer:
        peer.line()
        peer.say(b"a STARTTLS\r\nb NOOP\r\n")
        assert peer.tagged(b"a")[-1].startswith(b"a OK")
        peer.start_tls()
        peer.say(b"c NOOP\r\n")
        assert not any(line.startswith(b"b ") for line in peer.tagged(b"c"))


def test_clear_text_after_the_go_ahead_ends_the_connection(open_house: House) -> None:
    """What comes a moment later is taken for a handshake, and is none."""
    with Peer(open_house.port("smtp")) as peer:
        peer.reply()
        peer.command(b"EHLO client.example.net")
        assert peer.command(b"STARTTLS").startswith(b"220 ")
        peer.say(b"MAIL FROM:<a@b.example>\r\n")
        assert b"250" not in peer.rest()


def test_the_client_is_a_stranger_after_starttls(open_house: House) -> None:
    with Peer(open_house.port("smtp")) as peer:
        peer.reply()
        peer.command(b"EHLO client.example.net")
        peer.command(b"MAIL FROM:<a@b.example>")
        peer.command(b"STARTTLS")
        peer.start_tls()
        assert peer.command(b"RCPT TO:<ann@example.org>").startswith(b"503 ")


def test_starttls_is_gone_inside_tls(open_house: House) -> None:
    with Peer(open_house.port("submissions"), tls=True) as peer:
        peer.reply()
        peer.say(b"EHLO client.example.net\r\n")
        lines = [peer.line()]
        while lines[-1][3:4] == b"-":
            lines.append(peer.line())
        assert not any(b"STARTTLS" in line for line in lines)
        assert peer.command(b"STARTTLS")[:3] in (b"503", b"502")


def test_a_stalled_handshake_hinders_nobody(open_house: House) -> None:
    """THREATS T071: handshakes happen in the connection's own thread."""
    stalled = [Peer(open_house.port("imaps")) for _ in range(30)]
    began = time.monotonic()
    with Peer(open_house.port("imaps"), tls=True) as peer:
        assert peer.line().startswith(b"* OK")
    assert time.monotonic() - began < 2
    for peer in stalled:
        peer.sock.close()
