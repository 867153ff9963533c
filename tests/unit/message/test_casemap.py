"""The collation i;unicode-casemap. RFC 5051."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pymaild.message.casemap import casemap

SAME = [
    ("", ""),
    ("Hello", "hELLO"),
    ("Grüße", "GRÜßE"),
    ("grüße", "gru\u0308ße"),
    ("ΑΘΗΝΑ", "αθηνα"),
    ("\u01c6", "\u01c5"),  # the small and the titlecase letter dž
    ("\uff21", "A"),  # compatibility forms decompose, too
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_equal(one: str, other: str) -> None:
    assert casemap(one) == casemap(other)


@pytest.mark.parametrize(("one", "other"), [("ß", "ss"), ("a", "b"), ("é", "e"), ("i", "\u0131x")])
def test_not_equal(one: str, other: str) -> None:
    assert casemap(one) != casemap(other)


def test_order_is_that_of_titlecase_letters() -> None:
    assert sorted(["zebra", "_x", "Apple", "äpfel", "ARTS"], key=casemap) == ["Apple", "ARTS", "äpfel", "zebra", "_x"]


@settings(derandomize=True, max_examples=200)
@given(st.text(), st.text())
def test_each_character_counts_alone_so_substrings_are_found(one: str, other: str) -> None:
    assert casemap(one + other) == (casemap(one) + casemap(other)) or not (one + other).isascii()
    assert unicodedata.normalize("NFD", casemap(one + other)) == unicodedata.normalize("NFD", casemap(one) + casemap(other))
