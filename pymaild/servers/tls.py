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
    """One context for each service, so that a session ticket of one is worth nothing at another.

    Listeners keep the context they got. At each handshake it hands over to the one for the name the client asks for (SNI,
    from `names`), or else to the newest of its service: a renewed certificate is a new context, because loading it into
    one in use would, for a moment, leave a certificate with the wrong key and fail the handshakes of that moment.
    """

    def __init__(self, certificate: Path, key: Path, minimum: str = "1.2") -> None:
        self.certificate, self.key = certificate, key
        self.names: dict[str, dict[str, ssl.SSLContext]] = {service: {} for service in SERVICES}
        self._minimum = minimum
        self._newest: dict[str, ssl.SSLContext] = {}
        self.reload()
        self._fronts = {service: self._front(service) for service in SERVICES}

    def __getitem__(self, service: str) -> ssl.SSLContext:
        return self._fronts[service]

    def reload(self) -> None:
        """Read the files again: new connections get the new certificate. Raises CertificateError, then nothing changed."""
        self._newest = {service: self._loaded(service) for service in SERVICES}

    def _loaded(self, service: str) -> ssl.SSLContext:
        context = self._context(service)
        _load(context, self.certificate, self.key)
        return context

    def _context(self, service: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
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
