"""Who changes a mailbox, and how soon others see it: on the next NOOP, and within a second in IDLE and after NOTIFY.

Two worker processes serve; the clients that look are more than one worker's share, so each source is another process to some
of them. RFC 3501 §5.2, RFC 2177, RFC 5465.
"""

from __future__ import annotations

import http.client
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.wire.house import ANN, LISTEN, MESSAGE, PASSWORDS, Daemon, Peer, smtp, until, write_config
from tests.wire.test_parking import sockets

WATCHERS = 6  # at least; more until both workers have some
NOTIFY = (
    b"w NOTIFY SET (selected (MessageNew (UID) MessageExpunge FlagChange))"
    b" (personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange))"
)
WAYS = {"noop": b"", "idle": b"w IDLE", "notify": NOTIFY}
_numbers = count()


@dataclass
class Mail:
    """ann's mail as everybody can change it."""

    daemon: Daemon
    folder: Path

    def client(self) -> Peer:
        """Another mail program, logged in."""
        peer = Peer(self.daemon.port("imap"))
        peer.line()
        assert peer.imap(f"a LOGIN {ANN} {PASSWORDS[ANN]}".encode()).startswith(b"a OK")
        return peer

    def does(self, *commands: bytes) -> None:
        """What another mail program says, one command after the other."""
        with self.client() as peer:
            for command in commands:
                assert b" OK" in peer.imap(b"x " + command)

    def messages(self) -> int:
        with self.client() as peer:
            peer.say(b"x STATUS INBOX (MESSAGES)\r\n")
            found = re.search(rb"MESSAGES (\d+)", b"".join(peer.tagged(b"x")))
            assert found
            return int(found[1])

    def file(self, letters: str) -> Path:
        """The file of the last message, which must have these flags."""
        files = sorted(
            (self.folder / "cur").iterdir(), key=lambda path: int(path.name.partition(",U=")[2].partition(":")[0])
        )
        assert files[-1].name.endswith(f":2,{letters}")
        return files[-1]


# ---- who changes something


def delivery(mail: Mail) -> None:
    with smtp(mail.daemon.port("smtp")) as client:
        client.sendmail("x@example.net", [ANN], MESSAGE)


def appended(mail: Mail) -> None:
    mail.does(b"APPEND INBOX {14+}\r\nSubject: x\r\n\r\n")


def flagged(mail: Mail) -> None:
    mail.does(b"SELECT INBOX", b"STORE * +FLAGS.SILENT ($Word)")


def expunged(mail: Mail) -> None:
    mail.does(b"SELECT INBOX", b"STORE * +FLAGS.SILENT (\\Deleted)", b"UID EXPUNGE *")


def starred(mail: Mail) -> None:
    """In the webmail."""
    web = Web(mail.daemon.port("http"))
    web.post("/login", web.get("/login"), username=ANN, password=PASSWORDS[ANN], next="/mail/INBOX")
    page = web.get("/mail/INBOX")
    newest = max(
        re.findall(r'name="m" value="([^"]+)"', page), key=lambda ref: [int(n) for n in re.findall(r"\d+", ref)][-1:]
    )
    web.post("/messages", page, action="star", m=newest)


def dropped(mail: Mail) -> None:
    """A program writes into the Maildir."""
    name = f"{time.time_ns()}.{next(_numbers)}.elsewhere"
    (mail.folder / "tmp" / name).write_bytes(b"Subject: x\n\nx\n")
    os.rename(mail.folder / "tmp" / name, mail.folder / "new" / name)


def renamed(mail: Mail) -> None:
    """A program marks a message as read."""
    file = mail.file("")
    os.rename(file, file.with_name(file.name + "S"))


def unlinked(mail: Mail) -> None:
    """A program removes a message."""
    mail.file("").unlink()


def made(mail: Mail) -> None:
    """A program makes a mailbox."""
    (mail.folder / f".Made{next(_numbers)}" / "cur").mkdir(parents=True)


SOURCES: dict[str, tuple[Callable[[Mail], None], bytes]] = {
    "delivery": (delivery, rb"\* \d+ EXISTS"),
    "client appends": (appended, rb"\* \d+ EXISTS"),
    "client sets a flag": (flagged, rb"\* \d+ FETCH \(.*FLAGS \(.*\$Word\)"),
    "client expunges": (expunged, rb"\* \d+ EXPUNGE"),
    "webmail": (starred, rb"\* \d+ FETCH \(.*FLAGS \(.*\\Flagged"),
    "program delivers": (dropped, rb"\* \d+ EXISTS"),
    "program sets a flag": (renamed, rb"\* \d+ FETCH \(.*FLAGS \(.*\\Seen"),
    "program removes": (unlinked, rb"\* \d+ EXPUNGE"),
}


class Web:
    """A browser's bare minimum: one cookie, forms with their token."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self._cookies: dict[str, str] = {}

    def _request(self, method: str, path: str, body: str = "") -> str:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        if body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        text = answer.read().decode()
        assert answer.status in (200, 303), (path, answer.status, text[:500])
        for key, value in answer.getheaders():
            if key == "Set-Cookie":
                name, _, rest = value.partition("=")
                self._cookies[name] = rest.partition(";")[0]
        return text

    def get(self, path: str) -> str:
        return self._request("GET", path)

    def post(self, path: str, page: str, **fields: str) -> None:
        token = re.search(r'name="token" value="([^"]+)"', page)
        assert token
        self._request("POST", path, urlencode({"token": token[1], **fields}))


# ---- who looks


@pytest.fixture(scope="module")
def mail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mail]:
    folder = tmp_path_factory.mktemp("daemon")
    listen = LISTEN.replace("http =", "http = 127.0.0.1:0")
    with Daemon(write_config(folder, listen, workers=2)) as daemon:
        yield Mail(daemon, folder / "data" / "mail" / "example.org" / "ann")


@pytest.fixture(scope="module")
def watchers(mail: Mail) -> Iterator[dict[str, list[Peer]]]:
    """Clients with INBOX selected for each way to hear of news, each time some at either worker."""
    mail.does(b"CREATE Lists")
    with ExitStack() as stack:
        yield {way: list(looking(mail, stack, way)) for way in WAYS}


def looking(mail: Mail, stack: ExitStack, way: str) -> Iterator[Peer]:
    workers = mail.daemon.children()[:2]
    until(lambda: len({sum(map(sockets, workers)) for _ in range(20)}) == 1)
    before = {pid: sockets(pid) for pid in workers}
    for number in range(1, 40):
        peer = stack.enter_context(mail.client())
        assert peer.imap(b"s SELECT INBOX").startswith(b"s OK")
        begin(peer, way)
        yield peer
        if number >= WATCHERS:
            until(lambda: sum(sockets(pid) - before[pid] for pid in workers) >= number)  # noqa: B023
            if all(sockets(pid) > before[pid] for pid in workers):
                return
    pytest.fail("one worker takes all connections")


def begin(peer: Peer, way: str) -> None:
    """Wait for news in this way."""
    if WAYS[way]:
        peer.say(WAYS[way] + b"\r\n")
        while not (line := peer.line()).startswith((b"+", b"w OK")):
            assert line.startswith(b"* "), line


@pytest.fixture
def ready(mail: Mail, watchers: dict[str, list[Peer]]) -> dict[str, list[Peer]]:
    """All know what there is: the last message is new and has no flags."""
    mail.does(b"APPEND INBOX {14+}\r\nSubject: x\r\n\r\n")
    for way, peers in watchers.items():
        for peer in peers:
            if way == "idle":
                peer.say(b"DONE\r\n")
                peer.tagged(b"w")
                begin(peer, way)
            else:
                assert peer.imap(b"n NOOP").startswith(b"n OK")
    return watchers


def hears(peer: Peer, wanted: bytes) -> None:
    """Read until the line that is wanted; others may come with it."""
    while not re.search(wanted, line := peer.line()):
        assert line.startswith(b"* "), line


@pytest.mark.parametrize("source", SOURCES)
def test_news(mail: Mail, ready: dict[str, list[Peer]], source: str) -> None:
    """IDLE and NOTIFY push it within a second of the change; the next NOOP after the change has it."""
    change, wanted = SOURCES[source]
    change(mail)
    since = time.monotonic()
    for peer in ready["noop"]:
        peer.say(b"n NOOP\r\n")
        assert re.search(wanted, b"".join(peer.tagged(b"n")))
    for peer in (*ready["idle"], *ready["notify"]):
        hears(peer, wanted)
        assert time.monotonic() - since < 1


ELSEWHERE: dict[str, tuple[Callable[[Mail], None], bytes]] = {
    "client appends": (
        lambda mail: mail.does(b"APPEND Lists {14+}\r\nSubject: x\r\n\r\n"),
        rb'\* STATUS "Lists" \(MESSAGES \d+ UIDNEXT \d+ UNSEEN \d+\)',
    ),
    "client makes": (
        lambda mail: mail.does(b"CREATE Lists/%d" % next(_numbers)),
        rb'\* LIST \(\\HasNoChildren\) "/" "Lists/\d+"',
    ),
    "client subscribes": (
        lambda mail: mail.does(b"SUBSCRIBE N/%d" % next(_numbers)),
        rb'\* LIST \(.*\\Subscribed.*\) "/" "N/\d+"',
    ),
    "program delivers": (
        lambda mail: dropped(Mail(mail.daemon, mail.folder / ".Lists")),
        rb'\* STATUS "Lists" \(MESSAGES ',
    ),
    "program makes": (made, rb'\* LIST \(\\HasNoChildren\) "/" "Made\d+"'),
}


@pytest.mark.parametrize("source", ELSEWHERE)
def test_news_of_other_mailboxes(mail: Mail, ready: dict[str, list[Peer]], source: str) -> None:
    change, wanted = ELSEWHERE[source]
    change(mail)
    since = time.monotonic()
    for peer in ready["notify"]:
        hears(peer, wanted)
        assert time.monotonic() - since < 1
