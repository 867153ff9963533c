"""What ends a message: the 36 ends of T001-T036, cut anywhere; dots; limits; a disk that says no."""

from __future__ import annotations

import errno
import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pymaild.dialogue import Pump, Then
from pymaild.smtp.data import Discard, Message, TextReader
from pymaild.status import MailError
from tests.smtp_world import Broken, World

BEFORE = [b"\r\n", b"\n", b"\r", b"\r\r\n", b"\r\n\0", b"\n\r"]
AFTER = [b"\r\n", b"\n", b"\r", b"\0\r\n", b"\r\r\n", b" \r\n"]
ENDS = [(before, after) for before in BEFORE for after in AFTER]
OPENING = b"EHLO x\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n"
SECOND = b"MAIL FROM:<eve@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n\r\nsmuggled\r\n.\r\nQUIT\r\n"


def converse(blocks: Iterator[bytes] | list[bytes], world: World | None = None) -> tuple[list[bytes], World, Pump]:
    """The replies to some blocks, after an opening that leads to DATA."""
    world = world or World()
    pump = Pump(world.session())
    said = b"".join(pump.start())
    for block in blocks:
        if pump.then is not Then.CLOSE:
            said += b"".join(pump.feed(block))
    lines = said.split(b"\r\n")[:-1]
    return lines[lines.index(next(line for line in lines if line.startswith(b"354"))) + 1 :], world, pump


def cut(text: bytes, size: int) -> list[bytes]:
    return [text[i : i + size] for i in range(0, len(text), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 4096, 100000])
@pytest.mark.parametrize(("before", "after"), ENDS[1:], ids=repr)
def test_only_crlf_dot_crlf_ends_a_message(before: bytes, after: bytes, size: int) -> None:
    replies, world, pump = converse([OPENING, *cut(b"first" + before + b"." + after + SECOND, size)])
    assert "bob" not in world.messages  # nothing was smuggled
    assert len(world.messages.get("ann", [])) <= 1
    if (before, after) == (b"\r\r\n", b"\r\n"):  # holds the true end after a bare CR
        assert replies[0].startswith(b"554 5.6.0") and pump.then is Then.CLOSE
        return
    held = b"first" + before + b"." + after + SECOND
    is_bare = held.count(b"\r\n") != held.count(b"\r") or held.count(b"\r\n") != held.count(b"\n")
    assert replies[0].startswith(b"554 5.6.0" if is_bare else b"250 2.0.0")
    assert (pump.then is Then.CLOSE) and (not is_bare) == (len(replies) == 2)  # else QUIT's own reply follows


@pytest.mark.parametrize("edge", [4096, 8192])
@pytest.mark.parametrize("shift", range(-6, 7))
@pytest.mark.parametrize(("before", "after"), [(b"\r\n", b"\r\n"), (b"\n", b"\r\n"), (b"\r\n", b"\n")], ids=repr)
def test_an_end_across_the_edge_of_a_read(before: bytes, after: bytes, edge: int, shift: int) -> None:
    text = b"x" * (edge + shift - 4) + before + b"." + after + SECOND
    replies, world, _pump = converse([OPENING, *cut(text, edge)])
    if (before, after) == (b"\r\n", b"\r\n"):
        assert world.messages == {"ann": [b"x" * (edge + shift - 4) + b"\r\n"], "bob": [b"\r\nsmuggled\r\n"]}
    else:
        assert replies[0].startswith(b"554") and not world.messages


TEXT = st.lists(st.sampled_from([b"\r\n", b".", b"..", b"a", b"\0", b" ", b"\xff", b"word"]), max_size=40).map(b"".join)


@given(TEXT, st.lists(st.integers(1, 9), min_size=1, max_size=20))
def test_dots_come_out_as_they_went_in(text: bytes, sizes: list[int]) -> None:
    """RFC 5321 §4.5.2, both ways, cut anywhere."""
    text += b"\r\n"
    stuffed = (b"\r\n" + text).replace(b"\r\n.", b"\r\n..")[2:]
    wire = stuffed + b".\r\nafter"
    message = Message(io.BytesIO, 10**6)
    reader = TextReader(message)
    position = 0
    rest = None
    while rest is None:
        size = sizes[position % len(sizes)]
        rest, position = reader.feed(wire[position : position + size]), position + size
    assert message.finish().read() == text
    assert rest + wire[position:] == b"after"


LOOSE = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"a"]), max_size=30).map(b"".join)


@given(LOOSE, st.integers(1, 7))
def test_a_bare_cr_or_lf_is_found_however_it_is_cut(text: bytes, size: int) -> None:
    message = Message(io.BytesIO, 10**6)
    for block in cut(text, size):
        message.write(block)
    rest = text.replace(b"\r\n", b"")
    if b"\r" in rest or b"\n" in rest:
        with pytest.raises(MailError, match="bare CR or LF"):
            message.finish()
    else:
        assert message.finish().read() == text


def test_a_message_too_big_is_dropped_not_kept() -> None:
    opened: list[io.BytesIO] = []

    def spool() -> io.BytesIO:
        opened.append(io.BytesIO())
        return opened[-1]

    message = Message(spool, 100)
    for _ in range(1000):
        message.write(b"x" * 50)
    assert len(opened) == 1 and opened[0].closed and message.size == 50000
    with pytest.raises(MailError) as caught:
        message.finish()
    assert caught.value.status == "5.3.4" and caught.value.code == 552


@pytest.mark.parametrize(
    ("number", "status"), [(errno.ENOSPC, "4.3.1"), (errno.EDQUOT, "4.3.1"), (errno.EIO, "4.3.0"), (errno.EROFS, "4.3.0")]
)
def test_a_disk_that_says_no(number: int, status: str) -> None:
    message = Message(lambda: Broken(number), 100)
    message.write(b"text")
    message.write(b"more")
    with pytest.raises(MailError) as caught:
        message.finish()
    assert caught.value.status == status and caught.value.temporary


class BrokenLater(io.BytesIO):
    """Takes everything and fails when it is wanted back, or given up."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        raise OSError(errno.EIO, "no")

    def close(self) -> None:
        super().close()
        raise OSError(errno.ENOSPC, "no")


def test_a_disk_that_says_no_at_the_end() -> None:
    message = Message(BrokenLater, 10)
    message.write(b"text")
    with pytest.raises(MailError) as caught:
        message.finish()
    assert caught.value.status == "4.3.0"
    message.write(b"too much text")  # closing fails as well, and that is no news
    with pytest.raises(MailError) as caught:
        message.finish()
    assert caught.value.status == "5.3.4"


def test_an_empty_message_and_a_sink_for_nothing() -> None:
    message = Message(io.BytesIO, 10)
    assert TextReader(message).feed(b".\r\nNOOP\r\n") == b"NOOP\r\n"
    assert message.finish().read() == b""
    message.close()
    message.close()
    Discard().write(b"gone")


def test_a_line_of_any_length_and_nul_are_kept() -> None:
    line = b"\r\n\0" + b"x" * 5_000_000 + b"\r\n"
    _replies, world, _pump = converse([OPENING, *cut(line + b".\r\n", 65536)])
    assert world.messages == {"ann": [line]}
