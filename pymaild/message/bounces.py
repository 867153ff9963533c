"""Reports of other servers, read: what became of a message of ours, for whom, and why. RFC 3464, RFC 5965, RFC 3834.

    report        multipart/report with a delivery-status part (RFC 6522): its fields say all of it
    in words      everything older, and what some providers send instead: bounces_words reads the text
    feedback      somebody called the message spam (RFC 5965)
    vacation      an automatic answer of a person, which is no bounce (RFC 3834)

What stands in a report was written by a stranger: a caller believes it only where it fits a message really sent.
Work is bounded: MAX_READ octets are looked at, MAX_RECIPIENTS kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice

from pymaild.message import bounces_words, charsets, fields, words
from pymaild.message.bounces_cause import cause_of, status_for
from pymaild.message.bounces_causes import Cause
from pymaild.message.bounces_words import MAX_RECIPIENTS, Failure
from pymaild.message.structure import Part, scan
from pymaild.message.text import decode_part, html_to_text, part_text

MAX_READ = 1 << 18  # octets of a message
_MAX_WORDS = 2000  # characters kept of what a server said
_LONE_CR_TEXT = re.compile(r"\r\n?")
_LONE_CR = re.compile(rb"\r\n?")
_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_TYPED = re.compile(r"\s*([A-Za-z0-9.\-]+)\s*;\s*(.*)", re.S)
_ANGLE = re.compile(r"<([^<>\s]{1,320})>")
_ADDRESS = re.compile(r"[^\s<>(),;:\"]{1,256}@[^\s<>(),;:\"@]{1,255}")
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,500}>")
_COMPLAINT = re.compile(rb"(?i)complaint about message from ")  # feedback without its part, as Hotmail sends it
_IS_REPORT = re.compile(rb"(?i)content-type:\s*multipart/report")
_ROUTE = re.compile(r"@[^\s:<>]{1,255}:(?=[^\s:<>]{1,255}@)")  # RFC 5321 appendix C
_POSITIVE = re.compile(r"\b2\d\d[ -]2\.\d\.\d\b|\b2\.\d\.\d\b")  # a transcript holds what went well, too
_QUOTE = re.compile(r"(?m)^(?:> ?)+")
_FIELDS_IN_TEXT = re.compile(
    r"(?mi)^(?:reporting-mta|final-recipient|"
    r"original-recipient):(?=[^\n]{0,300}\n(?:[^\n]{0,1000}\n){0,12}?(?:action|status|final-recipient):)"
)
_STATUS_PARTS = {"delivery-status", "global-delivery-status", "delivery-status-notification"}
_HEADER_PARTS = {"rfc822-headers", "global-headers", "rfc822-header"}
_ACTIONS = {"failed", "delayed", "delivered", "relayed", "expanded"}
_VACATION = re.compile(
    r"(?i)^(?:auto(?:matic|mated)?[- ]?(?:re(?:ply|sponse)|svar)|out of (?:the )?office|vacation|away from|"
    r"automatische antwort|abwesenheit|réponse automatique|respuesta automática|re: ?\[?auto)"
)


class Kind(Enum):
    """What a message turned out to be."""

    REPORT = "report"
    FEEDBACK = "feedback"
    VACATION = "vacation"


@dataclass(frozen=True, slots=True)
class Told:
    """What is said of one recipient."""

    recipient: str  # the address the report names; empty: none was found
    action: str  # failed, delayed, delivered, relayed, expanded; RFC 3464 §2.3.3
    status: str  # RFC 3463; made up from the cause where the report has none
    cause: Cause
    words: str = ""  # the remote's, on one line
    original: str = ""  # Original-Recipient: the address we wrote to, if another. RFC 3461 §4.2


@dataclass(frozen=True, slots=True)
class Bounce:
    """One report."""

    kind: Kind
    told: list[Told] = field(default_factory=list)
    message_id: str = ""  # of the message spoken of, in angle brackets
    envelope_id: str = ""  # RFC 3461 §4.4


def recognise(message: bytes) -> Bounce | None:
    """What a message reports; None: it is no report at all."""
    message = message[:MAX_READ]
    if b"\r" in message:
        message = _LONE_CR.sub(b"\n", message)
    return _Reader(message).read()


class _Reader:
    """One message, its parts sorted by what they are good for."""

    def __init__(self, message: bytes, depth: int = 0) -> None:
        self.message, self.depth = message, depth
        self.root = root = scan(message)
        self.header = message[root.header_start : root.body_start]
        self.texts: list[str] = []  # for people
        self.statuses: list[str] = []  # for programs
        self.feedback = ""
        self.inside = b""  # the message spoken of, as far as it came back
        self.original = b""  # header of the message spoken of
        for part in _outer(root):
            self._sort(part)
        if not self.texts and not self.statuses and root.is_multipart:  # no boundary of it was found
            self.texts.append(charsets.decode(message[root.body_start :]))
        if not self.statuses:
            self._look_in_texts()

    def _sort(self, part: Part) -> None:
        whole = self.message[part.body_start : part.body_end]
        if part.subtype in _STATUS_PARTS:
            self.statuses.append(charsets.decode(decode_part(self.message, part)))
        elif part.subtype == "feedback-report":
            self.feedback = charsets.decode(decode_part(self.message, part))
        elif part.type == "message" or part.subtype in _HEADER_PARTS:
            found = decode_part(self.message, part) if part.message is None else whole
            self.inside = self.inside or found
            self.original = self.original or found[: fields.header_end(found)]
        elif part.type == "text":
            text = part_text(self.message, part)
            self.texts.append(html_to_text(text) if part.subtype == "html" else text)

    def _look_in_texts(self) -> None:
        """Fields for programs inside the text: what is left of a report that was forwarded, or whose MIME is broken."""
        text = _QUOTE.sub("", "\n".join(self.texts)) if "\n>" in "\n".join(self.texts) else "\n".join(self.texts)
        if found := _FIELDS_IN_TEXT.search(text):
            self.statuses.append(text[found.start() :])

    def read(self) -> Bounce | None:
        """First what the RFCs describe, then the rest."""
        if self.feedback:
            return self._feedback()
        if _COMPLAINT.match(b" ".join(fields.bodies(self.header, "subject"))):
            to = bounces_words.addresses_in(self.original, "x-hmxmroriginalrecipient")
            told = [Told(each, "feedback", "", Cause.FEEDBACK, "abuse") for each in to]
            return Bounce(Kind.FEEDBACK, told, self._message_id())
        from_fields = self._from_fields()
        if not from_fields and _IS_REPORT.search(self.original):  # a report passed on by somebody else
            return _Reader(self.inside, self.depth + 1).read() if self.depth < 3 else None
        from_words = (
            [] if from_fields and all(any(map(str.isalpha, each.words)) for each in from_fields) else self._from_words()
        )
        told = [self._completed(each, from_words) for each in from_fields] or self._told(from_words)
        if told:
            return Bounce(Kind.REPORT, told[:MAX_RECIPIENTS], self._message_id(), self._envelope_id())
        return Bounce(Kind.VACATION, [], self._answered()) if self._is_vacation() else None

    # ---- RFC 3464

    def _from_fields(self) -> list[Told]:
        groups = islice((group for text in self.statuses for group in _groups(text)), MAX_RECIPIENTS + 5)
        return [told for group in groups if (told := _of_group(group))]

    def _completed(self, told: Told, found: list[Failure]) -> Told:
        """Fields that are silent about the reason leave it to the words for people."""
        if any(map(str.isalpha, told.words)) and told.cause is not Cause.UNKNOWN and told.recipient:
            return told
        same = [each for each in found if each.recipient.lower() in (told.recipient.lower(), told.original.lower())]
        extra = same[0].words if same else (found[0].words if len(found) == 1 else "")
        recipient = told.recipient or (found[0].recipient if len(found) == 1 else "") or self._only_recipient()
        said = told.words if any(map(str.isalpha, told.words)) else f"{told.words} {extra}".strip()
        status = _better_status(told.status, said)
        cause = told.cause
        if cause in (Cause.UNKNOWN, Cause.DELAY) or not told.words:
            cause = cause_of(f"{said} {extra}", status, told.action)
        return Told(recipient, told.action, status or status_for(cause, told.action), cause, said, told.original)

    # ---- text

    def _from_words(self) -> list[Failure]:
        text = "\n".join(self.texts)
        if not (self.statuses or bounces_words.is_from_a_machine(self.header, text)):
            return []
        return bounces_words.read(text, self.header, self.original)

    def _told(self, found: list[Failure]) -> list[Told]:
        told = []
        for each in found:
            action = "delayed" if each.delayed else "failed"
            status = _better_status("", _POSITIVE.sub(" ", each.words))
            cause = cause_of(each.words, status, action)
            told.append(Told(each.recipient, action, status or status_for(cause, action), cause, each.words[:_MAX_WORDS]))
        return told

    def _only_recipient(self) -> str:
        return bounces_words.only_recipient(self.header, self.original)

    # ---- the message spoken of

    def _message_id(self) -> str:
        header = self.original or bounces_words.original_header("\n".join(self.texts))
        ids = fields.bodies(header, "message-id")
        found = _MESSAGE_ID.search(ids[0].decode("latin-1")) if ids else None
        return found[0] if found else self._answered()

    def _answered(self) -> str:
        """The message this one is an answer to. RFC 5322 §3.6.4."""
        for name in ("in-reply-to", "references"):
            for body in fields.bodies(self.header, name):
                if found := _MESSAGE_ID.findall(body[-2000:].decode("latin-1")):
                    return str(found[-1])
        return ""

    def _envelope_id(self) -> str:
        for text in self.statuses:
            for group in _groups(text):
                if "original-envelope-id" in group:
                    return group["original-envelope-id"][0][:200]
        return ""

    def _feedback(self) -> Bounce:
        """RFC 5965 §3: Original-Rcpt-To may be there several times, or not at all."""
        groups = list(_groups(self.feedback))
        group = groups[0] if groups else {}
        about = [_address(value) for value in group.get("original-rcpt-to", [])][:MAX_RECIPIENTS]
        said = group.get("feedback-type", [""])[0][:100]
        about = about or [_address(value) for value in group.get("removal-recipient", [])] or [self._only_recipient()]
        told = [Told(each, "feedback", "", Cause.FEEDBACK, said) for each in dict.fromkeys(about)]
        return Bounce(Kind.FEEDBACK, told, self._message_id(), group.get("original-envelope-id", [""])[0][:200])

    def _is_vacation(self) -> bool:
        """RFC 3834 §5, and what was usual before it."""
        said = [body.strip().lower() for body in fields.bodies(self.header, "auto-submitted")]
        if any(value.startswith(b"auto-replied") for value in said):
            return True
        if said and not said[0].startswith(b"no"):
            return False
        if any(fields.bodies(self.header, name) for name in ("x-autoreply", "x-autorespond", "x-auto-reply")):
            return True
        if any(b"auto_reply" in body.lower() for body in fields.bodies(self.header, "precedence")):
            return True
        subjects = fields.bodies(self.header, "subject")
        return bool(subjects and _VACATION.match(words.decode_words(subjects[0])[:200].strip()))


def _outer(part: Part) -> Iterator[Part]:
    """The parts of the report itself, not those of messages inside it."""
    if not part.is_multipart:
        yield part
    for child in part.children if part.is_multipart else []:
        yield from _outer(child)


def _groups(text: str) -> Iterator[dict[str, list[str]]]:
    """The blocks of fields between empty lines, names in lower case. RFC 3464 §2.1."""
    for block in re.split(r"\n(?:[ \t]*\n)+", _LONE_CR_TEXT.sub("\n", text).strip("\n"))[: MAX_RECIPIENTS + 5]:
        group: dict[str, list[str]] = {}
        for each in fields.split(block.strip("\n").encode("utf-8", "replace") + b"\n"):
            name = each.name.decode("utf-8", "replace").lower()
            if name == "final-recipient" and name in group:  # the empty line between two recipients is missing
                yield group
                group = {}
            group.setdefault(name, []).append(" ".join(each.body.decode("utf-8", "replace").split()))
        yield group


def _of_group(group: dict[str, list[str]]) -> Told | None:
    """One recipient. RFC 3464 §2.3."""
    if not group.keys() & {"final-recipient", "original-recipient", "action", "status", "x-actual-recipient"}:
        return None
    final = _address(_first(group, "final-recipient"))
    original = _address(_first(group, "original-recipient"))
    actual = _address(_first(group, "x-actual-recipient"))
    recipient = next((each for each in (final, actual, original) if "@" in each[1:]), "")
    said = " ".join(_untyped(value) for value in group.get("diagnostic-code", []))[:_MAX_WORDS].strip()
    found = _STATUS.search(_first(group, "status"))
    status = _better_status(found[0] if found else "", said)
    action = _action(_first(group, "action"), status)
    cause = cause_of(said, status, action)
    return Told(recipient, action, status or (status_for(cause, action) if said else ""), cause, said, original)


def _first(group: dict[str, list[str]], name: str) -> str:
    return group.get(name, [""])[0]


def _untyped(value: str) -> str:
    found = _TYPED.match(value)
    return found[2] if found and found[1].lower() in ("smtp", "x-unix", "x-postfix", "x-pymaild", "lmtp") else value


def _address(value: str) -> str:
    """What stands behind "rfc822;": RFC 3464 §2.3.1, RFC 6533 §3."""
    found = _TYPED.match(value)
    text = _ROUTE.sub("", found[2] if found else value)
    inside = _ANGLE.search(text) or _ADDRESS.search(text)
    if inside:
        return inside[1] if inside.re is _ANGLE else inside[0]
    return text.partition(" ")[0].strip("<>")[:320]


def _action(word: str, status: str) -> str:
    """Not everybody keeps to the five words."""
    first = word.lower().partition(" ")[0].strip(",;.")
    if first in _ACTIONS:
        return first
    return {"2": "delivered", "4": "delayed"}.get(status[:1], "failed")


def _better_status(status: str, said: str) -> str:
    """The status in the remote's words, which is about the cause: the field may speak of what came of it. RFC 3463."""
    found = [found[0] for found in _STATUS.finditer(said) if not found[0].endswith(".0.0")]
    told = [each for each in found if each[0] == (status or each)[0] and not each.endswith((".4.7", ".1.0"))]
    specific = [each for each in (status, *found) if each and not each.endswith(".0.0")]
    return next(iter(told + specific), status)
