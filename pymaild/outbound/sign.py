"""The signing keys of our domains: data_dir/dkim/<domain>/<selector>.pem, RSA and Ed25519. RFC 6376 §3.3, RFC 8463."""

from __future__ import annotations

import threading
from hashlib import sha256
from pathlib import Path

from pymaild.message.dkim import Key


class Keys:
    """Every domain's keys, read when they are first needed and again when their folder changes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, tuple[int, list[Key]]] = {}
        self._lock = threading.Lock()

    def of(self, domain: str) -> list[Key]:
        """The keys that sign for this domain (A-label); none: it goes out unsigned. Raises OSError, ValueError."""
        folder = self._folder / domain
        try:
            changed = folder.stat().st_mtime_ns
        except FileNotFoundError:
            return []
        with self._lock:
            known = self._known.get(domain)
            if known is None or known[0] != changed:
                found = [_key(domain, file) for file in sorted(folder.glob("*.pem"), reverse=True)]  # rsa before ed25519
                known = self._known[domain] = (changed, found)
            return known[1]


def _key(domain: str, file: Path) -> Key:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - 60 ms, and not
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415   every process sends
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    key = load_pem_private_key(file.read_bytes(), None)
    if isinstance(key, RSAPrivateKey):
        rsa, padding = key, PKCS1v15()
        return Key(domain, file.stem, "rsa-sha256", lambda data: rsa.sign(data, padding, SHA256()))
    if isinstance(key, Ed25519PrivateKey):
        ed25519 = key
        return Key(domain, file.stem, "ed25519-sha256", lambda data: ed25519.sign(sha256(data).digest()))  # RFC 8463 §3
    raise ValueError(f"{file} is neither an RSA nor an Ed25519 key: DKIM knows no others")
