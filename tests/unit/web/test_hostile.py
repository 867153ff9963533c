"""Hostile mail through the whole app, checked by parsing what comes out. THREATS T129, T160 to T166."""

from __future__ import annotations

import re
import time
from urllib.parse import quote

import pytest

from pymaild.mailstore import AccountStore
from pymaild.web.text import as_html

from .browser import Answer, Browser, Elements
from .conftest import message
from .hostile import BODIES, CANARY, WORDS

_LOADS = {
    "src",
    "srcset",
    "background",
    "poster",
    "data",
    "action",
    "formaction",
    "ping",
    "lowsrc",
    "dynsrc",
    "srcdoc",
    "xlink:href",
}
_PICTURES = {("img", "src"), ("table", "background"), ("td", "background"), ("th", "background"), ("tr", "background")}
_NEVER = {"script", "iframe", "object", "embed", "applet", "base", "meta", "link", "form", "input", "button", "svg", "math", "video",
          "audio", "frame", "frameset", "template", "noscript", "style"}  # fmt: skip


def html_mail(body: str, more: str = "") -> bytes:
    return message("Hostile", body=body, more=f"MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n{more}")


def frame_body(answer_text: str) -> str:
    """What stands in our own template around it is trusted; the rest came from the stranger."""
    return answer_text.split("<main>", 1)[1].rsplit("</main>", 1)[0]


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_html_is_harmless(browser: Browser, ann: AccountStore, body: str) -> None:
    uid = ann.open("INBOX").append(html_mail(body))
    for remote in (False, True):
        answer = browser.get(f"/frame/{uid}/INBOX" + ("?images=once" if remote else ""))
        assert answer.status == 200
        _sealed(answer)
        for tag, attributes in Elements(frame_body(answer.text)).found:
            assert tag not in _NEVER
            for name, value in attributes.items():
                _harmless(tag, name, value, remote)
    page = browser.get(f"/message/{uid}/INBOX")
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page.text
    for path in (
        f"/message/{uid}/INBOX?view=text",
        "/mail/INBOX",
        f"/original/{uid}/INBOX",
        f"/compose?reply={quote(browser.refs()[0])}",
    ):
        _only_our_own(browser.get(path).text)


def _sealed(answer: Answer) -> None:
    policy = answer.header("Content-Security-Policy")
    assert policy.startswith("sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src data:")
    assert "allow-scripts" not in policy and "allow-same-origin" not in policy
    assert answer.header("X-Frame-Options") == "SAMEORIGIN"


def _harmless(tag: str, name: str, value: str, remote: bool) -> None:
    assert not name.startswith("on") and name not in {"id", "name", "class", "srcset", "ping"}
    if name in {"title", "alt"}:
        return
    assert "url(" not in value.lower(), (tag, name, value)
    assert not re.match(r"\s*(java|vb)script|\s*data:(?!image/(png|jpeg|gif|webp))", value, re.IGNORECASE)
    if name in _LOADS and not (remote and (tag, name) in _PICTURES):
        assert CANARY not in value, (tag, name, value)
    if name == "style":
        assert CANARY not in value and "position" not in value and "expression" not in value


def _only_our_own(html: str) -> None:
    """No script but ours, no handler, nothing to load from elsewhere, no style attribute."""
    for tag, attributes in Elements(html).found:
        assert tag not in {"object", "embed", "applet", "base", "style", "template", "noscript", "math", "img"}
        assert "style" not in attributes and not [name for name in attributes if name.startswith("on")]
        if tag in {"script", "link", "iframe"}:
            assert re.match(r"/(static|frame)/", attributes.get("src", attributes.get("href", "")))
        if tag == "a":
            assert re.match(r"/(?!/)|https?://|#", attributes["href"]), attributes
        if tag == "form":
            assert attributes["action"].startswith("/")


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS.keys())
def test_words_of_strangers_stay_words(browser: Browser, ann: AccountStore, words: str) -> None:
    name = words.replace('"', '\\"')
    attachment = f'{words}\r\n--b\r\nContent-Type: image/svg+xml; name="{name}"\r\nContent-Disposition: attachment; filename="{name}"\r\n\r\n<svg onload=top.canary=1>\r\n--b--'
    raw = message(
        words,
        f'"{name}" <x@example.net>',
        f"--b\r\n\r\n{attachment}",
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n",
    )
    uid = ann.open("INBOX").append(raw)
    ref = browser.refs()[0]
    paths = [
        "/mail/INBOX",
        f"/message/{uid}/INBOX",
        f"/original/{uid}/INBOX",
        f"/compose?reply={quote(ref)}",
        f"/compose?forward={quote(ref)}",
    ]
    for path in [
        *paths,
        f"/search?q={quote(words)}",
        f"/compose?to={quote(words)}&subject={quote(words)}&body={quote(words)}",
    ]:
        answer = browser.get(path)
        assert answer.status == 200, path
        _only_our_own(answer.text)
        assert len([tag for tag, _ in Elements(answer.text).found if tag == "script"]) == 1
    download = browser.get(f"/part/{uid}/2/INBOX")
    assert download.header("Content-Type") == "application/octet-stream"
    disposition = download.header("Content-Disposition")
    assert disposition.startswith("attachment; filename=") and "\n" not in disposition and disposition.isascii()
    assert download.header("Content-Security-Policy").startswith("sandbox; default-src 'none'")


@pytest.mark.parametrize(
    "kind",
    [
        "text/html",
        "image/svg+xml",
        "application/xhtml+xml",
        "text/xml",
        "x",
        "text/html\r\nX: y",
        "application/javascript",
    ],
)
def test_attachments_are_never_pages(browser: Browser, ann: AccountStore, kind: str) -> None:
    part = f"--b\r\n\r\nhi\r\n--b\r\nContent-Type: {kind}\r\nContent-Disposition: attachment; filename=a.html\r\n\r\n<script>top.canary=1</script>\r\n--b--"
    uid = ann.open("INBOX").append(
        message("x", body=part, more="MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n")
    )
    answer = browser.get(f"/part/{uid}/2/INBOX")
    assert (
        answer.header("Content-Disposition").startswith("attachment;")
        and answer.header("X-Content-Type-Options") == "nosniff"
    )
    assert answer.header("Content-Type") in {"application/octet-stream", "text/plain"}


@pytest.mark.parametrize("part", ["0", "3", "1.1", "2.9", "99999", "1." * 50 + "1"])
def test_parts_that_are_not_there(browser: Browser, ann: AccountStore, part: str) -> None:
    assert browser.get(f"/part/1/{part}/INBOX").status == 404


def test_pictures_of_the_message_stand_in_the_frame(browser: Browser, ann: AccountStore) -> None:
    body = (
        "--b\r\nContent-Type: text/html\r\n\r\n<img src='cid:pic@x'><img src='cid:bad@x'>\r\n"
        "--b\r\nContent-Type: image/png\r\nContent-ID: <pic@x>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n"
        "--b\r\nContent-Type: image/svg+xml\r\nContent-ID: <bad@x>\r\n\r\n<svg/>\r\n--b--"
    )
    uid = ann.open("INBOX").append(
        message("p", body=body, more='MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary="b"\r\n')
    )
    sources = [
        a.get("src", "") for tag, a in Elements(frame_body(browser.get(f"/frame/{uid}/INBOX").text)).found if tag == "img"
    ]
    assert [source for source in sources if source] == ["data:image/png;base64,iVBORw0KGgo="]
    page = browser.get(f"/message/{uid}/INBOX").words
    assert "attachment.svg" in page and "attachment.png" not in page


def test_remote_pictures_wait_for_a_click_of_the_reader(browser: Browser, ann: AccountStore) -> None:
    uid = ann.open("INBOX").append(html_mail("<img src=https://canary.example/i.png>"))
    page = browser.get(f"/message/{uid}/INBOX")
    assert "Load remote images once" in page.words and f'src="/frame/{uid}/INBOX"' in page.text
    assert CANARY not in browser.get(f"/frame/{uid}/INBOX").text
    assert CANARY not in browser.get(f"/frame/{uid}/INBOX?images=once", Sec_Fetch_Site="cross-site").text
    assert CANARY in browser.get(f"/frame/{uid}/INBOX?images=once", Sec_Fetch_Site="same-origin").text


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see http://a.example/x.", ["http://a.example/x"]),
        ("(http://a.example/x)", ["http://a.example/x"]),
        ("http://a.example/(x)", ["http://a.example/(x)"]),
        ("javascript:alert(1) data:text/html,x file:///etc/passwd", []),
        ('http://a.example/"onclick="x', ["http://a.example/"]),
        ("http://a.example/<script>", ["http://a.example/"]),
        ("http://a.example\u202e/x", ["http://a.example"]),
        ("http://user:pw@a.example", ["http://user:pw@a.example"]),
        ("mail ann@example.org now", ["/compose?to=ann%40example.org"]),
        ("@@@@a@b@c http:// https://", []),
    ],
)
def test_links_in_plain_text(text: str, links: list[str]) -> None:
    found = Elements(as_html(text)).found
    assert [attributes["href"] for tag, attributes in found if tag == "a"] == links
    assert {tag for tag, _ in found} <= {"a", "div"}


@pytest.mark.parametrize(
    "text", ["http://" * 50_000, "a@" * 100_000, "> " * 100_000, ">\n" * 100_000, "a.b" * 60_000, "(" * 300_000]
)
def test_plain_text_takes_linear_time(text: str) -> None:
    start = time.process_time()
    as_html(text)
    assert time.process_time() - start < 2
