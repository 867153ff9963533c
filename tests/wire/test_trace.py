"""serve --trace writes transcripts, and no password ever reaches a trace or the log. RFC 4954 §4, THREATS T224."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from pymaild.servers import log
from pymaild.servers.trace import Traced
from tests.player import Player, Script, socket_drive
from tests.wire.house import ANN, PASSWORDS, Peer, house

SECRET = PASSWORDS[ANN]
PLAIN = base64.b64encode(f"\0{ANN}\0{SECRET}".encode())
LITERAL = b"a LOGIN {%d}\r\n%s {%d}\r\n%s\r\n" % (len(ANN), ANN.encode(), len(SECRET), SECRET.encode())
PLUS = b"a LOGIN {%d+}\r\n%s {%d+}\r\n%s\r\n" % (len(ANN), ANN.encode(), len(SECRET), SECRET.encode())
NAME64, SECRET64 = base64.b64encode(ANN.encode()), base64.b64encode(SECRET.encode())
ATTEMPTS = {
    "submission": [
        b"AUTH PLAIN " + PLAIN + b"\r\n",
        b"auth plain   " + PLAIN + b"\r\n",
        b"AUTH PLAIN\r\n" + PLAIN + b"\r\n",
        b"AUTH LOGIN\r\n" + NAME64 + b"\r\n" + SECRET64 + b"\r\n",
        b"AUTH LOGIN " + NAME64 + b"\r\n" + SECRET64 + b"\r\n",
        b"AUTH " + PLAIN + b"\r\n",
        b"LOGIN " + ANN.encode() + b" " + SECRET.encode() + b"\r\n",
    ],
    "imap": [
        b"a LOGIN %s %s\r\n" % (ANN.encode(), SECRET.encode()),
        b'a login "%s" "%s"\r\n' % (ANN.encode(), SECRET.encode()),
        b"a  LOGIN  %s  %s\r\n" % (ANN.encode(), SECRET.encode()),
        LITERAL,
        PLUS,
        b"a AUTHENTICATE PLAIN " + PLAIN + b"\r\n",
        b"a authenticate PLAIN\r\n" + PLAIN + b"\r\n",
        b"a AUTHENTICATE LOGIN\r\n" + NAME64 + b"\r\n" + SECRET64 + b"\r\n",
        b"LOGIN %s %s\r\n" % (ANN.encode(), SECRET.encode()),
    ],
}


@pytest.mark.parametrize(
    ("name", "attempt"), [(name, attempt) for name, attempts in ATTEMPTS.items() for attempt in attempts]
)
@pytest.mark.parametrize("right", [True, False])
def test_no_password_reaches_trace_or_log(tmp_path: Path, name: str, attempt: bytes, right: bool) -> None:
    with house(tmp_path, trace=True) as served, Peer(served.port(name)) as peer:
        if name == "submission":
            peer.command(b"EHLO client.example.net")
        peer.line()
        if not right:
            attempt = attempt.replace(b"secret-1\r", b"secret-1x\r").replace(SECRET64, SECRET64[:-4] + b"eHg=")
        for line in attempt.splitlines(keepends=True):
            peer.say(line)
        peer.say(b"z NOOP\r\nQUIT\r\nz LOGOUT\r\n")
        peer.rest()
        written = "".join(served.traced + served.lines)
        assert "{credentials}" in written
        for secret in (SECRET, PLAIN.decode(), SECRET64.decode()):
            assert secret not in written


def test_a_saved_trace_plays_again(tmp_path: Path) -> None:
    """The dialogue of a trace, with other credentials put in, against a new server."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with house(tmp_path / "one", trace=True) as served, Peer(served.port("imap")) as peer:
        peer.line()
        peer.say(f"a LOGIN {ANN} {SECRET}\r\n".encode())
        peer.tagged(b"a")
        peer.say(b"b APPEND INBOX {31}\r\n")
        peer.line()
        peer.say(b"Subject: one\r\n\r\nA line.\r\nEnd.\r\n\r\n")
        peer.tagged(b"b")
        peer.imap(b"c SELECT INBOX")
        peer.imap(b"d FETCH 1 BODY[TEXT]")
        peer.imap(b"e LOGOUT")
        peer.rest()
        trace = "".join(served.traced)
    script = Script.parse(trace, Path("imap/saved"))
    assert script.is_trace
    with house(tmp_path / "two") as served:
        player = Player(script, socket_drive("127.0.0.1", served.port("imap")))
        player.names["credentials"] = f"{ANN} {SECRET}"
        player.play()
    assert "A line." in "".join(player.said)


def test_a_trace_of_mail_plays_again(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with house(tmp_path / "one", trace=True) as served, Peer(served.port("smtp")) as peer:
        peer.say(b"EHLO c.example\r\nMAIL FROM:<x@example.net>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n")
        peer.say(b"Subject: dots\r\n\r\n..\r\n\xc3\xa4\r\n\x07\r\n.\r\nBDAT 1\r\nXQUIT\r\n")
        peer.rest()
        trace = "".join(served.traced)
    script = Script.parse(trace, Path("smtp/saved"))
    with house(tmp_path / "two") as served:
        Player(script, socket_drive("127.0.0.1", served.port("smtp"))).play()


def test_nothing_a_client_sends_breaks_a_line_or_commands_a_terminal() -> None:
    for hostile in ("a\nb", "\x1b[31m", "x\u2028y", "\x00", 'q"uote', "a=b", "back\\slash", "\x9b", "x" * 100_000):
        text = log.value(hostile)
        assert text.isascii()
        assert text.isprintable()
        assert len(text) < 2000
        assert text == hostile or json.loads(text).rstrip(".") == hostile[:200]


def test_a_hostile_helo_is_one_line_of_the_trace(tmp_path: Path) -> None:
    with house(tmp_path, trace=True) as served, Peer(served.port("smtp")) as peer:
        peer.reply()
        peer.say(b"EHLO \x1b[31mred\x00\r\nQUIT\r\n")
        peer.rest()
        said = [line for line in served.traced if "red" in line]
        assert said
        assert "\x1b" not in "".join(served.traced)


def test_a_traced_session_passes_everything_else_through() -> None:
    class Session:
        line_limit = 7
        on_change: object = None

    session = Session()
    traced = Traced(session, "1f", lambda _: None)  # type: ignore[arg-type]
    traced.on_change = self_made = object()
    assert traced.line_limit == 7
    assert session.on_change is self_made
