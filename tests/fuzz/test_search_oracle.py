"""What the index finds is what reading every message finds. RFC 9051 §6.4.4.

Real mail from ../shared/messages beside the checkout (or $PYMAILD_MESSAGES), else the messages of tests/messages.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pymaild.imap.describe import describe
from pymaild.mailstore import (
    AddressContains,
    BodyContains,
    DateOf,
    DateRange,
    Flag,
    FlagChange,
    HeaderContains,
    Mailbox,
    Not,
    Query,
    TextContains,
)
from pymaild.message import addresses, dates, fields
from pymaild.message.casemap import casemap
from pymaild.message.text import searchable_body, searchable_header
from pymaild.message.words import decode_words
from pymaild.search.words import is_one_word, pieces, words
from pymaild.store import Stores
from pymaild.store.account import Account

HERE = Path(__file__).parents[1]
SOURCE = Path(os.environ.get("PYMAILD_MESSAGES") or HERE.parents[1] / "shared" / "messages")
MESSAGES, QUERIES = 300, 200
NAMES = ("from", "to", "cc", "bcc", "subject", "message-id", "received", "x-mailer")
Stage = Callable[[Stores, Account], None]


def corpus() -> list[bytes]:
    files = sorted(file for root in (SOURCE, HERE / "messages") for file in root.rglob("*.*") if file.suffix == ".eml")
    choose = random.Random(1)
    chosen = choose.sample(files, min(MESSAGES, len(files)))
    more = [
        f"Subject: {'Zoë' * (n % 3)} {n}\r\n\r\nstraße {n} \x00{chr(0xDCFF) * (n % 2)} {'ab' * n}\r\n" for n in range(20)
    ]
    found = [file.read_bytes() for file in chosen if file.stat().st_size < 100_000]
    return [
        re.sub(rb"\r?\n", b"\r\n", each) for each in (*found, *(text.encode("utf-8", "surrogateescape") for text in more))
    ]


def header_texts(message: bytes, query: HeaderContains | AddressContains) -> Iterator[str]:
    header = message[: fields.header_end(message)]
    yield from searchable_header(header, query.name)
    if isinstance(query, AddressContains):
        for body in fields.bodies(header, query.name):
            yield from (addresses.shown(entry) for entry in addresses.parse(fields.unfold(body)) if not entry.is_group_mark)


class Oracle:
    """Reads every message for every question."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox
        self.messages = {uid: mailbox.read(uid) for uid in mailbox.uids()}
        self.bodies = {uid: [casemap(text) for text in searchable_body(each)] for uid, each in self.messages.items()}
        self.headers = {uid: casemap(decode_words(each[: fields.header_end(each)])) for uid, each in self.messages.items()}

    def holds(self, query: Query, uid: int) -> bool:
        match query:
            case Not():
                return not self.holds(query.key, uid)
            case TextContains():
                return any(casemap(query.text) in text for text in (self.headers[uid], *self.bodies[uid]))
            case BodyContains():
                return any(casemap(query.text) in text for text in self.bodies[uid])
            case HeaderContains() | AddressContains():
                return any(casemap(query.text) in casemap(text) for text in header_texts(self.messages[uid], query))
            case DateRange():
                body = next(iter(fields.bodies(self.messages[uid], "date")), b"")
                date = dates.parse(body)
                day = date.day if date else next(self.mailbox.rows([uid])).internal_date // 86_400
                return (query.first is None or query.first <= day) and (query.before is None or day < query.before)
        raise AssertionError(query)

    def questions(self, choose: random.Random) -> Iterator[Query]:
        """Runs of characters that stand in some message, or nearly."""
        while True:
            uid = choose.choice(list(self.messages))
            where = choose.choice((self.headers[uid], *self.bodies[uid], *header_texts(self.messages[uid], _any(choose))))
            at, size = choose.randrange(len(where) + 1), choose.choice((0, 1, 2, 3, 4, 6, 9, 15, 40))
            text = choose.choice((str.lower, str.upper, str))(where[at : at + size])
            text = choose.choice((str.strip, str, str, str, lambda text: text + "q"))(text)
            query = _any(choose, text)
            yield choose.choice((query, TextContains(text), BodyContains(text), Not(query)))
            yield DateRange(DateOf.SENT, choose.choice((None, 13_000)), choose.choice((None, choose.randrange(20_000))))


def _any(choose: random.Random, text: str = "") -> HeaderContains | AddressContains:
    name = choose.choice(NAMES)
    return AddressContains(name, text) if name in NAMES[:4] and choose.random() < 0.7 else HeaderContains(name, text)


def check(mailbox: Mailbox, seed: int, count: int) -> int:
    """Ask both; how many questions found something, but not everything."""
    oracle, telling = Oracle(mailbox), 0
    for query, _ in zip(oracle.questions(random.Random(seed)), range(count), strict=False):
        expected = [uid for uid in oracle.messages if oracle.holds(query, uid)]
        assert mailbox.search(query) == expected, query
        telling += 0 < len(expected) < len(oracle.messages)
    return telling


def _nothing(stores: Stores, account: Account) -> None:
    """Just delivered."""


def _half(stores: Stores, account: Account) -> None:
    while stores.catch_up(1000) > 25:
        pass
    for _ in range(4):
        stores.catch_up(1000)


def _all(stores: Stores, account: Account) -> None:
    while stores.catch_up(1000):
        pass


def _changed(stores: Stores, account: Account) -> None:
    """Copied away and back, expunged, something new."""
    inbox = account.open("INBOX")
    uids = list(inbox.uids())
    inbox.copy(uids[:50], "Other")
    inbox.change_flags(uids[:40], FlagChange.ADD, int(Flag.DELETED))
    inbox.expunge()
    other = account.open("Other")
    other.move(list(other.uids())[10:30], "INBOX")
    inbox.append(b"Subject: new\r\n\r\nquicksilver\r\n")


def _rebuilt(stores: Stores, account: Account) -> None:
    stores.rebuild(account.address)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stores, Account]:
    stores = Stores(tmp_path_factory.mktemp("oracle"), describe)
    account = stores("ann@example.org")
    account.create("Other")
    inbox = account.open("INBOX")
    for number, message in enumerate(corpus()):
        inbox.append(message, internal_date=number * 40_000_000 // 10 + 5)
    return stores, account


@pytest.mark.parametrize("stage", [_nothing, _half, _all, _changed, _all, _rebuilt], ids=lambda stage: stage.__name__)
def test_the_index_finds_what_reading_finds(filled: tuple[Stores, Account], stage: Stage) -> None:
    stores, account = filled
    stage(stores, account)
    count = QUERIES if stage is _all else QUERIES // 5
    assert check(account.open("INBOX"), len(stage.__name__), count) > count // 8


def test_words_answer_without_reading(filled: tuple[Stores, Account], monkeypatch: pytest.MonkeyPatch) -> None:
    """The index is certain of what lies in one word."""
    stores, account = filled
    _all(stores, account)
    inbox = account.open("INBOX")
    expected = inbox.search(TextContains("straße"))
    assert expected

    def refuse(uid: int) -> bytes:
        raise AssertionError(uid)

    monkeypatch.setattr(inbox, "read", refuse)
    assert inbox.search(TextContains("traß")) == expected
    assert inbox.search(BodyContains("quicksilver nobody wrote")) == []
    with pytest.raises(AssertionError):
        inbox.search(TextContains("straße 1"))


def test_without_fts5_messages_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pymaild.store.index._has_fts5", lambda db: False)
    stores = Stores(tmp_path, describe)
    account = stores("ann@example.org")
    inbox = account.open("INBOX")
    for number in range(20):
        inbox.append(b"Subject: %d\r\n\r\nbody n%d end\r\n" % (number, number))
    _all(stores, account)
    assert inbox.search(TextContains("n12")) == [13]
    assert inbox.search(BodyContains("n1 e")) == [2]


def test_words_of_messages_that_are_gone_are_forgotten_at_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pymaild.store.fulltext._SPARE", 10)
    stores = Stores(tmp_path, describe)
    account = stores("ann@example.org")
    inbox = account.open("INBOX")
    engine = stores._engine("ann@example.org")

    def known() -> list[str]:
        return engine.read(lambda db: [word for (word,) in db.execute("SELECT text FROM word WHERE text LIKE 'N%'")])

    for number in range(30):
        inbox.append(b"Subject: %d\r\n\r\nbody n%d end\r\n" % (number, number))
    _all(stores, account)
    assert len(known()) == 30
    inbox.change_flags(range(2, 31), FlagChange.ADD, int(Flag.DELETED))
    inbox.expunge()
    inbox.append(b"\r\nn99\r\n")
    _all(stores, account)
    assert known() == ["N0", "N99"]
    assert inbox.search(TextContains("n9")) == [31]


@pytest.mark.parametrize(
    ("text", "expected", "one"),
    [
        ("meet", [("meet", True, True)], True),
        ("the meet", [("the", True, False), ("meet", False, True)], False),
        (" a ", [("a", False, False)], False),
        ("?!", [], False),
        ("", [], False),
        ("日本", [("日本", True, True)], True),
        ("日本、x", [("日本", True, False), ("x", False, True)], False),
    ],
)
def test_pieces(text: str, expected: list[tuple[str, bool, bool]], one: bool) -> None:
    assert pieces(text) == expected
    assert is_one_word(text) is one


def test_a_message_with_too_many_words_is_read() -> None:
    assert words(b"Subject: x\r\n\r\n" + b" ".join(b"%d" % number for number in range(60_000))) is None
    assert words(b"Subject: x\r\n\r\n" + b"x " * 2_100_000) is None
    found = words(b"Subject: Hello\r\n\r\nhello World")
    assert found is not None
    assert found.body == {"HELLO", "WORLD"}
    assert found.header == {"SUBJECT", "HELLO"}
