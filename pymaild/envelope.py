"""Who sends to whom: the values that SMTP, LMTP, submission, queue and storage share. RFC 5321 §2.3."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from pymaild.status import MailError

_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-\u0080-\U0010ffff]+\Z")


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox name: local part without quotes, domain as A-label in lower case (or an address literal in brackets).

    `domain` is empty only for <postmaster> (RFC 5321 §4.1.1.3). U-label and A-label are one domain (RFC 6531 §3.2),
    so parsers store the A-label; `local_part` may hold any Unicode (SMTPUTF8).
    """

    local_part: str
    domain: str

    def __str__(self) -> str:
        """As it stands between < and >: the local part quoted where it has to be. RFC 5321 §4.1.2."""
        local = self.local_part
        plain = _ATOM.match(local) and not local.startswith(".") and not local.endswith(".") and ".." not in local
        if not plain:
            local = '"' + re.sub(r'(["\\])', r"\\\1", local) + '"'
        return f"{local}@{self.domain}" if self.domain else local

    @property
    def is_ascii(self) -> bool:
        """Whether it can be sent without SMTPUTF8."""
        return self.local_part.isascii()


class Role(Enum):
    """What a listener is for; the value is its name in [listen]."""

    MX = "smtp"
    MSA = "submission"
    MSA_TLS = "submissions"
    LMTP = "lmtp"


@dataclass(slots=True)
class Client:
    """The peer of one session, as far as it has shown itself."""

    session_id: str  # a few characters, the same in every log line, trace and event of the session
    ip: str  # "192.0.2.1", "2001:db8::1" or "" for a unix socket
    port: int = 0
    role: Role = Role.MX
    helo: str = ""  # what HELO, EHLO or LHLO named
    extended: bool = False  # EHLO or LHLO
    tls: str = ""  # "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty in clear
    account: str = ""  # the address of the account that logged in
    bindings: Callable[[], Mapping[str, bytes]] = dict  # what ties a login to this TLS connection, by type (RFC 5929)

    @property
    def protocol(self) -> str:
        """The `with` word of a Received field. RFC 3848, RFC 5321 §4.4."""
        if self.role is Role.LMTP:
            return "LMTP"
        if not self.extended:
            return "SMTP"
        return "ESMTP" + ("S" if self.tls else "") + ("A" if self.account else "")


@dataclass(slots=True)
class Recipient:
    """One forward-path and the DSN options its RCPT carried. RFC 3461 §4.1, §4.2."""

    address: Address
    notify: frozenset[str] = frozenset()  # of NEVER, SUCCESS, FAILURE, DELAY; empty: not said
    orcpt: str = ""  # "rfc822;ann@example.org", xtext decoded


@dataclass(slots=True)
class Envelope:
    """One mail transaction. RFC 5321 §3.3."""

    client: Client
    reverse_path: Address | None = None  # None: the null reverse-path <>
    recipients: list[Recipient] = field(default_factory=list)
    size: int = 0  # octets declared by MAIL SIZE= (RFC 1870); 0: not said
    body: str = "7BIT"  # 7BIT, 8BITMIME (RFC 6152) or BINARYMIME
    smtputf8: bool = False  # RFC 6531 §3.4
    ret: str = ""  # FULL or HDRS (RFC 3461 §4.3)
    envid: str = ""  # RFC 3461 §4.4, xtext decoded
    auth: str = ""  # MAIL AUTH= (RFC 4954 §5)
    hold_for: int = 0  # seconds it is kept before it is sent (RFC 4865); 0: it is not
    hold_until: float = 0.0  # the same, as seconds since 1970 UTC
    require_tls: bool = False  # RFC 8689 §2
    message_id: str = ""  # our own id of this message's journey: in the reply, the Received field and the events


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one recipient at the end of the message; `error` is None when it is in the mailbox."""

    recipient: Recipient
    error: MailError | None = None
