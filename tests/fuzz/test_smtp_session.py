"""Any octets: well-formed replies, the same however they are cut, bounded memory, no exception."""

from __future__ import annotations

import re
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pymaild.dialogue import Pump, Then
from pymaild.envelope import Role
from pymaild.smtp import COMMANDS, Limits
from tests.smtp_world import World

# RFC 5321 §4.2: three digits, "-" or " ", printable text; RFC 2034: the status repeats the code's first digit.
LINE = re.compile(rb"[2-5][0-5][0-9][ \-][\x20-\x7e]*")
STATUS = re.compile(rb"([2-5])\d\d[ -]([245])\.\d{1,3}\.\d{1,3} ")
NO_LIMITS = {"limits": "errors=1000000 idle_commands=1000000"}

ARGUMENTS = [
    b"", b" x", b" FROM:<a@b.example>", b" FROM:<>", b" TO:<ann@example.org>", b" TO:<bob@example.org>", b" TO:<postmaster>",
    b" FROM:<ann@example.org>", b" 0", b" 3", b" 3 LAST", b" 0 LAST", b" PLAIN", b" LOGIN", b" PLAIN =", b" client.example",
    b" PLAIN AGFubkBleGFtcGxlLm9yZwBhbm4tc2VjcmV0", b" FROM:<a@b.example> SIZE=9 BODY=8BITMIME", b" TO:<j\xc3\xb6rg@example.org>",
]  # fmt: skip
COMMAND = st.builds(
    lambda verb, rest: verb.encode() + rest + b"\r\n", st.sampled_from([*COMMANDS]), st.sampled_from(ARGUMENTS)
)
NOISE = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [b"\r\n", b"\n", b"\r", b".\r\n", b"\r\n.\r\n", b"\r\n..\r\n", b"*\r\n", b"abc", b"a\r\n", b"\0", b"x" * 3000]
    ),
)
PLOT = b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<ann@example.org>\r\n"
INPUT = st.lists(st.one_of(COMMAND, COMMAND, NOISE, st.just(PLOT)), max_size=25).map(b"".join)


def talk(blocks: list[bytes], role: Role, head: dict[str, str]) -> tuple[bytes, dict[str, list[bytes]]]:
    world = World(head, role)
    pump = Pump(world.session())
    said = b"".join(pump.start())
    for block in blocks:
        said += b"".join(pump.feed(block))
        if pump.then is Then.TLS:
            pump.tls_started("TLSv1.3 X")
        if pump.then is Then.CLOSE:
            break
    pump.session.closed()
    return said, world.messages


@pytest.mark.parametrize("role", [Role.MX, Role.LMTP, Role.MSA])
@settings(max_examples=120)
@given(data=INPUT, head=st.sampled_from([{}, NO_LIMITS, {"auth": "clear"}, {"limits": "message_size=20 recipients=1"}]))
def test_any_octets_get_well_formed_replies(role: Role, data: bytes, head: dict[str, str]) -> None:
    said, _messages = talk([data], role, head)
    assert said.endswith(b"\r\n")
    greeting, *lines = said.split(b"\r\n")[:-1]
    assert LINE.fullmatch(greeting)
    for line in lines:
        assert LINE.fullmatch(line) and len(line) <= 510
        hello = line[:3] == b"250" and (
            line[4:].startswith(b"mx.example.org") or not line[4:5].isdigit() or b"8BITMIME" in line
        )
        if line[:3] not in (b"354", b"334") and not hello:
            match = STATUS.match(line)
            assert match and match[1] == match[2].replace(b"3", b"2")


@pytest.mark.parametrize("role", [Role.MX, Role.LMTP, Role.MSA])
@settings(max_examples=80)
@given(data=INPUT, sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_whole_and_in_pieces_is_the_same(role: Role, data: bytes, sizes: list[int]) -> None:
    head = {"auth": "clear"}
    pieces: list[bytes] = []
    position = 0
    while position < len(data):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(data[position : position + size])
        position += size
    whole = talk([data], role, head)
    assert talk(pieces, role, head) == whole
    assert talk([data[i : i + 1] for i in range(len(data))], role, head) == whole


@pytest.mark.parametrize(
    ("opening", "block", "times"),
    [
        (b"", b"x" * 65536, 300),  # one line without end
        (b"", b"NOOP " + b"x" * 3000 + b"\r\n", 3000),
        (PLOT + b"DATA\r\n", b"x" * 65536, 300),
        (PLOT + b"DATA\r\n", b"\r\n.." * 16384, 300),
        (PLOT, b"BDAT 1\r\nx" * 1000, 8),
        (PLOT, b"BDAT 1\r\nx" * 5 + b"BDAT 70000\r\n" + b"x" * 70000, 100),
    ],
    ids=["line", "lines", "text", "dots", "chunks", "big-chunks"],
)
def test_memory_is_bounded(opening: bytes, block: bytes, times: int) -> None:
    """Megabytes of input, and a message of 5 kB at most: next to nothing stays."""
    world = World({"limits": "errors=1000000 message_size=5000"})
    pump = Pump(world.session())
    list(pump.start())
    list(pump.feed(opening))
    tracemalloc.start()
    try:
        for _ in range(times):
            assert pump.then is not Then.CLOSE
            for _piece in pump.feed(block):
                pass
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_the_limits_a_client_is_told() -> None:
    assert Limits().recipients >= 100  # RFC 5321 §4.5.3.1.8
    assert Limits().command_line >= 512 + 500 + 100  # §4.5.3.1.4, RFC 4954 §3, RFC 3461 §4
