"""The client's side of SCRAM-SHA-256, written down from RFC 5802 §3 a second time, so that it judges ours."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from dataclasses import dataclass


def _mac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")


@dataclass
class Scram:
    """One exchange: first(), then final(what the server said), then whether trusts(what it said after that)."""

    username: str
    password: str
    header: bytes = b"n,,"
    bound: bytes = b""
    nonce: bytes = b"fyko+d2lbbFgONRv9qkxdawL"
    signature: bytes = b""

    def first(self) -> bytes:
        return self.header + self._bare()

    def _bare(self) -> bytes:
        return b"n=%s,r=%s" % (self.username.replace("=", "=3D").replace(",", "=2C").encode(), self.nonce)

    def final(self, server_first: bytes) -> bytes:
        values = dict(part.split(b"=", 1) for part in server_first.split(b","))
        assert values[b"r"].startswith(self.nonce) and len(values[b"r"]) > len(self.nonce)
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), b64decode(values[b"s"]), int(values[b"i"]))
        client_key = _mac(salted, b"Client Key")
        without_proof = b"c=%s,r=%s" % (b64encode(self.header + self.bound), values[b"r"])
        message = b",".join((self._bare(), server_first, without_proof))
        signature = _mac(hashlib.sha256(client_key).digest(), message)
        self.signature = _mac(_mac(salted, b"Server Key"), message)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        return without_proof + b",p=" + b64encode(proof)

    def trusts(self, server_final: bytes) -> bool:
        return server_final == b"v=" + b64encode(self.signature)
