"""The lines of MAIL and RCPT that we say, with what the server offers of their parameters. RFC 5321 §4.1.1.2, §4.1.1.3."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from pymaild.envelope import Address, Recipient
from pymaild.smtp.offers import Offers
from pymaild.status import MailError

_NOT_XCHAR = re.compile(r"[^!-*,-<>-~]")
_NOT_QCHAR = re.compile(r"[\x00-\x20+=\\\x7f]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


class Text(Protocol):
    """The message, as whoever keeps it hands it to a transaction."""

    size: int  # octets
    is_8bit: bool  # some octet is above 127

    @property
    def has_utf8_header(self) -> bool:
        """Whether the header is UTF-8 beyond ASCII. RFC 6532 §3."""

    def blocks(self) -> Iterator[bytes]:
        """All of it, from the start."""

    def as_7bit(self) -> Text:
        """The same in ASCII. RFC 6152 §3. Raises MailError where that cannot be."""


@dataclass(slots=True)
class Mail:
    """A message and how it is to be sent."""

    reverse_path: Address | None
    text: Text
    smtputf8: bool = False  # its sender asked for it
    require_tls: bool = False
    ret: str = ""
    envid: str = ""

    @property
    def needs_smtputf8(self) -> bool:
        """Whether sender or header cannot do without. RFC 6531 §3.4, RFC 6532."""
        return self.text.has_utf8_header or not (self.reverse_path is None or self.reverse_path.is_ascii)


def check(mail: Mail, offers: Offers) -> None:
    """Whether this server can be given this mail, before anything is said. Raises MailError."""
    if offers.size and mail.text.size > offers.size:
        raise MailError("5.3.4", f"The message is too big for the server: it takes {offers.size} octets")
    if mail.require_tls and "REQUIRETLS" not in offers:
        raise MailError("5.7.30", "The message may only go to servers that keep it under TLS, and this one offers no such")
    if "SMTPUTF8" in offers:
        return
    # A header in raw UTF-8 that nobody asked SMTPUTF8 for came to us like that, and every 8-bit server takes it.
    if mail.needs_smtputf8 and (mail.smtputf8 or not mail.text.has_utf8_header):
        raise no_smtputf8()


def no_smtputf8() -> MailError:
    """RFC 6531 §3.5, X.6.7."""
    return MailError("5.6.7", "The address or the header has letters beyond ASCII, and the server does not take these")


def mail_line(mail: Mail, text: Text, recipients: Sequence[Recipient], offers: Offers) -> bytes:
    """MAIL with what the server offers of SIZE, BODY, SMTPUTF8, DSN and REQUIRETLS."""
    words = [f"MAIL FROM:<{mail.reverse_path or ''}>"]
    if "SIZE" in offers:
        words.append(f"SIZE={text.size}")  # RFC 1870 §6
    if text.is_8bit:
        words.append("BODY=8BITMIME")  # RFC 6152 §3
    if _speaks_utf8(mail, recipients, offers):
        words.append("SMTPUTF8")  # RFC 6531 §3.4
    if "DSN" in offers:  # RFC 3461 §5.2.1
        words += [f"RET={mail.ret}"] if mail.ret else []
        words += [f"ENVID={xtext(mail.envid)}"] if mail.envid else []
    if mail.require_tls:
        words.append("REQUIRETLS")  # RFC 8689 §4.2
    return " ".join(words).encode("utf-8") + b"\r\n"


def rcpt_line(recipient: Recipient, offers: Offers) -> bytes:
    """RCPT; NOTIFY and ORCPT go on as they came. RFC 3461 §5.2.1."""
    line = f"RCPT TO:<{recipient.address}>"
    if "DSN" in offers:
        if recipient.notify:
            line += " NOTIFY=" + ",".join(sorted(recipient.notify))
        if recipient.orcpt:
            line += " ORCPT=" + _orcpt(recipient.orcpt, "SMTPUTF8" in offers and not recipient.address.is_ascii)
    return line.encode("utf-8") + b"\r\n"


def _speaks_utf8(mail: Mail, recipients: Sequence[Recipient], offers: Offers) -> bool:
    if "SMTPUTF8" not in offers:
        return False
    return mail.needs_smtputf8 or any(not recipient.address.is_ascii for recipient in recipients)


def xtext(text: str) -> str:
    """What a parameter cannot hold as it is, in hexadecimal. RFC 3461 §4."""
    return _NOT_XCHAR.sub(lambda match: "".join(f"+{octet:02X}" for octet in match[0].encode("utf-8")), text)


def _orcpt(orcpt: str, is_utf8: bool) -> str:
    r"""The type and the address, that of type utf-8 with \x{...} for what xtext has a plus sign for. RFC 6533 §3."""
    kind, _, address = orcpt.partition(";")
    if kind.lower() != "utf-8":
        return f"{kind};{xtext(address)}"
    address = _NOT_QCHAR.sub(_embedded, address)
    return f"{kind};{address if is_utf8 else _NOT_ASCII.sub(_embedded, address)}"


def _embedded(match: re.Match[str]) -> str:
    return f"\\x{{{ord(match[0]):02X}}}"
