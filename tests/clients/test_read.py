"""curl, imaplib and imapclient read and change mailboxes."""

from __future__ import annotations

import imaplib
import ssl
import threading
import time
from pathlib import Path

import pytest
from imapclient import IMAPClient

from tests.clients.reading import fetched, imap
from tests.clients.server import BOB, DORA, HOST, PASSWORD, Server, needs, run

pytestmark = pytest.mark.clients

LETTER = b"From: a@b.example\r\nTo: dora@example.org\r\nSubject: first\r\nMessage-ID: <first@b.example>\r\n\r\nhello\r\n"
NAMES = ["Ärger & Freude", "Ελληνικά", "日本/東京", "Пісьмы", "مجلد", "a&b", "100% *", 'quo"ted']


def curl(server: Server, service: str, path: str, *more: str) -> str:
    return run(needs("curl"), "-sS", "--insecure", server.url(service) + path, "--user", f"{DORA}:{PASSWORD}", *more)


@pytest.fixture(scope="module")
def filled(server: Server) -> Server:
    """Dora has a mailbox with two messages."""
    with imap(server, DORA) as client:
        client.create("Letters")
        client.append("Letters", "", "", LETTER)
        client.append("Letters", r"(\Flagged $Forwarded)", "", LETTER.replace(b"first", b"second"))
    return server


@pytest.mark.parametrize(("service", "more"), [("imap", ()), ("imap", ("--ssl-reqd",)), ("imaps", ())])
def test_curl_lists_and_fetches(filled: Server, service: str, more: tuple[str, ...]) -> None:
    assert "Letters" in curl(filled, service, "/", *more)
    assert curl(filled, service, "/Letters;MAILINDEX=1", *more) == LETTER.decode().replace("\r\n", "\r\n")
    assert "Subject: second" in curl(filled, service, "/Letters;MAILINDEX=*;SECTION=HEADER", *more)


def test_curl_searches_and_uploads(filled: Server, tmp_path: Path) -> None:
    assert "SEARCH 2" in curl(filled, "imap", "/Letters?SUBJECT%20second")
    (tmp_path / "new.eml").write_bytes(LETTER.replace(b"first", b"uploaded"))
    curl(filled, "imap", "/Drafts", "-T", str(tmp_path / "new.eml"))
    assert "uploaded" in curl(filled, "imap", "/Drafts;MAILINDEX=*")


def test_imaplib_lives_through_a_day(filled: Server) -> None:
    with imap(filled, DORA) as client:
        client.create("Day")
        client.select("Day")
        for number in range(5):
            client.append("Day", "", "", LETTER.replace(b"first", b"n%d" % number))
        client.noop()
        assert client.search(None, "SUBJECT", "n3")[1] == [b"4"]
        client.store("2", "+FLAGS", r"(\Deleted)")
        assert client.expunge()[1] == [b"2"]
        client.copy("1:2", "Archive")
        assert client.uid("MOVE", "1", "Trash")[0] == "OK"
        assert client.select("Day")[1] == [b"3"]
        assert fetched(client, "1") == LETTER.replace(b"first", b"n2")
        assert client.status("Archive", "(MESSAGES)")[1] in ([b"Archive (MESSAGES 2)"], [b'"Archive" (MESSAGES 2)'])


def test_imaplib_over_starttls_and_tls(server: Server) -> None:
    context = ssl.create_default_context(cafile=str(server.data / "tls" / "certificate.pem"))
    context.check_hostname = True  # the self-signed certificate names 127.0.0.1, so even this works
    with imaplib.IMAP4(HOST, server.ports["imap"]) as client:
        client.starttls(context)
        client.authenticate("PLAIN", lambda _: f"\0{BOB}\0{PASSWORD}".encode())
        assert client.select()[0] == "OK"
    with imaplib.IMAP4_SSL(HOST, server.ports["imaps"], ssl_context=context) as client:
        client.login(BOB, PASSWORD)
        assert client.select()[0] == "OK"


def test_imapclient_uses_names_in_any_script(server: Server) -> None:
    with IMAPClient(HOST, server.ports["imap"], ssl=False) as client:
        client.login(DORA, PASSWORD)
        for name in NAMES:
            client.create_folder(name)
            client.append(name, LETTER)
        listed = {name for _, _, name in client.list_folders()}
        assert set(NAMES) <= listed
        client.rename_folder(NAMES[0], "Ägypten")
        assert client.select_folder("Ägypten")[b"EXISTS"] == 1
        client.delete_folder("Ägypten")
        special = {name: flags for flags, _, name in client.list_folders() if name in ("Sent", "Junk", "Drafts", "Trash")}
        assert all(f"\\{name}".encode() in flags for name, flags in special.items())
        assert len(special) == 4


def test_imapclient_fetches_structures(filled: Server) -> None:
    with IMAPClient(HOST, filled.ports["imap"], ssl=False) as client:
        client.login(DORA, PASSWORD)
        client.select_folder("Letters", readonly=True)
        rows = client.fetch(client.search(["ALL"]), ["ENVELOPE", "BODYSTRUCTURE", "RFC822.SIZE", "INTERNALDATE", "FLAGS"])
        first = next(iter(rows.values()))
        assert first[b"ENVELOPE"].subject == b"first"
        assert first[b"ENVELOPE"].message_id == b"<first@b.example>"
        assert first[b"RFC822.SIZE"] == len(LETTER)
        assert first[b"BODYSTRUCTURE"][:2] == (b"text", b"plain") or first[b"BODYSTRUCTURE"][:2] == (b"TEXT", b"PLAIN")
        assert any(b"$Forwarded" in row[b"FLAGS"] for row in rows.values())


def test_idle_tells_of_new_mail_within_a_second(server: Server) -> None:
    """Told by another connection, which another worker process may serve."""
    with IMAPClient(HOST, server.ports["imap"], ssl=False) as client:
        client.login(DORA, PASSWORD)
        client.select_folder("INBOX")
        client.idle()
        sent: list[float] = []

        def deliver() -> None:
            with imap(server, DORA) as other:
                sent.append(time.monotonic())
                other.append("INBOX", "", "", LETTER)

        thread = threading.Thread(target=deliver)
        thread.start()
        answers = client.idle_check(timeout=10)
        heard = time.monotonic()
        thread.join()
        client.idle_done()
        assert any(answer[1] == b"EXISTS" for answer in answers), answers
        assert heard - sent[0] < 1
