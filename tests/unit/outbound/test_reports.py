"""Reports: who hears what, in which words, and who never does. The standard library's parser reads them."""

from __future__ import annotations

import email
import email.policy
import re
from email.message import EmailMessage
from pathlib import Path

import pytest

from pymaild.envelope import Address, Recipient
from pymaild.events import Event
from pymaild.outbound.job import LOCAL, Addressee, Job, Kind, Result
from pymaild.outbound.reports import Pairs, Reports
from pymaild.status import MailError, NoSuchUser

NOW = 1_790_000_000.0
ANN = Address("ann", "example.org")
MESSAGE = (
    b"Received: by mail.example.org\r\nFrom: ann@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    b"Message-ID: <1@example.org>\r\n\r\nhello\r\n"
)
NEVER = Result(Kind.FAILED, "5.1.1", "No such user\nsee http://example.net/why", 550, "mx.example.net", "192.0.2.1", at=NOW)
LATER = Result(Kind.DEFERRED, "4.4.1", "Connection refused", at=NOW)
SENT = Result(Kind.SENT, "2.0.0", "ok queued", 250, "mx.example.net", at=NOW)


class Post:
    """The mailboxes of example.org, and a journal."""

    def __init__(self, error: MailError | None = None) -> None:
        self.error = error
        self.sent: list[tuple[str, EmailMessage]] = []
        self.raw = b""
        self.events: list[Event] = []

    def is_here(self, address: Address) -> bool:
        return address.domain == "example.org"

    def report(self, address: Address, message: bytes, id: str) -> None:
        if self.error:
            raise self.error
        self.raw = message
        self.sent.append((str(address), email.message_from_bytes(message, policy=email.policy.default)))

    def record(self, event: Event) -> None:
        self.events.append(event)


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def reports(post: Post) -> Reports:
    return Reports("mail.example.org", post, post, lambda: NOW)


def job(folder: Path, message: bytes = MESSAGE, reverse_path: Address | None = ANN, ret: str = "", envid: str = "") -> Job:
    path = folder / "m1"
    path.write_bytes(message)
    return Job("m1", "ann@example.org", reverse_path, [], path, len(message), NOW - 3600, ret=ret, envid=envid)


def to(name: str, result: Result, notify: str = "", orcpt: str = "", route: str = "example.net") -> Pairs:
    words = frozenset(notify.split(",")) - {""}
    return [(Addressee(Recipient(Address(name, "example.net"), words, orcpt), route), result)]


def parts(message: EmailMessage) -> list[EmailMessage]:
    return list(message.iter_parts())  # type: ignore[arg-type]


def words_of(message: EmailMessage) -> str:
    """The text for people, unfolded. RFC 3676 §4.1."""
    return str(parts(message)[0].get_content()).replace(" \r\n", " ").replace("\r\n", "\n")


def status(message: EmailMessage) -> list[dict[str, str]]:
    """The groups of fields for programs."""
    return [dict(group.items()) for group in parts(message)[1].get_payload()]  # type: ignore[union-attr]


def test_a_failure_in_words_in_fields_and_with_the_message(reports: Reports, post: Post, tmp_path: Path) -> None:
    reports.failed(job(tmp_path, envid="e<1>"), to("bob", NEVER, orcpt="rfc822;bobby@example.net"))
    ((reader, report),) = post.sent
    assert reader == "ann@example.org" and report["subject"] == "Not delivered: Grüße"
    assert report.get_content_type() == "multipart/report" and report.get_param("report-type") == "delivery-status"
    assert report["in-reply-to"] == "<1@example.org>" and report["auto-submitted"] == "auto-replied"
    returned, words = parts(report)[2], words_of(report)
    assert words.startswith("bob@example.net does not exist there. Look for a typing error")
    assert re.search(r"mx\.example\.net said: 550\n +> No such user\n +> see http://example\.net/why", words)
    about, recipient = status(report)
    assert about["Reporting-MTA"] == "dns; mail.example.org" and about["Original-Envelope-Id"] == "e<1>"
    assert recipient["Original-Recipient"] == "rfc822; bobby@example.net"
    assert recipient["Final-Recipient"] == "rfc822; bob@example.net"
    assert (recipient["Action"], recipient["Status"], recipient["Remote-MTA"]) == ("failed", "5.1.1", "dns; mx.example.net")
    assert " ".join(recipient["Diagnostic-Code"].split()) == "smtp; 550 No such user see http://example.net/why"
    assert returned.get_content_type() == "message/rfc822" and MESSAGE in post.raw
    assert [event.what for event in post.events] == ["reported"]


def test_a_delay_says_that_nothing_need_be_done(reports: Reports, post: Post, tmp_path: Path) -> None:
    reports.delayed(job(tmp_path), to("bob", LATER), NOW + 86400)
    (_, report) = post.sent[0]
    assert report["subject"] == "Not delivered yet: Grüße"
    assert "You need not do anything" in words_of(report)
    recipient = status(report)[1]
    assert recipient["Action"] == "delayed" and "Will-Retry-Until" in recipient and "Remote-MTA" not in recipient
    assert recipient["Diagnostic-Code"] == "x-pymaild; Connection refused"
    assert parts(report)[2].get_content_type() == "text/rfc822-headers"


def test_success_for_those_who_asked(reports: Reports, post: Post, tmp_path: Path) -> None:
    pairs = [*to("bob", SENT, "SUCCESS"), *to("cy", SENT)]
    made = job(tmp_path)
    made.addressees = [addressee for addressee, _ in pairs]
    reports.sent(made, pairs[1:])
    assert not post.sent
    reports.sent(made, pairs)
    assert [group["Final-Recipient"] for group in status(post.sent[0][1])[1:]] == ["rfc822; bob@example.net"]
    assert status(post.sent[0][1])[1]["Action"] == "relayed"


def test_success_in_a_mailbox_here_is_delivered(reports: Reports, post: Post, tmp_path: Path) -> None:
    pairs = to("bob", SENT, "SUCCESS,FAILURE", route=LOCAL)
    made = job(tmp_path)
    made.addressees = [pairs[0][0]]
    reports.sent(made, pairs)
    assert status(post.sent[0][1])[1]["Action"] == "delivered"


@pytest.mark.parametrize(("notify", "told"), [("", 2), ("NEVER", 0), ("SUCCESS", 0), ("FAILURE", 1), ("DELAY", 1)])
def test_notify_is_honoured(reports: Reports, post: Post, tmp_path: Path, notify: str, told: int) -> None:
    reports.failed(job(tmp_path), to("bob", NEVER, notify))
    reports.delayed(job(tmp_path), to("bob", LATER, notify), NOW)
    assert len(post.sent) == told


@pytest.mark.parametrize("sender", [None, Address("sue", "example.net")])
def test_nobody_is_written_to_who_may_not_have_sent_it(
    reports: Reports, post: Post, tmp_path: Path, sender: Address | None
) -> None:
    reports.failed(job(tmp_path, reverse_path=sender), to("bob", NEVER))
    assert not post.sent and [event.what for event in post.events] == ["untold"]


def test_an_account_that_is_gone_is_not_waited_for(tmp_path: Path) -> None:
    post = Post(NoSuchUser())
    Reports("mail.example.org", post, post).failed(job(tmp_path), to("bob", NEVER))
    assert [event.what for event in post.events] == ["untold"]


def test_a_full_disk_keeps_the_report_due(tmp_path: Path) -> None:
    post = Post(MailError("4.3.1", "full"))
    with pytest.raises(MailError):
        Reports("mail.example.org", post, post).failed(job(tmp_path), to("bob", NEVER))


@pytest.mark.parametrize(
    ("message", "ret", "kind"),
    [
        (MESSAGE, "HDRS", "text/rfc822-headers"),
        (MESSAGE, "FULL", "message/rfc822"),
        (MESSAGE + b"x" * 60_000 + b"\r\n", "FULL", "text/rfc822-headers"),  # too long
        (MESSAGE.replace(b"hello", b"h\0llo"), "", "text/rfc822-headers"),  # cannot be carried as it is
        (MESSAGE.replace(b"ann@", "änn@".encode()), "", "message/global"),
        (MESSAGE.replace(b"ann@", "änn@".encode()), "HDRS", "message/global-headers"),
        (MESSAGE.replace(b"hello", b"h\xe4llo"), "", "message/rfc822"),
    ],
)
def test_what_goes_back(reports: Reports, post: Post, tmp_path: Path, message: bytes, ret: str, kind: str) -> None:
    reports.failed(job(tmp_path, message, ret=ret), to("bob", NEVER))
    assert post.raw.count(b"\r\n\r\nContent-Type") == 0
    kinds = [line for line in post.raw.split(b"\r\n") if line.startswith(b"Content-Type: ")]
    assert kinds[-1] == b"Content-Type: " + kind.encode()


def test_addresses_beyond_ascii(reports: Reports, post: Post, tmp_path: Path) -> None:
    reports.failed(job(tmp_path), to("jörg", NEVER))
    assert b"Content-Type: message/global-delivery-status\r\n" in post.raw
    assert "Final-Recipient: utf-8; jörg@example.net\r\n".encode() in post.raw


def test_the_remotes_words_can_say_nothing_but_words(reports: Reports, post: Post, tmp_path: Path) -> None:
    evil = Result(Kind.FAILED, "5.0.0", "a\r\nSubject: b\0\x1b[31m\n\nBcc: x\n" + "y" * 5000, 550, "mx\r\nX: 1", at=NOW)
    reports.failed(job(tmp_path), to("bob", evil))
    recipient = status(post.sent[0][1])[1]
    assert set(recipient) == {
        "Final-Recipient", "Action", "Status", "Remote-MTA", "Diagnostic-Code", "Last-Attempt-Date",
    }  # fmt: skip
    assert b"\x1b" not in post.raw and b"\0" not in post.raw
    assert max(map(len, post.raw.split(b"\r\n"))) <= 998


def test_a_message_that_cannot_be_read_any_more_is_reported_all_the_same(
    reports: Reports, post: Post, tmp_path: Path
) -> None:
    made = job(tmp_path)
    made.path.unlink()
    reports.failed(made, to("bob", NEVER))
    assert post.sent[0][1]["subject"] == "Not delivered"


def test_everybody_in_one_report(reports: Reports, post: Post, tmp_path: Path) -> None:
    reports.failed(job(tmp_path), [*to("bob", NEVER), *to("cy", Result(Kind.FAILED, "5.2.2", "full", 552, "mx"))])
    (_, report) = post.sent[0]
    words = words_of(report)
    assert "bob@example.net does not exist" in words and "The mailbox of cy@example.net is full" in words
    assert len(status(report)) == 3
