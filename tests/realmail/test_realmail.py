"""Real mail, malformed mail included: in by SMTP, out by IMAP, byte for byte the same below the trace fields.

The messages are public test suites' (../shared/messages beside the checkout, or $PYMAILD_MESSAGES); they are not part of
this project. Before sending, line ends are made CRLF as any sending MTA makes them (RFC 5321 §2.3.8); what SMTP must then
still refuse is listed with its reason.
"""

from __future__ import annotations

import imaplib
import mailbox
import os
import re
import smtplib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.reading import below_trace
from tests.clients.server import HOST, PASSWORD, Server, serving

pytestmark = [pytest.mark.clients, pytest.mark.slow]

SOURCE = Path(os.environ.get("PYMAILD_MESSAGES") or Path(__file__).parents[2].parent / "shared" / "messages")
SUFFIXES = {".eml", ".msg", ".raw", ".mbox", ".txt"}
SENDER = "real@elsewhere.example"
RECIPIENT = "carl@example.org"
LONGEST_LINE = 998  # RFC 5321 §4.5.3.1.6, without its CRLF


def sources() -> list[Path]:
    """Every file that holds a message, in a fixed order."""
    found = (file for file in SOURCE.rglob("*") if file.is_file() and "README" not in file.name)
    return sorted(file for file in found if file.suffix.lower() in SUFFIXES or "mailbox" in file.parts)


def texts(file: Path) -> list[bytes]:
    """The messages in a file: one, or those of an mbox."""
    data = file.read_bytes()
    if data.startswith(b"From ") and b"\nFrom " in data:
        box = mailbox.mbox(file, create=False)
        return [box.get_bytes(key) for key in box.keys()]  # noqa: SIM118 -- a mailbox iterates over messages
    return [data]


def canonical(message: bytes) -> bytes:
    """With CRLF line ends only, ended by one. RFC 5321 §2.3.8."""
    text = re.sub(rb"\r\n|\r|\n", b"\r\n", message)
    return text if text.endswith(b"\r\n") else text + b"\r\n"


def must_be_refused(message: bytes) -> str:
    """Why SMTP may not take it as it is, or nothing."""
    if message.count(b"\nReceived:") > 100:
        return "has passed through more than 100 servers (RFC 5321 §6.3)"
    return ""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own."""
    if not SOURCE.is_dir():
        pytest.skip(f"there are no messages: {SOURCE.name} is not beside the checkout; set PYMAILD_MESSAGES to a folder")
    with serving(tmp_path_factory.mktemp("realmail"), workers=1) as running:
        yield running


def send_all(server: Server, messages: list[tuple[str, bytes]]) -> dict[str, tuple[int, str]]:
    """Send each; what was refused, with code and text."""
    refused: dict[str, tuple[int, str]] = {}
    with smtplib.SMTP(HOST, server.ports["smtp"], "client.example", timeout=60) as client:
        client.ehlo()
        for name, message in messages:
            eight = [] if message.isascii() else ["BODY=8BITMIME", "SMTPUTF8"]
            try:
                client.sendmail(SENDER, [RECIPIENT], message, eight)
            except smtplib.SMTPResponseException as error:
                refused[name] = (error.smtp_code, str(error.smtp_error))
    return refused


def read_all(server: Server) -> list[bytes]:
    """The inbox, oldest first."""
    with imaplib.IMAP4(HOST, server.ports["imap"], timeout=120) as client:
        client.login(RECIPIENT, PASSWORD)
        count = int(client.select(readonly=True)[1][0] or b"0")
        found: list[bytes] = []
        for first in range(1, count + 1, 100):
            _, data = client.fetch(f"{first}:{min(first + 99, count)}", "(BODY.PEEK[])")
            found += [item[1] for item in data if isinstance(item, tuple)]
        # The items that make a server parse: none may fail, whatever the message.
        assert client.fetch("1:*", "(UID FLAGS RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY)")[0] == "OK"
        return found


def stored(server: Server) -> list[Path]:
    """The files of the inbox, oldest first."""
    cur = server.data / "mail" / "example.org" / RECIPIENT.partition("@")[0] / "cur"
    return sorted(cur.iterdir(), key=lambda file: int(re.findall(r",U=(\d+)", file.name)[0]))


def readable(message: bytes) -> bytes:
    """What BODY[] says of it: an IMAP literal cannot hold NUL (RFC 3501 §9, CHAR8); BINARY[] can."""
    return message.replace(b"\0", b"\x80")


def test_real_mail_comes_out_as_it_went_in(server: Server) -> None:
    messages = [
        (f"{file.relative_to(SOURCE)}#{number}", canonical(text))
        for file in sources()
        for number, text in enumerate(texts(file))
    ]
    assert len(messages) > 1000
    expected_refusals = {name for name, message in messages if must_be_refused(message)}
    refused = send_all(server, messages)
    assert set(refused) == expected_refusals, Counter(str(why) for why in refused.values()).most_common(10)
    accepted = [(name, message) for name, message in messages if name not in refused]
    found = read_all(server)
    assert len(found) == len(accepted)
    kept = [file.read_bytes() for file in stored(server)]
    changed = [name for (name, sent), got in zip(accepted, kept, strict=True) if below_trace(got) != sent]
    assert not changed, f"{len(changed)} of {len(kept)} changed on the disk: {changed[:10]}"
    changed = [name for (name, sent), got in zip(accepted, found, strict=True) if below_trace(got) != readable(sent)]
    assert not changed, f"{len(changed)} of {len(found)} changed on the way out: {changed[:10]}"
    server.pymaild("index", "check", RECIPIENT)
