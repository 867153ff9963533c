"""Our relay and real servers: Debian's Postfix and smtp-sink, and our own."""

from __future__ import annotations

import contextlib
import quopri
import re
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pymaild.cli.keys import certificate
from pymaild.envelope import Address, Recipient
from pymaild.outbound.connection import Patience
from pymaild.outbound.destination import Level
from pymaild.outbound.dialer import Ways
from pymaild.outbound.job import Addressee, Job, Kind, Result
from pymaild.outbound.relay import Relay
from pymaild.outbound.route import Host
from scripts.measure.servers import Postfix
from tests.clients.server import ANN, HOST, Server, free_ports, needs, wait_for
from tests.relay_player import Demanding, Hosts

pytestmark = pytest.mark.clients
LETTER = b"From: a@example.net\r\nTo: u@example.org\r\nSubject: %s\r\n\r\n.dot\r\n"
UMLAUT = "jürgen"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("keys")
    certificate(folder / "c.pem", folder / "k.pem", ("mail.example.org",))
    return folder / "c.pem", folder / "k.pem"


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """One that other users can look into, whatever pytest does with its own."""
    with tempfile.TemporaryDirectory(prefix="pymaild-relay-") as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.fixture(scope="module")
def postfix(keys: tuple[Path, Path]) -> Iterator[Postfix]:
    """Two mailboxes at example.org, TLS, messages up to 3 MB."""
    needs("postfix")
    with open_folder() as folder:
        server = Postfix(
            folder,
            f"smtpd_tls_cert_file = {keys[0]}\nsmtpd_tls_key_file = {keys[1]}\nsmtpd_tls_security_level = may\n"
            "smtputf8_enable = yes\nmessage_size_limit = 3000000\nsmtpd_recipient_limit = 20\n"
            f"virtual_mailbox_maps = inline:{{ {{ u@example.org = u/ }}, {{ {UMLAUT}@example.org = {UMLAUT}/ }} }}\n",
        )
        try:
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def relaying(port: int, security: Demanding | None = None, name: str = "mail.example.org") -> Iterator[Relay]:
    relay = Relay("client.example.net", Hosts((Host(name, port),)), security, Ways(Patience(command=20, end=20)))
    try:
        yield relay
    finally:
        relay.close()


def job(file: Path, message: bytes, *recipients: Recipient, **options: object) -> Job:
    file.write_bytes(message)
    to = recipients or (Recipient(Address("u", "example.org")),)
    addressees = [Addressee(recipient, "example.org") for recipient in to]
    made = Job("3f2a90c1", "", Address("u", "example.org"), addressees, file, len(message), 0.0)
    for name, value in options.items():
        setattr(made, name, value)
    return made


def one(relay: Relay, job: Job) -> Result:
    [result] = relay.send(job)
    return result


def found(mailbox: Path, text: bytes) -> list[bytes]:
    """Messages of a Maildir that have the text, with CRLF again."""
    files = [file for part in ("new", "cur") if (mailbox / part).is_dir() for file in (mailbox / part).iterdir()]
    messages = [file.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for file in files]
    return [message for message in messages if text in message]


def test_postfix_over_tls_whose_certificate_is_checked(postfix: Postfix, keys: tuple[Path, Path], tmp_path: Path) -> None:
    with relaying(postfix.port, Demanding(Level.PKIX, str(keys[0]))) as relay:
        result = one(relay, job(tmp_path / "m", LETTER % b"by TLS"))
    assert (result.kind, result.verified, result.reports) == (Kind.SENT, "pkix", True)
    assert result.tls.startswith("TLSv1.3 ") and result.text.startswith("Ok: queued as ")
    wait_for("the letter", lambda: found(postfix.mailbox, b"Subject: by TLS"))
    [message] = found(postfix.mailbox, b"Subject: by TLS")
    assert message.endswith(b"\r\n\r\n.dot\r\n") and b"with ESMTPS" in message


def test_postfix_eight_bits_and_big_ones_in_chunks(postfix: Postfix, tmp_path: Path) -> None:
    body = b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + ("." + "ä" * 30 + "\r\n").encode() * 30_000
    message = b"Subject: big and 8 bits\r\nMIME-Version: 1.0\r\n" + body
    with relaying(postfix.port) as relay:
        result = one(relay, job(tmp_path / "m", message, body="8BITMIME"))
        assert result.kind is Kind.SENT, result
        too_big = one(relay, job(tmp_path / "m", message * 2))
        assert (too_big.kind, too_big.status, too_big.code) == (Kind.FAILED, "5.3.4", 0)
    wait_for("the letter", lambda: found(postfix.mailbox, b"Subject: big and 8 bits"))
    [arrived] = found(postfix.mailbox, b"Subject: big and 8 bits")
    assert arrived.endswith(message[-200_000:]) and arrived.count(b"\r\n.") == 30_000


def test_postfix_smtputf8(postfix: Postfix, tmp_path: Path) -> None:
    to = Recipient(Address(UMLAUT, "example.org"))
    message = "Subject: grüße\r\n\r\nhallo\r\n".encode()
    with relaying(postfix.port) as relay:
        result = one(relay, job(tmp_path / "m", message, to, smtputf8=True))
        assert result.kind is Kind.SENT, result
    mailbox = postfix.mailbox.parent / UMLAUT
    wait_for("the letter", lambda: found(mailbox, "Subject: grüße".encode()))
    assert b"with UTF8SMTP" in found(mailbox, b"Subject")[0]


def test_postfix_reports_as_it_was_asked_to(postfix: Postfix, tmp_path: Path) -> None:
    to = Recipient(Address("u", "example.org"), frozenset({"SUCCESS"}), "rfc822;u+x=y@example.com")
    with relaying(postfix.port) as relay:
        result = one(relay, job(tmp_path / "m", LETTER % b"tell me", to, envid="id 7+a", ret="HDRS"))
        assert result.kind is Kind.SENT and result.reports
    wait_for("the report", lambda: found(postfix.mailbox, b"Action: delivered"))
    [report] = found(postfix.mailbox, b"Action: delivered")
    assert b"Original-Envelope-Id: id 7+a" in report
    assert b"Original-Recipient: rfc822;u+x=y@example.com" in report


def test_postfix_each_recipient_and_too_many_of_them(postfix: Postfix, tmp_path: Path) -> None:
    """Postfix takes 20 and says 452 4.5.3 to the rest: they come in the next transactions."""
    to = [Recipient(Address("nobody", "example.org"))] + [Recipient(Address("u", "example.org"))] * 50
    with relaying(postfix.port) as relay:
        results = relay.send(job(tmp_path / "m", LETTER % b"for many", *to))
    assert (results[0].kind, results[0].status) == (Kind.FAILED, "5.1.1")
    assert {result.kind for result in results[1:]} == {Kind.SENT}
    assert len({result.text for result in results[1:]}) == 3  # three queue ids


def test_a_thousand_messages_to_postfix(postfix: Postfix, tmp_path: Path) -> None:
    """From eight threads; each arrives once."""
    before = postfix.stored()
    thousand(postfix.port, tmp_path)
    wait_for("a thousand letters", lambda: postfix.stored() >= before + 1000, 60)
    subjects = [re.findall(rb"Subject: number (\d+)", message) for message in found(postfix.mailbox, b"Subject: number")]
    assert sorted(int(number) for [number] in subjects) == list(range(1000))


def thousand(port: int, folder: Path) -> None:
    kinds: list[Kind] = []

    def work(first: int) -> None:
        for number in range(first, 1000, 8):
            kinds.append(one(relay, job(folder / str(number), LETTER % b"number %d" % number)).kind)

    with relaying(port) as relay:
        threads = [threading.Thread(target=work, args=(first,)) for first in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert kinds == [Kind.SENT] * 1000


@contextlib.contextmanager
def sink(folder: Path, *options: str) -> Iterator[int]:
    """smtp-sink; what it gets is in folder/mail."""
    [port] = free_ports(1)
    command = [needs("smtp-sink"), "-u", "nobody", *options, "-D", "mail", f"{HOST}:{port}", "100"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)
    try:
        wait_for("smtp-sink listens", lambda: _listens(port))
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex((HOST, port)) == 0


SINKS = [
    ((), Kind.SENT, "2.0.0"),
    (("-p",), Kind.SENT, "2.0.0"),  # no PIPELINING
    (("-8",), Kind.SENT, "2.0.0"),  # no 8BITMIME
    (("-e",), Kind.SENT, "2.0.0"),  # HELO only
    (("-P",), Kind.SENT, "2.0.0"),  # a firewall that stars the greeting
    (("-r", "MAIL"), Kind.DEFERRED, "4.3.0"),
    (("-r", "RCPT"), Kind.DEFERRED, "4.3.0"),
    (("-r", "DATA"), Kind.DEFERRED, "4.3.0"),
    (("-r", "."), Kind.DEFERRED, "4.3.0"),
    (("-f", "CONNECT"), Kind.FAILED, "5.3.0"),
    (("-f", "RCPT"), Kind.FAILED, "5.3.0"),
    (("-f", "."), Kind.FAILED, "5.3.0"),
    (("-Q", "MAIL"), Kind.DEFERRED, "4.0.0"),
    (("-Q", "DATA"), Kind.DEFERRED, "4.0.0"),
    (("-q", "CONNECT"), Kind.DEFERRED, "4.4.2"),
    (("-q", "EHLO"), Kind.DEFERRED, "4.4.2"),
    (("-q", "RCPT"), Kind.DEFERRED, "4.4.2"),
    (("-q", "DATA"), Kind.DEFERRED, "4.4.2"),
    (("-q", "."), Kind.DEFERRED, "4.4.2"),
    (("-A", "0"), Kind.FAILED, "5.0.0"),  # refuses after DATA without reading the message
]


@pytest.mark.parametrize(
    ("options", "kind", "status"), SINKS, ids=lambda value: "".join(value) if isinstance(value, tuple) else ""
)
def test_smtp_sink(options: tuple[str, ...], kind: Kind, status: str, tmp_path: Path) -> None:
    message = b"Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + ("." + "ä" * 30 + "\r\n").encode() * 20_000
    with open_folder() as folder, sink(folder, *options) as port, relaying(port) as relay:
        began = time.monotonic()
        result = one(relay, job(tmp_path / "m", message))
        assert (result.kind, result.status) == (kind, status), result
        assert time.monotonic() - began < 10
        if kind is Kind.SENT:
            kept = (folder / "mail").read_bytes()
            assert (b"quoted-printable" in kept) is ("8BITMIME" not in _offered(port))
            decoded = quopri.decodestring(kept) if b"quoted-printable" in kept else kept
            assert decoded.count("ä".encode()) == 600_000


def _offered(port: int) -> str:
    with socket.create_connection((HOST, port), 5) as sock:
        sock.recv(1000)
        sock.sendall(b"EHLO client.example.net\r\n")
        return sock.recv(1000).decode()


def test_our_own_server(server: Server, tmp_path: Path) -> None:
    name, _, domain = ANN.partition("@")
    to = (Recipient(Address(name, domain)), Recipient(Address("nobody", domain)))
    message = "Subject: from the relay\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nä\r\n"
    with relaying(server.ports["smtp"]) as relay:
        results = relay.send(job(tmp_path / "m", message.encode(), *to))
        assert [(result.kind, result.status) for result in results] == [(Kind.SENT, "2.0.0"), (Kind.FAILED, "5.1.1")]
        assert results[0].tls.startswith("TLSv1.3 ") and results[0].reports
        big = message.encode() + b"." * 70 + b"\r\n" + (b"x" * 70 + b"\r\n") * 30_000
        assert relay.send(job(tmp_path / "m", big, to[0]))[0].kind is Kind.SENT
    mailbox = server.data / "mail" / domain / name
    assert len(found(mailbox, b"Subject: from the relay")) == 2
