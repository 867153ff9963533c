"""What was typed made into a message, and sent or kept. RFC 5322, RFC 2045, RFC 6409."""

from __future__ import annotations

import io
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pymaild.accounts.names import BadName, domain_key, shown, shown_domain
from pymaild.envelope import Address, Client, Envelope, Outcome, Recipient, Role
from pymaild.flow import Submission
from pymaild.mailstore import Flag, FlagChange, SpecialUse
from pymaild.message import addresses, charsets, words
from pymaild.message.compose import Attached, Author, compose
from pymaild.status import MailError
from pymaild.web.refs import Ref, open_refs
from pymaild.web.session import Visit

RECIPIENT_FIELDS: Final = ("to", "cc", "bcc")
_LINE_ENDS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SEPARATORS = re.compile(r"[;\r\n]+")


@dataclass(frozen=True, slots=True)
class Typed:
    """The fields of the form, exactly as they were typed: nothing is lost when something is wrong with them."""

    sender: str = ""  # one of the account's addresses
    to: str = ""
    cc: str = ""
    bcc: str = ""
    subject: str = ""
    text: str = ""
    in_reply_to: str = ""
    references: str = ""
    files: tuple[Attached, ...] = ()


@dataclass(slots=True)
class Problems:
    """What is wrong, by field; the empty name stands for the whole."""

    by_field: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, text: str) -> None:
        """One sentence more, unless it was said already."""
        said = self.by_field.setdefault(name, [])
        if text not in said:
            said.append(text)

    def __bool__(self) -> bool:
        return bool(self.by_field)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One recipient as it was typed."""

    field: str
    name: str
    address: Address

    @property
    def shown(self) -> str:
        """The address for people."""
        return f"{self.address.local_part}@{shown_domain(self.address.domain)}"


def recipients(typed: Typed, problems: Problems) -> list[_Entry]:
    """Everybody in To, Cc and Bcc; what is no address is named as a problem of its field."""
    found = []
    for name in RECIPIENT_FIELDS:
        for entry in addresses.parse(_list(getattr(typed, name)).encode("utf-8", "replace")):
            if entry.is_group_mark:
                continue
            try:
                found.append(_entry(name, entry))
            except BadName:
                problems.add(name, "This is not a complete address; one looks like ann@example.org: " + _as_typed(entry))
        if (
            getattr(typed, name).strip()
            and not any(entry.field == name for entry in found)
            and name not in problems.by_field
        ):
            problems.add(name, "There is no address in here; one looks like ann@example.org.")
    return found


def _list(text: str) -> str:
    """People also write semicolons and line ends between addresses."""
    return _SEPARATORS.sub(", ", text)


def _entry(name: str, entry: addresses.Mailbox) -> _Entry:
    if entry.malformed or not entry.local_part or not entry.domain:
        raise BadName("incomplete")
    domain = charsets.guess(entry.domain)
    address = Address(charsets.guess(entry.local_part), domain if domain.startswith("[") else domain_key(domain))
    return _Entry(name, words.decode_words(entry.name or b""), address)


def _as_typed(entry: addresses.Mailbox) -> str:
    pieces = (entry.name or b"", b"" if (entry.local_part or b"").startswith(b"MISSING") else entry.local_part or b"")
    return charsets.guess(b" ".join(piece for piece in pieces if piece))[:100] or "(nothing before the @)"


def message(visit: Visit, typed: Typed, entries: Sequence[_Entry]) -> bytes:
    """The message as it is sent and kept. Bcc is in it: submission takes it away, the copy in Sent keeps it."""
    named = {
        name: [Author(entry.name, entry.address) for entry in entries if entry.field == name] for name in RECIPIENT_FIELDS
    }
    return compose(
        author=Author("", sender_address(visit, typed)),
        to=named["to"],
        cc=named["cc"],
        bcc=named["bcc"],
        subject=one_line(typed.subject),
        text=typed.text,
        attachments=typed.files,
        at=time.time(),
        hostname=visit.services.config.server.hostname,
        in_reply_to=one_line(typed.in_reply_to),
        references=one_line(typed.references),
    )


def one_line(text: str) -> str:
    """Without anything that could begin another header field. THREATS T135."""
    return _LINE_ENDS.sub(" ", text).strip()


def sender_address(visit: Visit, typed: Typed) -> Address:
    """The address to write as: one of the account's own, its first if nothing else was chosen."""
    own = visit.services.directory.addresses(visit.account)
    chosen = next((address for address in own if shown(address) == typed.sender or address == typed.sender), own[0])
    local_part, _, domain = chosen.rpartition("@")
    return Address(local_part, domain)


def send(visit: Visit, typed: Typed, problems: Problems) -> list[Outcome]:
    """Check everything, deliver, keep a copy in Sent. With a problem nothing was sent."""
    entries = recipients(typed, problems)
    if not entries and not problems:
        problems.add("to", "Say who this is for: one address at least.")
    envelope = _envelope(visit, typed)
    policy = Submission(visit.services.delivery)
    _ask(policy, envelope, entries, problems)
    limit = visit.services.config.limits
    if len(entries) > limit.recipients:
        problems.add("to", f"Too many recipients for one message: {limit.recipients} is the limit.")
    if problems:
        return []
    composed = message(visit, typed, entries)
    if len(composed) > limit.message_size:
        problems.add("files", "The message is too large with these attachments.")
        return []
    envelope.size = len(composed)
    try:
        outcomes = policy.message(envelope, io.BytesIO(composed))
    except MailError as error:
        problems.add("", error.text + ".")
        return []
    if all(outcome.error for outcome in outcomes):
        _explain(outcomes, entries, problems)
        return []
    _keep_copy(visit, composed)
    return outcomes


def _ask(policy: Submission, envelope: Envelope, entries: Sequence[_Entry], problems: Problems) -> None:
    """What RCPT would ask: each no goes to the field that names the recipient."""
    try:
        policy.sender(envelope)
    except MailError as error:
        problems.add("sender", error.text + ".")
        return
    asked: set[Address] = set()
    for entry in entries:
        if entry.address in asked:
            continue
        asked.add(entry.address)
        try:
            policy.recipient(envelope, entry.address)
        except MailError as error:
            problems.add(entry.field, f"{entry.shown}: {error.text}.")
        else:
            envelope.recipients.append(Recipient(entry.address))
            envelope.smtputf8 = envelope.smtputf8 or not entry.address.is_ascii


def _envelope(visit: Visit, typed: Typed) -> Envelope:
    session_id = visit.session.session_id[:6]
    client = Client(session_id, "", role=Role.MSA, helo="webmail", extended=True, account=visit.account)
    sender = sender_address(visit, typed)
    return Envelope(client, sender, body="8BITMIME", smtputf8=not sender.is_ascii, message_id=secrets.token_hex(8))


def _explain(outcomes: Sequence[Outcome], entries: Sequence[_Entry], problems: Problems) -> None:
    fields = {entry.address: entry for entry in entries}
    for outcome in outcomes:
        if outcome.error:
            entry = fields[outcome.recipient.address]
            problems.add(entry.field, f"{entry.shown}: {outcome.error.text}.")


def _keep_copy(visit: Visit, composed: bytes) -> None:
    store = visit.store
    try:
        store.open(store.special(SpecialUse.SENT)).append(composed, Flag.SEEN)
    except MailError as error:
        visit.say(f"The message was sent, but no copy could be kept in Sent: {error.text}.")


def save_draft(visit: Visit, typed: Typed) -> Ref:
    """Keep what was typed in Drafts; addresses that are not complete yet are kept in the text of their fields."""
    composed = message(visit, typed, [])
    composed = _typed_fields(typed) + composed
    store = visit.store
    name = store.special(SpecialUse.DRAFTS)
    mailbox = store.open(name)
    uid = mailbox.append(composed, Flag.DRAFT | Flag.SEEN)
    return Ref(uid, mailbox.state().uidvalidity, name)


def _typed_fields(typed: Typed) -> bytes:
    """To, Cc and Bcc of a draft: as typed, because half an address is no reason to lose it."""
    lines = [f"{name.title()}: {one_line(_list(getattr(typed, name)))}\r\n" for name in RECIPIENT_FIELDS]
    return "".join(line for line in lines if not line.endswith(": \r\n")).encode("utf-8", "replace")


def remove(visit: Visit, ref: Ref) -> None:
    """Take a draft away that has been sent or saved anew."""
    for mailbox, uids in open_refs(visit.store, [ref]):
        mailbox.change_flags(uids, FlagChange.ADD, Flag.DELETED)
        mailbox.expunge(uids)


def answered(visit: Visit, ref: Ref) -> None:
    """Remember that a message was answered."""
    for mailbox, uids in open_refs(visit.store, [ref]):
        mailbox.change_flags(uids, FlagChange.ADD, Flag.ANSWERED)
