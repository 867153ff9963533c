"""Reports written for people only: who could not be reached, and what was said about it.

Mail programs differ in their words, yet agree in the shape: some introduction, then for every recipient a line with its
address and the reason on that line or below, then a copy of the message. The tables name where the copy begins, which
lines speak of the recipient and which of somebody else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pymaild.message import fields, words
from pymaild.message.bounces_cause import cause_of
from pymaild.message.bounces_causes import Cause

MAX_RECIPIENTS = 100
_MAX_LINES = 2000
_MAX_LINE = 1000
_MAX_WORDS = 5000

# Where the message spoken of begins.
_COPY = re.compile(
    r"(?i)^[\s>*=-]*(?:below this line is a copy|this is a copy of|here is (?:a copy of )?your|"
    r"the header of the original|(?:the )?(?:original|returned|unsent|undelivered|your) (?:message|"
    r"mail)(?:(?: as)? follows| headers?| text| details| header follows)?\b[\s.:*=-]*$|"
    r"original message (?:follows|headers|below|details)|message header|message text follows|"
    r"unsent message below|returned (?:message|text|content)|message (?:headers? )?follows|enclosed is|"
    r"begin(?:ning)? of (?:the )?(?:original|returned)|included is|"
    r"original headers|message contents follow|forwarded message|headers of the message|first .{1,20} lines of|"
    r"content of the (?:original )?message|body of the message|this is the original|(?:start|"
    r"text) of (?:original|returned) message)"
)
_HEADER_LINE = re.compile(
    r"(?:Received: ?(?:from|by|\()|Return-Path: ?<|DKIM-Signature: ?v=|X-[A-Za-z-]{1,40}: |Message-I[dD]:|Received:from)"
)
# Lines that name somebody who is not the recipient.
_OTHERS = re.compile(
    r"(?i)^\W*(?:mail ?from|from|sender|reply-to|return-path|subject|cc|date|message-id|x-|contact|"
    r"for (?:further|more|help|assistance)|please (?:contact|e-?mail|forward)|if you|>>> mail from|by |received|"
    r"postmaster|help|support)\b"
)
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"'|=]{1,128}@[A-Za-z0-9.\-_\u0080-\uffff]{1,253}[A-Za-z0-9\u0080-\uffff]")
# A line that is about a recipient, the surest first.
_ABOUT = (
    re.compile(r"^\s*<[^<>\s]{1,320}@[^<>\s]{1,255}>\s*(?::|$|\()"),
    re.compile(r"^\s*[\"'*]?\s*[^\s<>\"':]{1,128}@[^\s<>\"':]{1,255}[\"']?\s*(?::|$|\[|\(| on )"),
    re.compile(
        r"(?i)^\W*(?:original |final |failed |failing )?(?:recipient|to|user|address|mailbox|"
        r"rcpt to)s?(?: address)?\s*[:=]\s*\S{0,20}@?"
    ),
    re.compile(r"(?i)(?:unable|not|couldn't|failed|could|wasn't).{0,40}deliver.{0,80}@"),
    re.compile(r"(?i)(?:recipient|unknown user|user unknown|userid|delivery to|deliver(?:ed)? to|recipients?)\b.{0,60}@"),
    re.compile(r"(?i)\b[45]\d\d[ -].{0,80}@"),
    re.compile(r"(?i)rcpt to:\s*<?\S{1,128}@"),
    re.compile(r"(?i)^\s*>>>? \S{1,128}@"),
)
_MACHINE = re.compile(
    r"(?i)mailer-?daemon|postmaster|mail (?:delivery|deliver|system|administrator)|mail\.?delivery|"
    r"delivery (?:sub)?system|system administrator|sysadmin|mmsc|noreply|no-reply|double-bounce|maildaemon|"
    r"mail-?daemon|"
    r"bounce|daemon@|post_master|mail router|webmaster|majordomo|fml|administrator|gateway|mfilter|robot@|-admin@"
)
_SUBJECT = re.compile(
    r"(?i)undeliver|delivery (?:status|fail|has|problem|notif|report|error)|returned mail|mail (?:fail|"
    r"deliver\w* fail|system error|error|delivery)|failure notice|failure \w+ notice|non-?deliver|not delivered|"
    r"rejected|could not be delivered|returning message|return(?:ed)? to sender|"
    r"nondeliverable|warning: (?:could not|message)|notice: mail|unzustellbar|message (?:status|delivery)|"
    r"bounce|problem delivering|delay|cannot send|unable to deliver|user unknown|メールエラー|配信|不達|エラー|fail"
)
_FAILURE = re.compile(
    r"(?i)(?:not|n't|unable|failed|cannot|could|no|refus|reject|return).{0,60}(?:deliver|reach|send|sent|"
    r"accept)|deliver\w*.{0,60}(?:fail|error|problem|suspend|impossible|delay)|undeliver|"
    r"permanent (?:fatal )?error|user unknown|unknown user|"
    r"failure|no such user|mailbox (?:is )?full|\b5\d\d[ -]|\b5\.\d\.\d|returned mail|error|rejected|inconnu|"
    r"送信(?:でき|に失敗)|not (?:a )?member|duplicated|delivery had|had delivery|deferred"
)
_DELAYED = re.compile(
    r"(?i)(?:not yet been delivered|delayed|will (?:be retried|retry|keep trying|continue)|deferred|"
    r"warning: message still|do not need to resend|temporar\w+ (?:failure|error|problem)|delivery (?:incomplete|"
    r"status notification \(delay\))|incomplete)"
)
_GIVEN_UP = re.compile(
    r"(?i)permanent|given up|giving up|returning|could not be delivered|has been returned|cannot send message|"
    r"failed after|expired|\(failure\)"
)
_PERMANENT = re.compile(r"(?<![\d.])5\d\d[ -]|(?<![\d.])5\.\d{1,3}\.\d{1,3}(?![\d.])")
_NO_WORDS = re.compile(r"^[\W_]*$")


@dataclass(frozen=True, slots=True)
class Failure:
    """One recipient and what was said about it, on one line."""

    recipient: str
    words: str
    delayed: bool = False


def is_from_a_machine(header: bytes, text: str) -> bool:
    """Whether a message without fields for programs is a report: by its author or subject, and by what it says."""
    froms = [words.decode_words(body)[:500] for body in fields.bodies(header, "from")]
    subjects = [words.decode_words(body)[:500] for body in fields.bodies(header, "subject")]
    paths = [body.strip() for body in fields.bodies(header, "return-path")]
    if fields.bodies(header, "x-failed-recipients"):
        return True
    signs = [any(map(_MACHINE.search, froms)) or froms == ["<>"], any(map(_SUBJECT.search, subjects)), b"<>" in paths]
    return sum(signs) >= 2 or (signs[0] and bool(_FAILURE.search(text[:5000])))


def read(text: str, header: bytes, original: bytes) -> list[Failure]:
    """The recipients that the text, or else the header, names."""
    lines = [line[:_MAX_LINE] for line in text.split("\n")[:_MAX_LINES]]
    lines, copy = _parted(lines)
    strangers = {address.lower() for name in ("from", "to") for address in addresses_in(header, name)}
    listed = addresses_in(header, "x-failed-recipients")
    found = _named(lines, strangers) or ({} if listed else _named(lines, set()))
    said = _joined(lines)
    if (
        listed
        and len(found) != len(listed)
        and not all(each in {address.lower() for address in found} for each in map(str.lower, listed))
    ):
        found = {address: found.get(address, [said]) for address in listed}
    if not found:
        recipient = only_recipient(header, original or "\n".join(copy).lstrip("\n").encode("utf-8", "replace"))
        found = {recipient: [said]} if recipient else {}
    subject = " ".join(words.decode_words(body)[:200] for body in fields.bodies(header, "subject"))
    told = f"{subject} {said}"
    delayed = bool(_DELAYED.search(told)) and not _GIVEN_UP.search(told)
    return [_failure(address, _reason(address, each, said), delayed) for address, each in found.items()]


def _failure(address: str, reason: str, delayed: bool) -> Failure:
    """A 5yz reply is no delay, whatever else the report says."""
    return Failure(address, reason, delayed and not _PERMANENT.search(reason))


def _reason(address: str, lines: list[str], said: str) -> str:
    """The lines below the address, if they say more than that; else all of it, since the reason may stand above."""
    own = _joined(lines)
    told = cause_of(own.replace(address, ""), "", "failed") is not Cause.UNKNOWN
    return (own if told else said)[:_MAX_WORDS]


def original_header(text: str) -> bytes:
    """The header of the copy in the text, if there is one."""
    _, copy = _parted([line[:_MAX_LINE] for line in text.split("\n")[:_MAX_LINES]])
    block = "\n".join(copy).strip("\n") + "\n\n"
    data = block.encode("utf-8", "replace")
    return data[: fields.header_end(data)]


def addresses_in(header: bytes, name: str) -> list[str]:
    """Every address in the fields of a name."""
    found: list[str] = []
    for body in fields.bodies(header, name):
        found += _ADDRESS.findall(body[:4000].decode("utf-8", "replace"))
    return list(dict.fromkeys(found))[:MAX_RECIPIENTS]


def only_recipient(header: bytes, original: bytes) -> str:
    """Whom the message spoken of was for, if that is one person."""
    for name in ("x-envelope-to", "to"):
        found = addresses_in(original, name)
        if len(found) == 1:
            return found[0]
    return ""


def _parted(lines: list[str]) -> tuple[list[str], list[str]]:
    """The report and the copy."""
    for number, line in enumerate(lines):
        if number and ((_COPY.match(line) and len(line) < 120) or _HEADER_LINE.match(line)):
            return lines[:number], lines[number if _HEADER_LINE.match(line) else number + 1 :]
    return lines, []


def _named(lines: list[str], strangers: set[str]) -> dict[str, list[str]]:
    """Addresses in lines that are about a recipient, each with the lines up to the next."""
    for kinds in (_ABOUT[:2], _ABOUT[2:], (_ADDRESS,)):
        found = _by_kinds(lines, strangers, kinds)
        if found:
            return found
    return {}


def _is_other(address: str, strangers: set[str]) -> bool:
    """A file's name, or somebody known: text beyond ASCII behind an address may look like more of its domain."""
    text = address.lower()
    behind = [text[len(each) :] for each in strangers if text.startswith(each)]
    return text[0] == "/" or any(not rest or not rest[0].isascii() for rest in behind)


def _by_kinds(lines: list[str], strangers: set[str], kinds: tuple[re.Pattern[str], ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in lines:
        about = "@" in line and not _OTHERS.match(line) and any(kind.search(line) for kind in kinds)
        addresses = [each for each in _ADDRESS.findall(line) if not _is_other(each, strangers)] if about else []
        if addresses and len(found) < MAX_RECIPIENTS:
            known = {each.lower(): each for each in found}
            name = known.get(addresses[0].lower(), addresses[0])
            current = found.setdefault(name, [])
        if current is not None and not _NO_WORDS.match(line):
            current.append(line.strip())
    return found


def _joined(lines: list[str]) -> str:
    return " ".join(" ".join(line.split()) for line in lines if not _NO_WORDS.match(line))[:6000]
