"""SCRAM over real TLS: the binding is that of the live connection and of the certificate that was really served."""

from __future__ import annotations

import hashlib
import signal
import socket
import ssl
from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from pymaild.servers.tls import Contexts, ServingContext, channel_bindings
from tests.scram_client import Scram
from tests.wire.house import ANN, PASSWORDS, Daemon, House, Peer, client_context, house, until, write_config

MORE = "[auth]\nmechanisms = PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS\n"
SECRET = PASSWORDS[ANN]
DIGESTS: dict[str, hashes.SHA256 | hashes.SHA384 | hashes.SHA512] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


def make_certificate(folder: Path, name: str, digest: str) -> tuple[Path, Path]:
    """A self-signed one; `digest` "": signed by Ed25519, which has none of its own."""
    key = ec.generate_private_key(ec.SECP256R1()) if digest else ed25519.Ed25519PrivateKey.generate()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, DIGESTS.get(digest))
    )
    files = folder / f"{name}.pem", folder / f"{name}.key"
    folder.mkdir(exist_ok=True)
    files[0].write_bytes(made.public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


class Tls(Peer):
    """A client that knows its TLS connection."""

    def __init__(self, port: int, name: str | None = None, context: ssl.SSLContext | None = None, **more: object) -> None:
        self.name, self.context = name, context or client_context()
        super().__init__(port, **more)  # type: ignore[arg-type]

    def __enter__(self) -> Tls:
        return self

    def start_tls(self, session: ssl.SSLSession | None = None) -> None:
        self.sock = self.context.wrap_socket(self.sock, server_hostname=self.name, session=session)

    @property
    def tls(self) -> ssl.SSLSocket:
        assert isinstance(self.sock, ssl.SSLSocket)
        return self.sock

    def end_point(self, digest: str = "sha256") -> bytes:
        certificate = self.tls.getpeercert(True)
        assert certificate
        return hashlib.new(digest, certificate).digest()

    def authenticate(self, kind: str, bound: bytes, mechanism: bytes = b"SCRAM-SHA-256-PLUS") -> bytes:
        """The tagged response of IMAP."""
        scram = Scram(ANN, SECRET, f"p={kind},,".encode() if kind else b"n,,", bound)
        self.say(b"a AUTHENTICATE %s %s\r\n" % (mechanism, b64encode(scram.first())))
        answer = self.line()
        for step in (scram.final, lambda said: b"" if scram.trusts(said) else b"*"):
            if not answer.startswith(b"+ "):
                break
            self.say(b64encode(step(b64decode(answer[2:]))) + b"\r\n")
            answer = self.line()
        return answer


@pytest.fixture
def served(tmp_path: Path) -> Iterator[House]:
    """Ann has a verifier."""
    with house(tmp_path, more=MORE) as running:
        running.services.directory.login(ANN, SECRET, "127.0.0.1")
        yield running


def test_imap_in_clear_offers_no_plus_and_inside_tls_it_does(served: House) -> None:
    with Tls(served.port("imap")) as peer:
        assert b" AUTH=PLAIN AUTH=LOGIN AUTH=SCRAM-SHA-256 " in peer.line()
        assert peer.authenticate("", b"", b"SCRAM-SHA-256").startswith(b"a OK ")
    with Tls(served.port("imap")) as peer:
        peer.line()
        peer.imap(b"s STARTTLS")
        peer.start_tls()
        peer.say(b"c CAPABILITY\r\n")
        assert b" AUTH=PLAIN AUTH=LOGIN AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-256-PLUS " in peer.tagged(b"c")[0]
        assert peer.authenticate("tls-server-end-point", peer.end_point()).startswith(b"a OK ")


def test_the_binding_of_another_certificate_is_refused(served: House) -> None:
    with Tls(served.port("imaps"), tls=True) as peer:
        peer.line()
        said = peer.authenticate("tls-server-end-point", hashlib.sha256(b"somebody else's").digest())
        assert said.startswith(b"a NO [AUTHENTICATIONFAILED] The channel binding is not that of this TLS connection")
        assert peer.authenticate("tls-server-end-point", peer.end_point()).startswith(b"a OK ")


@pytest.mark.parametrize("digest", ["sha384", "sha512"])
def test_the_certificate_that_sni_chose_with_its_own_digest(served: House, tmp_path: Path, digest: str) -> None:
    contexts = served.threaded.running.around.tls
    assert contexts is not None
    contexts.names["imap"]["other.example.org"] = contexts.loaded(
        "imap", *make_certificate(tmp_path / "other", "other", digest)
    )
    with Tls(served.port("imaps"), "other.example.org", tls=True) as peer:
        peer.line()
        assert peer.authenticate("tls-server-end-point", peer.end_point("sha256")).startswith(b"a NO ")
        assert peer.authenticate("tls-server-end-point", peer.end_point(digest)).startswith(b"a OK ")
    with Tls(served.port("imaps"), "mail.example.org", tls=True) as peer:
        peer.line()
        assert peer.authenticate("tls-server-end-point", peer.end_point()).startswith(b"a OK ")


def test_a_connection_keeps_its_certificate_when_it_is_renewed(served: House, tmp_path: Path) -> None:
    contexts = served.threaded.running.around.tls
    assert contexts is not None
    with Tls(served.port("imaps"), tls=True) as before:
        before.line()
        made = make_certificate(tmp_path / "fresh", "fresh", "sha384")
        made[0].replace(contexts.certificate)
        made[1].replace(contexts.key)
        contexts.reload()
        with Tls(served.port("imaps"), tls=True) as after:
            after.line()
            assert after.end_point() != before.end_point()
            assert after.authenticate("tls-server-end-point", after.end_point("sha384")).startswith(b"a OK ")
        assert before.authenticate("tls-server-end-point", before.end_point()).startswith(b"a OK ")


def test_a_certificate_without_a_digest_binds_nothing_on_tls_1_3(served: House, tmp_path: Path) -> None:
    """RFC 5929 §4.1 leaves Ed25519 undefined."""
    contexts = served.threaded.running.around.tls
    assert contexts is not None
    contexts.names["imap"]["ed.example.org"] = contexts.loaded("imap", *make_certificate(tmp_path / "ed", "ed", ""))
    with Tls(served.port("imaps"), "ed.example.org", tls=True) as peer:
        greeting = peer.line()
        assert peer.tls.version() == "TLSv1.3"
        plus_is_offered = b"SCRAM-SHA-256-PLUS" in greeting
        assert plus_is_offered is ("tls-exporter" in ssl.CHANNEL_BINDING_TYPES)
        assert b" AUTH=SCRAM-SHA-256 " in greeting


def tls_1_2() -> ssl.SSLContext:
    context = client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def test_tls_unique_on_tls_1_2_but_not_on_a_resumed_session(served: House) -> None:
    """RFC 7627 §1: whoever is in between can make the binding of a resumed session the same on both sides."""
    context = tls_1_2()
    with Tls(served.port("imaps"), context=context, tls=True) as peer:
        peer.line()
        session, unique = peer.tls.session, peer.tls.get_channel_binding("tls-unique")
        assert session and unique
        assert peer.authenticate("tls-unique", unique[::-1]).startswith(b"a NO ")
        assert peer.authenticate("tls-unique", unique).startswith(b"a OK ")
    with Tls(served.port("imaps"), context=context) as peer:
        peer.start_tls(session)
        peer.line()
        unique = peer.tls.get_channel_binding("tls-unique")
        assert peer.tls.session_reused and unique
        said = peer.authenticate("tls-unique", unique)
        assert said.endswith(b"The channel bindings here are tls-server-end-point\r\n")
        assert peer.authenticate("tls-server-end-point", peer.end_point()).startswith(b"a OK ")


def test_submission(served: House) -> None:
    with Tls(served.port("submission")) as peer:
        peer.line()
        peer.command(b"EHLO client.example.net")
        assert peer.command(b"AUTH SCRAM-SHA-256-PLUS").startswith(b"504 5.5.4 ")
        peer.command(b"STARTTLS")
        peer.start_tls()
        peer.say(b"EHLO client.example.net\r\n")
        lines: list[bytes] = []
        while not lines or lines[-1][3:4] == b"-":
            lines.append(peer.line())
        assert b"250-AUTH PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS\r\n" in lines
        scram = Scram(ANN, SECRET, b"p=tls-server-end-point,,", peer.end_point())
        assert peer.command(b"AUTH SCRAM-SHA-256-PLUS") == b"334 \r\n"
        final = scram.final(b64decode(peer.command(b64encode(scram.first()))[4:]))
        assert scram.trusts(b64decode(peer.command(b64encode(final))[4:]))
        assert peer.command(b"").startswith(b"235 2.7.0 ")


def test_a_client_that_was_told_there_is_no_plus(served: House) -> None:
    """Somebody in between took the offer away; the client says y."""
    with Tls(served.port("imaps"), tls=True) as peer:
        peer.line()
        first = b64encode(Scram(ANN, SECRET, b"y,,").first())
        assert b"somebody may be in between" in peer.imap(b"a AUTHENTICATE SCRAM-SHA-256 " + first)


def test_nothing_of_an_exchange_reaches_the_trace(tmp_path: Path) -> None:
    with house(tmp_path, more=MORE, trace=True) as running:
        running.services.directory.login(ANN, SECRET, "127.0.0.1")
        with Tls(running.port("imap")) as peer:
            peer.line()
            assert peer.authenticate("", b"", b"SCRAM-SHA-256").startswith(b"a OK ")
            peer.imap(b"n NOOP")
        lines = [line.partition(" ")[2].strip() for line in running.traced]
    start = lines.index("C: a AUTHENTICATE SCRAM-SHA-256 {credentials}")
    assert lines[start + 1 : start + 5] == ["S: + {challenge}", "C: {credentials}", "S: + {challenge}", "C:"]
    assert lines[start + 5].startswith("S: a OK ") and "S: n OK Done" in lines


def test_workers_invent_the_same_salt_and_remember_it_after_a_restart(tmp_path: Path) -> None:
    file = write_config(tmp_path, more=MORE, workers=2)
    said = set()
    for _ in range(2):
        with Daemon(file) as daemon:
            peers = [Peer(daemon.port("imap")) for _ in range(4)]
            for peer in peers:
                peer.line()
                peer.say(b"a AUTHENTICATE SCRAM-SHA-256 %s\r\n" % b64encode(b"n,,n=nobody@example.org,r=client"))
                said.add(b64decode(peer.line()[2:]).partition(b",")[2])
                peer.sock.close()
            daemon.signal(signal.SIGTERM)
            daemon.wait()
    assert len(said) == 1


# ---- bindings without a server


@pytest.mark.parametrize(("digest", "size"), [("sha256", 32), ("sha384", 48), ("sha512", 64)])
def test_the_digest_of_a_certificate_is_that_of_its_signature(tmp_path: Path, digest: str, size: int) -> None:
    certificate, key = make_certificate(tmp_path, "one", digest)
    context = Contexts(certificate, key).loaded("imap", certificate, key)
    assert isinstance(context, ServingContext)
    der = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    assert context.end_point == hashlib.new(digest, der).digest() and len(context.end_point) == size


@pytest.mark.parametrize("weak", ["md5", "sha1"])
def test_a_weak_digest_becomes_sha_256(tmp_path: Path, weak: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody signs with these any more, so the library's word for it is a stand-in."""
    certificate, key = make_certificate(tmp_path, "one", "sha512")
    context = Contexts(certificate, key).loaded("imap", certificate, key)

    class Signed:
        signature_hash_algorithm = hashes.MD5() if weak == "md5" else hashes.SHA1()

    monkeypatch.setattr("cryptography.x509.load_der_x509_certificate", lambda der: Signed)
    assert context.end_point == hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.read_text())).digest()


def test_the_chain_begins_with_the_certificate_of_the_server(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "one", "sha256")
    other, _ = make_certificate(tmp_path, "two", "sha256")
    own = certificate.read_bytes()
    certificate.write_bytes(b"a comment\n" + own + other.read_bytes())
    context = Contexts(certificate, key).loaded("imap", certificate, key)
    assert context.end_point == hashlib.sha256(ssl.PEM_cert_to_DER_cert(own.decode())).digest()


def test_a_context_of_somebody_else_binds_to_no_certificate(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "one", "sha256")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    near, far = socket.socketpair()
    with near, far:
        client = client_context().wrap_socket(far, do_handshake_on_connect=False)
        server = context.wrap_socket(near, server_side=True, do_handshake_on_connect=False)
        for sock in (client, server):
            sock.setblocking(False)
        done: set[ssl.SSLSocket] = set()

        def shaken() -> bool:
            for sock in (client, server):
                try:
                    sock.do_handshake()
                    done.add(sock)
                except ssl.SSLWantReadError:
                    continue
            return len(done) == 2

        until(shaken)
        assert set(channel_bindings(server)) <= {"tls-exporter"}
        client.close()
        server.close()
