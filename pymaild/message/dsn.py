"""Delivery reports: a message that says what became of another one. RFC 3464, RFC 6522; RFC 6533 where addresses need it.

Three parts: words for the person who reads it, fields for programs, and the message spoken of, or its header.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from pymaild.envelope import Address
from pymaild.message import fields
from pymaild.message.compose import Author, people_field, text_field, text_part
from pymaild.message.dates import format_date
from pymaild.message.repair import new_message_id

MOST_RETURNED = 50_000  # octets of a message that come back with RET=FULL; of a longer one its header
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")
_NOT_IN_A_PART = re.compile(rb"\0|\r(?!\n)|(?<!\r)\n|[^\n]{999}")


class Action(Enum):
    """What happened to a recipient. RFC 3464 §2.3.3."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"  # to a server that makes no reports


@dataclass(frozen=True, slots=True)
class Fate:
    """One recipient: the fields for programs, and the words for people."""

    recipient: Address
    action: Action
    status: str  # RFC 3463
    what: str  # one sentence: what happened
    advice: str = ""  # who can do what about it
    orcpt: str = ""  # RFC 3461 §4.2
    remote: str = ""  # the name of the server that spoke
    code: int = 0  # of its reply
    words: str = ""  # its reply, lines parted by newlines; empty: nobody spoke
    at: float = 0.0  # of the last attempt, seconds since 1970 UTC
    until: float = 0.0  # a delay: how long it is tried


@dataclass(frozen=True, slots=True)
class Returned:
    """The message spoken of."""

    header: bytes  # with its empty line
    body: bytes | None = None  # None: only the header goes back
    subject: str = ""
    arrived: float = 0.0  # seconds since 1970 UTC
    envid: str = ""  # RFC 3461 §4.4


@dataclass(frozen=True, slots=True)
class Report:
    """All that goes into one report."""

    hostname: str
    to: Address
    fates: Sequence[Fate]
    returned: Returned
    at: float


_SUBJECTS = {
    Action.FAILED: "Not delivered",
    Action.DELAYED: "Not delivered yet",
    Action.DELIVERED: "Delivered",
    Action.RELAYED: "Passed on",
}


def compose(report: Report) -> bytes:
    """The whole message with CRLF line ends. Its reverse-path has to be the null one. RFC 3464 §2."""
    utf8 = not all(fate.recipient.is_ascii and fate.orcpt.isascii() for fate in report.fates)
    boundary = f"=_{uuid.uuid4().hex}"
    subject = _SUBJECTS[report.fates[0].action] + (f": {report.returned.subject}" if report.returned.subject else "")
    head = [
        people_field("From", [Author("Mail delivery", Address("postmaster", report.hostname))]),
        people_field("To", [Author("", report.to)]),
        text_field("Subject", subject),
        f"Date: {format_date(report.at)}\r\n",
        f"Message-ID: {new_message_id(report.hostname)}\r\n",
        _references(report.returned.header),
        "Auto-Submitted: auto-replied\r\n",  # RFC 3834 §5
        "MIME-Version: 1.0\r\n",
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="{boundary}"\r\n\r\n',
    ]
    parts = [text_part(words(report)), _status_part(report, utf8), _returned_part(report.returned)]
    line = boundary.encode("ascii")
    body = b"".join(b"--%s\r\n%s\r\n" % (line, part) for part in parts)
    return "".join(head).encode("utf-8", "replace") + body + b"--%s--\r\n" % line


def _references(header: bytes) -> str:
    """The report belongs to the thread of what it speaks of. RFC 5322 §3.6.4."""
    ids = [body.strip().decode("ascii", "replace") for body in fields.bodies(header, "message-id")]
    if len(ids) != 1 or not re.fullmatch(r"<[!-;=?-~]{1,500}>", ids[0]):
        return ""
    return f"In-Reply-To: {ids[0]}\r\nReferences: {ids[0]}\r\n"


# ---- for people


def words(report: Report) -> str:
    """The text part: first what happened and what to do, then who said what."""
    paragraphs = []
    for fate in report.fates:
        paragraphs.append(" ".join(filter(None, [_clean(fate.what), _clean(fate.advice)])))
    details = ["Details"] + [line for fate in report.fates for line in _details(fate)]
    closing = _what_is_attached(report.returned)
    return "\n\n".join([*dict.fromkeys(paragraphs), "\n".join(details), closing, f"{report.hostname} (pymaild)"]) + "\n"


def _what_is_attached(returned: Returned) -> str:
    named = f'the message "{_clean(returned.subject)}"' if returned.subject else "the message"
    when = f" of {format_date(returned.arrived)}" if returned.arrived else ""
    if returned.body is None:
        return f"The header of {named}{when} is attached."
    return f"T{named[1:]}{when} is attached."


def _details(fate: Fate) -> list[str]:
    lines = [f"  {_clean(str(fate.recipient))}: {fate.action.value}, status {fate.status}"]
    if fate.words:
        who = f"{_clean(fate.remote)} said" if fate.remote else "The answer was"
        lines.append(f"  {who}: {fate.code or ''}".rstrip())
        lines += [f"    > {_clean(line)[:900]}" for line in fate.words.split("\n")[:20]]
    return lines


def _clean(text: str) -> str:
    return _CONTROL.sub(" ", text).strip()


# ---- for programs


def _status_part(report: Report, utf8: bool) -> bytes:
    """The fields of RFC 3464 §2; as message/global-delivery-status where an address needs it, RFC 6533 §4.1."""
    returned = report.returned
    groups = [
        [f"Reporting-MTA: dns; {report.hostname}"]
        + ([f"Original-Envelope-Id: {_clean(returned.envid)}"] if returned.envid else [])
        + ([f"Arrival-Date: {format_date(returned.arrived)}"] if returned.arrived else [])
    ]
    groups += [_recipient_fields(fate, utf8) for fate in report.fates]
    kind = "message/global-delivery-status" if utf8 else "message/delivery-status"
    encoding = "8bit" if utf8 else "7bit"
    text = "\r\n\r\n".join("\r\n".join(group) for group in groups)
    head = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return (head + text + "\r\n").encode("utf-8" if utf8 else "ascii", "replace")


def _recipient_fields(fate: Fate, utf8: bool) -> list[str]:
    kind = "rfc822" if fate.recipient.is_ascii else "utf-8"
    found = []
    if fate.orcpt:
        original, _, address = fate.orcpt.partition(";")
        found.append(f"Original-Recipient: {_clean(original)}; {_clean(address)}")
    found += [
        f"Final-Recipient: {kind}; {_clean(str(fate.recipient))}",
        f"Action: {fate.action.value}",
        f"Status: {fate.status}",
    ]
    if fate.remote:
        found.append(f"Remote-MTA: dns; {_clean(fate.remote)}")
    if fate.words:
        found.append(_diagnostic(fate))
    if fate.at:
        found.append(f"Last-Attempt-Date: {format_date(fate.at)}")
    if fate.until:
        found.append(f"Will-Retry-Until: {format_date(fate.until)}")
    return [line if utf8 else line.encode("ascii", "replace").decode("ascii") for line in found]


def _diagnostic(fate: Fate) -> str:
    """What the server said, folded: one of its lines on each. RFC 3464 §2.3.6."""
    kind = "smtp" if fate.code else "x-pymaild"
    lines = [_clean(line)[:900] or "-" for line in fate.words.split("\n")[:20]]
    code = f"{fate.code} " if fate.code else ""
    return f"Diagnostic-Code: {kind}; {code}" + "\r\n ".join(lines)


def _returned_part(returned: Returned) -> bytes:
    """message/rfc822 where all of it goes back, text/rfc822-headers otherwise. RFC 6522 §4, §5."""
    whole = returned.header + (returned.body or b"")
    eight = not whole.isascii()
    if returned.body is not None and not _NOT_IN_A_PART.search(whole):
        kind = "message/global" if not returned.header.isascii() else "message/rfc822"
        return _part(kind, eight, whole)
    header = _NOT_IN_A_PART.sub(b" ", returned.header)
    kind = "message/global-headers" if not header.isascii() else "text/rfc822-headers"
    return _part(kind, not header.isascii(), header)


def _part(kind: str, eight: bool, content: bytes) -> bytes:
    encoding = "8bit" if eight else "7bit"
    return f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode("ascii") + content
