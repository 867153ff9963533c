"""strace watches a worker: everything a reply promises is flushed before the reply is sent. docs/storage.md, the order."""

from __future__ import annotations

import contextlib
import imaplib
import re
import signal
import smtplib
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.server import ANN, HOST, PASSWORD, Server, needs, wait_for

pytestmark = pytest.mark.clients

MESSAGES = 24
_CALLS = "fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,sendto,write"


@dataclass(frozen=True)
class Call:
    """One system call: its text, and the lines of the record in which it began and had returned."""

    text: str
    began: int
    returned: int


def calls(record: str) -> list[Call]:
    """What strace -f wrote, with the calls that other threads interrupted put together again."""
    found, waiting = [], dict[str, tuple[str, int]]()
    for number, line in enumerate(record.replace("/./", "/").splitlines()):
        pid, _, text = line.partition(" ")
        text = text.lstrip()
        if text.endswith("<unfinished ...>"):
            waiting[pid] = (text.removesuffix("<unfinished ...>").rstrip(), number)
        elif text.startswith("<... "):
            start, began = waiting.pop(pid, ("", number))
            found.append(Call(start + text.partition("resumed>")[2], began, number))
        else:
            found.append(Call(text, number, number))
    return found


@contextlib.contextmanager
def traced(server: Server, record: Path) -> Iterator[None]:
    """Every thread of the worker, from here to the end of the block."""
    assert server.process is not None
    listed = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    wait_for("the worker and the process for chores are there", lambda: len(listed.read_text().split()) == 2)
    children = listed.read_text().split()
    pids = [word for child in children for word in ("-p", child)]
    command = [needs("strace"), "-f", "-y", "-s", "400", "-e", f"trace={_CALLS}", "-o", str(record), *pids]
    strace = subprocess.Popen(command, stderr=subprocess.PIPE)
    assert strace.stderr is not None
    try:
        for _ in children:
            assert b"attached" in strace.stderr.readline()
        drain = threading.Thread(target=strace.stderr.read)
        drain.start()
        yield
    finally:
        strace.send_signal(signal.SIGINT)
        strace.wait(30)
        drain.join()
        strace.stderr.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    one = Server(tmp_path_factory.mktemp("traced"))
    one.make(workers=1)
    one.start()
    yield one
    one.stop()


def first(found: list[Call], pattern: str, after: int = -1) -> Call:
    """The first call like this that began after a line of the record."""
    for call in found:
        if call.began > after and re.search(pattern, call.text):
            return call
    raise AssertionError(f"no call like {pattern} after line {after}")


def flushed_then_replied(found: list[Call], cur: Path, name: str, reply: str) -> None:
    """tmp/ file flushed, renamed, cur/ flushed, and only then the reply."""
    renamed = first(found, rf'rename\w*\(.*"[^"]*/tmp/[^"]*".*"{re.escape(str(cur / name))}"')
    source = re.search(r'"([^"]*/tmp/[^"]*)"', renamed.text)
    assert source
    written = first(found, rf"f(data)?sync\(\d+<{re.escape(source[1])}>\)\s+= 0")
    assert written.returned < renamed.began, "the file was renamed before it was flushed"
    settled = first(found, rf"fsync\(\d+<{re.escape(str(cur))}>\)\s+= 0", renamed.returned)
    replied = first(found, reply)
    assert settled.returned < replied.began, f"the reply went out before cur/ was flushed: {replied.text}"


def test_no_250_before_the_flushes(server: Server, tmp_path: Path) -> None:
    def send(number: int) -> None:
        with smtplib.SMTP(HOST, server.ports["smtp"]) as client:
            for part in range(MESSAGES // 4):
                client.sendmail("sue@example.net", [ANN], f"Subject: {number}-{part}\r\n\r\nhello\r\n".encode())

    record = tmp_path / "record"
    with traced(server, record):
        senders = [threading.Thread(target=send, args=(number,)) for number in range(4)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
    cur = server.data / "mail" / "example.org" / "ann" / "cur"
    found = calls(record.read_text("utf-8", "replace"))
    names = [file.name for file in cur.iterdir()]
    assert len(names) == MESSAGES
    for name in names:
        identity = re.search(rb"\bid (\w+)", (cur / name).read_bytes())
        assert identity
        flushed_then_replied(found, cur, name, rf'sendto\(.*"250 2\.0\.0 [^"]*{identity[1].decode()}')


def test_no_ok_before_the_flushes(server: Server, tmp_path: Path) -> None:
    """APPEND, STORE and EXPUNGE."""
    record = tmp_path / "record"
    with imaplib.IMAP4(HOST, server.ports["imap"], timeout=30) as client:
        client.login(ANN, PASSWORD)
        client.select("Drafts")
        with traced(server, record):
            client.append("Drafts", "", "", b"Subject: one\r\n\r\nhello\r\n")
            client.store("1", "+FLAGS", r"(\Deleted)")
            stored = next((server.data / "mail" / "example.org" / "ann" / ".Drafts" / "cur").iterdir()).name
            client.expunge()
    cur = server.data / "mail" / "example.org" / "ann" / ".Drafts" / "cur"
    found = calls(record.read_text("utf-8", "replace"))
    appended = stored.rpartition(":2,")[0] + ":2,"
    flushed_then_replied(found, cur, appended, r"sendto\(.* OK \[APPENDUID")
    flagged = first(found, rf'renameat\w*\(.*, \d+<{re.escape(str(cur))}>, "{re.escape(stored)}"')
    settled = first(found, rf"fsync\(\d+<{re.escape(str(cur))}>\)\s+= 0", flagged.returned)
    assert settled.returned < first(found, r"sendto\(.*FLAGS \(\\+Deleted.* OK ").began
    last = [call for call in found if re.search(rf"fsync\(\d+<{re.escape(str(cur))}>\)", call.text)][-1]
    assert last.returned < first(found, r"sendto\(.*1 EXPUNGE.* OK ").began
    assert not list(cur.iterdir())


def append_all(client: imaplib.IMAP4, mailbox: str, texts: list[bytes]) -> None:
    """APPEND of several messages at once, which imaplib has no word for. RFC 3502 §6.3.11."""
    client.send(
        b"m APPEND %s" % mailbox.encode() + b"".join(b" {%d+}\r\n%s" % (len(text), text) for text in texts) + b"\r\n"
    )
    answered(client, b"m")


def answered(client: imaplib.IMAP4, tag: bytes) -> None:
    line = b""
    while not line.startswith(tag + b" "):
        line = client.readline()
    assert line.startswith(tag + b" OK"), line


def named(cur: Path, subject: str) -> str:
    """The file of the message with this Subject."""
    (name,) = (file.name for file in cur.iterdir() if f"Subject: {subject}\r\n".encode() in file.read_bytes())
    return name


def test_no_ok_before_all_of_several_are_flushed(server: Server, tmp_path: Path) -> None:
    """APPEND of three messages, COPY of them, REPLACE of one."""
    record, mail = tmp_path / "record", server.data / "mail" / "example.org" / "ann"
    with imaplib.IMAP4(HOST, server.ports["imap"], timeout=30) as client:
        client.login(ANN, PASSWORD)
        client.select("Archive")
        with traced(server, record):
            append_all(client, "Archive", [f"Subject: part{number}\r\n\r\nhello\r\n".encode() for number in range(3)])
            client.noop()
            names = [named(mail / ".Archive" / "cur", f"part{number}") for number in range(3)]
            client.copy("1:3", "Trash")
            copies = [named(mail / ".Trash" / "cur", f"part{number}") for number in range(3)]
            client.send(b"r REPLACE 3 Archive {24+}\r\nSubject: last\r\n\r\nhello\r\n\r\n")
            answered(client, b"r")
    found, cur = calls(record.read_text("utf-8", "replace")), mail / ".Archive" / "cur"
    for name in names:
        flushed_then_replied(found, cur, name, r"sendto\(.*m OK \[APPENDUID")
    ended = [call for call in found if re.search(r'unlink\w*\(.*pymaild-journal"', call.text)]
    assert len(ended) == 2, "one journal for APPEND, one for COPY"
    for end, reply in zip(ended, (r"sendto\(.*m OK \[APPENDUID", r"sendto\(.* OK \[COPYUID"), strict=True):
        assert (
            first(found, rf"fsync\(\d+<{re.escape(str(mail))}>\)\s+= 0", end.returned).returned < first(found, reply).began
        )
    settled = first(found, rf"fsync\(\d+<{re.escape(str(mail / '.Trash' / 'cur'))}>\)\s+= 0")
    assert len(copies) == 3 and settled.returned < first(found, r"sendto\(.* OK \[COPYUID").began
    flushed_then_replied(found, cur, named(cur, "last"), r"sendto\(.*r OK")
    removed = first(found, rf'unlink\w*\(.*"{re.escape(str(cur / names[2]))}"')
    new = first(found, rf'rename\w*\(.*"{re.escape(str(cur / named(cur, "last")))}"')
    kept = first(found, rf"fsync\(\d+<{re.escape(str(cur))}>\)\s+= 0", new.returned)
    assert kept.returned < removed.began, "the old message went before the new one was durable"
    gone = first(found, rf"fsync\(\d+<{re.escape(str(cur))}>\)\s+= 0", removed.returned)
    assert gone.returned < first(found, r"sendto\(.*r OK").began
