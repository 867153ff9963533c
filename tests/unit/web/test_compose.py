"""Writing: sending to local people, refusals at the field, drafts, attachments, replies and forwards."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from pymaild.assembly import Services
from pymaild.mailstore import AccountStore, Flag, SpecialUse
from pymaild.message import structure
from pymaild.web.letter import Letter

from .browser import Answer, Browser
from .conftest import message

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def send(
    browser: Browser, fields: dict[str, str], files: list[tuple[str, str, bytes]] | None = None, **more: str
) -> Answer:
    token = browser.get("/compose").token
    values = {"token": token, "action": "send", "sender": "ann@example.org", **fields, **more}
    return browser.upload("/compose", list(values.items()), files or [])


def inbox(services: Services, account: str) -> list[Letter]:
    box = services.stores(account).open("INBOX")
    return [Letter(box.read(uid)) for uid in box.uids()]


def test_a_letter_reaches_everybody_and_a_copy_is_kept(browser: Browser, services: Services, ann: AccountStore) -> None:
    fields = {
        "to": "Bob B. <bob@example.org>",
        "cc": "eve@EXAMPLE.org",
        "bcc": "anna@example.org",
        "subject": "Grüße 你好",
        "text": "Zeile eins\r\nzwei",
    }
    assert send(browser, fields).status == 303
    assert "Sent." in browser.get("/mail/INBOX").words
    (letter,) = inbox(services, "bob@example.org")
    assert letter.subject == "Grüße 你好" and letter.plain.strip() == "Zeile eins\nzwei"
    assert [str(person) for person in letter.people("from")] == ["ann@example.org"]
    assert letter.field("bcc") == "" and b"192.0.2.7" not in letter.message
    assert len(inbox(services, "eve@example.org")) == 1
    assert inbox(services, "ann@example.org")[-1].field("bcc") == ""
    sent = ann.open(ann.special(SpecialUse.SENT))
    assert [row.flags & Flag.SEEN for row in sent.rows()] == [Flag.SEEN]
    assert "anna@example.org" in Letter(sent.read(sent.uids()[0])).field("bcc")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "one address at least"),
        ({"to": "nobody@example.org"}, "nobody@example.org: There is no such user here"),
        ({"to": "bob"}, "not a complete address"),
        ({"to": "bob@"}, "not a complete address"),
        ({"to": "bob@exa mple.org"}, "address"),
        ({"to": "bob@example.org", "cc": "nobody@example.org"}, "nobody@example.org: There is no such user here"),
        ({"to": ",,;"}, "not a complete address"),
    ],
)
def test_refusals_stand_at_the_field_and_nothing_is_lost(
    browser: Browser, services: Services, fields: dict[str, str], says: str
) -> None:
    answer = send(browser, {"subject": "Kept <b>", "text": "A long & careful letter\n> with quotes", **fields})
    assert answer.status == 409 and says in answer.words
    assert "A long &amp; careful letter\n&gt; with quotes" in answer.text and 'value="Kept &lt;b&gt;"' in answer.text
    for name, value in fields.items():
        assert f'name="{name}" value="{value}"' in answer.text
    assert not inbox(services, "bob@example.org"), "one wrong recipient: nobody gets it"


def test_semicolons_and_groups_are_understood(browser: Browser, services: Services) -> None:
    assert send(browser, {"to": "bob@example.org; Friends: eve@example.org;", "text": "x"}).status == 303
    assert len(inbox(services, "bob@example.org")) == len(inbox(services, "eve@example.org")) == 1


def test_only_own_addresses_as_sender(browser: Browser, services: Services) -> None:
    send(browser, {"to": "bob@example.org", "text": "x"}, sender="anna@example.org")
    send(browser, {"to": "bob@example.org", "text": "x"}, sender="eve@example.org")
    letters = inbox(services, "bob@example.org")
    assert [letter.people("from")[0].address for letter in letters] == ["anna@example.org", "ann@example.org"]


@pytest.mark.parametrize("char", ["\r\n", "\n", "\x0b", "\x0c", "\x85", "\u2028", "\0"])
def test_no_field_begins_another_header_field(browser: Browser, services: Services, char: str) -> None:
    evil = f"x{char}Bcc: eve@example.org{char}X-Evil: 1"
    send(browser, {"to": "bob@example.org", "subject": evil, "text": "t", "in_reply_to": evil, "references": evil})
    (letter,) = inbox(services, "bob@example.org")
    assert letter.field("x-evil") == "" and not inbox(services, "eve@example.org")


def test_attachments_arrive_byte_for_byte(browser: Browser, services: Services) -> None:
    files = [
        ("Übersicht.pdf", "application/pdf", b"%PDF"),
        ("..\\..\\evil/x.png", "image/png", PNG),
        ("", "application/octet-stream", b""),
    ]
    assert send(browser, {"to": "bob@example.org", "text": "see"}, files).status == 303
    (letter,) = inbox(services, "bob@example.org")
    assert [(file.name, letter.content(file.part)) for file in letter.attachments] == [
        ("Übersicht.pdf", b"%PDF"),
        ("x.png", PNG),
    ]


def test_after_a_refusal_the_attachments_are_still_there(browser: Browser, services: Services, ann: AccountStore) -> None:
    answer = send(browser, {"to": "nobody@example.org", "text": "see"}, [("a.png", "image/png", PNG)])
    assert answer.status == 409
    keep, draft = answer.values("keep"), answer.values("draft")
    assert len(keep) == 1 and draft[0]
    assert send(browser, {"to": "bob@example.org", "text": "see"}, keep=keep[0], draft=draft[0]).status == 303
    (letter,) = inbox(services, "bob@example.org")
    assert [letter.content(file.part) for file in letter.attachments] == [PNG]
    assert ann.open(ann.special(SpecialUse.DRAFTS)).state().messages == 0, "the draft is gone once it is sent"


def test_too_large_is_said_and_too_many_octets_are_not_read(browser: Browser, services: Services) -> None:
    answer = send(browser, {"to": "bob@example.org", "text": "see"}, [("a.bin", "", b"x" * 1_900_000)])
    assert answer.status == 409 and "too large" in answer.words
    assert send(browser, {"to": "bob@example.org"}, [("a.bin", "", b"x" * 7_000_000)]).status == 413
    assert not inbox(services, "bob@example.org")


def test_a_draft_is_kept_opened_and_replaced(browser: Browser, ann: AccountStore) -> None:
    fields = {
        "to": "half an addre",
        "cc": "Bob <bob@example.org>",
        "subject": '"><script>alert(1)</script>',
        "text": "Dear\n\nBob  \n",
    }
    answer = send(browser, fields, [("a.png", "image/png", PNG)], action="save")
    assert answer.location.startswith("/compose?draft=")
    page = browser.get(answer.location)
    assert "half an addre" in page.text and "bob@example.org" in page.text and "a.png" in page.words
    assert "<script>alert" not in page.text, "THREATS T165: draft restore"
    draft = page.values("draft")[0]
    send(browser, {"to": "bob@example.org", "text": "2"}, action="save", draft=draft)
    drafts = ann.open(ann.special(SpecialUse.DRAFTS))
    assert drafts.state().messages == 1 and [row.flags for row in drafts.rows()] == [Flag.DRAFT | Flag.SEEN]


LONG = "word " * 60 + "end"


def test_long_paragraphs_survive_the_way_through_a_draft(browser: Browser) -> None:
    answer = send(browser, {"text": f"{LONG}\n\n> quoted\n From here"}, action="save")
    assert f"{LONG}\n\n&gt; quoted\n From here</textarea>" in browser.get(answer.location).text


def test_reply_quotes_and_threads(browser: Browser, services: Services, ann: AccountStore) -> None:
    more = "Cc: Eve <eve@example.org>, anna@example.org\r\nReferences: <a@b>\r\n"
    ann.open("INBOX").append(message("Plans", body="One\r\n> older", more=more))
    ref = browser.refs()[0]
    page = browser.get(f"/compose?reply={quote(ref)}")
    assert 'name="to" value="Bob &lt;bob@example.org&gt;"' in page.text and 'name="cc" value=""' in page.text
    assert 'value="Re: Plans"' in page.text and "&gt; One\n&gt;&gt; older" in page.text
    page = browser.get(f"/compose?replyall={quote(ref)}")
    assert 'name="cc" value="Eve &lt;eve@example.org&gt;"' in page.text
    hidden = {name: page.values(name)[0] for name in ("in_reply_to", "references", "answers")}
    send(browser, {"to": "bob@example.org", "subject": "Re: Plans", "text": "ok", **hidden})
    (letter,) = inbox(services, "bob@example.org")
    assert letter.references[0] == "<a@b>" and letter.field("in-reply-to") == letter.references[-1]
    assert list(ann.open("INBOX").rows())[-1].flags & Flag.ANSWERED


def test_forward_takes_the_attachments_along(browser: Browser, services: Services, ann: AccountStore) -> None:
    send(browser, {"to": "ann@example.org", "subject": "Files", "text": "see"}, [("a.png", "image/png", PNG)])
    page = browser.get(f"/compose?forward={quote(browser.refs()[0])}")
    assert 'value="Fwd: Files"' in page.text and "Forwarded message" in page.text
    send(browser, {"to": "bob@example.org", "text": "fyi"}, keep=page.values("keep")[0])
    (letter,) = inbox(services, "bob@example.org")
    assert [letter.content(file.part) for file in letter.attachments] == [PNG]


def test_a_link_fills_in_five_fields_and_no_more(browser: Browser) -> None:
    mailto = (
        "mailto:bob@example.org?cc=eve@example.org&subject=A%20B&body=x%0D%0Ay&attach=/etc/passwd&from=eve@example.org&x=1"
    )
    page = browser.get(f"/compose?mailto={quote(mailto, safe='')}")
    assert (
        'name="to" value="bob@example.org"' in page.text and 'value="A B"' in page.text and "eve@example.org" in page.text
    )
    assert "passwd" not in page.text and not page.values("keep")
    assert "passwd" not in browser.get("/compose?to=a@b&attach=/etc/passwd&keep=1@1.1.INBOX&sender=x").text


@pytest.mark.parametrize("keep", ["1@1.1.INBOX", "9@{ref}", "../../etc/passwd@{ref}", "1", "@", "1@9.9.Nowhere"])
def test_only_own_parts_can_be_kept(browser: Browser, keep: str) -> None:
    value = keep.format(ref=browser.refs()[0])
    assert send(browser, {"to": "bob@example.org"}, keep=value).status in {400, 404, 409}


def test_a_composed_message_is_well_formed(browser: Browser, services: Services) -> None:
    send(browser, {"to": "bob@example.org", "text": "ü" * 2000}, [("a.txt", "text/plain", b"a\nb")])
    (letter,) = inbox(services, "bob@example.org")
    assert max(len(line) for line in letter.message.split(b"\r\n")) <= 998 and b"\n" not in letter.message.replace(
        b"\r\n", b""
    )
    assert [part.type for part in structure.walk(letter.root)] == ["multipart", "text", "text"]
