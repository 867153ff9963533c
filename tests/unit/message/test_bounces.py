"""Reports of other servers: one sample of our own per kind, then what may never happen, then a public collection."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pymaild.message.bounces import MAX_READ, Bounce, Kind, recognise
from pymaild.message.bounces_cause import cause_of
from pymaild.message.bounces_causes import Cause

COLLECTION = (
    Path(os.environ.get("PYMAILD_MESSAGES") or Path(__file__).parents[3].parent / "shared" / "messages")
    / "bounces-sisimai"
    / "maildir"
)

DSN = b"""From: Mail <mailer-daemon@mx.example.net>\r
To: ann@example.org\r
Subject: Undelivered\r
Content-Type: multipart/report; report-type=delivery-status; boundary=b\r
\r
--b\r
\r
Sorry.\r
--b\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; mx.example.net\r
Original-Envelope-Id: env-7\r
\r
Original-Recipient: rfc822;bob@example.com\r
Final-Recipient: rfc822; robert@example.com\r
Action: failed\r
Status: 5.0.0\r
Diagnostic-Code: smtp; 550 5.1.1 no such\r
 user here\r
\r
Final-Recipient: rfc822; eve@example.com\r
Action: delayed\r
Status: 4.2.2\r
\r
--b\r
Content-Type: text/rfc822-headers\r
\r
Message-ID: <one@example.org>\r
To: bob@example.com, eve@example.com\r
\r
--b--\r
"""


def text(sender: str, subject: str, body: str, more: str = "") -> bytes:
    """A report in words."""
    head = f"Return-Path: <>\r\nFrom: {sender}\r\nTo: ann@example.org\r\nSubject: {subject}\r\n{more}\r\n"
    return (head + body).replace("\r\n", "\n").encode()


COPY = "\n--- Below this line is a copy of the message.\n\nMessage-ID: <m@example.org>\nTo: bob@example.com\n\nhi bob\n"


def test_report_for_programs() -> None:
    """RFC 3464: every recipient with its fields; the message and the envelope it is about."""
    found = recognise(DSN)
    assert found is not None
    assert (found.kind, found.message_id, found.envelope_id) == (Kind.REPORT, "<one@example.org>", "env-7")
    first, second = found.told
    assert (first.recipient, first.original, first.action) == ("robert@example.com", "bob@example.com", "failed")
    assert (first.status, first.cause, first.words) == ("5.1.1", Cause.USER_UNKNOWN, "550 5.1.1 no such user here")
    assert (second.recipient, second.action, second.cause) == ("eve@example.com", "delayed", Cause.MAILBOX_FULL)


@pytest.mark.parametrize("ends", [b"\n", b"\r"])
def test_line_ends_do_not_matter(ends: bytes) -> None:
    """What was stored elsewhere in between has lost its CRLF."""
    assert recognise(DSN.replace(b"\r\n", ends)) == recognise(DSN)


def test_utf8_address() -> None:
    """RFC 6533 §3: the type utf-8."""
    dsn = DSN.replace(b"message/delivery-status", b"message/global-delivery-status")
    found = recognise(dsn.replace(b"rfc822; eve@", "utf-8; ève@".encode()))
    assert found is not None and found.told[1].recipient == "ève@example.com"


IN_WORDS = {
    "qmail": (
        text(
            "mailer-daemon@a.example", "failure notice", f"Hi.\n\n<bob@example.com>:\nno mailbox here by that name\n{COPY}"
        ),
        ("bob@example.com", "failed", "5.1.1", Cause.USER_UNKNOWN),
    ),
    "exim": (
        text(
            "Mail Delivery System <mailer-daemon@b.example>",
            "Mail delivery failed",
            "It failed:\n\n  bob@example.com\n    host mx.example.com [192.0.2.1]: 552 5.2.2 mailbox full\n"
            "\n------ This is a copy of the message ------\n\nMessage-ID: <m@example.org>\n\nhi\n",
            "X-Failed-Recipients: bob@example.com\r\n",
        ),
        ("bob@example.com", "failed", "5.2.2", Cause.MAILBOX_FULL),
    ),
    "exchange": (
        text(
            "System Administrator <postmaster@c.example>",
            "Undeliverable: hi",
            "Your message\n\n  To: ann@example.org\n\ndid not reach:\n\nbob@example.com on Mon, 1 Jan\n    Unknown Recipient\n",
        ),
        ("bob@example.com", "failed", "5.1.1", Cause.USER_UNKNOWN),
    ),
    "sendmail": (
        text(
            "Mail Delivery Subsystem <MAILER-DAEMON@d.example>",
            "Returned mail",
            "   ----- The following addresses had permanent fatal errors -----\n<bob@example.com>\n"
            "   ----- Transcript of session follows -----\n>>> DATA\n<<< 554 5.7.1 blocked using zen.example\n",
        ),
        ("bob@example.com", "failed", "5.7.1", Cause.BLOCKED),
    ),
    "delay": (
        text(
            "Mail Delivery System <postmaster@e.example>",
            "Warning: message delayed",
            "Not yet been delivered to:\n\nbob@example.com: connection timed out\n",
        ),
        ("bob@example.com", "delayed", "4.4.1", Cause.NETWORK),
    ),
    "nobody named": (
        text("Postmaster <postmaster@f.example>", "Undeliverable mail", f"It could not be delivered: over quota\n{COPY}"),
        ("bob@example.com", "failed", "5.2.2", Cause.MAILBOX_FULL),
    ),
    "forwarded": (
        text(
            "Ann <ann@example.org>",
            "Fwd: failure notice",
            "> Final-Recipient: rfc822; bob@example.com\n> Action: failed\n> Status: 5.1.2\n",
        ),
        ("bob@example.com", "failed", "5.1.2", Cause.HOST_UNKNOWN),
    ),
}


@pytest.mark.parametrize("kind", IN_WORDS)
def test_report_in_words(kind: str) -> None:
    """What is older than RFC 3464, or knows better."""
    message, wanted = IN_WORDS[kind]
    found = recognise(message)
    assert found is not None and len(found.told) == 1
    told = found.told[0]
    assert (told.recipient, told.action, told.status, told.cause) == wanted


def test_message_inside_text() -> None:
    """The copy in the text names the message, too."""
    found = recognise(IN_WORDS["qmail"][0])
    assert found is not None and found.message_id == "<m@example.org>"


def test_feedback() -> None:
    """RFC 5965: no bounce, but about a message of ours."""
    report = (
        b"From: fbl@x.example\nSubject: complaint\nContent-Type: multipart/report; boundary=b\n\n--b\n\nSpam!\n--b\n"
        b"Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nOriginal-Rcpt-To: <bob@example.com>\n\n--b\n"
        b"Content-Type: message/rfc822\n\nMessage-ID: <m@example.org>\n\nhi\n--b--\n"
    )
    found = recognise(report)
    assert found is not None and found.kind is Kind.FEEDBACK and found.message_id == "<m@example.org>"
    assert [(told.recipient, told.cause, told.words) for told in found.told] == [
        ("bob@example.com", Cause.FEEDBACK, "abuse")
    ]


def test_vacation_is_no_bounce() -> None:
    """RFC 3834: somebody is away; the mail arrived."""
    found = recognise(text("Bob <bob@example.com>", "Away", "Back on Monday.", "Auto-Submitted: auto-replied\r\n"))
    assert found == Bounce(Kind.VACATION)


@pytest.mark.parametrize(
    "message",
    [
        b"From: bob@example.com\nTo: ann@example.org\nSubject: hi\n\nThe mailbox at the corner is full.\n",
        b"From: list@example.com\nSubject: Re: delivery failed\n\nbob@example.com said 550 user unknown\n",
        b"",
        b"\n\n",
    ],
)
def test_ordinary_mail_is_no_report(message: bytes) -> None:
    """People write about bounces, too."""
    assert recognise(message) is None


CAUSES = [
    ("550 5.1.1 user unknown", "5.1.1", Cause.USER_UNKNOWN),
    ("450 4.1.1 Recipient address rejected: User unknown", "4.1.1", Cause.USER_UNKNOWN),
    ("550 5.7.26 unauthenticated email is not accepted due to DMARC policy", "5.7.26", Cause.AUTH_FAILURE),
    ("554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen", "5.7.1", Cause.BLOCKED),
    ("550 5.7.1 Relaying denied", "5.7.1", Cause.RELAYING),
    ("552 5.3.4 Message size exceeds fixed limit", "5.3.4", Cause.TOO_LARGE),
    ("550 5.1.8 Sender address rejected: Domain not found", "5.1.8", Cause.REJECTED),
    ("host a said: 550 user unknown (in reply to MAIL FROM command)", "5.0.0", Cause.REJECTED),
    ("452 4.3.2 Connection rate limit exceeded", "4.3.2", Cause.RATE),
    ("554 5.6.0 This is spam", "5.6.0", Cause.CONTENT),
    ("", "5.1.2", Cause.HOST_UNKNOWN),
    ("", "5.0.0", Cause.UNKNOWN),
]


@pytest.mark.parametrize(("said", "status", "cause"), CAUSES)
def test_cause(said: str, status: str, cause: Cause) -> None:
    """Words first, then the status."""
    assert cause_of(said, status, "failed") is cause


PIECES = st.sampled_from(
    [
        b"From: mailer-daemon@x\n", b"Subject: failure\n", b"\n", b"--b\n", b"Content-Type: multipart/report; boundary=b\n",
        b"Content-Type: message/delivery-status\n", b"Content-Type: message/rfc822\n", b"Final-Recipient: rfc822; a@b\n",
        b"Action: failed\n", b"Status: 5.1.1\n", b"<a@b.example>:\n", b"550 no\n", b"> ", b"\xff\xfe", b"\0", b"@@@", b"\r",
        b"Content-Type: message/feedback-report\n", b"Message-ID: <x@y>\n", b"X-Failed-Recipients: a@b, c@d\n",
    ]
)  # fmt: skip


@given(st.lists(PIECES, max_size=40).map(b"".join) | st.binary(max_size=300))
def test_anything_is_understood_or_not(message: bytes) -> None:
    """Whatever comes, it is an answer, and what it tells is bounded and on one line."""
    found = recognise(message)
    if found is None:
        return
    assert len(found.told) <= 100 and "\n" not in found.message_id
    for told in found.told:
        assert len(told.recipient) <= 600 and "\n" not in told.words and len(told.words) <= 6000


@pytest.mark.parametrize(
    "piece",
    [b"<a@b.c>:\n", b"Final-Recipient: rfc822; a@b\n", b"mailbox exceeded ", b"1.", b"> > >\n", b"@", b"user ", b" "],
)
def test_time_is_bounded(piece: bytes) -> None:
    """A megabyte of what the patterns look for takes no longer than the part that is read."""
    message = b"From: mailer-daemon@x\nSubject: failure notice\n\n" + piece * ((1 << 20) // len(piece))
    start = time.process_time()
    recognise(message)
    assert time.process_time() - start < 3 and len(message) > MAX_READ


@pytest.mark.skipif(not COLLECTION.exists(), reason="the public collection of bounces lies outside this repository")
def test_collection_of_real_bounces() -> None:
    """Of several hundred real reports by provider nearly all name a recipient and a cause. The counts may not fall."""
    files = [file for file in sorted(COLLECTION.rglob("*.eml")) if file.parent.name != "not"]
    found = {file: recognise(file.read_bytes()) for file in files}
    told = [each for bounce in found.values() if bounce for each in bounce.told]
    assert sum(1 for bounce in found.values() if bounce) >= 825
    assert sum("@" in each.recipient for each in told) >= 850
    assert sum(each.cause is not Cause.UNKNOWN for each in told) >= 843
    by_line_end = [file for file in files if file.parent.name == "mac"]
    assert all(found[file] == found[file.parents[1] / "dos" / file.name] for file in by_line_end)
    for file in (COLLECTION / "not").glob("is-not-bounce-*.eml"):
        assert recognise(file.read_bytes()) is None
