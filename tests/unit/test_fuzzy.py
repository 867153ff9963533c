"""What fits more or less. RFC 6203 §3, §4."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pymaild.search.fuzzy import Wanted, almost

FITS = [
    ("plans", ["Our PLANS"], 100),
    ("grüße", ["Viele Gru\u0308ße"], 100),
    ("strasse", ["Straße"], 80),
    ("élan", ["Elan"], 80),
    ("break imap", ["IMAP may break"], 60),
    ("plants", ["Our plans"], 30),
    ("plans imap", ["IMAP plants"], 30),
    ("cat", ["a car"], 0),  # too short to guess
    ("harbour", ["airport"], 0),
    ("??", ["what"], 0),
    ("plans", ["no", "plants", "plans"], 100),
    ("", ["anything"], 100),
    ("plans", [], 0),
]


@pytest.mark.parametrize(("wanted", "texts", "score"), FITS)
def test_relevancy(wanted: str, texts: list[str], score: int) -> None:
    assert Wanted(wanted).relevancy(texts) == score


@settings(derandomize=True, max_examples=300)
@given(st.text("abc", min_size=1), st.integers(0, 20), st.sampled_from(["", "x", "xy"]))
def test_one_letter_more_less_or_other(word: str, place: int, put: str) -> None:
    place %= len(word)
    assert almost(word, word[:place] + put[:1] + word[place + 1 :])
    assert almost(word, word[:place] + put[:1] + word[place:])
    assert almost(word, word + put) == (len(put) < 2)


@settings(derandomize=True, max_examples=200)
@given(st.text("ab", max_size=6), st.text("ab", max_size=6))
def test_almost_is_symmetric(one: str, other: str) -> None:
    assert almost(one, other) == almost(other, one)
