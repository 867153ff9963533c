"""Folders, lists, messages, actions, search: every room with its good and bad visitors."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import pytest

from pymaild.assembly import Services
from pymaild.mailstore import AccountStore, Flag, SpecialUse
from pymaild.web.app import WebApp
from pymaild.web.routes import ROUTES

from .browser import Browser, Elements
from .conftest import message


def test_every_page_carries_the_security_headers(browser: Browser) -> None:
    for path in ("/", "/login", "/mail/INBOX", "/message/1/INBOX", "/nowhere", "/raw/1/INBOX", "/settings", "/compose"):
        answer = browser.get(path)
        policy = answer.header("Content-Security-Policy")
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy, path
        assert answer.header("X-Content-Type-Options") == "nosniff"
        assert answer.header("Referrer-Policy") == "no-referrer"
        assert answer.header("X-Frame-Options") == "DENY"
        assert answer.header("Cache-Control") == "no-store"
        assert "camera=()" in answer.header("Permissions-Policy")


def test_static_files_are_kept_for_good_and_answered_with_304(stranger: Browser) -> None:
    page = stranger.get("/login").text
    for url in re.findall(r'(?:href|src)="(/static/[^"]+)"', page):
        answer = stranger.get(url)
        assert answer.status == 200 and "immutable" in answer.header("Cache-Control")
        again = stranger.get(url, If_None_Match=answer.header("ETag"))
        assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    "name", ["style.css", "..%2f..%2fsetup.cfg", "%2e%2e/setup.cfg", "style.000000000000.css", "%00", "app.js%0d%0a"]
)
def test_only_known_files_are_served(stranger: Browser, name: str) -> None:
    assert stranger.get(f"/static/{name}").status in {400, 404}


@pytest.mark.parametrize("path", ["/mail/%ff", "/mail/%00", "/message/1/IN%0dBOX"])
def test_addresses_that_are_no_text(browser: Browser, path: str) -> None:
    answer = browser.get(path)
    assert answer.status == 400 and "not valid" in answer.words


def test_errors_are_pages(browser: Browser) -> None:
    for path, status in (("/nowhere", 404), ("/mail/Nothing", 404), ("/message/999/INBOX", 404), ("/messages", 405)):
        answer = browser.get(path)
        assert answer.status == status and "Go to the inbox" in answer.words
    assert browser.get("/messages").header("Allow") == "POST"
    assert browser.request("BREW", "/mail/INBOX").status == 405


def test_head_is_get_without_the_body(browser: Browser) -> None:
    answer = browser.request("HEAD", "/mail/INBOX")
    assert (answer.status, answer.body) == (200, b"") and int(answer.header("Content-Length")) > 1000


def test_an_unforeseen_error_is_a_page_with_a_number(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("pymaild.web.pages.list.folder_pane", lambda *_: 1 // 0)
    answer = browser.get("/mail/INBOX")
    assert answer.status == 500 and "ZeroDivision" not in answer.text
    number = re.search(r"number ([0-9a-f]{8})", answer.words)
    assert number and number[1] in caplog.text


def test_the_list_shows_the_newest_first_and_counts(browser: Browser, ann: AccountStore) -> None:
    page = browser.get("/mail/INBOX")
    assert "3 messages, 3 unread" in page.words
    assert page.words.index("Third") < page.words.index("Second") < page.words.index("First")
    assert page.text.count('class="row unread"') == 3
    browser.get("/message/3/INBOX")
    page = browser.get("/mail/INBOX")
    assert "3 messages, 2 unread" in page.words and page.text.count('class="row unread"') == 2


def test_head_of_a_message_does_not_mark_it_read(browser: Browser, ann: AccountStore) -> None:
    browser.request("HEAD", "/message/3/INBOX")
    assert ann.open("INBOX").state().unseen == 3


def test_pages_of_fifty(browser: Browser, ann: AccountStore) -> None:
    box = ann.open("INBOX")
    for number in range(60):
        box.append(message(f"Number {number}"))
    first, second = browser.get("/mail/INBOX"), browser.get("/mail/INBOX?page=2")
    assert (len(first.values("m")), len(second.values("m"))) == (50, 13)
    assert "51 to 63 of 63" in second.words
    for odd in ("0", "-1", "99", "x", "9" * 30, "\uff11"):
        assert browser.get(f"/mail/INBOX?page={quote(odd)}").status == 200


@pytest.mark.parametrize(
    "name", ["Über uns", "项目/二〇二六", "a & b <b>", "Fünf % und #3?", "'; DROP TABLE", 'say "hi"', "nested/deep/er"]
)
def test_folders_of_any_name(browser: Browser, ann: AccountStore, name: str) -> None:
    page = browser.get("/folders")
    assert browser.post("/folders", {"token": page.token, "action": "create", "name": name, "parent": ""}).status == 303
    uid = ann.open(name).append(message("In there"))
    page = browser.get(f"/mail/{quote(name)}")
    assert page.status == 200 and "In there" in page.words
    links = [attributes["href"] for tag, attributes in Elements(page.text).found if "open" in attributes.get("class", "")]
    assert browser.get(links[0]).status == 200
    assert browser.get(f"/message/{uid}/{quote(name)}").status == 200
    refs = page.values("m")
    assert browser.act("star", *refs).status == 303
    assert [row.flags & Flag.FLAGGED for row in ann.open(name).rows()] == [Flag.FLAGGED]
    token = browser.get("/folders").token
    assert browser.post("/folders", {"token": token, "action": "rename", "folder": name, "name": "Plain"}).status == 303
    assert browser.get("/mail/Plain").status == 200
    assert browser.post("/folders", {"token": token, "action": "delete", "folder": "Plain"}).status == 409
    assert browser.post("/folders", {"token": token, "action": "delete", "folder": "Plain", "sure": "yes"}).status == 303
    assert browser.get("/mail/Plain").status == 404


@pytest.mark.parametrize("name", ["", "INBOX", "a//b", "../x", "bad\x01name"])
def test_folder_names_that_cannot_be(browser: Browser, name: str) -> None:
    token = browser.get("/folders").token
    answer = browser.post("/folders", {"token": token, "action": "create", "name": name})
    assert answer.status == 409 and 'role="alert"' in answer.text


def test_folders_with_a_use_stay(browser: Browser, ann: AccountStore) -> None:
    trash = ann.special(SpecialUse.TRASH)
    token = browser.get("/folders").token
    for name in ("INBOX", trash):
        assert browser.post("/folders", {"token": token, "action": "delete", "folder": name, "sure": "yes"}).status == 409
        assert browser.post("/folders", {"token": token, "action": "rename", "folder": name, "name": "X"}).status == 409


def test_flags(browser: Browser, ann: AccountStore) -> None:
    refs = browser.refs()
    browser.act("read", *refs[:2])
    assert ann.open("INBOX").state().unseen == 1
    browser.act("unread", *refs)
    assert ann.open("INBOX").state().unseen == 3
    token = browser.get("/mail/INBOX").token
    for expected in (Flag.FLAGGED, 0):
        browser.post("/messages", {"token": token, "flip": refs[0], "back": "/mail/INBOX"})
        assert [row.flags & Flag.FLAGGED for row in ann.open("INBOX").rows([3])] == [expected]


@pytest.mark.parametrize(
    ("action", "use"), [("archive", SpecialUse.ARCHIVE), ("junk", SpecialUse.JUNK), ("delete", SpecialUse.TRASH)]
)
def test_moving_and_taking_it_back(browser: Browser, ann: AccountStore, action: str, use: SpecialUse) -> None:
    refs = browser.refs()
    browser.act(action, *refs[:2], back="/mail/INBOX")
    assert ann.open(ann.special(use)).state().messages == 2
    page = browser.get("/mail/INBOX")
    assert "2 messages" in page.words and "Undo" in page.words
    undo = re.search(r'(?s)<div class="notice".*?</div>', page.text)
    assert undo
    back = [("m", ref) for ref in re.findall(r'name="m" value="([^"]+)"', undo[0])]
    browser.post("/messages", [("token", page.token), ("action", "undo"), ("to", "INBOX"), ("back", "/mail/INBOX"), *back])
    assert ann.open("INBOX").state().messages == 3
    assert "Undo" not in browser.get("/settings").words, "a notice is said once"


def test_moving_to_a_folder(browser: Browser, ann: AccountStore) -> None:
    ann.create("Projects")
    refs = browser.refs()
    browser.act("move", *refs[:1], to="Projects")
    assert ann.open("Projects").state().messages == 1
    browser.act("move", *refs[1:2])
    assert "choose a folder first" in browser.get("/mail/INBOX").words
    assert browser.act("move", *refs[1:2], to="Nowhere").status == 409
    assert browser.act("dance", *refs[1:2]).status == 400
    browser.act("archive")
    assert "Nothing was selected" in browser.get("/mail/INBOX").words


def test_what_is_in_the_trash_goes_only_when_confirmed(browser: Browser, ann: AccountStore) -> None:
    trash = ann.special(SpecialUse.TRASH)
    browser.act("delete", *browser.refs()[:2])
    refs = browser.refs(trash)
    assert browser.act("delete", *refs[:1]).status == 409
    assert ann.open(trash).state().messages == 2
    assert browser.act("delete", *refs[:1], sure="yes").status == 303
    assert ann.open(trash).state().messages == 1
    page = browser.get(f"/empty/{trash}")
    assert "cannot be taken back" in page.words
    browser.post(f"/empty/{trash}", {"token": page.token})
    assert ann.open(trash).state().messages == 0
    assert browser.get("/empty/INBOX").status == 409
    assert browser.post("/empty/INBOX", {"token": page.token}).status == 409
    assert ann.open("INBOX").state().messages == 1


def test_an_old_page_never_hits_another_message(browser: Browser, ann: AccountStore) -> None:
    ann.create("Old")
    ann.open("Old").append(message("one"))
    refs = browser.refs("Old")
    ann.delete("Old")
    ann.create("Old")
    ann.open("Old").append(message("another"))
    uid, validity, name = refs[0].split(".")
    stale = f"{uid}.{int(validity) + 1}.{name}"
    for ref in {stale, refs[0]} - set(browser.refs("Old")):
        assert browser.act("delete", ref).status == 409
    assert ann.open("Old").state().messages == 1


@pytest.mark.parametrize(
    "ref", ["", "1", "1.1", "0.1.INBOX", "x.y.z", "1.1.", "99999999999.1.INBOX", "1.1.IN\nBOX", "\u0661.1.INBOX"]
)
def test_references_that_are_none(browser: Browser, ref: str) -> None:
    assert browser.act("read", ref).status == 400


def test_nobody_reaches_the_mail_of_another(browser: Browser, app: WebApp, ann: AccountStore, services: Services) -> None:
    refs = browser.refs()
    bob = Browser(app)
    bob.log_in("bob@example.org")
    for path in ("/message/1/INBOX", "/raw/1/INBOX", "/frame/1/INBOX", "/part/1/1/INBOX", "/original/1/INBOX"):
        assert bob.get(path).status == 404
    assert bob.act("delete", *refs).status in {303, 409}
    assert bob.get(f"/compose?forward={quote(refs[0])}").status in {404, 409}
    token = browser.get("/settings").token
    assert bob.post("/messages", {"token": token, "action": "read", "m": refs[0]}).status == 403, (
        "the token of another session"
    )
    assert ann.open("INBOX").state().messages == 3


def test_search_finds_words_in_every_field(browser: Browser, ann: AccountStore) -> None:
    ann.create("Projects")
    ann.open("Projects").append(message("Roof", "Chloé <chloe@example.net>", "Ziegel und Balken"))
    for words in ("roof", "chloe", "Chloé", "balken", '"Ziegel und"', "roof ziegel"):
        page = browser.get(f"/search?q={quote(words)}")
        assert "1 message" in page.words and "Roof" in page.words, words
    assert "Nothing found" in browser.get("/search?q=xyzzy").words
    assert "Nothing found" in browser.get("/search?q=roof&in=INBOX").words
    assert "3 messages" in browser.get("/search?q=bob").words
    assert browser.get("/search?q=roof&in=Nowhere").status == 404


@pytest.mark.parametrize(
    "words", ['"', '""', "NEAR(", "*", "%_", ") OR 1=1 --", "{9999999+}\r\n", "<script>", "-", "x" * 5000, "\u202e", "'"]
)
def test_search_takes_anything_as_text(browser: Browser, words: str) -> None:
    answer = browser.get(f"/search?q={quote(words)}")
    assert answer.status == 200 and "<script>" not in answer.text


def test_message_page_and_its_original(browser: Browser, ann: AccountStore) -> None:
    raw = message("Lake", body="See https://example.org/a_(b).\r\n\r\n> 1\r\n> 2\r\n> 3\r\n> 4\r\nBye")
    uid = ann.open("INBOX").append(raw)
    page = browser.get(f"/message/{uid}/INBOX")
    assert '<a href="https://example.org/a_(b)" target="_blank" rel="noopener noreferrer nofollow">' in page.text
    assert "Quoted text, 4 lines" in page.words and "Bob" in page.words and "bob@example.org" in page.words
    original = browser.get(f"/original/{uid}/INBOX")
    assert "Message-ID" in original.words and "Subject: Lake" in original.words
    download = browser.get(f"/raw/{uid}/INBOX")
    assert download.body == raw
    assert download.header("Content-Disposition") == 'attachment; filename="Lake.eml"'


def test_every_route_is_documented() -> None:
    text = (Path(__file__).parents[3] / "docs" / "webmail.md").read_text("utf-8")
    for route in ROUTES:
        assert f"`{route.method} {route.pattern}`" in text, (
            f"docs/webmail.md does not mention {route.method} {route.pattern}"
        )
