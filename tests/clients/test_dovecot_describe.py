"""ENVELOPE, BODY and BODYSTRUCTURE compared with Dovecot's, value by value, on real and malformed mail.

Whatever differs must be listed here with its reason (and in docs/dovecot-differences.md), or the test fails.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pymaild.imap.describe import describe
from pymaild.mailstore import Column
from pymaild.message import sections
from pymaild.message.structure import scan
from tests.dovecot import dovecot, missing
from tests.imapvalues import Parsed, parse

CHECKOUT = Path(__file__).parents[2]
CORPUS = CHECKOUT.parent / "shared" / "messages"
OURS = CHECKOUT / "tests" / "messages"
NOT_MESSAGES = {".md", ".xml", ".golden", ".gif", ".jpg", ".png", ".pdf", ".zip", ".tiff", ".gitattributes", ".out"}

# Rules: reason -> what the difference looks like, (path, ours, theirs)
CASE = "media types and transfer encodings are written in lower case (RFC 2045 §5.1, §6.1: case does not matter)"
INVALID = "an invalid Content-Type counts as text/plain (RFC 2045 §5.2), not as a part of no type"
# Single messages: how the file's name ends -> reason
UNQUOTED = (
    "an unquoted parameter value is read to the next blank or semicolon; cut at the = the boundary would not be found"
)
MESSAGES = {
    "unquoted-ctype-param-special.raw": UNQUOTED,
    "raw_email_with_binary_encoded.eml": UNQUOTED,
    "raw_email_with_illegal_boundary.eml": UNQUOTED,
    "raw_email_bad_time.eml": UNQUOTED,
    "double-semicolon.msg": "an empty parameter between two semicolons is passed over: the boundary behind it is plain",
    "content_transfer_encoding_with_semi_colon.eml": "base64 and its like count also with junk behind them",
    "mac/lhost-imailserver-01.eml": "bare CR as line end: SMTP refuses such a message; imported ones differ in white space",
}


def is_same_section(name: str, ours: bytes, theirs: bytes) -> bool:
    """Two deliberate differences: the last line end of a part that has only a header, and NUL, which Dovecot sends as 0x80."""
    if name.endswith((".MIME", ".HEADER")) and ours == theirs + b"\r\n":
        return True
    return ours.replace(b"\0", b"\x80") == theirs


def explained(path: str, ours: Parsed, theirs: Parsed) -> str:
    """The rule that allows a difference; empty: none does."""
    if not path.startswith("BODY"):
        return ""
    if isinstance(ours, bytes) and isinstance(theirs, bytes) and ours.lower() == theirs.lower():
        return CASE
    if isinstance(ours, list) and isinstance(theirs, list) and len(theirs) > 6 and b"" in theirs[:2]:
        return INVALID
    return ""


def differences(path: str, ours: Parsed, theirs: Parsed) -> Iterator[tuple[str, Parsed, Parsed]]:
    """Where two values differ and no rule says why."""
    if ours == theirs or explained(path, ours, theirs):
        return
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, pair in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(f"{path}/{index}", *pair)
    else:
        yield path, ours, theirs


def as_smtp_brings_it(message: bytes) -> bytes:
    return re.sub(rb"\r?\n", b"\r\n", message)


def dovecots_answers(messages: list[bytes]) -> list[Parsed]:
    with dovecot() as server:
        server.deliver("ann", messages)
        with server.connect("ann") as connection:
            connection.command(b"SELECT INBOX")
            responses = connection.command(b"FETCH 1:* (ENVELOPE BODY BODYSTRUCTURE)")
    assert len(responses) == len(messages)
    return [parse(response.partition(b" FETCH ")[2])[0] for response in responses]


def compare(files: list[Path]) -> dict[str, list[tuple[str, Parsed, Parsed]]]:
    """The unexplained differences by file."""
    messages = [as_smtp_brings_it(file.read_bytes()) for file in files]
    found = {}
    for file, message, theirs in zip(files, messages, dovecots_answers(messages), strict=True):
        assert isinstance(theirs, list)
        columns = describe(message)
        found[str(file)] = [
            difference
            for place, column in ((1, Column.ENVELOPE), (3, Column.BODY), (5, Column.BODYSTRUCTURE))
            for difference in differences(column.name, parse(columns[column])[0], theirs[place])
        ]
    return {name: differing for name, differing in found.items() if differing}


@pytest.mark.clients
@pytest.mark.skipif(bool(missing()), reason=missing() or "-")
@pytest.mark.skipif(not CORPUS.is_dir(), reason="the public test messages are not beside the checkout")
def test_real_mail_is_described_as_dovecot_does() -> None:
    files = sorted(path for path in CORPUS.rglob("*") if path.is_file() and path.suffix not in NOT_MESSAGES)
    files = [path for path in files if path.name not in NOT_MESSAGES]
    assert len(files) > 1000
    found = compare(files)
    listed = {end for end in MESSAGES if any(name.endswith(end) for name in found)}
    assert listed == set(MESSAGES), "listed, but equal by now: take it off the list"
    unlisted = {name: what for name, what in found.items() if not name.endswith(tuple(MESSAGES))}
    assert not unlisted, unlisted


@pytest.mark.clients
@pytest.mark.skipif(bool(missing()), reason=missing() or "-")
def test_our_own_malformed_mail_is_described_as_dovecot_does() -> None:
    files = sorted(OURS.glob("*.eml"))
    assert files
    assert not compare(files)


def sections_of(message: bytes) -> dict[str, bytes]:
    """What we answer to FETCH for every section of the message."""
    root = scan(message)
    header = sections.header_bytes(message, root, root) or b""
    found = {"HEADER": header, "TEXT": sections.text_bytes(message, root, root) or b""}
    found["HEADER.FIELDS (SUBJECT FROM X-NONE)"] = sections.filter_fields(header, ["subject", "from", "x-none"])
    found["HEADER.FIELDS.NOT (SUBJECT FROM)"] = sections.filter_fields(header, ["subject", "from"], negate=True)
    for number in NUMBERS:
        part = sections.find(root, number)
        if part is None or (part is root and number != "1"):
            continue
        found[number] = sections.body_bytes(message, part)
        if part is not root:
            found[f"{number}.MIME"] = sections.mime_bytes(message, part)
        if part.message is not None and part is not root:
            found[f"{number}.HEADER"] = sections.header_bytes(message, part, root) or b""
            found[f"{number}.TEXT"] = sections.text_bytes(message, part, root) or b""
    return found


NUMBERS = [".".join(path) for depth in (1, 2, 3) for path in itertools.product("1234", repeat=depth)]


@pytest.mark.clients
@pytest.mark.skipif(bool(missing()), reason=missing() or "-")
def test_sections_are_the_octets_dovecot_sends() -> None:
    files = sorted(OURS.glob("*.eml"))
    files += [path for path in sorted(CORPUS.rglob("*.eml")) if path.is_file()][::8] if CORPUS.is_dir() else []
    messages = [as_smtp_brings_it(file.read_bytes()) for file in files]
    with dovecot() as server:
        server.deliver("ann", messages)
        with server.connect("ann") as connection:
            connection.command(b"SELECT INBOX")
            for number, (file, message) in enumerate(zip(files, messages, strict=True), 1):
                if str(file).endswith(tuple(MESSAGES)):
                    continue
                expected = sections_of(message)
                asked = " ".join(f"BODY.PEEK[{name}]" for name in expected)
                theirs = literals(connection.command(b"FETCH %d (%s)" % (number, asked.encode()))[0])
                assert len(theirs) == len(expected)
                for (name, ours), their in zip(expected.items(), theirs, strict=True):
                    assert is_same_section(name, ours, their), (file, name)


def literals(response: bytes) -> list[bytes]:
    """The values of a FETCH response, whose item names are no plain values."""
    response = re.sub(rb" BODY\[[^\]]*\] ", b" ", response.replace(b"(BODY[", b"( BODY["))
    found = parse(response.partition(b" FETCH ")[2])[0]
    assert isinstance(found, list)
    return [b"" if value is None else value for value in found if value is None or isinstance(value, bytes)]


def test_every_difference_is_documented() -> None:
    page = (CHECKOUT / "docs" / "dovecot-differences.md").read_text()
    for name in MESSAGES:
        assert name in page, f"docs/dovecot-differences.md does not name {name}"
    assert "RFC 2045 §5.2" in page and "lower case" in page
