"""Any octets: well-formed responses, one tagged response for each command, the same whole or in pieces. THREATS 2F."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pymaild.dialogue import Pump, Then
from pymaild.imap import Limits
from pymaild.imap.commands import COMMANDS
from pymaild.imap.fetch import ITEMS
from pymaild.imap.search import KEYS
from tests.imap_world import World

WORDS = [
    *COMMANDS, *ITEMS, *KEYS, "INBOX", "Sent", "Nowhere", "1", "1:*", "*", "2,3", "4294967295", "(", ")", "()", '""', '"',
    '"a b"', "\\Seen", "\\Deleted", "$Label1", "+FLAGS", "-FLAGS.SILENT", "BODY.PEEK[1.2]", "BODY[HEADER.FIELDS (A B)]",
    "BINARY[1]", "BODY[", "]", "<0.5>", "{3}", "{3+}", "{0+}", "~{3}", "{99999999999999999999}", "NIL", "1-Feb-1994",
    '" 1-Feb-1994 00:00:00 +0000"', "CHARSET", "UTF-8", "X-UNKNOWN", "RETURN", "(STATUS (MESSAGES))", "%", "DONE",
    "PLAIN", "LOGIN", "AGFubkBleGFtcGxlLm9yZwBhbm4tc2VjcmV0", "DEFLATE", "ann@example.org", "ann-secret", "é",
]  # fmt: skip
NO_LITERALS = [word for word in WORDS if "{" not in word and word not in ("IDLE", "AUTHENTICATE", "LOGOUT", "STARTTLS")]
LOGIN = b"l LOGIN ann@example.org ann-secret\r\nm SELECT INBOX\r\n"

# A response: a status with its tag, untagged data, or a go-ahead. Literals are taken out before. RFC 3501 §9
RESPONSE = re.compile(rb"(\* [^\r\n\0]*|\+ [^\r\n\0]*|[^\x00-\x20(){%*\"\\+\x7f-\xff]+ (OK|NO|BAD) [ -~]+)\Z")
LITERAL = re.compile(rb"~?\{(\d+)\}\r\n")


def commands(words: list[str]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(words), min_size=1, max_size=7).map(" ".join)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("fuzz"), limits=Limits(bad_commands=1000, failed_logins=1000, message=5000))
    yield world
    world.close()


def answers(world: World, octets: bytes, size: int = 1 << 20) -> tuple[bytes, Then]:
    pump = Pump(world.session())
    said = b"".join(pump.start())
    for start in range(0, len(octets), size):
        said += b"".join(pump.feed(octets[start : start + size]))
        if pump.then is Then.CLOSE:
            break
        if pump.then is Then.COMPRESS:
            said += b"".join(pump.feed(pump.compressed()))
    pump.session.closed()
    world.sessions.clear()
    return said, pump.then


def responses(said: bytes) -> list[bytes]:
    """The responses, each on one line: literals are cut out by their announced size."""
    plain, at = b"", 0
    while found := LITERAL.search(said, at):
        plain += said[at : found.start()] + b"<literal>"
        at = found.end() + int(found[1])
        assert at <= len(said), "a literal is shorter than it says"
    plain += said[at:]
    assert plain.endswith(b"\r\n")
    return plain[:-2].split(b"\r\n")


def check(said: bytes) -> None:
    for response in responses(said):
        assert RESPONSE.match(response), response


@given(st.binary(max_size=300))
def test_any_octets_before_the_login(world: World, octets: bytes) -> None:
    check(answers(world, octets + b"\r\n")[0])


@settings(max_examples=120)
@given(st.lists(st.one_of(st.binary(max_size=40), commands(WORDS).map(str.encode)), max_size=6))
def test_any_lines_after_the_login(world: World, lines: list[bytes]) -> None:
    octets = LOGIN + b"".join(b"t%d %s\r\n" % (number, line) for number, line in enumerate(lines))
    check(answers(world, octets)[0])


@settings(max_examples=150)
@given(st.lists(commands(NO_LITERALS), min_size=1, max_size=5))
def test_each_command_has_one_tagged_response(world: World, lines: list[str]) -> None:
    tags = [b"t%d" % number for number in range(len(lines))]
    octets = LOGIN + b"".join(b"%s %s\r\n" % pair for pair in zip(tags, (line.encode() for line in lines), strict=True))
    said = responses(answers(world, octets)[0])
    tagged = [line.split(b" ")[0] for line in said if not line.startswith((b"* ", b"+ "))]
    assert tagged == [b"l", b"m", *tags]


@settings(max_examples=40)
@given(st.lists(commands([*WORDS, "{3+} abc", "APPEND Sent {14+}\r\nSubject: new\r\n"]), max_size=4))
def test_whole_or_in_pieces_is_the_same(tmp_path_factory: pytest.TempPathFactory, world: World, lines: list[str]) -> None:
    """EXAMINE, and nothing that changes the store, so that the second time meets what the first met."""
    harmless = [line for line in lines if not CHANGES.search(line)]
    octets = LOGIN.replace(b"SELECT", b"EXAMINE") + b"".join(
        b"t%d %s\r\n" % (number, line.encode()) for number, line in enumerate(harmless)
    )
    assert answers(world, octets) == answers(world, octets, 1) == answers(world, octets, 7)


CHANGES = re.compile("SELECT|APPEND|CREATE|DELETE|RENAME|SUBSCRIBE")


@pytest.mark.parametrize(
    "command",
    [
        b"(" * 60000,
        b"SEARCH " + b"(" * 60000,
        b"SEARCH " + b"NOT " * 15000 + b"ALL",
        b"SEARCH " + b"OR " * 15000 + b"ALL",
        b"FETCH " + b"1:*," * 15000 + b"1 FLAGS",
        b"FETCH 1 " + b"(" * 60000,
        b"FETCH 1 (" + b"FLAGS " * 10000 + b"UID)",
        b"STORE 1 +FLAGS (" + b"\\Seen " * 9000 + b"\\Seen)",
        b'LIST "" "' + b"%*" * 30000 + b'"',
        b'LIST "" (' + b"* " * 30000 + b"*)",
        b'SEARCH TEXT "' + b"\\\\" * 30000,
        b"ID (" + b'"a" "b" ' * 7000 + b")",
        b"LIST (" + b"SUBSCRIBED " * 5000 + b') "" *',
    ],
    ids=lambda command: command[:12].decode(),
)
def test_long_nested_and_repeated_arguments_end_quickly(world: World, command: bytes) -> None:
    """THREATS T141, T142, T143, T146."""
    said, _ = answers(world, LOGIN + b"x " + command + b"\r\ny NOOP\r\n")
    lines = responses(said)
    assert sum(line.startswith(b"x ") for line in lines) == 1
    assert lines[-1] == b"y OK Done"
