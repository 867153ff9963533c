"""The parser of arguments. RFC 3501 §9; THREATS T140, T141."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pymaild.imap.errors import Bad, No, Refusal
from pymaild.imap.grammar import Parser
from pymaild.imap.input import HUGE, Announced, Discard, Input, Memory, Spool, announced
from tests.imap_world import spool


def parser(text: bytes, *rest: bytes) -> Parser:
    """Of a line; each further pair is a literal and the line behind it."""
    literals = []
    for value in rest[::2]:
        literal = Memory()
        literal.write(value)
        literal.end()
        literals.append(literal)
    return Parser([text, *rest[1::2]], literals)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'"1-Feb-1994"', 8797),
        (b"01-feb-1994", 8797),
        (b"31-Dec-1969", -1),
        (b"29-Feb-2024", 19782),
    ],
)
def test_dates(text: bytes, value: int) -> None:
    assert parser(text).date() == value


@pytest.mark.parametrize("text", [b"29-Feb-2023", b"1-Foo-1994", b"1-Feb-94", b'"1-Feb-1994', b"0-Jan-2000", b"1-Jan-0000"])
def test_dates_that_do_not_exist(text: bytes) -> None:
    with pytest.raises(Bad):
        parser(text).date()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'" 1-Jan-1970 00:00:00 +0000"', 0),
        (b'"01-Jan-1970 01:00:00 +0100"', 0),
        (b'"31-Dec-1969 23:59:60 -0000"', -1),
        (b'"31-Dec-1969 16:00:00 -0800"', 0),
    ],
)
def test_date_times(text: bytes, value: int) -> None:
    assert parser(text).date_time() == value


@pytest.mark.parametrize(
    "text",
    [
        b'"1-Jan-1970 00:00:00 +0000"', b'"01-Jan-1970 24:00:00 +0000"', b'"01-Jan-1970 00:00:00 +9900"',
        b'"01-Jan-0000 00:00:00 +0000"', b'"01-Jan-1970 00:00:00"', b'"  -Jan-1970 00:00:00 +0000"',
    ],
)  # fmt: skip
def test_date_times_that_do_not_exist(text: bytes) -> None:
    with pytest.raises(Bad):
        parser(text).date_time()


@pytest.mark.parametrize(
    ("text", "value"),
    [(b'"a\\"b\\\\"', b'a"b\\'), (b'""', b""), (b"abc]", b"abc]"), (b'"caf\xc3\xa9"', b"caf\xc3\xa9"), (b"NILs", b"NILs")],
)
def test_astrings(text: bytes, value: bytes) -> None:
    args = parser(text)
    assert args.astring("a string") == value
    args.end()


@pytest.mark.parametrize("text", [b'"abc', b'"a\\b"', b'"a\0"', b'"a\rb"', b"", b"(", b"\xff", b"{5}", b'"' + b"\\" * 99])
def test_no_astrings(text: bytes) -> None:
    with pytest.raises(Bad):
        parser(text).astring("a string")


def test_a_literal_is_a_string_and_the_command_goes_on_behind_it() -> None:
    args = parser(b"", b"anything \0 at all", b" next")
    assert args.at_literal
    assert args.string("a string") == b"anything \0 at all"
    args.space()
    assert args.atom("a word") == "next"
    args.end()
    assert args.at_end()


def test_blanks_at_the_end_do_no_harm_but_more_arguments_do() -> None:
    parser(b"   ").end()
    with pytest.raises(Bad):
        parser(b" x").end()
    with pytest.raises(Bad):
        parser(b"", b"literal", b"").end()


@pytest.mark.parametrize("digits", [b"4294967296", b"9" * 5000, b"99999999999999999999", b"", b"-1"])
def test_numbers_are_bounded(digits: bytes) -> None:
    with pytest.raises(Bad):
        parser(digits).number("a number")


def test_lists_are_bounded() -> None:
    args = parser(b"(a b c)")
    with pytest.raises(No, match="at most 2"):
        args.items("a word", lambda: args.atom("a word"), limit=2)


def test_a_spooled_message_is_no_argument_and_an_argument_no_message() -> None:
    message = Spool(spool(), 3, False)
    with pytest.raises(Bad):
        Parser([b"", b""], [message]).astring("a mailbox name")
    assert Parser([b"", b""], [message]).message() is message
    with pytest.raises(Bad):
        parser(b"", b"abc", b"").message()
    with pytest.raises(Bad):
        parser(b"abc").message()


@pytest.mark.parametrize(
    ("line", "literal"),
    [
        (b"a {5}", Announced(5, True, False, 2)),
        (b"a {5+}", Announced(5, False, False, 2)),
        (b"a ~{5}", Announced(5, True, True, 2)),
        (b"a {0}", Announced(0, True, False, 2)),
        (b"a {18446744073709551616}", Announced(HUGE, True, False, 2)),
        (b"a {" + b"9" * 6000 + b"+}", Announced(HUGE, False, False, 2)),
    ],
)
def test_literals_are_announced(line: bytes, literal: Announced) -> None:
    assert announced(line) == literal


@pytest.mark.parametrize(
    "line", [b"", b"}", b"a {}", b"a {+}", b"a {-1}", b"a {5} ", b"a {5", b"a {5++}", b"a 5}", b"a {\xb2}"]
)
def test_no_literals(line: bytes) -> None:
    assert announced(line) is None


class Full:
    """A file on a full disk."""

    def write(self, data: bytes) -> None:
        raise OSError(28, "No space left on device")


def test_a_spool_on_a_full_disk_remembers_it() -> None:
    sink = Spool(Full(), 9, False)  # type: ignore[arg-type]
    sink.write(b"abc")
    sink.write(b"def")
    assert sink.failed


def test_an_input_counts_what_it_holds_in_memory_and_closes_what_it_spooled() -> None:
    received, file = Input(), spool()
    argument = Memory()
    argument.write(b"12345")
    argument.end()
    received.texts += [b"abc", b"de"]
    received.literals += [argument, Discard(), Spool(file, 10, False)]
    assert received.size == 10
    received.close()
    assert file.closed


METHODS: list[Callable[[Parser], object]] = [
    Parser.tag,
    lambda args: args.astring("x"),
    lambda args: args.nstring("x"),
    Parser.sequence_set,
    Parser.mailbox,
    Parser.list_mailbox,
    Parser.flag,
    Parser.date,
    Parser.date_time,
    Parser.item_name,
    Parser.section_word,
    lambda args: args.items("x", args.flag),
]


@given(
    st.binary(max_size=40) | st.text('()"{}\\ 12:*,-aJn%', max_size=40).map(str.encode), st.integers(0, len(METHODS) - 1)
)
def test_any_octets_parse_or_are_refused(text: bytes, which: int) -> None:
    try:
        METHODS[which](parser(text))
    except Refusal as error:
        assert error.text.isascii()
