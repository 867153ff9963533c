"""SORT by every criterion, THREAD by both algorithms and sixty SEARCH programs, here and on Dovecot, on the same real and malformed messages.

The messages are those of tests/realmail (public test suites). What differs on purpose is listed in DIFFERENT with its
reason, or the test fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from pymaild.dialogue import Pump
from pymaild.imap.sequences import compact
from pymaild.message.fields import header_end
from pymaild.message.sorting import sort_keys
from tests.dovecot import ImapConnection, dovecot, missing
from tests.imap_world import World
from tests.realmail.test_realmail import canonical, sources, texts

pytestmark = [pytest.mark.clients, pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing() or "-")]

# Messages that are left out, with the reason why the two servers mean different things; docs/imap.md lists them, too.
DIFFERENT = {
    rb"(?im)^(?:subject|from|to):.*(?:\r\n[ \t].*)*[\x80-\xff]": "octets outside ASCII are read as they were meant, not as U+FFFD",
    rb"(?im)^subject:.*=\?\?": "a word without a charset is no encoded word (RFC 2047 §2)",
    rb"(?im)^subject:.*(?:\r\n[ \t].*)*=\?us-ascii\?q\?\?=": "an empty word between two others is nothing",
    rb"(?im)^date: ?(?:[A-Z][a-z]{2}\b[^,\d]|.*\.\d+ |.*:t)": "dates that Dovecot cannot read",
    rb"(?im)^date:.*(?:\r\n[ \t].*)*\b(?:19[0-6]\d|3609)\b": "years that 32 bits cannot hold",
}
LEAST = 500  # messages without which the comparison says little


def messages() -> list[bytes]:
    """All of them, a NUL as a question mark: APPEND takes none (RFC 3501 §9, CHAR8)."""
    return [canonical(text).replace(b"\0", b"?") for file in sources() for text in texts(file) if text.strip()]


def compared(sent: list[bytes]) -> str:
    """The uids of all but those of DIFFERENT, which are few."""
    uids = [uid for uid, message in enumerate(sent, 1) if not any(re.search(each, header(message)) for each in DIFFERENT)]
    assert len(uids) > 0.95 * len(sent) >= LEAST
    return compact(uids).decode("ascii")


def undated(sent: list[bytes]) -> set[int]:
    """The uids of the messages without a date that can be read."""
    return {uid for uid, message in enumerate(sent, 1) if sort_keys(header(message)).sent is None}


def header(message: bytes) -> bytes:
    return message[: header_end(message)]


@dataclass
class Pair:
    """Both servers, each with a client that has the mailbox open."""

    pump: Pump
    theirs: ImapConnection
    same: str  # uids of the messages that both understand in one way
    undated: set[int]

    def ours(self, command: str) -> bytes:
        said = b"".join(self.pump.feed(b"t " + command.encode() + b"\r\n"))
        first, _, last = said.partition(b"\r\n")
        assert last.startswith(b"t OK"), said[-300:]
        return first


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    sent = messages()
    if len(sent) < LEAST:
        pytest.skip("the public messages are not beside this checkout: see tests/realmail")
    world = World(tmp_path_factory.mktemp("imap"), "empty", uses=())
    pump = Pump(world.session())
    b"".join(pump.start())
    with dovecot() as server:
        server.deliver("ann", [])
        with server.connect("ann") as theirs:
            b"".join(pump.feed(b"l LOGIN ann@example.org ann-secret\r\n"))
            for number, message in enumerate(sent):
                date = b'" 7-Feb-2020 %02d:%02d:%02d +0000"' % (number // 3600 % 24, number // 60 % 60, number % 60)
                append = b"APPEND INBOX %s {%d+}\r\n%s" % (date, len(message), message)
                theirs.command(append)
                said = b"".join(pump.feed(b"a " + append + b"\r\n"))
                assert b"a OK" in said, said
            theirs.command(b"SELECT INBOX")
            b"".join(pump.feed(b"s SELECT INBOX\r\n"))
            yield Pair(pump, theirs, compared(sent), undated(sent))
    pump.session.closed()
    world.close()


@pytest.mark.parametrize("reverse", ["", "REVERSE "])
@pytest.mark.parametrize(
    "criterion",
    ["ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO", "DISPLAYFROM", "DISPLAYTO", "SUBJECT REVERSE SIZE"],
)
def test_sort(pair: Pair, criterion: str, reverse: str) -> None:
    command = f"UID SORT ({reverse}{criterion}) UTF-8 UID {pair.same}"
    (theirs,) = pair.theirs.command(command.encode())
    assert pair.ours(command) == theirs


@pytest.mark.parametrize("algorithm", ["ORDEREDSUBJECT", "REFERENCES"])
def test_thread(pair: Pair, algorithm: str) -> None:
    command = f"UID THREAD {algorithm} UTF-8 UID {pair.same}"
    (theirs,) = pair.theirs.command(command.encode())
    assert trees(pair.ours(command)) == trees(theirs)


SEARCHES = [
    "ALL", "1:400", "NOT 1:400", "UID 10:20,30", "SEEN", "UNSEEN", "LARGER 3000", "SMALLER 1000", "OR SMALLER 500 LARGER 50000",
    "FROM mailer-daemon", "FROM postmaster", "FROM example.com", "FROM jürgen", "FROM @example", "TO sisimai", "TO example", "TO heinz",
    "TO undisclosed", "CC a", "CC example.org", "BCC a", "SUBJECT returned", "SUBJECT failure", "SUBJECT re:", "SUBJECT frösche",
    'SUBJECT ""', 'SUBJECT "die hasen"', "SUBJECT ユーザー", "SUBJECT é", "SUBJECT FRO\u0308SCHE", 'HEADER Message-ID ""',
    "HEADER Message-ID example", "HEADER Received esmtp", "HEADER X-Mailer microsoft", 'HEADER X-Nothing ""', "HEADER Content-Type mixed",
    "HEADER References @", "HEADER Auto-Submitted auto", "SENTBEFORE 1-Jan-2010", "SENTSINCE 1-Jan-2020", "SENTON 29-Apr-2010",
    "NOT SENTSINCE 1-Jan-2000", "SINCE 7-Feb-2020", "BEFORE 7-Feb-2020", "ON 7-Feb-2020", "BODY undeliverable", "BODY 550",
    "BODY unknown", 'BODY "user unknown"', "BODY zzzzzz", "TEXT quota", "TEXT kijitora", 'TEXT "does not exist"',
    "OR FROM postmaster SUBJECT failure", "NOT (OR FROM postmaster SUBJECT failure)", "SUBJECT a NOT SUBJECT e LARGER 1000",
    "OLDER 86400", "YOUNGER 86400", "NOT YOUNGER 86400", "DELETED", "KEYWORD $x", "UNKEYWORD $x", "TO example FROM kijitora",
]  # fmt: skip


@pytest.mark.parametrize("program", SEARCHES)
def test_search(pair: Pair, program: str) -> None:
    command = f"UID SEARCH UID {pair.same} " + (program if program.isascii() else quoted(program))
    command = command if program.isascii() else command.replace("SEARCH UID", "SEARCH CHARSET UTF-8 UID")
    (line,) = (line for line in pair.theirs.command(command.encode()) if line.startswith(b"* SEARCH"))
    ours, theirs = ({int(uid) for uid in found.split()[2:]} for found in (pair.ours(command), line))
    if program.startswith(("BODY", "TEXT")):  # we look into the header of a message inside a message, too
        assert theirs <= ours
        assert len(ours) <= len(theirs) + 40
    elif "SENT" in program:  # without a date of its own a message goes by the internal date; for Dovecot by the year 1970
        assert ours - pair.undated == theirs - pair.undated
    else:
        assert ours == theirs


def quoted(program: str) -> str:
    """The last word in quotes."""
    words, _, last = program.rpartition(" ")
    return f'{words} "{last}"'


def trees(response: bytes) -> list[bytes]:
    """The threads, one by one."""
    found, depth, start = [], 0, 0
    for mark in re.finditer(rb"[()]", response):
        depth += 1 if mark[0] == b"(" else -1
        if depth == 1 and mark[0] == b"(":
            start = mark.start()
        elif depth == 0:
            found.append(response[start : mark.end()])
    return found
