"""Certificates into contexts; the same contexts take a renewed certificate without losing a connection.

And what ties a login to one TLS connection (SCRAM-SHA-256-PLUS): channel bindings. RFC 5929, RFC 9266.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from pymaild.config import Config

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.S)
SERVICES = ("smtp", "imap", "http")


class CertificateError(Exception):
    """The certificate or its key cannot be used; the text says what to do."""


class ServingContext(ssl.SSLContext):
    """A context that knows which certificate it serves: ssl keeps that to itself."""

    pem: bytes = b""

    @cached_property
    def end_point(self) -> bytes | None:
        """The tls-server-end-point binding: the certificate under its own signature's hash. RFC 5929 §4.1.

        MD5 and SHA-1 are replaced by SHA-256; where there is no single hash (Ed25519) the binding is not defined.
        """
        block = _CERTIFICATE.search(self.pem)
        if not block:
            return None
        from cryptography import x509  # noqa: PLC0415 - only for who binds
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415

        der = ssl.PEM_cert_to_DER_cert(block[0].decode("ascii"))
        try:
            algorithm = x509.load_der_x509_certificate(der).signature_hash_algorithm
        except (UnsupportedAlgorithm, ValueError):
            return None
        if algorithm is None:
            return None
        name = "sha256" if algorithm.name in ("md5", "sha1") else algorithm.name.replace("-", "_")
        return hashlib.new(name, der).digest()


def channel_bindings(sock: ssl.SSLSocket) -> dict[str, bytes]:
    """What both ends of this connection know, and nobody in between has the same. RFC 5929, RFC 9266.

    tls-exporter needs a Python that can export. tls-unique is that of TLS 1.2 only, and not of a resumed session: there
    it can be the same on two connections (RFC 7627 §1). tls-server-end-point is of the certificate that was served, by SNI.
    """
    found: dict[str, bytes | None] = {}
    if "tls-exporter" in ssl.CHANNEL_BINDING_TYPES:
        found["tls-exporter"] = sock.get_channel_binding("tls-exporter")
    if sock.version() == "TLSv1.2" and not sock.session_reused:
        found["tls-unique"] = sock.get_channel_binding("tls-unique")
    if isinstance(sock.context, ServingContext):
        found["tls-server-end-point"] = sock.context.end_point
    return {name: data for name, data in found.items() if data}


class Contexts:
    """One context for each service, so that a session ticket of one is worth nothing at another.

    Listeners keep the context they got. At each handshake it hands over to the one for the name the client asks for (SNI,
    from `names`), or else to the newest of its service: a renewed certificate is a new context, because loading it into
    one in use would, for a moment, leave a certificate with the wrong key and fail the handshakes of that moment.
    """

    def __init__(self, certificate: Path, key: Path, minimum: str = "1.2") -> None:
        self.certificate, self.key = certificate, key
        self.names: dict[str, dict[str, ServingContext]] = {service: {} for service in SERVICES}
        self._minimum = minimum
        self._newest: dict[str, ServingContext] = {}
        self.reload()
        self._fronts = {service: self._front(service) for service in SERVICES}

    def __getitem__(self, service: str) -> ssl.SSLContext:
        return self._fronts[service]

    def reload(self) -> None:
        """Read the files again: new connections get the new certificate. Raises CertificateError, then nothing changed."""
        self._newest = {service: self._loaded(service) for service in SERVICES}

    def _loaded(self, service: str) -> ServingContext:
        return self.loaded(service, self.certificate, self.key)

    def loaded(self, service: str, certificate: Path, key: Path) -> ServingContext:
        """A context that serves this certificate: for `names`. Raises CertificateError."""
        context = self._context(service)
        text = b""
        while not text or _text(certificate) != text:  # it was renewed just now
            text = _text(certificate)
            _load(context, certificate, key)
        context.pem = text
        return context

    def _context(self, service: str) -> ServingContext:
        context = ServingContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = _VERSIONS[self._minimum]
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
        context.set_alpn_protocols({"http": ["http/1.1"], "imap": ["imap"]}.get(service, ["smtp"]))
        return context

    def _front(self, service: str) -> ssl.SSLContext:
        context = self._context(service)

        def chosen(sock: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            sock.context = self.names[service].get((name or "").lower()) or self._newest[service]

        context.sni_callback = chosen
        return context


def _text(certificate: Path) -> bytes:
    """The file, as far as it can be read: what is wrong with it is said by _load()."""
    try:
        return certificate.read_bytes() or b"\n"
    except OSError:
        return b"\n"


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Load a certificate and its key, or say what is wrong with them."""
    try:
        context.load_cert_chain(certificate, key)
    except FileNotFoundError as error:
        missing = error.filename or (key if certificate.exists() else certificate)
        raise CertificateError(f"{missing} is missing: `pymaild init` makes a first certificate") from None
    except PermissionError:
        raise CertificateError(
            f"{certificate} or {key} may not be read: give them to the user that pymaild runs as"
        ) from None
    except (ssl.SSLError, OSError) as error:
        raise CertificateError(
            f"{certificate} and {key} are no certificate and key in PEM form that belong together ({error})"
        ) from None


def contexts(config: Config, names: Iterable[str]) -> Contexts | None:
    """The contexts for these listeners. None: there is no certificate, and no listener that cannot do without."""
    if not config.certificate.exists() and not {"submissions", "imaps", "https"} & set(names):
        return None
    return Contexts(config.certificate, config.key, config.tls.minimum)
