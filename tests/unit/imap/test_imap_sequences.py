"""Sequence sets. RFC 3501 §9; THREATS T142."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pymaild.imap import sequences
from pymaild.imap.errors import Bad

SETS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("text", "largest", "resolved"),
    [
        (b"1", 9, [(1, 1)]),
        (b"4:2", 9, [(2, 4)]),
        (b"1:3,2:5,7", 9, [(1, 5), (7, 7)]),
        (b"3,2,1", 9, [(1, 3)]),
        (b"*", 9, [(9, 9)]),
        (b"12:*", 9, [(9, 12)]),
        (b"*:4", 9, [(4, 9)]),
        (b"4294967295:1", 9, [(1, 4294967295)]),
        (b"1:*," * 5000 + b"1", 9, [(1, 9)]),
    ],
)
def test_sets_resolve(text: bytes, largest: int, resolved: list[tuple[int, int]]) -> None:
    assert sequences.resolve(sequences.parse(text), largest) == resolved


@pytest.mark.parametrize(
    "text", [b"", b"0", b"01", b"4294967296", b"9" * 5000, b"1:", b":1", b"1,,2", b"1:2:3", b"a", b"-1", "\u0661".encode()]
)
def test_what_is_no_set_is_bad(text: bytes) -> None:
    with pytest.raises(Bad):
        sequences.parse(text)


@given(SETS, st.integers(1, 30))
def test_a_set_holds_the_numbers_it_says(pairs: list[tuple[int, int]], largest: int) -> None:
    text = ",".join(":".join(str(n or "*") for n in pair) for pair in pairs).encode()
    expected: set[int] = set()
    for pair in pairs:
        low, high = sorted(number or largest for number in pair)
        expected.update(range(low, high + 1))
    resolved = sequences.resolve(sequences.parse(text), largest)
    assert [n for low, high in resolved for n in range(low, high + 1)] == sorted(expected)
    uids = array("I", range(1, 31, 2))
    assert sequences.select(uids, resolved) == [uid for uid in uids if uid in expected]


@given(st.lists(st.integers(1, 60), max_size=20))
def test_compact_sets_say_the_same_in_the_same_order(numbers: list[int]) -> None:
    said = sequences.compact(numbers)
    back = [n for low, high in (sequences.parse(said) if said else ()) for n in range(low, high + 1)]
    assert back == numbers
