"""Search keys over a real mailbox; the tree's logic against plain Python (RFC 9051 §6.4.4; THREATS T141, T148)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pymaild.imap.describe import describe
from pymaild.mailstore import (
    AddressContains,
    Age,
    All,
    And,
    BodyContains,
    CameBetween,
    DateOf,
    DateRange,
    Flag,
    HasFlag,
    HasKeyword,
    HeaderContains,
    LimitReached,
    Mailbox,
    ModseqAtLeast,
    Not,
    Or,
    OrderBy,
    Query,
    SizeRange,
    TextContains,
    Uids,
)
from pymaild.search.query import evaluate
from pymaild.store import Stores

DAY = 86_400
MESSAGES = [
    b"From: =?utf-8?q?J=C3=B6rg?= <joerg@example.net>\r\nTo: ann@example.org\r\nSubject: =?utf-8?b?R3LDvMOfZQ==?=\r\n"
    b"Date: Thu, 15 Feb 2007 01:02:03 +0200\r\nX-Empty:\r\n\r\nHello World\r\n",
    b'From: Bob "B" <bob@example.net>\r\nCc: carl@example.org\r\nSubject: a folded\r\n subject\r\n'
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nU3RyYcOfZSBpbiBCZXJsaW4K\r\n",
    b"From: dora@example.org\r\nSubject: html\r\nDate: nonsense\r\nContent-Type: text/html\r\n\r\n<b>bold</b> &amp; brave\r\n",
    b"Subject: long\r\nX-Filler: " + b"y" * 70_000 + b"\r\nX-Last: needle\r\n\r\n" + b"z" * 1000,
]


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Mailbox:
    account = Stores(tmp_path_factory.mktemp("search"), describe)("ann@example.org")
    mailbox = account.open("INBOX")
    mailbox.append(MESSAGES[0], int(Flag.SEEN), ["Work"], 10 * DAY + 5)
    mailbox.append(MESSAGES[1], int(Flag.FLAGGED), [], 11 * DAY)
    mailbox.append(MESSAGES[2], 0, ["$Junk"], 12 * DAY)
    mailbox.append(MESSAGES[3], int(Flag.SEEN | Flag.DELETED), [], 13 * DAY)
    return mailbox


SENT = 13_559  # 15 February 2007
KEYS: list[tuple[Query, list[int]]] = [
    (All(), [1, 2, 3, 4]),
    (Uids(((2, 3), (99, 3), (4294967295, 4))), [2, 3, 4]),
    (HasFlag(Flag.SEEN), [1, 4]),
    (Not(HasFlag(Flag.SEEN)), [2, 3]),
    (HasKeyword("work"), [1]),
    (HasKeyword("a' OR 1=1 --"), []),
    (Not(HasKeyword("nothing")), [1, 2, 3, 4]),
    (HeaderContains("subject", "grüße"), [1]),
    (HeaderContains("subject", "GRÜßE"), [1]),
    (HeaderContains("subject", "grüsse"), []),
    (HeaderContains("subject", "gru\u0308ße"), [1]),
    (HeaderContains("subject", "folded subject"), [2]),
    (HeaderContains("subject", "%"), []),
    (HeaderContains("x-empty", ""), [1]),
    (HeaderContains("x-empty", "x"), []),
    (HeaderContains("x-last", "NEEDLE"), [4]),
    (HeaderContains("no-such", ""), []),
    (AddressContains("from", "jörg"), [1]),
    (AddressContains("from", "BOB@example"), [2]),
    (AddressContains("cc", "carl"), [2]),
    (AddressContains("bcc", ""), []),
    (BodyContains("hello"), [1]),
    (BodyContains("STRAßE"), [2]),
    (BodyContains("bold & brave"), [3]),
    (BodyContains("U3Ry"), []),
    (BodyContains("subject"), []),
    (TextContains("folded"), [2]),
    (TextContains("berlin"), [2]),
    (TextContains(""), [1, 2, 3, 4]),
    (DateRange(DateOf.INTERNAL, 11, 13), [2, 3]),
    (DateRange(DateOf.INTERNAL, None, 11), [1]),
    (DateRange(DateOf.SENT, SENT, SENT + 1), [1]),
    (DateRange(DateOf.SENT, None, 13), [2, 3]),  # no date of their own: the internal one
    (DateRange(DateOf.SAVED, 10_000, None), [1, 2, 3, 4]),
    (DateRange(DateOf.INTERNAL), [1, 2, 3, 4]),
    (CameBetween(11 * DAY, 13 * DAY), [2, 3]),
    (CameBetween(None, 11 * DAY), [1]),
    (SizeRange(larger=70_000), [4]),
    (SizeRange(smaller=70_000), [1, 2, 3]),
    (ModseqAtLeast(0), [1, 2, 3, 4]),
    (ModseqAtLeast(1 << 60), []),
    (And(()), [1, 2, 3, 4]),
    (Or(()), []),
    (And((TextContains("subject"), HasFlag(Flag.FLAGGED), Not(HasKeyword("Work")))), [2]),
    (Or((HasKeyword("Work"), BodyContains("brave"))), [1, 3]),
    (Not(And((HasFlag(Flag.SEEN), HasFlag(Flag.DELETED)))), [1, 2, 3]),
]


@pytest.mark.parametrize(("query", "expected"), KEYS, ids=lambda value: repr(value)[:60])
def test_key(inbox: Mailbox, query: Query, expected: list[int]) -> None:
    assert inbox.search(query) == expected
    assert inbox.search(Not(query)) == [uid for uid in (1, 2, 3, 4) if uid not in expected]


@pytest.mark.parametrize(
    ("query", "expected"),
    [(Age(older=DAY), [1, 2, 3]), (Age(older=DAY - 1), [1, 2, 3]), (Age(older=DAY + 1), [1, 2]), (Age(younger=DAY), [3, 4]),
     (Age(younger=DAY - 1), [4]), (Age(older=1, younger=2 * DAY), [2, 3]), (Not(Age(younger=DAY)), [1, 2])],
)  # fmt: skip
def test_age_by_a_clock_that_stands_still(inbox: Mailbox, query: Query, expected: list[int]) -> None:
    assert evaluate(query, inbox, lambda: 13 * DAY) == expected  # type: ignore[arg-type]  # it is an OpenMailbox


def test_fifty_levels_are_answered_and_a_thousand_refused(inbox: Mailbox) -> None:
    query: Query = HasFlag(Flag.SEEN)
    for _ in range(50):
        query = Not(query)
    assert inbox.search(query) == [1, 4]
    for _ in range(1000):
        query = Or((query, query))
    with pytest.raises(LimitReached):
        inbox.search(query)


@pytest.mark.parametrize(
    ("by", "expected"),
    [([(OrderBy.DATE, False)], [2, 3, 4, 1]), ([(OrderBy.DATE, True)], [1, 4, 3, 2]), ([(OrderBy.ARRIVAL, True)], [4, 3, 2, 1]),
     ([(OrderBy.SIZE, True), (OrderBy.DATE, False)], [4, 2, 1, 3]), ([(OrderBy.ARRIVAL, False)], [1, 2, 3, 4])],
)  # fmt: skip
def test_order(inbox: Mailbox, by: list[tuple[OrderBy, bool]], expected: list[int]) -> None:
    assert inbox.ordered(by).tolist() == expected


def test_the_equal_stand_by_uid(tmp_path: Path) -> None:
    inbox = Stores(tmp_path, describe)("ann@example.org").open("INBOX")
    for day in (2, 1, 2, 1):
        inbox.append(b"Subject: x\r\n\r\n", internal_date=day)
    for by in (OrderBy.DATE, OrderBy.ARRIVAL):
        assert inbox.ordered([(by, False)]).tolist() == [2, 4, 1, 3]
        assert inbox.ordered([(by, True)]).tolist() == [1, 3, 2, 4]


leaves = st.sampled_from(
    [(query, frozenset(expected)) for query, expected in KEYS if not isinstance(query, And | Or | Not)]
)
Answer = tuple[Query, frozenset[int]]
EVERY = frozenset({1, 2, 3, 4})


def _combined(parts: list[Answer], disjunction: bool) -> Answer:
    keys = tuple(query for query, _ in parts)
    if disjunction:
        return Or(keys), frozenset().union(*(found for _, found in parts))
    return And(keys), EVERY.intersection(*(found for _, found in parts))


trees = st.recursive(
    leaves,
    lambda children: st.one_of(
        children.map(lambda part: (Not(part[0]), EVERY - part[1])),
        st.builds(_combined, st.lists(children, max_size=3), st.booleans()),
    ),
    max_leaves=8,
)


@settings(derandomize=True, max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(trees)
def test_any_tree(inbox: Mailbox, tree: Answer) -> None:
    assert inbox.search(tree[0]) == sorted(tree[1])
