"""Which mailbox each letter lies in, and what its owner did with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime

from pymaild.lab.cast import RESIDENTS, Person
from pymaild.lab.letters import Letter, Post
from pymaild.mailstore import Flag

OLD = timedelta(days=45)  # read letters of this age have been archived
FRESH = timedelta(days=2)  # younger ones may still be unread


@dataclass(frozen=True, slots=True)
class Filed:
    """One copy of a letter in one mailbox."""

    account: str
    mailbox: str
    message: bytes
    flags: Flag
    keywords: tuple[str, ...]
    internal_date: datetime


def file_letters(post: Post) -> Iterator[Filed]:
    """Every copy of every letter, oldest first: Sent or Drafts of the sender, and each recipient's."""
    answered = {(letter.answers, letter.sender) for letter in post.letters.values() if letter.answers and not letter.draft}
    for letter in sorted(post.letters.values(), key=post.date):
        message = post.render(letter)
        if letter.sender in RESIDENTS:
            yield _own_copy(post, letter, message)
        if letter.draft:
            continue
        for person in dict.fromkeys([*letter.to, *letter.cc]):
            if person in RESIDENTS and person != letter.sender:
                yield _received_copy(post, letter, message, person, (letter.key, person) in answered)


def _own_copy(post: Post, letter: Letter, message: bytes) -> Filed:
    flags = Flag.SEEN | Flag.DRAFT if letter.draft else Flag.SEEN
    mailbox = "Drafts" if letter.draft else "Sent"
    return Filed(letter.sender.address, mailbox, message, flags, (), post.date(letter))


def _received_copy(post: Post, letter: Letter, message: bytes, person: Person, answered: bool) -> Filed:
    age = post.now - post.date(letter)
    flags = Flag.ANSWERED if answered else Flag(0)
    if answered or (age > FRESH and letter.mailbox != "Junk"):
        flags |= Flag.SEEN
    if letter.flagged:
        flags |= Flag.FLAGGED
    mailbox = letter.mailbox or ("Archive" if age > OLD else "INBOX")
    arrived = post.date(letter) + timedelta(seconds=3)
    return Filed(person.address, mailbox, _trace(post, letter, person, arrived) + message, flags, letter.keywords, arrived)


def _trace(post: Post, letter: Letter, person: Person, arrived: datetime) -> bytes:
    """The fields that delivery puts on top. RFC 5321 §4.4."""
    sender, host = letter.sender, f"mail.{person.domain}"
    null = sender.address.startswith("MAILER-DAEMON")
    protocol = "ESMTPSA" if sender in RESIDENTS else "ESMTPS"
    number = sum(sender.domain.encode()) % 254 + 1  # an address of TEST-NET-1 for each domain, RFC 5737
    return (
        f"Return-Path: <{'' if null else sender.address}>\r\n"
        f"Delivered-To: {person.address}\r\n"
        f"Received: from mx.{sender.domain} (mx.{sender.domain} [192.0.2.{number}])\r\n"
        f"\tby {host} with {protocol} id {post.message_id(letter)[1:11]}\r\n"
        f"\tfor <{person.address}>; {format_datetime(arrived)}\r\n"
    ).encode()
