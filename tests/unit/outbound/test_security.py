"""What TLS a server must show: DANE, MTA-STS, memory; each policy file and record that is wrong in its own way."""

from __future__ import annotations

import datetime
import hashlib
import http.server
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pymaild.outbound import dane, memory, mtasts
from pymaild.outbound.commit import Commits
from pymaild.outbound.destination import Level, TlsResult
from pymaild.outbound.memory import Memory
from pymaild.outbound.mtasts import Policies, fetcher, parse
from pymaild.outbound.route import Host, Route
from pymaild.outbound.security import NotInPolicy, Secured
from pymaild.status import MailError
from pymaild.verify.resolver import Resolver, Tlsa
from tests import dns_stub

MX = "mx.example.net"
NOW = 1_790_000_000.0
TEXT = b"version: STSv1\r\nmode: enforce\r\nmx: mx.example.net\r\nmx: *.example.com\r\nmax_age: 86400\r\n"


class Authority:
    """A certificate authority, and what it signs."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._made("Test CA", self.key.public_key(), None)

    def _made(self, name: str, public: ec.EllipticCurvePublicKey, host: str | None, days: int = 30) -> x509.Certificate:
        today = datetime.datetime.now(datetime.UTC)
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test CA")])
        ca = host is None
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(today - datetime.timedelta(days=60))
            .not_valid_after(today + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        usage = x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False)
        builder = builder.add_extension(usage, critical=True)
        if host is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        return builder.sign(self.key, SHA256())

    def sign(self, host: str, folder: Path, days: int = 30) -> tuple[bytes, Path]:
        """A server's certificate as DER, and a PEM file with key and chain."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._made(host, key.public_key(), host, days)
        file = folder / f"{host}.{days}.pem"
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(pem + made.public_bytes(Encoding.PEM) + self.certificate.public_bytes(Encoding.PEM))
        return made.public_bytes(Encoding.DER), file

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def leaf(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return authority.sign(MX, tmp_path_factory.mktemp("leaf"))[0]


def spki(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


# ---- DANE


def test_every_way_to_name_the_servers_own_certificate(leaf: bytes) -> None:
    for selector, content in ((0, leaf), (1, spki(leaf))):
        for matching, data in ((0, content), (1, hashlib.sha256(content).digest()), (2, hashlib.sha512(content).digest())):
            record = Tlsa(3, selector, matching, data)
            assert dane.failure([leaf], [record], ("another.name",)) == ""
            assert dane.read(dane.shown(record)) == record and dane.usable([record]) == [record]
            wrong = Tlsa(3, selector, matching, bytes([data[0] ^ 1]) + data[1:])
            assert "none of those" in dane.failure([leaf], [wrong], (MX,))


def test_an_authority_needs_the_name_and_the_dates_to_fit(authority: Authority, leaf: bytes, tmp_path: Path) -> None:
    record = Tlsa(2, 0, 1, hashlib.sha256(authority.der).digest())
    assert dane.failure([leaf, authority.der], [record], (MX,)) == ""
    assert dane.failure([leaf, authority.der], [record], ("example.net", MX)) == ""
    assert dane.failure([leaf, authority.der], [record], ("mx.example.com",))
    assert "none of those" in dane.failure([leaf], [record], (MX,))  # the authority was not sent
    expired, _ = authority.sign(MX, tmp_path, days=-1)
    assert dane.failure([expired, authority.der], [record], (MX,))
    other = Authority()
    assert dane.failure([other.sign(MX, tmp_path)[0], authority.der], [record], (MX,))


def test_records_nobody_can_use() -> None:
    records = [Tlsa(0, 0, 1, bytes(32)), Tlsa(1, 1, 1, bytes(32)), Tlsa(3, 2, 1, bytes(32)), Tlsa(3, 1, 1, bytes(31))]
    assert dane.usable(records) == [] and dane.failure([], [], ()) != "" and dane.failure([b"x"], [Tlsa(3, 1, 0, b"y")], ())


@pytest.fixture(scope="module")
def stub() -> Iterator[dns_stub.Stub]:
    with dns_stub.running() as made:
        made.add(MX, "A", "192.0.2.1")
        made.add("plain.example.net", "A", "192.0.2.2")
        made.add("_mta-sts.example.net", "TXT", '"v=STSv1; id=20260101;"')
        made.add("mta-sts.example.net", "A", "192.0.2.3")
        yield made


@pytest.fixture
def resolver(stub: dns_stub.Stub) -> Resolver:
    stub.faults.clear()
    stub.records.pop((f"_25._tcp.{MX}", "TLSA"), None)
    stub.records["_mta-sts.example.net", "TXT"] = ['"v=STSv1; id=20260101;"']
    stub.secure = True
    return Resolver([stub.address], 0.4)


def tlsa(stub: dns_stub.Stub, *records: str) -> None:
    stub.add(f"_25._tcp.{MX}", "TLSA", *records)


def test_records_count_only_when_dnssec_covers_everything(stub: dns_stub.Stub, resolver: Resolver) -> None:
    assert dane.records(resolver, MX, 25) is None
    tlsa(stub, "3 1 1 " + "ab" * 32)
    fresh = Resolver([stub.address], 0.4)
    assert dane.records(fresh, MX, 25) == (Tlsa(3, 1, 1, b"\xab" * 32),)
    stub.secure = False
    assert dane.records(Resolver([stub.address], 0.4), MX, 25) is None


def test_records_that_cannot_be_had_mean_wait(stub: dns_stub.Stub, resolver: Resolver) -> None:
    stub.faults[f"_25._tcp.{MX}"] = "servfail"
    with pytest.raises(dane.Bogus) as raised:
        dane.records(resolver, MX, 25)
    assert raised.value.temporary


# ---- MTA-STS


def test_a_policy_file() -> None:
    policy = parse(TEXT)
    assert (policy.mode, policy.max_age) == ("enforce", 86400)
    assert policy.allows("mx.example.net") and policy.allows("a.example.com")
    assert (
        not policy.allows("a.b.example.com") and not policy.allows("example.com") and not policy.allows("mx2.example.net")
    )
    assert parse(b"version: STSv1\nmode: none\nmax_age: 9999999999").max_age == mtasts.LONGEST_AGE


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"version: STSv2\nmode: enforce\nmx: a.example\nmax_age: 1",
        b"version: STSv1\nmode: always\nmx: a.example\nmax_age: 1",
        b"version: STSv1\nmode: enforce\nmax_age: 1",
        b"version: STSv1\nmode: enforce\nmx: a.example\nmax_age: -1",
        b"version: STSv1\nmode: enforce\nmx: a.example",
        b"version: STSv1\nmode: enforce\nmx: *\nmax_age: 1",
        b"version: STSv1\nmode: enforce\nmx: a b\nmax_age: 1",
        b"<html>nothing here</html>",
        b"version: STSv1\nmode: enforce\nmx: \xff\nmax_age: 1",
    ],
)
def test_policy_files_that_are_none(text: bytes) -> None:
    with pytest.raises(ValueError):
        parse(text)


class Web:
    """Serves policies from memory."""

    def __init__(self) -> None:
        self.text: bytes | Exception = TEXT
        self.asked: list[tuple[str, str, str]] = []

    def __call__(self, host: str, path: str, ip: str) -> bytes:
        self.asked.append((host, path, ip))
        if isinstance(self.text, Exception):
            raise self.text
        return self.text


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def commits(tmp_path: Path) -> Iterator[Commits]:
    made = Commits(tmp_path / "tls.sqlite3", mtasts.SCHEMA + ";" + memory.SCHEMA)
    yield made
    made.close()


@pytest.fixture
def web() -> Web:
    return Web()


@pytest.fixture
def policies(resolver: Resolver, commits: Commits, web: Web, clock: Clock) -> Policies:
    return Policies(resolver, commits, lambda host: list(resolver.ipv4(host)), web, clock)


def test_a_policy_is_fetched_once_and_kept(policies: Policies, web: Web, clock: Clock) -> None:
    for _ in range(3):
        policy = policies.of("example.net")
        assert policy is not None and policy.mode == "enforce"
    assert web.asked == [("mta-sts.example.net", "/.well-known/mta-sts.txt", "192.0.2.3")]
    clock.now += 3600
    assert policies.of("example.net") is not None and len(web.asked) == 1


def test_a_new_id_brings_a_new_policy(
    policies: Policies, web: Web, stub: dns_stub.Stub, clock: Clock, commits: Commits
) -> None:
    policies.of("example.net")
    stub.records["_mta-sts.example.net", "TXT"] = ['"v=STSv1; id=2;"']
    web.text = TEXT.replace(b"enforce", b"testing")
    clock.now += 301
    fresh = Resolver([stub.address], 0.4)
    policy = Policies(fresh, commits, lambda host: list(fresh.ipv4(host)), web, clock).of("example.net")
    assert policy is not None and policy.mode == "testing"


def test_taking_the_record_away_or_breaking_the_site_changes_nothing_while_it_holds(
    policies: Policies, web: Web, stub: dns_stub.Stub, clock: Clock, commits: Commits
) -> None:
    policies.of("example.net")
    del stub.records["_mta-sts.example.net", "TXT"]
    web.text = OSError("gone")
    fresh = Resolver([stub.address], 0.4)
    later = Policies(fresh, commits, lambda host: list(fresh.ipv4(host)), web, clock)
    clock.now += 86399
    assert later.of("example.net") is not None
    clock.now += 2
    assert later.of("example.net") is None


def test_a_failed_fetch_is_not_repeated_for_every_message(policies: Policies, web: Web, clock: Clock) -> None:
    web.text = ValueError("nonsense")
    assert policies.of("example.net") is None and policies.of("example.net") is None
    assert len(web.asked) == 1
    clock.now += 301
    web.text = TEXT
    assert policies.of("example.net") is not None


def test_a_domain_without_a_record_is_not_asked(policies: Policies, web: Web) -> None:
    assert policies.of("plain.example.net") is None and not web.asked


class Site(http.server.BaseHTTPRequestHandler):
    """Answers by path."""

    def do_GET(self) -> None:
        body, kind, status = TEXT, "text/plain", 200
        match self.path:
            case "/moved":
                status = 301
            case "/html":
                kind = "text/html"
            case "/long":
                body = b"x" * (1 << 16) + b"x"
            case "/gone":
                status = 404
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Location", "https://mta-sts.example.net/fine")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    """A port with policies over HTTPS, and the file of its authority."""
    folder = tmp_path_factory.mktemp("site")
    _, chain = authority.sign("mta-sts.example.net", folder)
    (folder / "ca.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server.server_address[1], str(folder / "ca.pem")
    server.shutdown()
    server.server_close()


def test_a_policy_over_https(site: tuple[int, str]) -> None:
    port, authorities = site
    fetch = fetcher(authorities, port)
    assert fetch("mta-sts.example.net", "/fine", "127.0.0.1") == TEXT
    for path in ("/moved", "/html", "/long", "/gone"):
        with pytest.raises(OSError):
            fetch("mta-sts.example.net", path, "127.0.0.1")
    with pytest.raises(ssl.SSLCertVerificationError):
        fetch("mta-sts.example.com", "/fine", "127.0.0.1")
    with pytest.raises(ssl.SSLCertVerificationError):
        fetcher(None, port)("mta-sts.example.net", "/fine", "127.0.0.1")


# ---- memory


def test_who_could_do_tls_is_not_believed_without_for_a_day(commits: Commits, clock: Clock) -> None:
    made = Memory(commits, clock)
    missing = TlsResult("starttls-not-supported", "192.0.2.1")
    made.note(MX, missing)
    assert not made.insists(MX)
    made.note(MX, TlsResult("", "192.0.2.1", "TLSv1.3 X"))
    made.note(MX, missing)
    assert made.insists(MX) and Memory(commits, clock).insists(MX)
    clock.now += memory.INSISTED + 1
    assert not made.insists(MX)
    made.note(MX, TlsResult("", "192.0.2.1", "TLSv1.3 X"))
    assert made.insists(MX)
    clock.now += memory.REMEMBERED + 1
    assert not made.insists(MX)


def test_sessions_are_counted_for_the_domains(commits: Commits, clock: Clock) -> None:
    made = Memory(commits, clock)
    for _ in range(3):
        made.count("example.net", "sts", MX, TlsResult("", "192.0.2.1", "TLSv1.3 X", "mta-sts"))
    made.count("example.net", "sts", MX, TlsResult("certificate-host-mismatch", "192.0.2.1", text="wrong name"))
    counts = sorted(made.counts(int(NOW // 86400)), key=lambda count: count.failure)
    assert [(count.failure, count.sessions, count.ip) for count in counts] == [
        ("", 3, ""),
        ("certificate-host-mismatch", 1, "192.0.2.1"),
    ]


# ---- all of it together


@pytest.fixture
def secured(resolver: Resolver, policies: Policies, commits: Commits, clock: Clock) -> Secured:
    return Secured(resolver, policies, Memory(commits, clock))


def policy_of(secured: Secured, domain: str = "plain.example.net", host: Host | None = None, tls: bool = False) -> object:
    host = host or Host("plain.example.net")
    found = secured.policy(Route(domain, (host,)), host, tls)
    return found.level, found.why


def test_nothing_is_known_then_tls_if_it_can(secured: Secured) -> None:
    assert policy_of(secured) == (Level.MAY, "")


def test_dane_comes_before_mta_sts(secured: Secured, stub: dns_stub.Stub, web: Web) -> None:
    tlsa(stub, "3 1 1 " + "ab" * 32)
    assert policy_of(secured, "example.net", Host(MX, secure=True)) == (Level.DANE, "dane")
    assert not web.asked
    assert policy_of(secured, "example.net", Host(MX)) == (Level.PKIX, "mta-sts")


def test_dane_with_records_nobody_can_use_still_demands_tls(secured: Secured, stub: dns_stub.Stub) -> None:
    tlsa(stub, "0 0 1 " + "ab" * 32)
    assert policy_of(secured, "example.net", Host(MX, secure=True)) == (Level.ENCRYPT, "")


def test_a_policy_in_force_refuses_other_servers(secured: Secured, web: Web) -> None:
    with pytest.raises(NotInPolicy):
        policy_of(secured, "example.net", Host("plain.example.net"))


def test_a_policy_under_test_asks_for_nothing(secured: Secured, web: Web) -> None:
    web.text = TEXT.replace(b"enforce", b"testing")
    assert policy_of(secured, "example.net", Host(MX)) == (Level.MAY, "mta-sts testing")
    assert policy_of(secured, "example.net", Host("plain.example.net")) == (Level.MAY, "mta-sts testing")


def test_requiretls_needs_a_safe_name(secured: Secured) -> None:
    with pytest.raises(MailError) as raised:
        policy_of(secured, tls=True)
    assert raised.value.status == "5.7.30"
    assert policy_of(secured, host=Host("plain.example.net", secure=True), tls=True) == (Level.PKIX, "pkix")
    assert policy_of(secured, "example.net", Host(MX), tls=True) == (Level.PKIX, "mta-sts")


def test_memory_insists_after_tls_worked_once(secured: Secured) -> None:
    host = Host("plain.example.net")
    route = Route("plain.example.net", (host,))
    secured.report(route, host, secured.policy(route, host, False), TlsResult("", "192.0.2.2", "TLSv1.3 X"))
    assert policy_of(secured) == (Level.ENCRYPT, "")
