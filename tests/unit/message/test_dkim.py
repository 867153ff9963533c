"""Signatures, verified by dkimpy: whatever it says about our octets counts."""

from __future__ import annotations

import base64
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pymaild.message.dkim import Body, Key, header_field, signatures
from pymaild.message.fields import header_end
from pymaild.outbound.sign import Keys

MESSAGE = (
    b"From: Ann <ann@example.org>\r\nTo: bob@example.net\r\nSubject:  a\r\n \t folded   subject \r\n"
    b"Date: Tue, 24 Nov 2026 11:00:00 +0000\r\nX-Other: 1\r\n\r\nHello  \r\n\r\n  there\t \r\n\r\n\r\n"
)
Zone = dict[bytes, bytes]


@pytest.fixture(scope="module")
def zone_and_keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Zone, list[Key]]:
    folder = tmp_path_factory.mktemp("dkim")
    (folder / "example.org").mkdir()
    rsa, ed = generate_private_key(65537, 2048), Ed25519PrivateKey.generate()
    for name, key in (("rsa1", rsa), ("ed1", ed)):
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "example.org" / f"{name}.pem").write_bytes(pem)
    public = base64.b64encode(rsa.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    raw = base64.b64encode(ed.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    zone = {
        b"rsa1._domainkey.example.org.": b"v=DKIM1; k=rsa; p=" + public,
        b"ed1._domainkey.example.org.": b"v=DKIM1; k=ed25519; p=" + raw,
    }
    return zone, Keys(folder).of("example.org")


def signed(message: bytes, keys: list[Key], cut: int = 1 << 16) -> bytes:
    end = header_end(message)
    blocks = [message[start : start + cut] for start in range(end, len(message), cut)]
    return signatures(message[:end], blocks, keys, 1_790_000_000) + message


def verdicts(message: bytes, zone: Zone) -> list[bool]:
    """What dkimpy says of each signature."""
    return [_verdict(message, zone, index) for index in range(message.count(b"DKIM-Signature: "))]


def _verdict(message: bytes, zone: Zone, index: int) -> bool:
    try:
        return bool(dkim.DKIM(message).verify(index, dnsfunc=lambda name, timeout=5: zone.get(name)))
    except dkim.ValidationError:  # the body's hash differs
        return False


def test_both_signatures_verify(zone_and_keys: tuple[Zone, list[Key]]) -> None:
    zone, keys = zone_and_keys
    assert [key.algorithm for key in keys] == ["rsa-sha256", "ed25519-sha256"]
    assert verdicts(signed(MESSAGE, keys), zone) == [True, True]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Subject:", b"SUBJECT:"),
        (b"folded   subject", b"folded subject"),
        (b"Hello  \r\n", b"Hello\r\n"),
        (b"X-Other: 1\r\n", b""),
        (b"From:", b"Received: by a relay\r\nFrom:"),
    ],
)
def test_what_may_change_on_the_way(zone_and_keys: tuple[Zone, list[Key]], old: bytes, new: bytes) -> None:
    zone, keys = zone_and_keys
    message = signed(MESSAGE, keys)
    assert old in message
    assert verdicts(message.replace(old, new, 1), zone) == [True, True]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"ann@", b"eve@"),
        (b"Hello", b"Hallo"),
        (b"  there", b"there"),
        (b"\r\n\r\nHello", b"\r\nFrom: eve@example.org\r\n\r\nHello"),  # a second one
        (b"\r\n\r\nHello", b"\r\nReply-To: eve@example.org\r\n\r\nHello"),  # one where there was none
    ],
)
def test_what_may_not(zone_and_keys: tuple[Zone, list[Key]], old: bytes, new: bytes) -> None:
    zone, keys = zone_and_keys
    message = signed(MESSAGE, keys)
    assert old in message
    assert verdicts(message.replace(old, new, 1), zone) == [False, False]


@pytest.mark.parametrize("body", [b"", b"\r\n", b"\r\n\r\n", b" \r\n", b"no line end", b"a\r\n \t\r\n\r\n", b"\r\n\r\na"])
def test_bodies_at_the_edge(zone_and_keys: tuple[Zone, list[Key]], body: bytes) -> None:
    zone, keys = zone_and_keys
    assert verdicts(signed(b"From: ann@example.org\r\nX: 1\r\n\r\n" + body, keys), zone) == [True, True]


LINES = st.lists(st.text("ab \t.\N{LATIN SMALL LETTER A WITH DIAERESIS}", max_size=6), max_size=8)


@given(LINES, st.integers(1, 9))
@example(["", "", "a", "", ""], 1)
@settings(derandomize=True, max_examples=300)
def test_the_body_hash_is_dkimpys_however_it_is_cut(lines: list[str], cut: int) -> None:
    body = "".join(line + "\r\n" for line in lines).encode()
    ours = Body()
    for start in range(0, len(body), cut):
        ours.update(body[start : start + cut])
    theirs = dkim.HashThrough(dkim.hashlib.sha256(), False)
    theirs.update(dkim.canonicalization.Relaxed.canonicalize_body(body))
    assert ours.digest() == theirs.digest()


@given(st.text("Ab \t", max_size=12))
@settings(derandomize=True)
def test_header_fields_are_dkimpys(value: str) -> None:
    body = (value.replace("A", "A\r\n ")).encode()
    ((name, theirs),) = dkim.canonicalization.Relaxed.canonicalize_headers([(b"Subject", b" " + body + b"\r\n")])
    assert header_field(b"Subject", body) == name + b":" + theirs


def test_every_line_of_the_field_is_short(zone_and_keys: tuple[Zone, list[Key]]) -> None:
    field = signed(MESSAGE, zone_and_keys[1]).partition(b"From:")[0]
    assert max(map(len, field.split(b"\r\n"))) <= 78


def test_a_domain_without_keys_signs_nothing(tmp_path: Path) -> None:
    assert Keys(tmp_path).of("example.org") == [] and signatures(b"From: a\r\n\r\n", [], [], 0) == b""


def test_new_keys_are_used_without_a_restart(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    (tmp_path / "example.org").mkdir()
    assert keys.of("example.org") == []
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "example.org" / "ed2.pem").write_bytes(pem)
    assert [key.selector for key in keys.of("example.org")] == ["ed2"]
