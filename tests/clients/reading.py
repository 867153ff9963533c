"""What lies in a mailbox, asked with Python's own imaplib."""

from __future__ import annotations

import contextlib
import imaplib
import re
from collections.abc import Iterator

from tests.clients.server import HOST, PASSWORD, Server


@contextlib.contextmanager
def imap(server: Server, account: str) -> Iterator[imaplib.IMAP4]:
    """A session that has logged in."""
    with imaplib.IMAP4(HOST, server.ports["imap"], timeout=30) as client:
        client.login(account, PASSWORD)
        yield client


def messages(server: Server, account: str, mailbox: str = "INBOX", subject: str = "") -> list[bytes]:
    """The messages of a mailbox, or those whose Subject has a word, oldest first."""
    with imap(server, account) as client:
        status, _ = client.select(mailbox, readonly=True)
        assert status == "OK", status
        keys = ["SUBJECT", f'"{subject}"'] if subject else ["ALL"]
        _, found = client.search(None, *keys)
        numbers = found[0].split()
        return [fetched(client, number.decode()) for number in numbers]


def fetched(client: imaplib.IMAP4, number: str, item: str = "BODY.PEEK[]") -> bytes:
    """One message, or a part of it, by its sequence number."""
    _, data = client.fetch(number, f"({item})")
    assert isinstance(data[0], tuple), data
    return data[0][1]


def one(server: Server, account: str, subject: str) -> bytes:
    """The only message with this word in its Subject."""
    found = messages(server, account, subject=subject)
    assert len(found) == 1, f"{len(found)} messages with {subject} in the Subject"
    return found[0]


def body(message: bytes) -> bytes:
    """What follows the header."""
    return message.partition(b"\r\n\r\n")[2]


def below_trace(message: bytes) -> bytes:
    """The message as it was sent: without the Return-Path, Delivered-To and first Received that delivery put on top.

    The Received field ends with its date; a message that itself begins with white space must not lose that.
    """
    trace = re.match(
        rb"(?:Return-Path|Delivered-To): .*\r\n(?:.*\r\n)*?Received: (?:.*[^;]\r\n\t)*.*;\r\n\t.*\r\n", message
    )
    assert trace, message[:400]
    return message[trace.end() :]
