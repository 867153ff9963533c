"""The fields a server puts on top of a message, and what it looks at before it takes one. RFC 5321 §4.4."""

from __future__ import annotations

import re
from typing import BinaryIO

from pymaild.envelope import Address, Envelope
from pymaild.message import addresses, fields
from pymaild.message.dates import format_date
from pymaild.status import MailError

BLOCK = 1 << 16
MAX_HELO = 255  # octets of a domain. RFC 5321 §4.5.3.1.2
_NOT_IN_HELO = re.compile(r"[^A-Za-z0-9.\-_:\[\]\u0080-\U0010ffff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_AUTHORS = ("From", "Sender", "Resent-From", "Resent-Sender")
# A line that neither begins a field nor continues one: white space first, or no name before a colon. RFC 5322 §2.2
_NO_FIELD = re.compile(rb"\A[ \t]|(?m:^(?![!-9;-~]+[ \t]*:|[ \t]|\r?$))")
_RECEIVED = re.compile(rb"(?im)^received[ \t]*:")


def return_path(reverse_path: Address | None) -> bytes:
    """The envelope sender, kept when the message leaves SMTP. RFC 5321 §4.4."""
    return f"Return-Path: <{_one_line(str(reverse_path or ''))}>\r\n".encode("utf-8", "replace")


def delivered_to(address: str) -> bytes:
    """Whose mailbox this copy went into: the account's address. RFC 9228."""
    return f"Delivered-To: {_one_line(address)}\r\n".encode("utf-8", "replace")


def was_delivered_to(header: bytes, address: str) -> bool:
    """Whether a copy of the message has been at this address before. RFC 9228 §4."""
    wanted = address.lower().encode("utf-8", "replace")
    return any(body.strip().lower() == wanted for body in fields.bodies(header, "delivered-to"))


def received(envelope: Envelope, hostname: str, at: float, recipient: Address | None) -> bytes:
    """What this host adds on top. RFC 5321 §4.4, RFC 3848, RFC 6531 §4.3.

    Mail of our own people says nothing about where they sit: no address, no EHLO name.
    """
    client = envelope.client
    protocol = client.protocol.replace("ESMTP", "UTF8SMTP") if envelope.smtputf8 else client.protocol
    lines = [] if client.account else [_from(client.helo, client.ip)]
    lines.append(f"by {host_name(hostname)} with {protocol}" + (f" ({_plain(client.tls)})" if client.tls else ""))
    lines.append(f"id {_plain(envelope.message_id) or 'unknown'}")
    if recipient is not None and not _CONTROL.search(str(recipient)):
        lines[-1] += f" for <{recipient}>"
    text = "Received: " + "\r\n\t".join(lines) + f";\r\n\t{format_date(at)}\r\n"
    return text.encode("utf-8", "replace")


def _from(helo: str, ip: str) -> str:
    """The name the client gave itself and the address it really has. RFC 5321 §4.4 (TCP-info)."""
    literal = f"IPv6:{ip}" if ":" in ip else ip
    return f"from {host_name(helo)}" + (f" ([{_NOT_IN_HELO.sub('', literal)}])" if ip else "")


def host_name(name: str) -> str:
    """A name that cannot say more than a name: strangers choose what stands behind EHLO."""
    return _NOT_IN_HELO.sub("?", name)[:MAX_HELO] or "unknown"


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9 ._\-]", "", text)[:MAX_HELO]


def _one_line(text: str) -> str:
    return _CONTROL.sub("", text)


def header_block(message: BinaryIO, limit: int) -> bytes | None:
    """The header up to and with its empty line; None when it is longer than `limit`. Leaves the position anywhere."""
    message.seek(0)
    header = bytearray()
    while len(header) <= limit:
        block = message.read(BLOCK)
        searched = max(len(header) - 2, 0)
        header += block
        end = fields.header_end(header, searched)
        if end < len(header) or not block or header.endswith((b"\n\n", b"\n\r\n")):
            return bytes(header[:end]) if end <= limit else None
    return None


def count_received(header: bytes) -> int:
    """Through how many servers the message has come: a loop shows in it. RFC 5321 §6.3."""
    return len(_RECEIVED.findall(header))


def authors(message: BinaryIO) -> list[Address]:
    """Everybody whom From, Sender and their Resent- kin name. Raises MailError when nobody or not certain.

    Two readers could see two people: in two From fields, or behind a line that is no field.
    RFC 5322 §3.6.2 wants one From field; RFC 6409 §6.1 lets a submission server insist.
    """
    header = header_block(message, 1 << 24) or b""
    if _NO_FIELD.search(header):
        raise MailError("5.6.0", "The header of the message has a line that is no field: fields look like Name: text")
    found: list[Address] = []
    for name in _AUTHORS:
        for body in fields.bodies(header, name):
            entries = addresses.parse(body)
            if not addresses.is_clean(entries):
                raise MailError("5.6.0", f"The {name} field cannot be understood: give it one plain address")
            found += [addresses.mailbox_address(entry) for entry in entries if not entry.is_group_mark]
    if not found:
        raise MailError("5.6.0", "The message has no author: add a From field with your address")
    return found
