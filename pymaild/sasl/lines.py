"""Responses and challenges as SMTP and IMAP carry them: lines of base64. RFC 4954 §4, RFC 9051 §6.2.2, RFC 4959."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from pymaild.sasl.prep import SaslError

MAX_RESPONSE: Final = 12288  # octets of one base64 line. RFC 4954 §4


class SaslCancelled(SaslError):
    """The client sent `*`. RFC 4954 §4, RFC 9051 §6.2.2."""


def decode(line: bytes) -> bytes:
    """One response line; strictly base64, with its padding. RFC 4954 §4, RFC 4648 §3.3."""
    if line == b"*":
        raise SaslCancelled("Authentication cancelled")
    if len(line) > MAX_RESPONSE:
        raise SaslError("The response is too long")
    try:
        return base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        raise SaslError("The response is not base64") from None


def decode_initial(argument: bytes) -> bytes:
    """The initial response of a command line, where `=` stands for an empty one. RFC 4954 §4, RFC 4959 §3."""
    return b"" if argument == b"=" else decode(argument)


def encode(challenge: bytes) -> str:
    """One challenge line."""
    return base64.b64encode(challenge).decode("ascii")
