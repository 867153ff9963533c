"""Mail that leaves a real server: by submission, through the queue, to another server and back, with reports."""

from __future__ import annotations

import imaplib
import json
import smtplib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.clients.server import ANN, BOB, HOST, PASSWORD, Server, wait_for

pytestmark = pytest.mark.clients
OTHER = "example.net"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """Two servers; each knows where the other one's domain is."""
    with ExitStack() as stack:
        there = Server(tmp_path_factory.mktemp("there"))
        there.make(workers=1)
        there.pymaild("domain", "add", OTHER)
        there.pymaild("account", "add", f"sue@{OTHER}", "--password-stdin", password=PASSWORD)
        there.start()
        stack.callback(there.stop)
        here = Server(tmp_path_factory.mktemp("here"))
        port = there.ports["smtp"]
        here.make(
            more=f"[outbound]\nroutes = {OTHER}={HOST}:{port}, down.example={HOST}:9\n[dns]\nnameservers = {HOST}:9\n"
        )
        here.start()
        stack.callback(here.stop)
        yield here, there


def send(server: Server, to: list[str], subject: str, options: tuple[str, ...] = (), rcpt: tuple[str, ...] = ()) -> None:
    with smtplib.SMTP(HOST, server.ports["submission"]) as client:
        client.login(ANN, PASSWORD)
        message = f"From: {ANN}\r\nTo: {', '.join(to)}\r\nSubject: {subject}\r\n\r\nhello\r\n"
        assert client.sendmail(ANN, to, message, options, rcpt) == {}


def found(server: Server, account: str, text: str) -> list[bytes]:
    """Messages in an account's INBOX that have the text."""
    name, _, domain = account.partition("@")
    folder = server.data / "mail" / domain / name
    messages = [path.read_bytes() for part in ("new", "cur") for path in (folder / part).iterdir()]
    return [message for message in messages if text.encode() in message]


def queue(server: Server) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(server.pymaild("queue", "list", "--json"))
    return listed


def arrives(what: Callable[[], object]) -> None:
    wait_for("the message is there", what)


def test_mail_for_both_kinds_is_split_and_signed(pair: tuple[Server, Server]) -> None:
    here, there = pair
    send(here, [BOB, f"sue@{OTHER}"], "to both")
    arrives(lambda: found(there, f"sue@{OTHER}", "Subject: to both"))
    (message,) = found(there, f"sue@{OTHER}", "Subject: to both")
    assert message.count(b"DKIM-Signature: ") == 2 and message.count(b"Received: ") == 2
    assert len(found(here, BOB, "Subject: to both")) == 1
    arrives(lambda: not queue(here))


def test_who_does_not_exist_comes_back_in_words(pair: tuple[Server, Server]) -> None:
    here, _ = pair
    send(here, [f"nobody@{OTHER}"], "to nobody")
    arrives(lambda: found(here, ANN, "Not delivered: to nobody"))
    (report,) = found(here, ANN, "Not delivered: to nobody")
    assert b"nobody@example.net does not exist there." in report
    assert b"Diagnostic-Code: smtp; 550 There is no such user here" in report
    assert report.startswith(b"Return-Path: <>\r\n")


def test_a_report_of_success_when_it_is_asked_for(pair: tuple[Server, Server]) -> None:
    here, _ = pair
    send(here, [BOB], "tell me", ("ENVID=e1",), ("NOTIFY=SUCCESS",))
    arrives(lambda: found(here, ANN, "Delivered: tell me"))
    assert b"Original-Envelope-Id: e1" in found(here, ANN, "Delivered: tell me")[0]
    assert len(found(here, BOB, "Subject: tell me")) == 1


def test_what_cannot_be_reached_waits_and_says_why(pair: tuple[Server, Server]) -> None:
    here, _ = pair
    send(here, ["x@down.example", "y@no.dns.example"], "to nowhere")
    arrives(lambda: queue(here) and all(r["attempts"] for r in queue(here)[0]["recipients"]))
    (message,) = queue(here)
    assert [recipient["state"] for recipient in message["recipients"]] == ["waiting", "waiting"]
    listed = here.pymaild("queue", "list")
    assert "in 5 minutes" in listed or "in 4 minutes" in listed
    assert "gone" in here.pymaild("queue", "remove", message["id"])
    assert not queue(here)


def test_for_later_waits_and_then_goes(pair: tuple[Server, Server]) -> None:
    here, there = pair
    send(here, [f"sue@{OTHER}", BOB], "in a moment", ("HOLDFOR=3600",))
    (message,) = queue(here)
    assert not found(here, BOB, "in a moment") and 3500 < message["next_try"] - time.time() <= 3600
    here.pymaild("queue", "retry", message["id"])
    arrives(lambda: found(there, f"sue@{OTHER}", "in a moment") and found(here, BOB, "in a moment"))


def outbox(server: Server) -> imaplib.IMAP4:
    """An IMAP connection of Ann's with the Outbox selected."""
    client = imaplib.IMAP4(HOST, server.ports["imap"])
    client.login(ANN, PASSWORD)
    wait_for(
        "there is an Outbox with mail", lambda: client.select("Outbox")[1] not in ([b"0"], [b"There is no such mailbox"])
    )
    return client


def test_the_outbox_shows_it_and_moving_it_to_drafts_cancels_it(pair: tuple[Server, Server]) -> None:
    here, there = pair
    send(here, [f"sue@{OTHER}"], "cancelled", ("HOLDFOR=3600",))
    client = outbox(here)
    _, found_ = client.fetch("1", "(FLAGS BODY[])")
    assert isinstance(found_[0], tuple)
    assert b"\\Seen" in found_[0][0] and b"Received" not in found_[0][1] and b"DKIM" not in found_[0][1]
    assert client._simple_command("MOVE", "1", "Drafts")[0] == "OK"
    wait_for("it is not in the queue any more", lambda: not queue(here))
    assert client.select("Drafts")[1] == [b"1"]
    client.logout()
    assert not found(there, f"sue@{OTHER}", "cancelled")


def test_what_is_put_into_the_outbox_by_hand_is_refused(pair: tuple[Server, Server]) -> None:
    here, _ = pair
    send(here, [f"sue@{OTHER}"], "stays", ("HOLDFOR=3600",))
    client = outbox(here)
    status, words = client.append("Outbox", "", "", b"Subject: x\r\n\r\nx\r\n")
    assert status == "NO" and b"Drafts" in words[0]
    assert client.delete("Outbox")[0] == "NO" and client.rename("Outbox", "Other")[0] == "NO"
    client.store("1", "+FLAGS", "\\Deleted")
    wait_for("it is not in the queue any more", lambda: not queue(here))
    client.expunge()
    client.logout()


def test_the_copy_goes_when_the_message_went(pair: tuple[Server, Server]) -> None:
    here, there = pair
    send(here, [f"sue@{OTHER}"], "went", ("HOLDFOR=3600",))
    client = outbox(here)
    here.pymaild("queue", "retry", queue(here)[0]["id"])
    arrives(lambda: found(there, f"sue@{OTHER}", "Subject: went"))
    wait_for("the Outbox is empty", lambda: client.select("Outbox")[1] == [b"0"])
    client.logout()


def test_a_file_removed_by_another_program_is_not_sent(pair: tuple[Server, Server]) -> None:
    here, there = pair
    send(here, [f"sue@{OTHER}"], "removed", ("HOLDFOR=3600",))
    outbox(here).logout()
    (path,) = (here.data / "mail" / "example.org" / "ann" / ".Outbox" / "cur").iterdir()
    path.unlink()
    here.pymaild("queue", "retry", "--all")
    wait_for("the queue is empty", lambda: not queue(here))
    assert not found(there, f"sue@{OTHER}", "Subject: removed")


def test_a_killed_server_sends_after_its_restart(pair: tuple[Server, Server], tmp_path: Path) -> None:
    here, there = pair
    here.stop()
    here.start()
    send(here, [f"sue@{OTHER}"], "before the restart", ("HOLDFOR=1",))
    here.stop()
    here.start()
    arrives(lambda: found(there, f"sue@{OTHER}", "before the restart"))
