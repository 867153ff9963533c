"""The same commands to our session and to Dovecot, on the same hundred letters: FETCH, SEARCH, LIST, STATUS, STORE, COPY.

Whatever differs must be listed here with its reason, or the test fails.
"""

from __future__ import annotations

import email
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from pymaild.dialogue import Pump
from pymaild.imap.answers import flags_list, internal_date
from pymaild.lab.filing import file_letters
from pymaild.lab.letters import Post
from pymaild.lab.stories import all_letters
from tests.dovecot import ImapConnection, dovecot, missing
from tests.imap_world import World
from tests.imapvalues import Parsed, parse

pytestmark = [pytest.mark.clients, pytest.mark.skipif(bool(missing()), reason=missing() or "-")]

POST = Post(all_letters(), datetime(2026, 11, 24, 12, 0, tzinfo=UTC))
LETTERS = list(file_letters(POST))[:100]

FETCHES = [
    "FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)",
    "FETCH 1:* ENVELOPE",
    "FETCH 1:* BODYSTRUCTURE",
    "FETCH 1:* BODY",
    "FETCH 1:* FULL",
    "UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT DATE X-NONE)])",
    "FETCH 1:* BODY.PEEK[HEADER.FIELDS.NOT (RECEIVED FROM TO)]",
    "FETCH 1:* BODY.PEEK[HEADER]",
    "FETCH 1:* BODY.PEEK[TEXT]<10.50>",
    "FETCH 1:* (BODY.PEEK[1] BODY.PEEK[1.MIME])",
    "FETCH 1:* (BODY.PEEK[2] BODY.PEEK[2.MIME] BODY.PEEK[2.1.HEADER] BODY.PEEK[3.HEADER] BODY.PEEK[3])",
    "FETCH 1:* BODY.PEEK[]",
    "FETCH 5,3:4,100:*,3 (UID)",
    "UID FETCH 200:* (FLAGS)",
    "FETCH 7 (RFC822.HEADER RFC822.TEXT)",
    "FETCH 8 BODY[1]",
    "FETCH 7:9 FLAGS",
]
SEARCHES = [
    "ALL", "SEEN", "UNSEEN", "FLAGGED", "ANSWERED", "UNANSWERED UNFLAGGED", "DELETED", "DRAFT", "KEYWORD $Label1",
    "UNKEYWORD $Label1", "1:10,50", "UID 20:30", "*", "NOT 1:90", "OR 1:3 5", "FROM mira", "FROM example", "TO a", "CC a",
    "BCC a", "SUBJECT re", "SUBJECT zzzz", 'SUBJECT ""', "BODY the", "BODY zzzz", "TEXT harbour", "TEXT mira",
    'TEXT "the "', "HEADER Message-ID example", 'HEADER In-Reply-To ""', "HEADER X-None a", "LARGER 3000", "SMALLER 2000",
    "BEFORE 1-Nov-2026", "SINCE 1-Nov-2026", "ON 20-Nov-2026", "SENTBEFORE 1-Nov-2026", "SENTSINCE 1-Nov-2026",
    "SENTON 20-Nov-2026", "OR (FROM mira SEEN) (NOT SEEN SUBJECT a)", "NOT (OR SEEN FLAGGED)", "NOT NOT SEEN",
    "CHARSET UTF-8 SUBJECT gr\u00fc\u00df", "CHARSET UTF-8 TEXT \u65e5\u672c", "CHARSET UTF-8 BODY \u00fc",
]  # fmt: skip
LISTS = [
    'LIST "" ""', 'LIST "" "*"', 'LIST "" "%"', 'LIST "Projects/" "%"', 'LIST "" "Pro%/%"', 'LIST "" "*6"', 'LIST "" "inbox"',
    'LIST "" "I*X"', 'LIST "" "Nowhere"', 'LSUB "" "*"', 'LSUB "" "%"', 'LSUB "Projects/" "*"', 'LIST (SUBSCRIBED) "" "*"',
    'LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"', 'LIST "" ("INBOX" "Pro%") RETURN (CHILDREN SUBSCRIBED)',
    'LIST "" "*" RETURN (STATUS (MESSAGES UNSEEN))', "STATUS INBOX (MESSAGES UNSEEN UIDNEXT)",
    "STATUS Projects/2026 (MESSAGES UIDNEXT RECENT UNSEEN)",
]  # fmt: skip

# Differences that are meant, with what both sides are reduced to before they are compared (docs/imap.md lists them):
#   media types and transfer encodings are in lower case, strings quoted or literal as each likes: values are compared
#   a part that a message does not have is NIL; Dovecot sends an empty string for some: {0} counts as NIL
#   BODY[1.1] where 1 is a leaf is such a part, too; Dovecot sends the leaf itself
#   \Marked and \UnMarked are Dovecot's; attributes come in any order, "CHILDINFO" with and without quotes
#   SUBSCRIBE takes any name (RFC 3501 §6.3.6), CREATE makes the levels above (§6.3.3): nothing here depends on it
# BINARY is compared with what Python's email decodes, since Dovecot refuses the whole FETCH for one missing part.


@dataclass
class Pair:
    """Both servers, each with a client that is logged in."""

    pump: Pump
    theirs: ImapConnection

    def ours(self, command: bytes) -> tuple[bytes, list[bytes]]:
        said = b"".join(self.pump.feed(b"t " + command + b"\r\n"))
        lines = responses(said)
        return lines[-1], lines[:-1]

    def both(self, command: str | bytes) -> tuple[list[bytes], list[bytes]]:
        octets = command.encode() if isinstance(command, str) else command
        tagged, ours = self.ours(octets)
        assert tagged.startswith(b"t OK"), tagged
        return ours, self.theirs.command(octets)


def responses(said: bytes) -> list[bytes]:
    """Cut at line ends, but not inside literals."""
    found, start, at = [], 0, 0
    while at < len(said):
        end = said.index(b"\r\n", at)
        literal = re.search(rb"\{(\d+)\}\Z", said[at:end])
        at = end + 2 + (int(literal[1]) if literal else 0)
        if not literal:
            found.append(said[start:end])
            start = at
    return found


@contextmanager
def ready() -> Iterator[ImapConnection]:
    """Dovecot, with ann's folder made."""
    with dovecot() as server:
        server.deliver("ann", [])
        with server.connect("ann") as connection:
            yield connection


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    world = World(tmp_path_factory.mktemp("imap"), "empty", uses=())
    pump = Pump(world.session())
    b"".join(pump.start())
    b"".join(pump.feed(b"l LOGIN ann@example.org ann-secret\r\n"))
    with ready() as connection:
        both = Pair(pump, connection)
        for letter in LETTERS:
            flags = flags_list(letter.flags, letter.keywords)
            date = internal_date(int(letter.internal_date.timestamp()))
            both.both(b"APPEND INBOX %s %s {%d+}\r\n%s" % (flags, date, len(letter.message), letter.message))
        for name in ("Projects", "Projects/2026", "Gr&APwA3w-e", "Sent"):
            both.both(f"CREATE {name}")
        for name in ("INBOX", "Projects/2026", "Sent"):
            both.both(f"SUBSCRIBE {name}")
        both.both("SELECT INBOX")
        yield both
    pump.session.closed()
    world.close()


def at_utc(found: re.Match[bytes]) -> bytes:
    at = datetime.strptime(found[1].decode().strip(), "%d-%b-%Y %H:%M:%S %z")
    return b"INTERNALDATE " + internal_date(int(at.timestamp()))


def sorted_flags(found: re.Match[bytes]) -> bytes:
    return b"FLAGS (" + b" ".join(sorted(set(found[1].split()) - {b"\\Recent"})) + b")"


def plain(response: bytes) -> object:
    """Flags sorted, dates in UTC, absent parts as NIL; without literals of any use, the values in lower case."""
    response = re.sub(rb"FLAGS \(([^()]*)\)", sorted_flags, response)
    response = re.sub(rb'INTERNALDATE "([^"]*)"', at_utc, response)
    response = response.replace(b" {0}\r\n", b" NIL")
    if b"ENVELOPE" in response or b"BODY (" in response or b"BODYSTRUCTURE" in response:
        return lower(parse(response.partition(b" FETCH ")[2].replace(b"\\", b"")))
    return response


def lower(value: Parsed) -> Parsed:
    if isinstance(value, list):
        return [lower(each) for each in value]
    return value.lower() if isinstance(value, bytes) else value


def news(lines: list[bytes]) -> list[bytes]:
    """Without what comes at any time, in an order of its own."""
    return [line for line in lines if not re.match(rb"\* (OK|FLAGS|\d+ (EXISTS|RECENT))", line)]


@pytest.mark.parametrize("command", FETCHES)
def test_fetch(pair: Pair, command: str) -> None:
    ours, theirs = pair.both(command)
    for one, other in zip(news(ours), news(theirs), strict=True):
        assert plain(one) == plain(other), (one[-150:], other[-150:])


def test_binary(pair: Pair) -> None:
    for number, letter in enumerate(LETTERS, 1):
        parts = [part for part in email.message_from_bytes(letter.message).walk() if not part.is_multipart()]
        tagged, (line,) = pair.ours(b"FETCH %d (BINARY.SIZE[1] BINARY.PEEK[1])" % number)
        first = email.message_from_bytes(letter.message)
        if first.is_multipart() and first.get_payload()[0].is_multipart():  # type: ignore[index, union-attr]
            continue
        content = parts[0].get_payload(decode=True)
        assert isinstance(content, bytes)
        assert re.search(rb"BINARY.SIZE\[1\] %d BINARY\[1\] ~?\{%d\}" % (len(content), len(content)), line), (tagged, line)
        assert line.endswith(content + b")")


@pytest.mark.parametrize("program", SEARCHES)
def test_search(pair: Pair, program: str) -> None:
    for verb in ("SEARCH", "UID SEARCH"):
        ours, theirs = pair.both(f"{verb} {program}" if program.isascii() else in_literals(verb, program))
        assert news(ours) == news(theirs)


def in_literals(verb: str, program: str) -> bytes:
    """The last word as a literal."""
    words, _, last = program.rpartition(" ")
    octets = last.encode()
    return b"%s %s {%d+}\r\n%s" % (verb.encode(), words.encode(), len(octets), octets)


def status(found: re.Match[bytes]) -> bytes:
    """The items in one order."""
    items = sorted(re.findall(rb"\w+ \d+", found[2]))
    return b"STATUS " + found[1] + b" (" + b" ".join(items) + b")"


def listed(response: bytes) -> bytes:
    """Attributes sorted, without Dovecot's marks; names always quoted."""
    found = re.match(rb'(\* (?:LIST|LSUB) )\(([^)]*)\) "/" (?:"([^"]*)"|(\S+))(.*)', response)
    if found is None:
        return re.sub(rb'STATUS "?([^" ]*)"? \((.*)\)', status, response)
    ignored = {b"\\UNMARKED", b"\\MARKED", b"\\HASCHILDREN", b"\\HASNOCHILDREN", b"\\NONEXISTENT"}
    words = b" ".join(sorted(set(found[2].upper().split()) - ignored))
    return found[1] + b"(" + words + b") " + (found[3] or found[4] or b"") + found[5].replace(b'"CHILDINFO"', b"CHILDINFO")


@pytest.mark.parametrize("command", LISTS)
def test_list(pair: Pair, command: str) -> None:
    ours, theirs = pair.both(command)
    assert sorted(map(listed, ours)) == sorted(map(listed, theirs))


@pytest.mark.parametrize(
    "command",
    ["STORE 1:3 +FLAGS (\\Flagged $Mine)", "UID STORE 2 -FLAGS \\Flagged", "STORE 4 FLAGS ()", "STORE 5 +FLAGS.SILENT (\\Seen)",
     "UID COPY 1:5,9 Sent", "COPY 7 Projects/2026", "STATUS Sent (MESSAGES UNSEEN UIDNEXT)", "STORE 10:12 +FLAGS (\\Deleted)",
     "UID EXPUNGE 11", "EXPUNGE", "UID MOVE 20:21 Sent", "FETCH 1:* (UID FLAGS)", "UID SEARCH ALL"],
)  # fmt: skip
def test_changes(pair: Pair, command: str) -> None:
    ours, theirs = pair.both(command)
    if "EXPUNGE" in command or "MOVE" in command:
        assert sorted(news(ours)) == sorted(news(theirs)) and len(news(ours)) in (1, 2)
    else:
        assert [plain(listed(line)) for line in news(ours)] == [plain(listed(line)) for line in news(theirs)]


def test_the_messages_are_the_same_at_the_end(pair: Pair) -> None:
    ours, theirs = pair.both("FETCH 1:* (UID BODY.PEEK[])")
    assert ours == theirs
