"""Large mailboxes, filled by APPEND of a hundred messages at a time."""

from __future__ import annotations

from collections.abc import Iterable

from imapclient.imap_utf7 import encode as utf7

from tests.clients.server import HOST, PASSWORD, Server
from tests.dovecot import ImapConnection

_STEP = 100


def letter(number: int) -> bytes:
    """Four of five answer the one before; a subject in German, a body of some lines."""
    above = f"In-Reply-To: <{number - 1}@example.net>\r\nReferences: <{number - 1}@example.net>\r\n" if number % 5 else ""
    return (
        f"From: Person {number % 97} <p{number % 97}@example.net>\r\nTo: ann@example.org\r\n"
        f"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= n{number}\r\nMessage-ID: <{number}@example.net>\r\n{above}"
        f"Date: {1 + number % 28} Nov 2026 {number % 24:02}:{number % 60:02}:00 +0000\r\n\r\n"
        + f"Body of n{number}\r\n"
        * (1 + number % 20)
    ).encode()


def fill(server: Server, user: str, mailbox: str, count: int, names: Iterable[str] = ()) -> None:
    """So many messages, two of three of them read, and mailboxes of these names with one message each."""
    with ImapConnection(server.ports["imap"], HOST) as connection:
        connection.command(f'LOGIN {user} "{PASSWORD}"'.encode())
        if mailbox != "INBOX":
            connection.command(b'CREATE "%s"' % utf7(mailbox))
        for first in range(0, count, _STEP):
            numbers = range(first, min(first + _STEP, count))
            connection.command(b'APPEND "%s"' % utf7(mailbox) + b"".join(_appended(number) for number in numbers))
        for name in names:
            quoted = utf7(name).replace(b"\\", b"\\\\").replace(b'"', b'\\"')
            connection.command(b'CREATE "%s"' % quoted)
            connection.command(b'SUBSCRIBE "%s"' % quoted)  # Thunderbird shows no others
            connection.command(b'APPEND "%s"' % quoted + _appended(1))


def _appended(number: int) -> bytes:
    text = letter(number)
    return (rb" (\Seen)" if number % 3 else b"") + b" {%d+}\r\n%s" % (len(text), text)
