"""mutt and neomutt, used as a person does: in a terminal, key by key. fetchmail, which polls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.reading import imap
from tests.clients.server import BOB, HOST, PASSWORD, Server, needs, run, wait_for
from tests.clients.terminal import Terminal

pytestmark = pytest.mark.clients

SUBJECTS = ("Plain as can be", "=?utf-8?Q?Gr=C3=BC=C3=9Fe_aus_K=C3=B6ln?=", "The third")
SHOWN = ("Plain as can be", "Grüße aus Köln", "The third")


@pytest.fixture(params=["mutt", "neomutt"])
def mutt(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> Iterator[tuple[Terminal, str]]:
    """The program at Bob's mailbox of that name, over STARTTLS as it insists."""
    name = str(request.param)
    with imap(server, BOB) as client:
        client.create(name)
        for subject in SUBJECTS:
            text = f"From: Ann <ann@example.org>\r\nTo: {BOB}\r\nSubject: {subject}\r\n\r\nHello from a test.\r\n"
            client.append(name, "", "", text.encode())
    rc = tmp_path / "muttrc"
    rc.write_text(
        f"""\
set imap_user="{BOB}" imap_pass="{PASSWORD}" folder="imap://{HOST}:{server.ports["imap"]}/" spoolfile="+{name}"
set certificate_file="{server.data}/tls/certificate.pem" ssl_verify_host=no
set mail_check=1 timeout=1 sleep_time=0 wait_key=no quit=yes header_cache="" record="" pager_index_lines=0
set charset=utf-8 delete=yes confirmappend=no tmpdir="{tmp_path}"
""",
        "utf-8",
    )
    terminal = Terminal(tmp_path, needs(name), "-n", "-F", str(rc))
    try:
        yield terminal, name
    finally:
        terminal.close()


def test_mutt_lists_opens_flags_and_sees_new_mail(mutt: tuple[Terminal, str], server: Server) -> None:
    terminal, name = mutt
    for subject in SHOWN:
        terminal.see(subject)
    terminal.keys("1", "Enter")
    terminal.see("Plain as can be")
    terminal.keys("Enter")
    terminal.see("Hello from a test.")
    terminal.keys("i")
    terminal.see("The third")
    terminal.keys("F")
    terminal.see("!")
    with imap(server, BOB) as client:
        client.append(name, "", "", b"From: dora@example.org\r\nSubject: While you read\r\n\r\nnew\r\n")
    terminal.see("While you read")
    terminal.keys("q")
    wait_for("mutt has ended", terminal.ended)
    with imap(server, BOB) as client:
        client.select(name, readonly=True)
        assert client.search(None, "FLAGGED")[1] == [b"1"]
        assert client.search(None, "SEEN")[1] == [b"1"]


def test_fetchmail_takes_and_leaves_seen(server: Server, tmp_path: Path) -> None:
    with imap(server, BOB) as client:
        client.create("Fetch")
        for number in range(3):
            client.append("Fetch", "", "", f"Subject: f{number}\r\nFrom: a@b.example\r\n\r\n.\r\ntext\r\n".encode())
    rc = tmp_path / "fetchmailrc"
    rc.write_text(
        f'poll {HOST} protocol imap port {server.ports["imap"]} user "{BOB}" password "{PASSWORD}" folder Fetch keep'
        f" sslproto '' mda \"cat >> {tmp_path}/out\"\n"
    )
    rc.chmod(0o600)
    run(needs("fetchmail"), "-f", rc, "--pidfile", tmp_path / "pid", "--idfile", tmp_path / "ids", "--nodetach", "-v")
    text = (tmp_path / "out").read_bytes()
    assert [b"Subject: f%d" % number in text for number in range(3)] == [True] * 3
    with imap(server, BOB) as client:
        client.select("Fetch", readonly=True)
        assert client.search(None, "UNSEEN")[1] == [b""]
