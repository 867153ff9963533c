"""The demo's letters are well-formed mail, whatever the day, and hang together."""

from __future__ import annotations

import email
import io
import zipfile
from collections import Counter
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.utils import parsedate_to_datetime

import pytest
from PIL import Image

from pymaild.lab.cast import MIRA, RESIDENTS
from pymaild.lab.filing import Filed, file_letters
from pymaild.lab.letters import Letter, Post
from pymaild.lab.stories import all_letters
from pymaild.mailstore import Flag

DAYS = [
    datetime(2026, 11, 24, 12, 0, tzinfo=UTC),
    datetime(2028, 2, 29, 0, 1, tzinfo=UTC),
    datetime(2027, 3, 1, 23, 59, tzinfo=UTC),
]
LETTERS = all_letters()
POST = Post(LETTERS, DAYS[0])


def filed() -> list[Filed]:
    return list(file_letters(POST))


def test_about_a_hundred_letters_with_names_of_their_own() -> None:
    assert 100 <= len(LETTERS) <= 140
    assert len({letter.key for letter in LETTERS}) == len(LETTERS)
    assert len({POST.message_id(letter) for letter in LETTERS}) == len(LETTERS)


@pytest.mark.parametrize("letter", LETTERS, ids=lambda letter: letter.key)
def test_letter_is_a_well_formed_message(letter: Letter) -> None:
    raw = POST.render(letter)
    lines = raw.split(b"\r\n")
    assert all(len(line) <= 998 and b"\r" not in line and b"\n" not in line for line in lines)
    message = email.message_from_bytes(raw)
    assert parsedate_to_datetime(message["Date"]) == POST.date(letter).replace(microsecond=0)
    subject = str(message["Subject"]).replace("\r\n ", " ")
    if letter.words:
        assert str(make_header(decode_header(subject))) == letter.subject
        assert raw.partition(b"\r\n\r\n")[0].isascii()
    for part in message.walk():
        assert not part.defects
        if part.get_content_type() == "text/plain":
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)
            payload.decode(part.get_content_charset("us-ascii"))
            assert b"{" not in payload, "an unanswered {quote} or {said}"


@pytest.mark.parametrize("now", DAYS, ids=str)
def test_answers_come_after_what_they_answer_and_nothing_from_the_future(now: datetime) -> None:
    post = Post(LETTERS, now)
    for letter in LETTERS:
        assert post.date(letter) < now
        if letter.answers:
            assert post.date(post.letters[letter.answers]) < post.date(letter), letter.key


def test_references_lead_to_the_first_letter() -> None:
    letter = POST.letters["season-theo"]
    message = email.message_from_bytes(POST.render(letter))
    ids = [POST.message_id(POST.letters[key]) for key in ("season", "season-ben")]
    assert message["References"].split() == ids
    assert message["In-Reply-To"] == ids[-1]


def test_same_day_and_seed_same_bytes() -> None:
    again = Post(all_letters(), DAYS[0])
    other = Post(all_letters(), DAYS[0], seed=2)
    letter = POST.letters["reports"]
    assert POST.render(letter) == again.render(letter) != other.render(letter)


def test_charsets_encodings_and_kinds_are_many() -> None:
    seen = Counter(letter.charset for letter in LETTERS) + Counter(letter.encoding for letter in LETTERS)
    wanted = {"koi8-r", "iso-2022-jp", "gb18030", "iso-8859-1", "iso-8859-15", "8bit", "base64", "quoted-printable", "7bit"}
    assert wanted <= set(seen)
    kinds = {part.get_content_type() for letter in LETTERS for part in email.message_from_bytes(POST.render(letter)).walk()}
    assert {
        "multipart/alternative",
        "multipart/related",
        "multipart/report",
        "multipart/digest",
        "message/rfc822",
        "text/calendar",
        "text/csv",
        "text/vcard",
        "image/png",
        "image/jpeg",
        "application/pdf",
        "application/zip",
    } <= kinds


def test_attachments_are_what_they_say() -> None:
    checked = Counter[str]()
    for letter in LETTERS:
        for thing in letter.things:
            data = thing.make()
            kind = thing.content_type.partition(";")[0]
            if kind.startswith("image/"):
                with Image.open(io.BytesIO(data)) as image:
                    image.load()
                    assert image.get_format_mimetype() == kind
            elif kind == "application/zip":
                assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None
            elif kind == "application/pdf":
                start = int(data.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
                assert data[start : start + 4] == b"xref"
            checked[kind] += 1
    assert checked["image/jpeg"] >= 5
    assert checked["application/pdf"] >= 4


def test_everybody_has_mail_in_every_usual_place() -> None:
    places = {(copy.account, copy.mailbox) for copy in filed()}
    for person in RESIDENTS:
        assert {(person.address, mailbox) for mailbox in ("INBOX", "Sent", "Archive", "Junk")} <= places
    assert any(copy.mailbox == "Drafts" and copy.flags & Flag.DRAFT for copy in filed())
    assert any(not copy.mailbox.isascii() or " " in copy.mailbox for copy in filed())


def test_flags_tell_what_was_done() -> None:
    copies = [copy for copy in filed() if copy.account == MIRA.address]
    answered = next(copy for copy in copies if b"Subject: LOTTE leaks\r\n" in copy.message and copy.mailbox != "Sent")
    assert answered.flags & Flag.ANSWERED
    fresh = [copy for copy in copies if copy.mailbox == "INBOX" and not copy.flags & Flag.SEEN]
    assert fresh, "an inbox without anything to read is no demo"
    assert any(copy.flags & Flag.FLAGGED for copy in copies)


def test_received_copies_carry_the_trace_fields() -> None:
    for copy in filed():
        if copy.mailbox not in ("Sent", "Drafts"):
            assert copy.message.startswith(b"Return-Path: <")
            assert copy.message.count(b"Received: ", 0, 400) == 1
