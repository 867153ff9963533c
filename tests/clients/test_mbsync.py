"""mbsync keeps a Maildir and the server alike, both ways: a thousand messages, flags, names in any script."""

from __future__ import annotations

import hashlib
import mailbox
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from imapclient import IMAPClient
from imapclient.imap_utf7 import encode as utf7

from tests.clients.reading import imap, messages
from tests.clients.server import CARL, HOST, PASSWORD, Server, needs, run, serving

pytestmark = [pytest.mark.clients, pytest.mark.slow]

COUNT = 1000
NAMES = {name: utf7(name).decode() for name in ("Déjà vu", "Ελλάδα", "仕事/東京", "a & b")}
LODZ = utf7("Łódź").decode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own: what mbsync does not touch must not change at all."""
    with serving(tmp_path_factory.mktemp("mbsync-server")) as running:
        yield running


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Path:
    """A folder with an .mbsyncrc."""
    folder = tmp_path_factory.mktemp("mbsync")
    (folder / "mail").mkdir()
    (folder / "rc").write_text(
        f"""\
IMAPAccount server
Host {HOST}
Port {server.ports["imap"]}
User {CARL}
Pass "{PASSWORD}"
SSLType STARTTLS
AuthMechs PLAIN
CertificateFile {server.data}/tls/certificate.pem

IMAPStore far
Account server

MaildirStore near
Path {folder}/mail/
Inbox {folder}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
CopyArrivalDate yes
""",
        "utf-8",
    )
    return folder


def sync(home: Path) -> str:
    return run(needs("mbsync"), "-c", home / "rc", "-V", "all", timeout=240)


def letter(number: int) -> bytes:
    text = f"Line one of {number}\r\n" * (1 + number % 40)
    return f"From: a@b.example\r\nSubject: n{number}\r\nMessage-ID: <{number}@b.example>\r\n\r\n{text}".encode()


def near(home: Path, name: str = "INBOX") -> list[mailbox.MaildirMessage]:
    return list(mailbox.Maildir(home / "mail" / name, create=False))


def digests(texts: list[bytes]) -> Counter[bytes]:
    """By content, with LF line ends and without the X-TUID field that mbsync adds on upload."""
    plain = (re.sub(rb"X-TUID: [^\n]*\n", b"", text.replace(b"\r\n", b"\n")) for text in texts)
    return Counter(hashlib.sha256(text).digest() for text in plain)


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Every message file below a folder, its size and time."""
    return {
        str(file.relative_to(folder)): (file.stat().st_size, file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file() and file.parent.name in ("cur", "new")
    }


def test_a_thousand_messages_both_ways_and_then_nothing(server: Server, home: Path) -> None:
    half = COUNT // 2
    with imap(server, CARL) as client:
        for number in range(half):
            client.append("INBOX", r"(\Seen)" if number % 3 else "", "", letter(number))
    (home / "mail" / "INBOX").mkdir()
    box = mailbox.Maildir(home / "mail" / "INBOX")
    for sub in ("cur", "new", "tmp"):
        (home / "mail" / "INBOX" / sub).mkdir(exist_ok=True)
    for number in range(half, COUNT):
        message = mailbox.MaildirMessage(letter(number).replace(b"\r\n", b"\n"))
        message.set_flags("S" if number % 2 else "")
        message.set_subdir("cur")
        box.add(message)
    sync(home)
    there = messages(server, CARL)
    here = [file.read_bytes() for file in (home / "mail" / "INBOX").glob("[cn]*/*")]
    assert len(there) == len(here) == COUNT
    assert digests(there) == digests(here) == digests([letter(number) for number in range(COUNT)])
    before = snapshot(home / "mail"), snapshot(server.data / "mail")
    text = sync(home)
    assert (snapshot(home / "mail"), snapshot(server.data / "mail")) == before, text


def test_flags_travel_both_ways(server: Server, home: Path) -> None:
    sync(home)
    with imap(server, CARL) as client:
        client.select("INBOX")
        client.store("1:10", "+FLAGS", r"(\Flagged \Answered)")
    sync(home)
    flags = [message.get_flags() for message in near(home)]
    assert sum("F" in flag and "R" in flag for flag in flags) >= 10
    box = mailbox.Maildir(home / "mail" / "INBOX", create=False)
    key = next(key for key, message in box.items() if message["Subject"] == "n999")
    message = box[key]
    message.add_flag("F")
    box[key] = message
    sync(home)
    with imap(server, CARL) as client:
        client.select("INBOX")
        assert len(client.search(None, "SUBJECT", "n999", "FLAGGED")[1][0].split()) == 1


def test_deletions_travel_both_ways(server: Server, home: Path) -> None:
    sync(home)
    count = len(near(home))
    with imap(server, CARL) as client:
        client.select("INBOX")
        client.store("1:5", "+FLAGS", r"(\Deleted)")
        client.expunge()
    box = mailbox.Maildir(home / "mail" / "INBOX", create=False)
    key = next(key for key, message in box.items() if message["Subject"] == "n998")
    message = box[key]
    message.add_flag("T")
    box[key] = message
    sync(home)
    assert len(near(home)) == len(messages(server, CARL)) == count - 6


def test_names_in_any_script(server: Server, home: Path) -> None:
    """This mbsync keeps the names in IMAP's own coding (RFC 3501 §5.1.3) on its side; ours are Unicode."""
    with imap(server, CARL) as client:
        for coded in NAMES.values():
            assert client.create(f'"{coded}"')[0] == "OK"
            client.append(f'"{coded}"', "", "", letter(1))
    sync(home)
    for coded in NAMES.values():
        assert len(near(home, coded)) == 1, coded
    for sub in ("cur", "new", "tmp"):
        (home / "mail" / LODZ / sub).mkdir(parents=True)
    mailbox.Maildir(home / "mail" / LODZ).add(letter(2).replace(b"\r\n", b"\n"))
    sync(home)
    assert len(messages(server, CARL, LODZ)) == 1
    with IMAPClient(HOST, server.ports["imap"], ssl=False) as client:
        client.login(CARL, PASSWORD)
        assert {*NAMES, "Łódź"} <= {name for _, _, name in client.list_folders()}
