"""ENVELOPE, BODY and BODYSTRUCTURE compared with Dovecot's, value by value, on real and malformed mail.

Whatever differs must be listed here with its reason (and in docs/dovecot-differences.md), or the test fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pymaild.imap.describe import describe
from pymaild.mailstore import Column
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


def test_every_difference_is_documented() -> None:
    page = (CHECKOUT / "docs" / "dovecot-differences.md").read_text()
    for name in MESSAGES:
        assert name in page, f"docs/dovecot-differences.md does not name {name}"
    assert "RFC 2045 §5.2" in page and "lower case" in page
