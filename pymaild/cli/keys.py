"""Keys that init and domain add make: DKIM (RFC 6376, RFC 8463) and a self-signed certificate. None is ever replaced."""

from __future__ import annotations

import ipaddress
import os
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CERTIFICATE_DAYS = 3650  # nobody checks a self-signed one against a clock more than once


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A signing key's public side."""

    selector: str
    record: str  # the TXT record of <selector>._domainkey (RFC 6376 §3.6.1)


def dkim_keys(data_dir: Path, domain: str) -> list[DkimKey]:
    """The keys of a domain, data_dir/dkim/<domain>/<selector>.pem; an RSA and an Ed25519 one are made if there are none."""
    folder = data_dir / "dkim" / domain
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not list(folder.glob("*.pem")):
        year = datetime.now(UTC).year
        _write(folder / f"rsa{year}.pem", _pem(rsa.generate_private_key(65537, 2048)))
        _write(folder / f"ed{year}.pem", _pem(ed25519.Ed25519PrivateKey.generate()))
    return [DkimKey(file.stem, _record(file)) for file in sorted(folder.glob("*.pem"), reverse=True)]


def _record(file: Path) -> str:
    key = load_pem_private_key(file.read_bytes(), None)
    if isinstance(key, rsa.RSAPrivateKey):
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return f"v=DKIM1; k=rsa; p={b64encode(public).decode()}"
    if isinstance(key, ed25519.Ed25519PrivateKey):  # RFC 8463 §4: the bare 32 octets
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"v=DKIM1; k=ed25519; p={b64encode(public).decode()}"
    raise ValueError(f"{file} is neither an RSA nor an Ed25519 key: DKIM knows no others")


def certificate(certificate_file: Path, key_file: Path, names: Iterable[str]) -> bool:
    """A self-signed certificate for the names, so that there is TLS from the first start. False: there is one already."""
    if certificate_file.exists() or key_file.exists():
        return False
    key = ec.generate_private_key(ec.SECP256R1())
    unique = list(dict.fromkeys([*names, "localhost"]))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, unique[0][:64])])
    now = datetime.now(UTC)
    loopback = [x509.IPAddress(ipaddress.ip_address(ip)) for ip in ("127.0.0.1", "::1")]
    usage = [ExtendedKeyUsageOID.SERVER_AUTH]
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks differ
        .not_valid_after(now + timedelta(days=_CERTIFICATE_DAYS))
        .add_extension(x509.SubjectAlternativeName([*map(x509.DNSName, unique), *loopback]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        .sign(key, SHA256())
    )
    for file in (certificate_file, key_file):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(key_file, _pem(key))
    _write(certificate_file, built.public_bytes(Encoding.PEM), 0o644)
    return True


def _pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(file: Path, content: bytes, mode: int = 0o600) -> None:
    """Never over an existing file, and never readable by others for a moment first."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
