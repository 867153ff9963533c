"""pymaild sendmail, as cron and scripts call it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pymaild.cli import _as_called
from pymaild.outbound.queue import Queue
from tests.unit.cli.conftest import Result, Run

MESSAGE = "Subject: hello\n\nhello\n"


@pytest.fixture
def send(house: Run) -> Run:
    """send(words..., message=text)."""

    def run(*words: str, message: str = MESSAGE) -> Result:
        done: Result = house("sendmail", *words, stdin=message)
        return done

    return run


def inbox(tmp_path: Path, name: str) -> list[bytes]:
    (root,) = tmp_path.rglob(f"mail/example.org/{name}")
    return [path.read_bytes() for path in sorted((root / "cur").iterdir())]


def test_to_somebody_here_with_a_from_of_the_author(send: Run, tmp_path: Path) -> None:
    assert send("-f", "ann@example.org", "-F", "Ann", "bob@example.org").code == 0
    (message,) = inbox(tmp_path, "bob")
    assert b'From: "Ann" <ann@example.org>\r\n' in message and message.endswith(b"\r\n\r\nhello\r\n")
    assert b"Message-ID: " in message and b"Date: " in message


def test_recipients_of_the_header_and_no_bcc(send: Run, tmp_path: Path) -> None:
    message = "From: ann@example.org\nTo: Bob <bob@example.org>\nBcc: ann@example.org\n\nx\n"
    assert send("-t", "-oi", message=message).code == 0
    assert len(inbox(tmp_path, "bob")) == len(inbox(tmp_path, "ann")) == 1
    assert b"Bcc" not in inbox(tmp_path, "ann")[0]


def test_system_users_write_as_the_administrator(send: Run, tmp_path: Path) -> None:
    assert send("bob@example.org").code == 0
    assert b"From: <ann@example.org>" in inbox(tmp_path, "bob")[0]


def test_to_another_server_through_the_queue(send: Run, house: Run, tmp_path: Path) -> None:
    assert send("-f", "ann@example.org", "sue@example.net").code == 0
    (data_dir,) = (path.parent for path in tmp_path.rglob("pymaild.sqlite3"))
    queue = Queue(data_dir / "queue")
    (queued,) = queue.listing()
    assert queued.job.account == "ann@example.org" and b"DKIM-Signature" in queued.job.path.read_bytes()
    queue.close()
    assert "sue@example.net" in send("-bp").out


def test_a_dot_ends_the_message_unless_told(send: Run, tmp_path: Path) -> None:
    text = "Subject: x\n\none\n.\ntwo\n"
    assert send("-f", "ann@example.org", "bob@example.org", message=text).code == 0
    assert send("-i", "-f", "ann@example.org", "bob@example.org", message=text).code == 0
    short, long = sorted(inbox(tmp_path, "bob"), key=len)
    assert short.endswith(b"one\r\n") and long.endswith(b"one\r\n.\r\ntwo\r\n")


def test_what_cannot_be_sent_is_sent_to_nobody(send: Run, tmp_path: Path) -> None:
    result = send("-f", "ann@example.org", "bob@example.org", "nobody@example.org")
    assert result.code == 67 and "nobody@example.org: There is no such user here" in result.err
    assert not inbox(tmp_path, "bob")
    assert send("-f", "sue@example.net", "bob@example.org").code == 65
    assert send().code == 64
    assert send("-N", "sometimes", "bob@example.org").code == 64


def test_links_named_as_what_they_do() -> None:
    assert _as_called(["/usr/sbin/sendmail", "-t"]) == ["sendmail", "-t"]
    assert _as_called(["mailq"]) == ["queue", "list"] and _as_called(["pymaild", "serve"]) == ["serve"]
