"""Replies of other servers: read with bounds, the same however they arrive, and safe to show."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pymaild.smtp.answer import MAX_LINE, MAX_LINES, MAX_OCTETS, Answer, Answers, Garbled, derived, safe
from pymaild.smtp.grammar import is_safe
from pymaild.smtp.offers import Offers


def read(octets: bytes, size: int = 0) -> list[Answer]:
    answers, found = Answers(), []
    for start in range(0, len(octets), size or len(octets) or 1):
        answers.feed(octets[start : start + (size or len(octets))])
        while (answer := answers.next()) is not None:
            found.append(answer)
    return found


@pytest.mark.parametrize(
    ("octets", "code", "status", "text"),
    [
        (b"250 2.1.0 Ok\r\n", 250, "2.1.0", "Ok"),
        (b"250\r\n", 250, "2.0.0", ""),
        (b"250-\r\n250 \r\n", 250, "2.0.0", ""),
        (b"550-5.1.1 one\r\n550 5.1.1 two\r\n", 550, "5.1.1", "one\ntwo"),
        (b"550-one\r\n550 5.7.1 two\r\n", 550, "5.7.1", "one\ntwo"),
        (b"450 5.1.1 another class\r\n", 450, "4.2.0", "5.1.1 another class"),
        (b"554 5.7.1\r\n", 554, "5.7.1", ""),
        (b"554 5.7.12345 x\r\n", 554, "5.0.0", "5.7.12345 x"),
        (b"550-a\r\n554 b\r\n", 554, "5.0.0", "a\nb"),
        (b"421 4.7.0 x\n", 421, "4.7.0", "x"),
        (b"552 full\r\n", 552, "5.2.2", "full"),
    ],
)
def test_answers(octets: bytes, code: int, status: str, text: str) -> None:
    [answer] = read(octets)
    assert (answer.code, answer.status, answer.text) == (code, status, text)


@pytest.mark.parametrize(
    "octets",
    [
        b"\r\n",
        b"hello\r\n",
        b"25 x\r\n",
        b"2500 x\r\n",
        b"250x\r\n",
        b"150 x\r\n",
        b"650 x\r\n",
        b" 250 x\r\n",
        b"250-a\r\n550 b\r\n",
        b"250-a\r\nb\r\n",
        b"\x16\x03\x01\r\n",
        b"250 " + b"a" * MAX_LINE + b"\r\n",
        b"a" * (MAX_LINE + 1),
        b"250-a\r\n" * MAX_LINES + b"250 a\r\n",
        (b"250-" + b"a" * 4000 + b"\r\n") * (MAX_OCTETS // 4000 + 1) + b"250 a\r\n",
    ],
)
def test_what_is_no_answer_or_too_much_of_one(octets: bytes) -> None:
    with pytest.raises(Garbled):
        read(octets)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from([b"250 a\r\n", b"250-b\r\n", b"550 5.1.1 c\r\n", b"354\r\n", b"550-\xff\r\n", b"220 \xc3\xa4\n"])
    )
)
def test_the_same_octet_by_octet(lines: list[bytes]) -> None:
    octets = b"".join(lines)

    def outcome(size: int) -> list[Answer] | str:
        try:
            return read(octets, size)
        except Garbled as error:
            return str(error)

    assert outcome(0) == outcome(1) == outcome(3)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_octets_become_safe_text(octets: bytes) -> None:
    text = safe(octets)
    assert is_safe(text)
    assert len(text) <= len(octets)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_octets_are_read_or_refused(octets: bytes) -> None:
    try:
        for answer in read(octets + b"\r\n"):
            assert 200 <= answer.code < 600
            assert answer.status[0] == str(answer.code)[0] or answer.code < 400
    except Garbled:
        pass


def test_every_code_has_a_status_of_its_class() -> None:
    for code in range(400, 600):
        assert derived(code)[0] == str(code)[0]


def test_pending() -> None:
    answers = Answers()
    answers.feed(b"250 a\r\n25")
    assert answers.next() and answers.pending
    answers.feed(b"0-b\r\n")
    assert answers.next() is None and answers.pending
    answers.feed(b"250 c\r\n")
    assert answers.next() and not answers.pending


def test_offers() -> None:
    [answer] = read(
        b"250-mx.example.net DSN\r\n250-size 1000\r\n250-AUTH=LOGIN\r\n250-AUTH plain\r\n250-LIMITS RCPTMAX=7 MAILMAX=x\r\n"
        b"250-!odd\r\n250-\r\n250-SIZE 5\r\n250 PIPELINING\r\n"
    )
    offers = Offers.read(answer)
    assert "DSN" not in offers and "PIPELINING" in offers
    assert offers.size == 1000
    assert offers.mechanisms == {"LOGIN", "PLAIN"}
    assert (offers.recipients, offers.transactions) == (7, 0)


@pytest.mark.parametrize(
    "word", [b"SIZE 99999999999999999999999", b"SIZE x", b"SIZE -1", b"SIZE", b"LIMITS RCPTMAX=9999999"]
)
def test_odd_numbers_are_no_limits(word: bytes) -> None:
    offers = Offers.read(read(b"250-a\r\n250 " + word + b"\r\n")[0])
    assert offers.size == offers.recipients == 0
