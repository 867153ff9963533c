"""Every transcript of mail that leaves: without sockets, octet by octet, and over real connections with real TLS."""

from __future__ import annotations

import re
import ssl
from pathlib import Path

import pytest

from pymaild.cli.keys import certificate
from tests.player import Mismatch, scripts
from tests.relay_player import RelayScript, play_on_sockets, play_without_sockets

FOLDER = Path(__file__).parent / "transcripts" / "relay"
SCRIPTS = scripts(FOLDER)
# The words of a real socket differ; the outcome is looked at in tests/unit/outbound/test_relay.py.
NOT_ON_SOCKETS = {"tls_fails_demanded"}

# What comes together with something else, or is too much to come octet by octet.
AT_ONCE = {"starttls_injection", "answers_too_early", "endless_line", "endless_reply"}


def load(path: Path) -> RelayScript:
    script = RelayScript.load(path)
    assert isinstance(script, RelayScript)
    return script


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's context, and its certificate as the authority that the client trusts."""
    folder = tmp_path_factory.mktemp("keys")
    certificate(folder / "c.pem", folder / "k.pem", ("mx.example.net",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "c.pem", folder / "k.pem")
    return context, folder / "c.pem"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_without_sockets(path: Path, tmp_path: Path) -> None:
    script = load(path)
    assert re.match(r"RFC \d+ .*§.* -- \S", script.title), "the title cites the section it shows"
    assert script.results, "a transcript says what came of it"
    play_without_sockets(script, tmp_path)


@pytest.mark.parametrize("path", [path for path in SCRIPTS if path.stem not in AT_ONCE], ids=lambda path: path.stem)
def test_octet_by_octet(path: Path, tmp_path: Path) -> None:
    play_without_sockets(load(path), tmp_path, bytewise=True)


@pytest.mark.parametrize("path", [path for path in SCRIPTS if path.stem not in NOT_ON_SOCKETS], ids=lambda path: path.stem)
def test_on_sockets(path: Path, tmp_path: Path, keys: tuple[ssl.SSLContext, Path]) -> None:
    play_on_sockets(load(path), tmp_path, *keys, short=2 if path.stem == "silence" else 30)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("C: RCPT TO:<bob@example.net>", "C: RCPT TO:<eve@example.net>"),
        ("S: 250 2.1.5 Ok", "S: 550 5.1.1 No"),
        ("=> bob@example.net sent", "=> bob@example.net failed"),
        ("C: .", "C: ..\nC: ."),
        ("S: 250-PIPELINING", "S: 250-DSN"),
    ],
)
def test_a_transcript_that_is_wrong_fails(old: str, new: str, tmp_path: Path) -> None:
    text = (FOLDER / "pipelining.txt").read_text("utf-8")
    assert old in text
    wrong = RelayScript.parse(text.replace(old, new), FOLDER / "wrong.txt")
    assert isinstance(wrong, RelayScript)
    with pytest.raises(Mismatch):
        play_without_sockets(wrong, tmp_path)
