"""Certificates into contexts; the same contexts take a renewed certificate without losing a connection."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from pathlib import Path

from pymaild.config import Config

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
SERVICES = ("smtp", "imap", "http")


class CertificateError(Exception):
    """The certificate or its key cannot be used; the text says what to do."""


class Contexts:
    """One context for each service, so that a session ticket of one is worth nothing at another (THREATS T071).

    Every context looks for the name the client asks for (SNI) in `names`; without a hit it shows the first certificate.
    """

    def __init__(self, certificate: Path, key: Path, minimum: str = "1.2") -> None:
        self.certificate, self.key = certificate, key
        self.names: dict[str, dict[str, ssl.SSLContext]] = {service: {} for service in SERVICES}
        _check(certificate, key)
        self._contexts = {service: self._context(service, minimum) for service in SERVICES}
        self.reload()

    def __getitem__(self, service: str) -> ssl.SSLContext:
        return self._contexts[service]

    def reload(self) -> None:
        """Read the files again: new connections get the new certificate. Raises CertificateError, then nothing changed."""
        _check(self.certificate, self.key)
        for context in self._contexts.values():
            context.load_cert_chain(self.certificate, self.key)

    def _context(self, service: str, minimum: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = _VERSIONS[minimum]
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
        context.set_alpn_protocols({"http": ["http/1.1"], "imap": ["imap"]}.get(service, ["smtp"]))

        def chosen(sock: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            if own := self.names[service].get((name or "").lower()):
                sock.context = own

        context.sni_callback = chosen
        return context


def _check(certificate: Path, key: Path) -> None:
    """Load the pair into a context of its own first, so that a bad pair never reaches one in use."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
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
