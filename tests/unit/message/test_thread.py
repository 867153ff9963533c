"""Who answers whom. RFC 5256 §3."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pymaild.imap.thread import Drawn, draw, response
from pymaild.message.thread import ALGORITHMS, Message, ordered_subject, references


def m(number: int, message_id: str = "", refs: str = "", subject: str = "", sent: int = -1, reply: bool = False) -> Message:
    return Message(number, number if sent < 0 else sent, subject, reply, message_id, refs.split())


def told(messages: list[Message], algorithm: str = "REFERENCES") -> str:
    return line(draw(ALGORITHMS[algorithm](messages))).removeprefix("* THREAD").strip()


def line(drawn: Drawn) -> str:
    return response(drawn.form, drawn.uids).decode()


CASES = [
    ([], ""),
    ([m(1, "a"), m(2, "b", "a")], "(1 2)"),
    ([m(1, "b", "a"), m(2, "a")], "(2 1)"),
    ([m(1, "a"), m(2, "b", "a"), m(3, "c", "a b"), m(4, "d", "a")], "(1 (2 3)(4))"),
    ([m(1, "b", "gone"), m(2, "c", "gone")], "((1)(2))"),  # siblings of one who is not here
    ([m(1, "b", "gone")], "(1)"),
    ([m(1, "a"), m(2, "c", "a gone")], "(1 2)"),  # the missing one in the middle is left out
    ([m(1, "a", "b"), m(2, "b", "a")], "(2 1)"),  # they answer each other
    ([m(1, "a", "a")], "(1)"),  # itself
    ([m(1, "a"), m(2, "a"), m(3, "b", "a")], "(1 3)(2)"),  # two with one id
    ([m(1, "a", sent=9), m(2, "b", "a", sent=5), m(3, "c", "a", sent=4)], "(1 (3)(2))"),
    ([m(1, "a", subject="X"), m(2, "b", subject="X", reply=True)], "(1 2)"),  # an answer without References
    ([m(1, "a", subject="X", reply=True), m(2, "b", subject="X")], "(2 1)"),
    ([m(1, "a", subject="X"), m(2, "b", subject="X")], "((1)(2))"),
    ([m(1, "a", subject="X"), m(2, "b", subject="X"), m(3, "c", subject="X")], "((1)(2)(3))"),
    ([m(1, "b", "g", "X"), m(2, "c", "g", "X"), m(3, "d", subject="X")], "((1)(2)(3))"),
    ([m(1, "b", "g", "X"), m(2, "c", "g", "X"), m(3, "d", "h", "X"), m(4, "e", "h", "X")], "((1)(2)(3)(4))"),
    ([m(1, "a"), m(2, "b")], "(1)(2)"),  # no subject joins nothing
    ([m(1, "c", "a b"), m(2, "b")], "(2 1)"),
]


@pytest.mark.parametrize(("messages", "expected"), CASES)
def test_references(messages: list[Message], expected: str) -> None:
    assert told(messages) == expected


def test_what_a_message_says_of_itself_counts_more_than_what_others_say() -> None:
    """Step 1 (B): 2 says it answers 1; that 3 lists them the other way round means nothing."""
    assert told([m(1, "a"), m(2, "b", "a"), m(3, "c", "x b")]) == "(1 2 3)"
    assert told([m(1, "c", "x b"), m(2, "b"), m(3, "x")]) == "(2 1)(3)"  # before 2 came: undone by it
    assert told([m(1, "x"), m(2, "b"), m(3, "c", "x b")]) == "(1 2 3)"  # after it: 2 says nothing


def test_ordered_subject() -> None:
    messages = [m(1, subject="B", sent=5), m(2, subject="A", sent=3), m(3, subject="B", sent=4), m(4, subject="B", sent=6)]
    assert told(messages, "ORDEREDSUBJECT") == "(2)(3 (1)(4))"
    assert told([m(1, subject="A"), m(2, subject="A")], "ORDEREDSUBJECT") == "(1 2)"


names = st.sampled_from("abcdefgh")
some = st.lists(st.tuples(names, st.lists(names, max_size=5), st.sampled_from(["", "X", "Y"]), st.booleans()), max_size=12)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(some)
def test_whatever_they_say_each_message_comes_once(drawn: list[tuple[str, list[str], str, bool]]) -> None:
    messages = [m(number, name, " ".join(refs), subject, number, reply)
                for number, (name, refs, subject, reply) in enumerate(drawn, 1)]  # fmt: skip
    for algorithm in (references, ordered_subject):
        text = line(draw(algorithm(messages)))
        numbers = [int(word) for word in text.removeprefix("* THREAD").replace("(", " ").replace(")", " ").split()]
        assert sorted(numbers) == [message.id for message in messages]
        assert text.count("(") == text.count(")")


def _chain(size: int) -> list[Message]:
    return [m(number, f"m{number}", f"m{number - 1}") for number in range(1, size + 1)]


def _backwards(size: int) -> list[Message]:
    return [m(number, f"m{number}", f"m{number + 1}") for number in range(1, size + 1)]


def _circles(size: int) -> list[Message]:
    """A deep chain, and a hundred references of each that try to put the top below the bottom."""
    chain = _chain(size)
    return chain + [m(size + n, f"x{n}", f"m{size} m1 " * 20) for n in range(1, size // 4)]


def _crowd(size: int) -> list[Message]:
    return [m(number, f"m{number}", subject="X") for number in range(1, size + 1)]


@pytest.mark.parametrize("kind", [_chain, _backwards, _circles, _crowd])
def test_time_is_linear_and_depth_no_danger(kind: object) -> None:
    assert callable(kind)
    times = []
    for size in (4_000, 16_000):
        messages = kind(size)
        began = time.process_time()
        told(messages)
        times.append(time.process_time() - began)
    assert times[1] < 12 * times[0] + 0.2, times
