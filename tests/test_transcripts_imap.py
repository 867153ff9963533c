"""Every IMAP transcript on the bare session; and that the transcripts leave nothing out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pymaild.imap.capability import CAPABILITIES
from pymaild.imap.commands import COMMANDS
from pymaild.imap.commands.authenticated import STATUS_ITEMS
from pymaild.imap.commands.listing import RETURN, SELECTION
from pymaild.imap.errors import STATUS_CODES, STORE_CODES
from pymaild.imap.fetch import ITEMS, MACROS
from pymaild.imap.search import KEYS
from pymaild.imap.section import WORDS
from pymaild.mailstore import MailboxHasChildren, NoSpace
from tests.imap_world import World
from tests.player import Mismatch, Script, play, scripts, session_drive

FOLDER = Path(__file__).parent / "transcripts" / "imap"
SCRIPTS = scripts(FOLDER)
LINES = [line for path in SCRIPTS for line in Script.load(path).lines]
SAID = "\n".join(line.text.upper() for line in LINES if line.who == "C")
HEARD = "\n".join(line.text.upper() for line in LINES if line.who == "S")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_transcript(path: Path, tmp_path: Path) -> None:
    script = Script.load(path)
    assert re.match(r"RFC \d+ §\S+ -- \S", script.title), "the title cites the section it shows"
    world = World.of(script, tmp_path)
    try:
        play(script, session_drive(world.session))
    finally:
        world.close()


def test_a_transcript_that_is_wrong_fails(tmp_path: Path) -> None:
    script = Script.parse("# RFC 3501 §6.1.2 -- wrong\nC: a NOOP\nS: a NO Done", Path("imap/wrong.txt"))
    with pytest.raises(Mismatch):
        play(script, session_drive(World(tmp_path).session))


ALWAYS_REFUSED = {"SETQUOTA"}  # only the administrator sets limits: RFC 9208 §4.1.3


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_command_has_a_transcript_with_success_and_refusal(verb: str) -> None:
    answers: set[str] = set()
    for path in SCRIPTS:
        lines = Script.load(path).lines
        tags = {
            words[0] for line in lines if line.who == "C" and (words := line.text.upper().split(" ", 1))[1:]
            and (words[1] + " ").startswith(verb + " ")
        }  # fmt: skip
        for line in lines:
            words = line.text.upper().split(" ")
            if line.who == "S" and words[0] in tags and words[1:]:
                answers.add(words[1])
    assert "OK" in answers or verb in ALWAYS_REFUSED, f"no transcript of {verb} that succeeds"
    assert answers & {"NO", "BAD"}, f"no transcript of {verb} that is refused"


@pytest.mark.parametrize("item", [*ITEMS, *MACROS, "BODY.PEEK", "BINARY.PEEK", "BINARY.SIZE"])
def test_every_fetch_item_has_a_transcript(item: str) -> None:
    assert re.search(rf"FETCH [0-9:*,]+ .*(?<![A-Z.]){re.escape(item)}(?![A-Z.])", SAID)


@pytest.mark.parametrize("word", WORDS)
def test_every_section_has_a_transcript(word: str) -> None:
    assert re.search(rf"BODY(\.PEEK)?\[(\d+\.)*{re.escape(word)}[\] ]", SAID)


@pytest.mark.parametrize("key", KEYS)
def test_every_search_key_has_a_transcript(key: str) -> None:
    assert re.search(rf"SEARCH .*(?<![A-Z]){key}(?![A-Z])", SAID)


@pytest.mark.parametrize("word", [*STATUS_ITEMS, *SELECTION, *RETURN])
def test_every_list_option_and_status_item_has_a_transcript(word: str) -> None:
    assert re.search(rf"[( ]{re.escape(word)}[) ]", SAID)


@pytest.mark.parametrize("word", CAPABILITIES)
def test_every_capability_is_seen(word: str) -> None:
    assert re.search(rf"CAPABILITY .*(?<!\S){re.escape(word.upper())}[ \]\n=]", HEARD)


# Broken disks cannot be had in a transcript, and our store has no mailbox that HASCHILDREN: unit/imap/test_imap_errors.py
ELSEWHERE = {STORE_CODES[NoSpace], STORE_CODES[MailboxHasChildren], "NOPERM"}


@pytest.mark.parametrize("code", sorted({*STORE_CODES.values(), *STATUS_CODES.values()} - ELSEWHERE))
def test_every_response_code_of_an_error_is_seen(code: str) -> None:
    assert f" [{code}] " in HEARD
