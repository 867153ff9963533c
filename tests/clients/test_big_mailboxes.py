"""Programs on a mailbox of thousands of messages, and on mailboxes with names in any script; how long each took is printed.

BIG_MAILBOX=10000 sets the number of messages; the default keeps the whole file below two minutes on two slow cores.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from imapclient import IMAPClient

from tests.clients.filling import fill
from tests.clients.reading import imap
from tests.clients.server import BOB, DORA, HOST, PASSWORD, Server, needs, run, serving, wait_for
from tests.clients.terminal import Terminal

pytestmark = [pytest.mark.clients, pytest.mark.slow]

COUNT = int(os.environ.get("BIG_MAILBOX", "2000"))
PATIENCE = 30 + COUNT / 50
DEEP = "/".join(f"level {number}" for number in range(1, 17))
NAMES = [
    "Пісьмы", "Ελλάδα", "日本/東京", "한국어", "مجلد", "עברית", "हिन्दी", "ไทย", "🎉 Party 👩‍👩‍👧", "a & b", "&", "R&-D", "Łódź",
    'quo"ted', "back\\slash", "100% *", "two  blanks", "dot.dot", "~home", "INBOX/Kind", DEEP,
]  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own; Bob and Dora have the same large INBOX, Dora the names."""
    with serving(tmp_path_factory.mktemp("big-server")) as running:
        for user in (BOB, DORA):
            fill(running, user, "INBOX", COUNT, NAMES if user == DORA else ())
        yield running


@contextlib.contextmanager
def timed(what: str) -> Iterator[None]:
    begun = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - begun:.2f} s")


@pytest.fixture
def client(server: Server) -> Iterator[IMAPClient]:
    """Dora, with her INBOX selected."""
    with IMAPClient(HOST, server.ports["imap"], ssl=False, timeout=60) as one:
        one.login(DORA, PASSWORD)
        with timed("SELECT"):
            assert one.select_folder("INBOX")[b"EXISTS"] == COUNT
        yield one


def test_imapclient_reads_sorts_and_threads(client: IMAPClient) -> None:
    uids = client.search(["ALL"])
    assert uids == list(range(1, COUNT + 1))
    with timed("FLAGS of all"):
        assert len(client.fetch(uids, ["FLAGS"])) == COUNT
    with timed("ENVELOPE and BODYSTRUCTURE of all, in chunks of 500"):
        for first in range(0, COUNT, 500):
            found = client.fetch(uids[first : first + 500], ["ENVELOPE", "BODYSTRUCTURE", "INTERNALDATE", "RFC822.SIZE"])
            assert found[first + 1][b"ENVELOPE"].message_id == b"<%d@example.net>" % first
    with timed("every message whole, in chunks of 500"):
        octets = 0
        for first in range(0, COUNT, 500):
            found = client.fetch(uids[first : first + 500], ["BODY.PEEK[]"])
            octets += sum(len(item[b"BODY[]"]) for item in found.values())
        assert octets > 200 * COUNT
    with timed("SORT (SUBJECT)"):
        assert len(client.sort(["SUBJECT"])) == COUNT
    with timed("SORT (REVERSE DATE)"):
        assert sorted(client.sort(["REVERSE DATE"])) == uids
    with timed("THREAD REFERENCES"):
        threads = client.thread("REFERENCES")
        assert len(threads) == COUNT // 5 and threads[0] == (1, 2, 3, 4, 5)
    with timed("SEARCH TEXT"):
        assert client.search(["TEXT", f"n{COUNT - 1}"], "UTF-8") == [COUNT]
    with timed("SEARCH SUBJECT, UNSEEN"):
        assert client.search(["SUBJECT", "grüße n7", "UNSEEN"], "UTF-8")


def test_imapclient_changes_many_and_idles(client: IMAPClient, server: Server) -> None:
    half = range(1, COUNT // 2 + 1)
    with timed("+FLAGS on half of them"):
        client.add_flags(half, [b"$Half"], silent=True)
    assert len(client.search(["KEYWORD", "$Half"])) == len(half)
    with timed("COPY of half of them"):
        client.copy(half, "Archive")
    assert client.folder_status("Archive", ["MESSAGES"])[b"MESSAGES"] == len(half)
    client.idle()
    with imap(server, DORA) as other:
        other.append("INBOX", "", "", b"Subject: now\r\n\r\nx\r\n")
    with timed("IDLE told"):
        assert (COUNT + 1, b"EXISTS") in client.idle_check(timeout=5)
    client.idle_done()
    client.delete_messages([COUNT + 1])
    client.expunge()


def test_imapclient_and_names_in_any_script(client: IMAPClient) -> None:
    listed = {name for _, _, name in client.list_folders()}
    assert set(NAMES) <= listed
    for name in NAMES:
        assert client.select_folder(name)[b"EXISTS"] == 1, name
        assert client.folder_status(name, ["MESSAGES"])[b"MESSAGES"] == 1
        client.rename_folder(name, f"{name} {name[:9]}")
        client.rename_folder(f"{name} {name[:9]}", name)
    assert listed <= {name for _, _, name in client.list_folders()}


@pytest.fixture
def home(server: Server, tmp_path: Path) -> Path:
    """A folder with an .mbsyncrc for Bob."""
    (tmp_path / "mail").mkdir()
    (tmp_path / "rc").write_text(
        f"""\
IMAPAccount server
Host {HOST}
Port {server.ports["imap"]}
User {BOB}
Pass "{PASSWORD}"
SSLType None
AuthMechs PLAIN
Timeout 120

IMAPStore far
Account server

MaildirStore near
Path {tmp_path}/mail/
Inbox {tmp_path}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
""",
        "utf-8",
    )
    return tmp_path


def files(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.parent.name in ("cur", "new")}


def test_mbsync_both_ways(server: Server, home: Path) -> None:
    def sync(what: str) -> None:
        with timed(f"mbsync, {what}"):
            run(needs("mbsync"), "-c", home / "rc", "all", timeout=PATIENCE * 4)

    inbox, theirs = home / "mail" / "INBOX", server.data / "mail" / "example.org" / "bob"
    sync("everything")
    assert len(files(inbox)) == COUNT
    before = files(home / "mail"), files(theirs)
    sync("nothing")
    assert (files(home / "mail"), files(theirs)) == before
    with imap(server, BOB) as one:
        one.select("INBOX")
        one.store(f"1:{COUNT // 10}", "+FLAGS", r"(\Flagged)")
    for file in sorted((inbox / "cur").iterdir())[:5]:
        name, _, flags = file.name.partition(":2,")
        file.rename(file.with_name(f"{name}:2,{''.join(sorted({*flags, 'R'}))}"))
    sync("flags both ways")
    assert sum("F" in name.rpartition(":2,")[2] for name in files(inbox)) == COUNT // 10
    with imap(server, BOB) as one:
        one.select("INBOX", readonly=True)
        assert len(one.search(None, "ANSWERED")[1][0].split()) == 5


@pytest.fixture(params=["mutt", "neomutt"])
def mutt(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> Iterator[Terminal]:
    """At Bob's INBOX, without a cache: every header is asked for."""
    rc = tmp_path / "muttrc"
    rc.write_text(
        f"""\
set imap_user="{BOB}" imap_pass="{PASSWORD}" folder="imap://{HOST}:{server.ports["imap"]}/" spoolfile="+INBOX"
set certificate_file="{server.data}/tls/certificate.pem" ssl_verify_host=no
set mail_check=1 timeout=1 sleep_time=0 wait_key=no quit=yes header_cache="" record="" sort=mailbox-order
set charset=utf-8 delete=yes tmpdir="{tmp_path}" ssl_starttls=no ssl_force_tls=no
""",
        "utf-8",
    )
    terminal = Terminal(tmp_path, needs(str(request.param)), "-n", "-F", str(rc))
    try:
        yield terminal
    finally:
        terminal.close()


def messages_of(server: Server, user: str) -> int:
    with imap(server, user) as one:
        return int(one.select("INBOX", readonly=True)[1][0] or b"0")


def test_mutt_opens_jumps_deletes_and_syncs(mutt: Terminal, server: Server) -> None:
    there = messages_of(server, BOB)
    with timed("every header"):
        mutt.see(f"Msgs:{there}", PATIENCE)
    mutt.keys("*")
    mutt.see(f"n{COUNT - 1 - (COUNT - there)}")
    mutt.keys("d")
    mutt.see("Del:1")
    with timed("the deletion"):
        mutt.keys("$")
        mutt.see(f"Msgs:{there - 1}", PATIENCE)
    assert messages_of(server, BOB) == there - 1
    mutt.keys("q")
    wait_for("it has ended", mutt.ended)


def test_aerc_opens_lists_and_searches(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "aerc"
    folder.mkdir(parents=True)
    secret = PASSWORD.replace(" ", "%20")
    (folder / "accounts.conf").write_text(
        f"[dora]\nsource = imap+insecure://{DORA.replace('@', '%40')}:{secret}@{HOST}:{server.ports['imap']}\n"
        f"default = INBOX\nfrom = Dora <{DORA}>\n"
    )
    (folder / "accounts.conf").chmod(0o600)
    terminal = Terminal(tmp_path, needs("aerc"))
    try:
        with timed("aerc: the list of messages"):
            terminal.see(f"n{COUNT - 1}", PATIENCE)
        terminal.keys(":")
        terminal.keys("cf 日本/東京", "Enter")
        terminal.see("n1")
        wait_for("the other mailbox", lambda: f"n{COUNT - 1}" not in terminal.screen())
        terminal.keys(":")
        terminal.keys("cf INBOX", "Enter")
        terminal.see(f"n{COUNT - 1}")
        with timed("aerc: a filter"):
            terminal.keys(":")
            terminal.keys(f"filter n{COUNT // 2} ", "Enter")
            terminal.see(f"n{COUNT // 2}", PATIENCE)
            wait_for("one message is left", lambda: f"n{COUNT - 1}" not in terminal.screen(), PATIENCE)
        for command in ("select 0", "view"):  # this aerc keeps the selection on a message that the filter hides
            terminal.keys(":")
            terminal.keys(command, "Enter")
        terminal.see(f"Body of n{COUNT // 2}")
        terminal.keys(":")
        terminal.keys("quit -f", "Enter")
        wait_for("aerc has ended", terminal.ended)
    finally:
        terminal.close()


def test_fetchmail_takes_all(server: Server, tmp_path: Path) -> None:
    """Fetched, flagged as seen and kept; a thousand of them, because it asks for each by itself."""
    count = min(COUNT, 1000)
    fill(server, BOB, "Fetch", count)
    rc = tmp_path / "fetchmailrc"
    rc.write_text(
        f'poll {HOST} protocol imap port {server.ports["imap"]} user "{BOB}" password "{PASSWORD}" folder Fetch keep fetchall'
        f" sslproto '' mda \"cat >> {tmp_path}/out\"\n"
    )
    rc.chmod(0o600)
    with timed(f"fetchmail: {count} messages"):
        words = (needs("fetchmail"), "-f", rc, "--pidfile", tmp_path / "pid", "--idfile", tmp_path / "ids", "--nodetach")
        run(*words, timeout=PATIENCE * 3)
    assert (tmp_path / "out").read_bytes().count(b"\nMessage-ID: <") == count
    with imap(server, BOB) as one:
        one.select("Fetch", readonly=True)
        assert one.search(None, "UNSEEN")[1] == [b""]


def test_offlineimap_both_ways(server: Server, tmp_path: Path) -> None:
    """A few hundred messages and all names but those that OfflineIMAP cannot have: it quotes nothing, and "." is its delimiter.

    A second run changes nothing.
    """
    names = [name for name in NAMES if not set(name) & {'"', "\\", "."}]
    count = min(COUNT, 500)
    fill(server, DORA, "Offline", count)
    rc = tmp_path / "offlineimaprc"
    rc.write_text(
        f"""\
[general]
accounts = dora
metadata = {tmp_path}/meta
maxsyncaccounts = 1
[Account dora]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {tmp_path}/mail
[Repository far]
type = IMAP
remotehost = {HOST}
remoteport = {server.ports["imap"]}
remoteuser = {DORA}
remotepass = {PASSWORD}
ssl = no
starttls = no
auth_mechanisms = PLAIN
maxconnections = 2
folderfilter = lambda name: name not in ("INBOX", "Archive") and not set(name) & {{chr(34), chr(92), "."}}
nametrans = lambda name: name.replace('"', '')
[Repository unused]
type = Maildir
"""
    )
    with timed(f"OfflineIMAP: {count} messages and {len(names)} folders"):
        run(needs("offlineimap"), "-c", rc, "-o", "-u", "basic", timeout=PATIENCE * 3)
    local = files(tmp_path / "mail")
    assert len(local) == count + len(names)
    theirs = files(server.data / "mail" / "example.org" / "dora")
    with timed("OfflineIMAP: nothing"):
        run(needs("offlineimap"), "-c", rc, "-o", "-u", "basic", timeout=PATIENCE)
    assert (files(tmp_path / "mail"), files(server.data / "mail" / "example.org" / "dora")) == (local, theirs)
