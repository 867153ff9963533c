"""A mailbox that two people use: set up by imapclient and the command line, read by imapclient, mutt and neomutt."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError

from tests.clients.server import ANN, BOB, CARL, DORA, HOST, PASSWORD, Server, needs
from tests.clients.terminal import Terminal

pytestmark = pytest.mark.clients

LETTER = b"From: Carl <carl@example.org>\r\nSubject: The roof leaks\r\n\r\nIt does.\r\n"


@contextmanager
def connected(server: Server, account: str) -> Iterator[IMAPClient]:
    with IMAPClient(HOST, server.ports["imap"], ssl=False) as client:
        client.login(account, PASSWORD)
        yield client


@pytest.fixture
def club(server: Server, request: pytest.FixtureRequest) -> str:
    """A mailbox of ann with one letter in it."""
    name = "Club " + "".join(char for char in request.node.name if char.isalnum())
    with connected(server, ANN) as client:
        client.create_folder(name)
        client.append(name, LETTER)
    return name


def test_imapclient_shares_and_uses_it(server: Server, club: str) -> None:
    shared = f"Other Users/{ANN}/{club}"
    with connected(server, ANN) as ann, connected(server, BOB) as bob:
        assert {"ACL", "RIGHTS=TEXK", "NAMESPACE"} <= {word.decode() for word in bob.capabilities()}
        assert bob.namespace().other == (("Other Users/", "/"),)
        with pytest.raises(IMAPClientError, match="NONEXISTENT"):
            bob.select_folder(shared)
        ann.setacl(club, BOB, "lrs")
        assert dict(ann.getacl(club)) == {ANN.encode(): b"lrswipkxteacd", BOB.encode(): b"lrs"}
        assert shared in [name for _, _, name in bob.list_folders()]
        bob.subscribe_folder(shared)
        assert shared in [name for _, _, name in bob.list_sub_folders()]
        found = bob.select_folder(shared)
        assert (found[b"EXISTS"], found[b"PERMANENTFLAGS"]) == (1, (b"\\Seen",))
        (uid,) = bob.search(["TEXT", "does"])
        assert bob.fetch([uid], ["BODY[]"])[uid][b"BODY[]"] == LETTER
        assert bob.get_flags([uid]) == {uid: (b"\\Seen",)}
        bob.copy([uid], "INBOX")
        with pytest.raises(IMAPClientError, match="NOPERM"):
            bob.append(shared, LETTER)
        bob.unselect_folder()
        ann._imap.deleteacl(f'"{club}"', BOB)
        assert shared not in [name for _, _, name in bob.list_folders()]


def test_the_command_line_shares_while_the_server_runs(server: Server, club: str) -> None:
    with connected(server, DORA) as dora:
        server.pymaild("mailbox", "share", ANN, club, "anyone", "write")
        shared = f"Other Users/{ANN}/{club}"
        assert shared in [name for _, _, name in dora.list_folders()]
        dora.append(shared, LETTER)
        dora.select_folder(shared)
        dora.move(dora.search(), "Archive")
        assert dora.search() == []
        dora.unselect_folder()
        server.pymaild("mailbox", "share", ANN, club, "anyone", "none")
        assert shared not in [name for _, _, name in dora.list_folders()]


def test_everybody_who_waits_is_told_within_a_second(server: Server, club: str) -> None:
    """Six guests, so that every worker has some of them; the letter comes in through another one, or by chance the same."""
    server.pymaild("mailbox", "share", ANN, club, CARL, "seen")
    with ExitStack() as stack:
        guests = [stack.enter_context(connected(server, CARL)) for _ in range(6)]
        for guest in guests:
            guest.select_folder(f"Other Users/{ANN}/{club}")
            guest.idle()
        with connected(server, ANN) as ann:
            ann.append(club, LETTER)
            told = time.monotonic() + 1
            for guest in guests:
                news = guest.idle_check(timeout=max(told - time.monotonic(), 0.01))
                assert (2, b"EXISTS") in news, news
        for guest in guests:
            guest.idle_done()


@pytest.mark.parametrize("program", ["mutt", "neomutt"])
def test_mutt_reads_it(server: Server, club: str, tmp_path: Path, program: str) -> None:
    server.pymaild("mailbox", "share", ANN, club, BOB, "write")
    rc = tmp_path / "muttrc"
    rc.write_text(
        f"""\
set imap_user="{BOB}" imap_pass="{PASSWORD}" folder="imap://{HOST}:{server.ports["imap"]}/"
set spoolfile="+Other Users/{ANN}/{club}" certificate_file="{server.data}/tls/certificate.pem" ssl_verify_host=no
set mail_check=1 timeout=1 sleep_time=0 wait_key=no quit=yes header_cache="" record="" pager_index_lines=0
set imap_delim_chars="/" charset=utf-8 delete=yes confirmappend=no tmpdir="{tmp_path}"
""",
        "utf-8",
    )
    terminal = Terminal(tmp_path, needs(program), "-n", "-F", str(rc))
    try:
        terminal.see("The roof leaks")
        terminal.keys("Enter")
        terminal.see("It does.")
        terminal.keys("i")
        with connected(server, ANN) as ann:
            ann.append(club, LETTER.replace(b"The roof leaks", b"It is mended"))
            terminal.see("It is mended")
            ann.select_folder(club)
            terminal.keys("d", "$")
            deadline = time.monotonic() + 30
            while len(ann.search()) != 1:
                assert time.monotonic() < deadline, terminal.screen()
                ann.noop()
    finally:
        terminal.close()
