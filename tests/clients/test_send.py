"""swaks, curl, smtplib and smtp-source put mail in, through every door."""

from __future__ import annotations

import hashlib
import smtplib
import socket
import ssl
from pathlib import Path

import pytest

from tests.clients.reading import below_trace, body, messages, one
from tests.clients.server import ANN, BOB, CARL, HOST, PASSWORD, Server, needs, run

pytestmark = pytest.mark.clients

STRANGER = "stranger@elsewhere.example"


def swaks(server: Server, service: str, subject: str, *more: str) -> str:
    return run(
        needs("swaks"), "--server", f"{HOST}:{server.ports[service]}", "--ehlo", "client.example", "--to", ANN,
        *(() if "--from" in more else ("--from", STRANGER)), "--h-Subject", subject, "--body", f"body of {subject}", *more,
    )  # fmt: skip


def letter(folder: Path, subject: str, text: bytes = b"text\r\n", sender: str = STRANGER) -> Path:
    file = folder / f"{subject}.eml"
    file.write_bytes(f"From: {sender}\r\nTo: {ANN}\r\nSubject: {subject}\r\n\r\n".encode() + text)
    return file


def curl(server: Server, service: str, file: Path, *more: str, sender: str = STRANGER, to: str = ANN) -> str:
    url = server.url(service) + "/client.example"
    return run(needs("curl"), "-sS", "-v", url, "--mail-from", sender, "--mail-rcpt", to, "-T", file, *more)


def test_swaks_plain(server: Server) -> None:
    swaks(server, "smtp", "swaks-plain")
    found = one(server, ANN, "swaks-plain")
    assert b"body of swaks-plain" in found
    assert found.startswith(b"Return-Path: <stranger@elsewhere.example>\r\n")
    assert b"with ESMTP" in found


def test_swaks_helo_instead_of_ehlo(server: Server) -> None:
    swaks(server, "smtp", "swaks-helo", "--protocol", "SMTP")
    assert b"with SMTP" in one(server, ANN, "swaks-helo")


def test_swaks_starttls(server: Server) -> None:
    text = swaks(server, "smtp", "swaks-starttls", "--tls")
    assert "=== TLS started" in text
    assert b"with ESMTPS" in one(server, ANN, "swaks-starttls")


def test_swaks_pipelined(server: Server) -> None:
    swaks(server, "smtp", "swaks-pipeline", "--pipeline")
    one(server, ANN, "swaks-pipeline")


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize(("service", "how"), [("submission", "--tls"), ("submissions", "--tls-on-connect")])
def test_swaks_submits_with_a_password(server: Server, service: str, how: str, mechanism: str) -> None:
    subject = f"swaks-{service}-{mechanism}"
    login = ("--auth", mechanism, "--auth-user", BOB, "--auth-password", PASSWORD)
    swaks(server, service, subject, how, *login, "--from", BOB)
    found = one(server, ANN, subject)
    assert b"with ESMTPSA" in found
    assert f"[{HOST}]".encode() not in found, "the author's own address stays private"


def test_swaks_lmtp_by_unix_socket(server: Server) -> None:
    text = run(
        needs("swaks"), "--protocol", "LMTP", "--socket", server.lmtp, "--from", STRANGER, "--to", f"{ANN},{BOB}",
        "--h-Subject", "swaks-lmtp",
    )  # fmt: skip
    assert text.count(" 250 2.") >= 4, text
    for account in (ANN, BOB):
        assert b"with LMTP" in one(server, account, "swaks-lmtp")


def test_swaks_is_told_why_not(server: Server) -> None:
    with pytest.raises(AssertionError, match=r"550 5\.1\.1"):
        swaks(server, "smtp", "unknown", "--to", "nobody@example.org")
    with pytest.raises(AssertionError, match=r"550 5\.7\.1"):
        swaks(server, "smtp", "relay", "--to", "somebody@elsewhere.example")
    with pytest.raises(AssertionError, match=r"535 5\.7\.8"):
        swaks(server, "submission", "wrong", "--tls", "--auth", "PLAIN", "--auth-user", BOB, "--auth-password", "wrong")
    with pytest.raises(AssertionError, match=r"553 5\.7\.1"):
        login = ("--auth", "PLAIN", "--auth-user", BOB, "--auth-password", PASSWORD)
        swaks(server, "submission", "forged", "--tls", *login, "--from", ANN)
    assert not messages(server, ANN, subject="forged")


def test_curl_plain(server: Server, tmp_path: Path) -> None:
    curl(server, "smtp", letter(tmp_path, "curl-plain"))
    one(server, ANN, "curl-plain")


def test_curl_starttls(server: Server, tmp_path: Path) -> None:
    curl(server, "smtp", letter(tmp_path, "curl-starttls"), "--ssl-reqd", "--insecure")
    assert b"with ESMTPS" in one(server, ANN, "curl-starttls")


@pytest.mark.parametrize("service", ["submission", "submissions"])
def test_curl_submits(server: Server, tmp_path: Path, service: str) -> None:
    file = letter(tmp_path, f"curl-{service}", sender=BOB)
    curl(server, service, file, "--ssl-reqd", "--insecure", "--user", f"{BOB}:{PASSWORD}", sender=BOB)
    one(server, ANN, f"curl-{service}")


def test_curl_25_megabytes(server: Server, tmp_path: Path) -> None:
    line = b"0123456789abcdef" * 4 + b"\r\n"
    text = line * (25_000_000 // len(line)) + b".\r\n..dots\r\n"
    file = letter(tmp_path, "curl-large", text)
    curl(server, "smtp", file, to=CARL)
    found = one(server, CARL, "curl-large")
    assert hashlib.sha256(below_trace(found)).digest() == hashlib.sha256(file.read_bytes()).digest()


def test_more_than_the_limit_is_refused_at_once(server: Server) -> None:
    with smtplib.SMTP(HOST, server.ports["smtp"], "client.example") as client:
        client.ehlo()
        assert client.docmd("MAIL", f"FROM:<{STRANGER}> SIZE=999999999")[0] == 552


def test_curl_smtputf8(server: Server, tmp_path: Path) -> None:
    file = letter(tmp_path, "curl-utf8", "Grüße, Δοκιμή, 試験\r\n".encode())
    curl(server, "smtp", file, sender="jürgen@elsewhere.example")
    found = one(server, ANN, "curl-utf8")
    assert found.startswith("Return-Path: <jürgen@elsewhere.example>\r\n".encode())
    assert "Δοκιμή".encode() in body(found)


def test_smtplib_smtputf8_with_a_raw_header(server: Server) -> None:
    message = f"From: <jürgen@elsewhere.example>\r\nTo: {ANN}\r\nSubject: smtplib-utf8 é\r\n\r\nça va\r\n".encode()
    with smtplib.SMTP(HOST, server.ports["smtp"], "client.example") as client:
        client.sendmail("jürgen@elsewhere.example", [ANN], message, ["SMTPUTF8", "BODY=8BITMIME"])
    assert below_trace(one(server, ANN, "smtplib-utf8")) == message


def test_smtplib_submits_as_a_mail_program_does(server: Server) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP_SSL(HOST, server.ports["submissions"], "client.example", context=context) as client:
        client.login(BOB, PASSWORD)
        text = f"From: {BOB}\r\nTo: {ANN}\r\nBcc: {CARL}\r\nSubject: smtplib-submit\r\n\r\nhello\r\n"
        assert client.sendmail(BOB, [ANN, CARL], text) == {}
    for account in (ANN, CARL):
        found = one(server, account, "smtplib-submit").lower()
        assert b"\r\nmessage-id: <" in found
        assert b"\r\ndate: " in found
        assert b"bcc:" not in found


def test_bdat_in_chunks(server: Server) -> None:
    """No common program sends BDAT on request, so by hand: RFC 3030 §3."""
    message = f"From: {STRANGER}\r\nTo: {ANN}\r\nSubject: bdat\r\n\r\n.\r\nbare dots need no stuffing\r\n".encode()
    with socket.create_connection((HOST, server.ports["smtp"]), 30) as peer, peer.makefile("rwb") as wire:
        wire.readline()
        wire.write(b"EHLO client.example\r\n")
        wire.flush()
        while wire.readline()[3:4] == b"-":
            pass
        wire.write(f"MAIL FROM:<{STRANGER}>\r\nRCPT TO:<{ANN}>\r\n".encode())
        wire.write(b"BDAT 20\r\n" + message[:20] + b"BDAT %d LAST\r\n" % len(message[20:]) + message[20:] + b"QUIT\r\n")
        wire.flush()
        replies = [wire.readline()[:3] for _ in range(5)]
    assert replies == [b"250", b"250", b"250", b"250", b"221"]
    assert below_trace(one(server, ANN, "bdat")) == message


def test_smtp_source_fifty_sessions(server: Server) -> None:
    before = len(messages(server, CARL, subject="smtp-source"))
    run(
        needs("smtp-source"), "-s", "10", "-m", "50", "-l", "4096", "-S", "smtp-source", "-f", STRANGER, "-t", CARL,
        f"{HOST}:{server.ports['smtp']}",
    )  # fmt: skip
    assert len(messages(server, CARL, subject="smtp-source")) == before + 50
