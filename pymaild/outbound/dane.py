"""DANE: what DNSSEC says a mail server's certificate is. RFC 7672, RFC 6698, RFC 7671.

usage 3 (DANE-EE)   the server's own certificate or key; neither its name nor its dates count (RFC 7672 §3.1.1)
usage 2 (DANE-TA)   an authority above it; then the name counts (§3.1.2)
usages 0 and 1      mean nothing for SMTP (§3.1.3)
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from hashlib import sha256, sha512

from pymaild.status import MailError
from pymaild.verify.resolver import NoAnswer, NoSuchName, Resolver, Tlsa

EE, TA = 3, 2


class Bogus(MailError):
    """RFC 7672 §2.1.1: DNSSEC says that there are records, and what they are cannot be found out: not now."""

    def __init__(self, host: str) -> None:
        super().__init__("4.7.5", f"What certificate {host} must show (DANE) cannot be found out just now")


def records(resolver: Resolver, host: str, port: int) -> tuple[Tlsa, ...] | None:
    """The TLSA records of a host whose name came by DNSSEC; None: it has none that count. Raises Bogus.

    Only a host with a secure address is asked for them: the name servers of others may not even know the type. §2.2.2
    """
    if not _secure_address(resolver, host):
        return None
    try:
        answer = resolver.tlsa(f"_{port}._tcp.{host}")
    except NoSuchName:
        return None
    except NoAnswer as error:
        raise Bogus(host) from error
    return tuple(answer) if answer.secure and answer else None


def _secure_address(resolver: Resolver, host: str) -> bool:
    for ask in (resolver.ipv4, resolver.ipv6):
        try:
            answer = ask(host)
        except MailError:
            continue
        if answer:
            return answer.secure
    return False


def usable(found: Sequence[Tlsa]) -> list[Tlsa]:
    """Those that can be matched at all. RFC 7672 §3.1.3, RFC 7671 §10.1.2."""
    sizes = {1: 32, 2: 64}
    return [
        record
        for record in found
        if record.usage in (EE, TA)
        and record.selector in (0, 1)
        and (record.matching == 0 or len(record.data) == sizes.get(record.matching, -1))
    ]


def shown(record: Tlsa) -> str:
    """As the DNS shows it."""
    return f"{record.usage} {record.selector} {record.matching} {record.data.hex()}"


def read(text: str) -> Tlsa:
    """The reverse of shown()."""
    usage, selector, matching, data = text.split(" ")
    return Tlsa(int(usage), int(selector), int(matching), bytes.fromhex(data))


def chain_of(tls: ssl.SSLSocket) -> list[bytes]:
    """What the server sent, its own certificate first, as DER."""
    get = getattr(tls, "get_unverified_chain", None)  # Python 3.13
    if get is not None:
        return [bytes(each) for each in get()]
    inner = getattr(tls._sslobj, "get_unverified_chain", None)  # type: ignore[attr-defined]
    chain = inner() if inner else []
    if chain:
        return [bytes(each.public_bytes(2)) for each in chain]  # 2: DER
    leaf = tls.getpeercert(binary_form=True)
    return [leaf] if leaf else []


def failure(chain: Sequence[bytes], found: Sequence[Tlsa], names: Sequence[str]) -> str:
    """Why the certificates do not fit the records; empty: they do. RFC 7672 §3."""
    if not chain:
        return "the server showed no certificate"
    if any(record.usage == EE and matches(chain[0], record) for record in found):
        return ""
    anchors = [der for der in chain for record in found if record.usage == TA and matches(der, record)]
    if not anchors:
        return "its certificate is none of those that its TLSA records name"
    return path_failure(chain, anchors, names)


def matches(der: bytes, record: Tlsa) -> bool:
    """Whether a certificate is the one a record speaks of. RFC 6698 §2.1."""
    from cryptography import x509  # noqa: PLC0415 - 60 ms, and few need it
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

    content = der
    if record.selector == 1:
        try:
            key = x509.load_der_x509_certificate(der).public_key()
        except ValueError:
            return False
        content = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if record.matching:
        content = (sha256 if record.matching == 1 else sha512)(content).digest()
    return content == record.data


def path_failure(chain: Sequence[bytes], anchors: Sequence[bytes], names: Sequence[str]) -> str:
    """Why the server's certificate leads to none of the anchors, in date and for one of the names; empty: it does."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.x509.verification import PolicyBuilder, Store, VerificationError  # noqa: PLC0415

    why = "its certificate is for no name that counts"
    try:
        certificates = [x509.load_der_x509_certificate(der) for der in chain]
        store = Store([x509.load_der_x509_certificate(anchor) for anchor in anchors])
    except ValueError:
        return "its certificates cannot be read"
    for name in names:
        try:
            PolicyBuilder().store(store).build_server_verifier(x509.DNSName(name)).verify(certificates[0], certificates[1:])
        except (VerificationError, ValueError) as error:
            why = f"its certificate does not lead to one that is trusted: {error}"
        else:
            return ""
    return why
