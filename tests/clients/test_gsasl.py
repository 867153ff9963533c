"""SCRAM-SHA-256 and -PLUS with clients of others: GNU SASL (gsasl, mutt) and Cyrus SASL (mbsync)."""

from __future__ import annotations

import re
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.server import BOB, HOST, PASSWORD, Server, needs, run, wait_for
from tests.clients.terminal import Terminal

pytestmark = pytest.mark.clients
TLS_1_2 = ("--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.2")
CLEAR = ("--no-starttls",)
TRUSTED = "Client authentication finished (server trusted)"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers that offer everything; Bob has a verifier, since his password was set after SCRAM was switched on."""
    made = Server(tmp_path_factory.mktemp("scram"))
    made.make()
    with made.conf.open("a") as conf:
        conf.write("[auth]\nmechanisms = PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS\n")
    made.pymaild("account", "passwd", BOB, "--password-stdin", password=PASSWORD)
    made.start("--trace", str(made.folder / "trace"))
    yield made
    made.stop()


def gsasl(server: Server, service: str, mechanism: str, *options: str, password: str = PASSWORD) -> str:
    """What it says, whether it gets in or not."""
    protocol = "--imap" if service == "imap" else "--smtp"
    command = [needs("gsasl"), protocol, f"--connect={HOST}:{server.ports[service]}", "-m", mechanism, "-a", BOB]
    done = subprocess.run(
        [*command, "-p", password, "--verbose", "--x509-ca-file=", *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return (done.stdout + done.stderr).decode("utf-8", "replace")


@pytest.mark.parametrize("service", ["imap", "submission"])
@pytest.mark.parametrize(
    ("mechanism", "options"),
    [("SCRAM-SHA-256", CLEAR), ("SCRAM-SHA-256", ("--no-cb",)), ("SCRAM-SHA-256-PLUS", TLS_1_2)],
    ids=["clear", "tls", "bound"],
)
def test_gets_in_and_trusts_the_server(server: Server, service: str, mechanism: str, options: tuple[str, ...]) -> None:
    assert TRUSTED in gsasl(server, service, mechanism, *options)


@pytest.mark.parametrize(("service", "said"), [("imap", "NO [AUTHENTICATIONFAILED] The user"), ("submission", "535 5.7.8")])
def test_a_wrong_password(server: Server, service: str, said: str) -> None:
    answer = gsasl(server, service, "SCRAM-SHA-256", *CLEAR, password="wrong")
    assert said in answer and TRUSTED not in answer


def test_tls_1_3_is_bound_where_this_python_can_export(server: Server) -> None:
    """RFC 9266: the client takes tls-exporter there, and nothing else."""
    answer = gsasl(server, "imap", "SCRAM-SHA-256-PLUS")
    if "tls-exporter" in ssl.CHANNEL_BINDING_TYPES:
        assert TRUSTED in answer
    else:
        assert "NO [AUTHENTICATIONFAILED] The channel bindings here are tls-server-end-point" in answer


def test_mutt_gets_in(server: Server, tmp_path: Path) -> None:
    """It takes SCRAM by itself. (Inside TLS, where -PLUS is offered too, it gives up SCRAM and says LOGIN.)"""
    rc = tmp_path / "muttrc"
    rc.write_text(
        f'set imap_user="{BOB}" imap_pass="{PASSWORD}" folder="imap://{HOST}:{server.ports["imap"]}/" spoolfile="+INBOX"\n'
        'set ssl_starttls=no ssl_force_tls=no header_cache="" record=""\n'
    )
    terminal = Terminal(tmp_path, needs("mutt"), "-n", "-F", str(rc))
    trace = server.folder / "trace"
    try:
        wait_for("mutt selects the mailbox", lambda: 'SELECT "INBOX"' in trace.read_text("utf-8", "replace"))
    except AssertionError as error:
        raise AssertionError(f"{error}\n{terminal.screen()}") from None
    finally:
        terminal.close()
    text = trace.read_text("utf-8", "replace")
    assert re.search(r"C: a0000 AUTHENTICATE SCRAM-SHA-256 \{credentials\}\n", text)
    assert PASSWORD not in text


def test_mbsync_gets_in_by_itself_although_plus_is_offered(server: Server, tmp_path: Path) -> None:
    """Cyrus SASL; as a client it computes no more than 65,536 rounds."""
    rc = tmp_path / "mbsyncrc"
    rc.write_text(
        f'IMAPAccount bob\nHost {HOST}\nPort {server.ports["imaps"]}\nUser {BOB}\nPass "{PASSWORD}"\nSSLType IMAPS\n'
        f"CertificateFile {server.data}/tls/certificate.pem\nAuthMechs *\n\nIMAPStore far\nAccount bob\n\n"
        f"MaildirStore near\nPath {tmp_path}/mail/\nInbox {tmp_path}/mail/INBOX\n\n"
        "Channel inbox\nFar :far:\nNear :near:\nPatterns INBOX\nCreate Near\n"
    )
    (tmp_path / "mail").mkdir()
    run(needs("mbsync"), "-c", rc, "inbox", env={"HOME": str(tmp_path)})
    assert "C: 1 AUTHENTICATE SCRAM-SHA-256 {credentials}\n" in (server.folder / "trace").read_text("utf-8", "replace")
