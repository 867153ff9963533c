"""Every bound: who passes it gets a tagged NO or BAD with a code, and the connection goes on; or BYE, where nothing else helps.

docs/imap.md has the table for people.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from pymaild.dialogue import Pump, Then
from pymaild.imap import Limits
from pymaild.store import account
from tests.imap_world import World


@dataclass(frozen=True)
class Bound:
    """One row: what a client says, logged in with its INBOX selected, and the last line that it hears."""

    name: str
    said: bytes
    heard: str  # a pattern of the answer; what follows it is free
    before_login: bool = False
    ends: bool = False  # the session is over afterwards

    def __str__(self) -> str:
        return self.name


def listed(word: bytes, count: int) -> bytes:
    return b" ".join([word] * count)


KIB = 1024
MESSAGE = b"Subject: a\r\n\r\n"
LITTLE = b"{14+}\r\n" + MESSAGE
BOUNDS = (
    # lines and literals: RFC 7888 §4, RFC 9051 §4.3, RFC 2683 §3.2.1.5
    Bound("a line", b"a NOOP " + b"x" * 70 * KIB, r"a BAD \[TOOBIG\]"),
    Bound("a line before the login", b"a NOOP " + b"x" * 70 * KIB, r"a BAD \[TOOBIG\]", before_login=True),
    Bound("a literal", b"a CREATE {65537}", r"a BAD \[TOOBIG\]"),
    Bound("a literal before the login", b"a LOGIN {8193}", r"a BAD \[TOOBIG\]", before_login=True),
    Bound("a literal that comes unasked", b"a CREATE {65537+}\r\n" + b"x" * 65537, r"a BAD \[TOOBIG\]"),
    Bound("a literal of more octets than there are", b"a CREATE {99999999999999999999}", r"a BAD \[TOOBIG\]"),
    Bound("octets that nobody drops", b"a CREATE {134217729+}", r"\* BYE \[TOOBIG\]", ends=True),
    Bound(
        "literals of one command",
        b"a SEARCH SUBJECT {60000+}\r\n" + (b"x" * 60000 + b" SUBJECT {60000+}\r\n") * 5 + b"x" * 60000,
        r"a BAD \[TOOBIG\]",
    ),
    # messages: RFC 7889 §4, RFC 3502
    Bound("a message", b"a APPEND INBOX {1000001}", r"a NO \[TOOBIG\]"),
    Bound("a message that comes unasked", b"a APPEND INBOX {1000001+}\r\n" + b"x" * 1000001, r"a NO \[TOOBIG\]"),
    Bound("all messages of one command", b"a APPEND INBOX" + (b" {999999+}\r\n" + b"x" * 999999) * 5, r"a NO \[TOOBIG\]"),
    Bound("messages in one command", b"a APPEND INBOX" + (b" " + LITTLE) * 101, r"a NO \[LIMIT\]"),
    Bound("parts of a message", b"a APPEND INBOX CATENATE (" + listed(b"TEXT " + LITTLE, 101) + b")", r"a NO \[LIMIT\]"),
    # SEARCH, SORT: depth and number of keys
    Bound("search keys", b"a SEARCH " + listed(b"SEEN", 1001), r"a NO \[LIMIT\]"),
    Bound("search keys in parentheses", b"a SEARCH " + b"(" * 51 + b"SEEN" + b")" * 51, r"a NO \[LIMIT\]"),
    Bound("NOT of NOT", b"a SEARCH " + listed(b"NOT", 51) + b" SEEN", r"a NO \[LIMIT\]"),
    Bound("OR of OR", b"a SEARCH " + b"OR SEEN " * 51 + b"SEEN", r"a NO \[LIMIT\]"),
    Bound("FUZZY of FUZZY", b"a SEARCH " + listed(b"FUZZY", 51) + b' SUBJECT "x"', r"a NO \[LIMIT\]"),
    Bound("result options", b"a SEARCH RETURN (" + listed(b"MIN", 21) + b") SEEN", r"a NO \[LIMIT\]"),
    Bound("sort criteria", b"a SORT (" + listed(b"SIZE", 101) + b") UTF-8 ALL", r"a NO \[LIMIT\]"),
    Bound("places to search", b"a ESEARCH IN (" + listed(b"inboxes", 101) + b") ALL", r"a NO \[LIMIT\]"),
    # message sets
    Bound("a message set", b"a FETCH " + b",".join([b"1"] * 10_001) + b" FLAGS", r"a NO \[LIMIT\]"),
    Bound("a message set in SEARCH", b"a SEARCH UID " + b",".join([b"1"] * 10_001), r"a NO \[LIMIT\]"),
    Bound("a message set of many digits", b"a FETCH 1" + b"0" * 60 * KIB + b" FLAGS", r"a BAD "),
    # FETCH
    Bound("fetch items", b"a FETCH 1 (" + listed(b"FLAGS", 201) + b")", r"a NO \[LIMIT\]"),
    Bound("part numbers", b"a FETCH 1 BODY.PEEK[" + b"1." * 101 + b"1]", r"a NO \[LIMIT\]"),
    Bound("names of header fields", b"a FETCH 1 BODY.PEEK[HEADER.FIELDS (" + listed(b"x", 1001) + b")]", r"a NO \[LIMIT\]"),
    # mailboxes
    Bound("mailboxes", b"a CREATE one-too-many", r"a NO \[LIMIT\]"),
    Bound("levels of a name", b"a CREATE " + b"/".join([b"a"] * 200), r"a NO \[CANNOT\]"),
    Bound("a name", b"a CREATE " + b"a" * 5000, r"a NO \[CANNOT\]"),
    Bound("patterns of LIST", b'a LIST "" (' + listed(b"a", 101) + b")", r"a NO \[LIMIT\]"),
    Bound("status items", b"a STATUS INBOX (" + listed(b"UNSEEN", 21) + b")", r"a NO \[LIMIT\]"),
    # the rest
    Bound("flags", b"a STORE 1 +FLAGS (" + listed(b"k", 1001) + b")", r"a NO \[LIMIT\]"),
    Bound(
        "keywords of a mailbox", b"a STORE 1 +FLAGS (" + b" ".join(b"k%d" % n for n in range(27)) + b")", r"a NO \[LIMIT\]"
    ),
    Bound("fields of ID", b"a ID (" + listed(b'"a"', 61) + b")", r"a NO \[LIMIT\]"),
    Bound("resources of SETQUOTA", b"a SETQUOTA x (" + listed(b"STORAGE 1", 101) + b")", r"a NO \[LIMIT\]"),
    Bound("entries of GETMETADATA", b'a GETMETADATA "" (' + listed(b"/private/a", 101) + b")", r"a NO \[LIMIT\]"),
    Bound("wrong commands", b"\r\n".join([b"a BREW"] * 20), r"\* BYE ", ends=True),
    Bound("wrong passwords", b"\r\n".join([b"a LOGIN x y"] * 5), r"\* BYE ", before_login=True, ends=True),
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("bounds"), limits=Limits(message=1_000_000))
    yield world
    world.close()


@pytest.mark.parametrize("bound", BOUNDS, ids=str)
def test_bound(bound: Bound, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "MAX_MAILBOXES", len(world.store.mailboxes()))
    pump = Pump(world.session())
    b"".join(pump.start())
    if not bound.before_login:
        b"".join(pump.feed(b"p LOGIN ann@example.org ann-secret\r\nq SELECT INBOX\r\n"))
    heard = b"".join(pump.feed(bound.said + b"\r\n")).decode().splitlines()
    assert re.match(bound.heard, heard[-1]), heard[-1][:200]
    if bound.ends:
        assert pump.then is Then.CLOSE
        return
    assert len(heard) == 1, "one answer to one command"
    assert b"".join(pump.feed(b"z NOOP\r\n")).endswith(b"z OK Done\r\n")
    pump.session.closed()


def test_a_set_that_is_long_but_not_too_long_is_taken(world: World) -> None:
    pump = Pump(world.session())
    b"".join(pump.start())
    b"".join(pump.feed(b"p LOGIN ann@example.org ann-secret\r\nq EXAMINE INBOX\r\n"))
    said = b"".join(pump.feed(b"a FETCH " + b",".join([b"1:3"] * 10_000) + b" UID\r\n"))
    assert said.count(b"FETCH (UID ") == 3
    assert said.endswith(b"a OK Done\r\n")
