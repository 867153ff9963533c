"""FETCH of every item that both servers know, here and on Dovecot, on the same real and malformed messages.

What differs on purpose is in docs/imap.md and docs/dovecot-differences.md; the rules below say it to the test.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.clients.test_dovecot_describe import MESSAGES, differences, is_same_section
from tests.clients.test_dovecot_imap import at_utc, responses, sorted_flags
from tests.clients.test_dovecot_sort import Pair, pair
from tests.dovecot import missing
from tests.imapvalues import parse
from tests.realmail.test_realmail import sources, texts

__all__ = ["pair"]  # the fixture

pytestmark = [pytest.mark.clients, pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing() or "-")]

SECTIONS = [
    "", "HEADER", "TEXT", "HEADER.FIELDS (FROM TO SUBJECT DATE X-NONE)", "HEADER.FIELDS.NOT (RECEIVED FROM TO)", "1", "1.MIME",
    "1.HEADER", "1.TEXT", "1.1", "1.1.MIME", "1.2", "2", "2.MIME", "2.HEADER", "2.TEXT", "2.1", "3", "3.MIME", "3.1", "4",
]  # fmt: skip
PARTIAL = ["[]<0.100>", "[]<50.1000>", "[TEXT]<10.50>", "[HEADER]<0.64>", "[1]<5.20>", "[]<9999999.5>"]


NO_PARTS = (
    "malformed/017.eml"  # a multipart whose boundary cannot be read: for us BODY[1] is the empty part BODYSTRUCTURE has
)
LEAF = re.compile(r"\d\.1(\.MIME)?")  # below a leaf there is nothing: docs/imap.md


def left_out() -> set[int]:
    """The uids of the messages that docs/dovecot-differences.md names one by one."""
    names = [str(file) for file in sources() for text in texts(file) if text.strip()]
    return {uid for uid, name in enumerate(names, 1) if name.endswith((*MESSAGES, NO_PARTS))}


def fetched(pair: Pair, items: str) -> Iterator[tuple[int, bytes, bytes]]:
    """uid, our answer, Dovecot's."""
    command = f"UID FETCH 1:* ({items})".encode()
    *ours, tagged = responses(b"".join(pair.pump.feed(b"t " + command + b"\r\n")))
    assert tagged.startswith(b"t OK"), tagged
    theirs = pair.theirs.command(command)
    assert len(ours) == len(theirs) >= 500
    for uid, (our, their) in enumerate(zip(ours, theirs, strict=True), 1):
        yield uid, our, their


def test_numbers(pair: Pair) -> None:
    def plain(line: bytes) -> bytes:
        return re.sub(rb'INTERNALDATE "([^"]*)"', at_utc, re.sub(rb"FLAGS \(([^()]*)\)", sorted_flags, line))

    for _, ours, theirs in fetched(pair, "UID FLAGS INTERNALDATE RFC822.SIZE"):
        assert plain(ours) == plain(theirs)


@pytest.mark.parametrize("item", ["ENVELOPE", "BODY", "BODYSTRUCTURE"])
def test_descriptions(pair: Pair, item: str) -> None:
    special = left_out()
    for uid, ours, theirs in fetched(pair, item):
        values = [parse(line.partition(b" FETCH ")[2])[0] for line in (ours, theirs)]
        found = list(differences(item, *(value[3] if isinstance(value, list) else None for value in values)))
        assert not found or uid in special, (uid, found)


def value(line: bytes) -> bytes:
    """The octets of the one section in a response; none where there is no such part, or an empty one: see docs/imap.md."""
    found = re.search(rb"\](?:<\d+>)? (NIL|\"\"|\{(\d+)\}\r\n)", line)
    assert found, line[:200]
    return line[found.end() : found.end() + int(found[2])] if found[2] else b""


@pytest.mark.parametrize("section", SECTIONS)
def test_sections(pair: Pair, section: str) -> None:
    special = left_out()
    for uid, ours, theirs in fetched(pair, f"BODY.PEEK[{section}]"):
        if uid not in special and not (LEAF.fullmatch(section) and ours.endswith(b" NIL)")):
            assert is_same_section(section, value(ours), value(theirs)), (uid, ours[-200:], theirs[-200:])


@pytest.mark.parametrize("partial", PARTIAL)
def test_partial(pair: Pair, partial: str) -> None:
    special = left_out()
    for uid, ours, theirs in fetched(pair, f"BODY.PEEK{partial}"):
        assert uid in special or value(ours).replace(b"\0", b"\x80") == value(theirs), (uid, ours[-200:], theirs[-200:])


@pytest.mark.parametrize("item", ["RFC822.HEADER"])
def test_old_items(pair: Pair, item: str) -> None:
    for uid, ours, theirs in fetched(pair, item):
        assert ours.partition(b"{")[2] == theirs.partition(b"{")[2], uid
