"""SRS: the sender's address of a forwarded message, rewritten so that it is one of ours and a bounce finds its way back.

    sue@example.net, forwarded by example.org   ->  SRS0=<hash>=<day>=example.net=sue@example.org
    forwarded once more, by example.com         ->  SRS1=<hash>=example.org==<hash>=<day>=example.net=sue@example.com

Without it the receiver's SPF check would fail: our host may not send as example.net. The hash is ours alone, so nobody can
make us forward bounces to whom they like, and a day too old is not taken. There is no RFC; https://www.libsrs2.net/srs/srs.pdf.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from pymaild.envelope import Address

VALID = 21  # days
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_DAYS = len(_ALPHABET) ** 2
_SRS0 = re.compile(r"SRS0[=+-](?P<hash>[^=]+)=(?P<day>[A-Z2-7]{2})=(?P<domain>[^=]+)=(?P<local>.+)\Z", re.IGNORECASE)
_SRS1 = re.compile(r"SRS1[=+-](?P<hash>[^=]+)=(?P<domain>[^=]+)=(?P<rest>[=+-].+)\Z", re.IGNORECASE)


class Srs:
    """With this server's secret."""

    def __init__(self, secret: bytes, clock: Callable[[], float] = time.time) -> None:
        self._secret, self._clock = secret, clock

    def forward(self, sender: Address, domain: str) -> Address:
        """The sender's address as one of `domain`."""
        local = sender.local_part
        if found := _SRS1.match(local):  # the first forwarder is the one who can undo it
            first, rest = found["domain"], found["rest"]
        elif _SRS0.match(local):
            first, rest = sender.domain, local[4:]
        else:
            day = self._day()
            stamp = _ALPHABET[day // 32] + _ALPHABET[day % 32]
            return Address(f"SRS0={self._hash(stamp, sender.domain, local)}={stamp}={sender.domain}={local}", domain)
        return Address(f"SRS1={self._hash(first, rest)}={first}={rest}", domain)

    def reverse(self, address: Address) -> Address | None:
        """Whose address was rewritten; None: it is no rewritten address, or not by us, or too long ago."""
        if found := _SRS0.match(address.local_part):
            stamp = found["day"].upper()
            day = _ALPHABET.index(stamp[0]) * 32 + _ALPHABET.index(stamp[1])
            fits = self._fits(found["hash"], stamp, found["domain"], found["local"])
            fresh = (self._day() - day) % _DAYS <= VALID
            return Address(found["local"], found["domain"].lower()) if fits and fresh else None
        if (found := _SRS1.match(address.local_part)) and self._fits(found["hash"], found["domain"], found["rest"]):
            return Address("SRS0" + found["rest"], found["domain"].lower())
        return None

    def _day(self) -> int:
        return int(self._clock() // 86400) % _DAYS

    def _hash(self, *parts: str) -> str:
        """Upper and lower case are one: some servers on the way change them."""
        text = "\0".join(parts).lower().encode("utf-8")
        digest = hmac.new(self._secret, text, hashlib.sha256).digest()
        return base64.b32encode(digest[:5]).decode("ascii")

    def _fits(self, given: str, *parts: str) -> bool:
        return hmac.compare_digest(given.upper().encode(), self._hash(*parts).encode())


def secret_of(data_dir: Path) -> bytes:
    """The secret of this server, made at its first use. Raises OSError."""
    file = data_dir / "srs.key"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        for _ in range(50):  # another process is just writing it
            if secret := file.read_bytes():
                return secret
            time.sleep(0.02)
        raise
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(made := secrets.token_bytes(32))
        opened.flush()
        os.fsync(opened.fileno())
    return made
