"""The parameters of MAIL and RCPT: one table each, from keyword to what it means for the envelope. RFC 5321 §4.1.1.11."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, TypeVar

from pymaild.envelope import Envelope, Recipient
from pymaild.smtp.grammar import is_safe, xtext
from pymaild.smtp.reply import Refused

Target = TypeVar("Target")

_ADDRESS_TYPE = re.compile(r"[A-Za-z0-9\-]+")
_UNICODE = re.compile(r"\\x\{([0-9A-F]{2,6})\}")  # RFC 6533 §3


@dataclass(frozen=True, slots=True)
class Parameter(Generic[Target]):
    """One row: what reads the value into an envelope or a recipient, and where that is written down."""

    read: Callable[[Target, str], None]
    section: str
    has_value: bool = True


def apply(table: dict[str, Parameter[Target]], found: dict[str, str | None], target: Target) -> None:
    """Read every parameter into its target. RFC 5321 §4.1.1.11: an unknown one is refused with 555."""
    for name, value in found.items():
        parameter = table.get(name)
        if parameter is None:
            raise Refused(555, "5.5.4", "A parameter is not known here: EHLO lists what is offered")
        if (value is not None) is not parameter.has_value:
            raise Refused(501, "5.5.4", f"{name} needs a value" if value is None else f"{name} takes no value")
        parameter.read(target, value or "")


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value.upper() not in choices:
        raise Refused(501, "5.5.4", f"{name} is one of {', '.join(choices)}")
    return value.upper()


def _size(envelope: Envelope, value: str) -> None:
    """The size the message will have; the limit is looked at by MAIL. RFC 1870 §4."""
    if not re.fullmatch(r"[0-9]{1,20}", value):
        raise Refused(501, "5.5.4", "SIZE is a number of octets")
    envelope.size = int(value)


def _body(envelope: Envelope, value: str) -> None:
    """BINARYMIME is not offered: what is stored must be lines. RFC 6152 §3, RFC 3030 §3."""
    envelope.body = _one_of("BODY", value, ("7BIT", "8BITMIME"))


def _smtputf8(envelope: Envelope, _value: str) -> None:
    """Addresses and header may be UTF-8. RFC 6531 §3.4."""
    envelope.smtputf8 = True


def _ret(envelope: Envelope, value: str) -> None:
    """How much of the message a failure report gives back. RFC 3461 §4.3."""
    envelope.ret = _one_of("RET", value, ("FULL", "HDRS"))


def _envid(envelope: Envelope, value: str) -> None:
    """The sender's own id of this transaction. RFC 3461 §4.4."""
    if len(value) > 100:
        raise Refused(501, "5.5.4", "ENVID is too long: 100 octets are the limit")
    envelope.envid = xtext(value)


def _auth(envelope: Envelope, value: str) -> None:
    """Who submitted it first; of a client that has not logged in we believe nobody, which is <>. RFC 4954 §5."""
    mailbox = value if value == "<>" else xtext(value)
    envelope.auth = mailbox if envelope.client.account else "<>"


def _hold_for(envelope: Envelope, value: str) -> None:
    """Send it in so many seconds. RFC 4865 §5."""
    if not re.fullmatch(r"[1-9][0-9]{0,8}", value):
        raise Refused(501, "5.5.4", "HOLDFOR is a number of seconds")
    _hold_once(envelope)
    envelope.hold_for = int(value)


def _hold_until(envelope: Envelope, value: str) -> None:
    """Send it at a moment of RFC 3339's writing. RFC 4865 §5."""
    try:
        moment = datetime.fromisoformat(value.upper().replace("Z", "+00:00"))
        seconds = moment.timestamp()
    except (ValueError, OverflowError):
        moment, seconds = None, 0.0
    if moment is None or moment.tzinfo is None or seconds <= 0 or "T" not in value.upper():
        raise Refused(501, "5.5.4", "HOLDUNTIL looks like 2026-12-24T18:00:00Z")
    _hold_once(envelope)
    envelope.hold_until = seconds


def _hold_once(envelope: Envelope) -> None:
    if envelope.hold_for or envelope.hold_until:
        raise Refused(501, "5.5.4", "HOLDFOR or HOLDUNTIL, not both")


def _require_tls(envelope: Envelope, _value: str) -> None:
    """Go on only over TLS with servers that have proved who they are. RFC 8689 §2."""
    envelope.require_tls = True


def _notify(recipient: Recipient, value: str) -> None:
    """When to report: NEVER stands alone, nothing stands twice. RFC 3461 §4.1."""
    words = value.upper().split(",")
    events = frozenset(words)
    unknown = not events <= {"NEVER", "SUCCESS", "FAILURE", "DELAY"}
    if unknown or len(events) != len(words) or (len(events) > 1 and "NEVER" in events):
        raise Refused(501, "5.5.4", "NOTIFY is NEVER, or some of SUCCESS,FAILURE,DELAY, each once")
    recipient.notify = events


def _orcpt(recipient: Recipient, value: str) -> None:
    """The recipient as its sender first named it. RFC 3461 §4.2; RFC 6533 §3 for utf-8."""
    kind, semicolon, address = value.partition(";")
    if not semicolon or not address or not _ADDRESS_TYPE.fullmatch(kind) or len(value) > 500:
        raise Refused(501, "5.5.4", "ORCPT looks like rfc822;name@example.org")
    decoded = _unicode_address(address) if kind.lower() == "utf-8" else xtext(address)
    recipient.orcpt = f"{kind};{decoded}"


def _unicode_address(text: str) -> str:
    r"""An address of type utf-8: UTF-8 as it is, or every character as \x{20AC}. RFC 6533 §3."""
    ascii_part = "".join(c for c in text if c.isascii())
    xtext(_UNICODE.sub("", ascii_part))  # raises Refused
    decoded = _UNICODE.sub(lambda match: chr(min(int(match[1], 16), 0x110000 - 1)), text)
    decoded = re.sub(r"\+([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), decoded)
    if not is_safe(decoded):
        raise Refused(501, "5.5.4", "ORCPT has characters that no address has")
    return decoded


MAIL_PARAMETERS: Final[dict[str, Parameter[Envelope]]] = {
    "SIZE": Parameter(_size, "RFC 1870 §4"),
    "BODY": Parameter(_body, "RFC 6152 §3"),
    "SMTPUTF8": Parameter(_smtputf8, "RFC 6531 §3.4", has_value=False),
    "RET": Parameter(_ret, "RFC 3461 §4.3"),
    "ENVID": Parameter(_envid, "RFC 3461 §4.4"),
    "AUTH": Parameter(_auth, "RFC 4954 §5"),
    "REQUIRETLS": Parameter(_require_tls, "RFC 8689 §2", has_value=False),
}

SUBMISSION_PARAMETERS: Final[dict[str, Parameter[Envelope]]] = {
    **MAIL_PARAMETERS,
    "HOLDFOR": Parameter(_hold_for, "RFC 4865 §5"),
    "HOLDUNTIL": Parameter(_hold_until, "RFC 4865 §5"),
}

RCPT_PARAMETERS: Final[dict[str, Parameter[Recipient]]] = {
    "NOTIFY": Parameter(_notify, "RFC 3461 §4.1"),
    "ORCPT": Parameter(_orcpt, "RFC 3461 §4.2"),
}
