"""The player itself: what it lets pass and what it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from pymaild.dialogue import Output, Then
from tests.player import Mismatch, Script, octets, play, session_drive


class Echo:
    """A session that answers a line with what follows its first word, "|" for a line end."""

    line_limit = 1000

    def greet(self) -> Output:
        return Output([b"hello\r\n"])

    def line(self, line: bytes) -> Output:
        words = line.partition(b" ")[2].replace(b"|", b"\r\n") + b"\r\n"
        return Output([words], Then.CLOSE if line.startswith(b"close") else Then.COMMAND)

    def line_too_long(self, start: bytes = b"") -> Output:
        return Output([b"long\r\n"])

    def data(self, block: bytes) -> tuple[Output | None, bytes]:
        raise NotImplementedError

    def octets_ended(self) -> Output:
        raise NotImplementedError

    def wake(self) -> Output:
        raise NotImplementedError

    def tls_started(self, description: str) -> None:
        raise NotImplementedError

    def timed_out(self) -> Output:
        raise NotImplementedError

    def shutting_down(self) -> Output:
        raise NotImplementedError

    def closed(self) -> None:
        """Nothing to let go of."""


def run(text: str, exact: bool = True) -> None:
    play(Script.parse(text, Path("echo/text")), session_drive(Echo), exact)


GOOD = [
    "S: hello\nC: say a|b\nS: a\nS: b",
    "S: hello\nC: say b|a\nS* a\nS* b",
    "S: hello\nC: say a\nS? b\nS: a",
    "S: hello\nC: say id 77\nS: id {id}\nC: say {id}\nS: 77",
    "S: hello\nC: say x {5}\nS: x {5}",
    "S: hello\nC: say 1 1\nS: {a} {a}",
    "S: hello\nC: close bye\nS: bye\nS: <closed>\nC: more",
    "S1: hello\nC1: say a\nS2: hello\nC2: say b\nS2: b\nS1: a",
    '# title\nkey: value\nS: hello\nC| b"say " + b"a" * 3 + b"\\r\\n"\nS: aaa',
    'S: hello\nC| b"x" * 2000 + b"\\r\\n"\nS: long',
]
BAD = [
    "S: goodbye",
    "S: hello\nC: say a|b\nS: a",
    "S: hello\nC: say a\nS* a\nS* b",
    "S: hello\nC: say a\nS* b\nS* c",
    "S: hello\nC: say 1 2\nS: {a} {a}",
    "S: hello\nC: say 1\nS: {a}\nC: say 2\nS: {a}",
    "S: hello\nC: say a\nS: a\nS: <closed>x",
    "S: hello\nC: say a.c\nS: a?c",
]


@pytest.mark.parametrize("text", GOOD)
def test_what_passes(text: str) -> None:
    run(text)


@pytest.mark.parametrize("text", BAD)
def test_what_does_not(text: str) -> None:
    with pytest.raises(Mismatch):
        run(text)


def test_codes_only() -> None:
    run("S: hello\nC: say 250-words|250 2.0.0 words|* 1 EXISTS|a OK done|+ go\nS: 250 Others\nS: a OK\nS: +", exact=False)
    with pytest.raises(Mismatch):
        run("S: hello\nC: say 550 words\nS: 250 Others", exact=False)


def test_what_is_no_transcript() -> None:
    with pytest.raises(ValueError, match="not a transcript line"):
        Script.parse("S: hello\nX: what")
    for expression in ("open('x')", "b'a' - b'b'", "3 * 3", "'text'"):
        with pytest.raises((ValueError, AssertionError)):
            octets(expression)


def test_a_trace_names_its_connections_by_session() -> None:
    script = Script.parse("3f2a S: 220 a\n77 S: 220 b\n3f2a C: QUIT")
    assert script.is_trace and [line.connection for line in script.lines] == ["3f2a", "77", "3f2a"]
