"""Every SMTP, LMTP and submission transcript on the bare session; and that the transcripts leave nothing out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from pymaild.envelope import Role
from pymaild.smtp import COMMANDS
from tests.player import Mismatch, Script, octets, play, scripts, session_drive
from tests.smtp_world import World

FOLDER = Path(__file__).parent / "transcripts"
SOURCES = Path(__file__).parent.parent / "pymaild" / "smtp"
SCRIPTS = [path for name in ("smtp", "lmtp", "submission") for path in scripts(FOLDER / name)]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_transcript(path: Path) -> None:
    script = Script.load(path)
    assert re.match(r"RFC \d+ §\S+ -- \S", script.title), "the title cites the section it shows"
    world = World.of(script)
    play(script, session_drive(world.session))


def test_a_transcript_that_is_wrong_fails() -> None:
    script = Script.parse("# RFC 5321 §4.1.1.9 -- wrong\nC: NOOP\nS: 251 2.0.0 Ok", Path("smtp/wrong.txt"))
    with pytest.raises(Mismatch):
        play(script, session_drive(World().session))


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_command_has_a_transcript_on_every_port_that_has_it(verb: str) -> None:
    folders = {Role.MX: "smtp", Role.LMTP: "lmtp", Role.MSA: "submission"}
    for role in COMMANDS[verb].roles & folders.keys():
        assert verb in _spoken(folders[role]), f"no transcript of {verb} in {folders[role]}"


def _spoken(folder: str) -> set[str]:
    """The first words of what the clients of a folder say."""
    said = set()
    for path in scripts(FOLDER / folder):
        for line in Script.load(path).lines:
            if line.who == "C":
                text = octets(line.text).decode("latin-1") if line.kind == "|" else line.text
                said |= {re.split(r"[ \r]", part)[0].upper() for part in text.split("\n")}
    return said


def test_every_reply_of_the_sources_is_in_some_transcript() -> None:
    shown = set()
    for path in SCRIPTS:
        for line in Script.load(path).lines:
            if line.who == "S" and (match := re.match(r"(\d{3})[ -](\d\.\d+\.\d+)?", line.text)):
                shown.add((int(match[1]), match[2] or ""))
    assert not _made() - shown, "replies without a transcript"


def _made() -> set[tuple[int, str]]:
    """Code and status of every Reply(...) and Refused(...) written with literals in the sources."""
    made = set()
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Name(id="Reply" | "Refused"),
                    args=[ast.Constant(value=int(code)), ast.Constant(value=str(status)), *_],
                ):
                    made.add((code, status))
    return made
