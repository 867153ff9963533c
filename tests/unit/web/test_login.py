"""Logging in and out, cookies, tokens against forged forms, sessions that end. THREATS T167, T168, T169."""

from __future__ import annotations

import re

import pytest

from pymaild.accounts.websessions import ABSOLUTE, IDLE, WebSessions
from pymaild.assembly import Services
from pymaild.web.app import WebApp
from pymaild.web.pages.login import own_path
from pymaild.web.session import masked, unmasked

from .browser import Browser


def test_login_leads_to_the_inbox(stranger: Browser) -> None:
    assert stranger.log_in().location == "/mail/INBOX"
    assert "Inbox" in stranger.get("/mail/INBOX").words


def test_wrong_password_says_so_and_keeps_the_name(stranger: Browser) -> None:
    answer = stranger.log_in(password="wrong")
    assert answer.status == 403
    assert "not right" in answer.words
    assert answer.values("username") == [] and 'value="ann@example.org"' in answer.text
    assert "wrong" not in answer.text
    assert stranger.get("/mail/INBOX").status == 303


def test_unknown_user_gets_the_same_words(stranger: Browser) -> None:
    known, unknown = stranger.log_in(password="wrong"), stranger.log_in("nobody@example.org", "wrong")
    assert (known.status, known.words) == (unknown.status, unknown.words)


def test_many_wrong_passwords_are_slowed(stranger: Browser) -> None:
    for number in range(40):
        answer = stranger.log_in(password=f"wrong {number}")
        if answer.status == 429:
            return
    pytest.fail("forty different wrong passwords were all checked")


def test_cookie_is_out_of_reach_for_scripts_and_other_sites(stranger: Browser) -> None:
    cookie = stranger.log_in().header("Set-Cookie")
    assert cookie.startswith("pymaild=")
    assert "; HttpOnly; SameSite=Lax" in cookie and "; Path=/" in cookie and "Secure" not in cookie


def test_cookie_over_tls_is_bound_to_the_host(stranger: Browser) -> None:
    stranger.scheme = "https"
    answer = stranger.log_in()
    assert answer.header("Set-Cookie").startswith("__Host-pymaild=") and "; Secure" in answer.header("Set-Cookie")
    assert "max-age" in answer.header("Strict-Transport-Security")


def test_a_session_id_from_before_the_login_is_worth_nothing(stranger: Browser) -> None:
    stranger.cookies["pymaild"] = planted = "A" * 43
    stranger.log_in()
    assert stranger.cookies["pymaild"] != planted


def test_logout_ends_the_session_on_the_server(browser: Browser) -> None:
    stolen = dict(browser.cookies)
    assert browser.post("/logout", {"token": browser.get("/settings").token}).status == 303
    assert "pymaild" not in browser.cookies
    browser.cookies = stolen
    assert browser.get("/mail/INBOX").location.startswith("/login")


def test_without_login_every_page_leads_to_the_form_and_back(stranger: Browser) -> None:
    answer = stranger.get("/message/7/INBOX?view=text")
    assert answer.location == "/login?next=%2Fmessage%2F7%2FINBOX%3Fview%3Dtext"


def test_a_form_of_somebody_logged_out_is_not_lost_silently(stranger: Browser) -> None:
    answer = stranger.post("/compose", {"text": "long letter"})
    assert answer.status == 403 and "what you typed is still there" in answer.words


@pytest.mark.parametrize(
    "evil",
    ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "/\t/evil", "", "/a\r\nX: y"],
)
def test_no_open_redirect(stranger: Browser, evil: str) -> None:
    assert own_path(evil) == "/mail/INBOX"
    page = stranger.get("/login")
    form = {"token": page.token, "username": "ann@example.org", "password": "correct horse", "next": evil}
    assert stranger.post("/login", form).location == "/mail/INBOX"


POSTS = [
    ("/logout", {}),
    ("/messages", {"action": "delete", "m": "1.1.INBOX"}),
    ("/compose", {"to": "bob@example.org"}),
    ("/folders", {"action": "create", "name": "X"}),
    ("/empty/Trash", {}),
    ("/settings/password", {"old": "correct horse", "new": "x", "again": "x"}),
    ("/settings/sessions", {"session": "others"}),
]


@pytest.mark.parametrize(("path", "fields"), POSTS, ids=[path for path, _ in POSTS])
@pytest.mark.parametrize("token", ["", "AAAA", "not base64!", masked(b"x" * 32)])
def test_no_state_changes_without_the_token(browser: Browser, path: str, fields: dict[str, str], token: str) -> None:
    assert browser.post(path, {"token": token, **fields}).status == 403
    assert browser.get("/mail/INBOX").status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://mail.example.org.evil.example"},
    ],
    ids=str,
)
def test_a_good_token_from_another_site_is_refused(browser: Browser, headers: dict[str, str]) -> None:
    token = browser.get("/settings").token
    assert browser.post("/folders", {"token": token, "action": "create", "name": "X"}, **headers).status == 403
    own = {"Sec_Fetch_Site": "same-origin", "Origin": "null"}
    assert browser.post("/folders", {"token": token, "action": "create", "name": "X"}, **own).status == 303


def test_the_login_form_has_a_token_too(stranger: Browser) -> None:
    assert stranger.post("/login", {"username": "ann@example.org", "password": "correct horse"}).status == 403
    token = stranger.get("/login").token
    stranger.cookies.clear()
    assert (
        stranger.post("/login", {"token": token, "username": "ann@example.org", "password": "correct horse"}).status == 403
    )


def test_nothing_changes_by_get(browser: Browser) -> None:
    for path, _ in POSTS:
        assert browser.get(path).status in {200, 405, 404, 409}
    assert browser.get("/logout").status == 405
    assert browser.get("/mail/INBOX").status == 200


def test_masked_tokens_differ_and_come_back() -> None:
    assert masked(b"secret" * 4) != masked(b"secret" * 4)
    assert unmasked(masked(b"secret" * 4)) == b"secret" * 4
    assert unmasked("ä") == unmasked("!") == b""


def test_password_change_needs_the_old_one_and_logs_others_out(browser: Browser, app: WebApp) -> None:
    other = Browser(app)
    other.log_in()
    token = browser.get("/settings").token
    new = {"new": "four quiet green words", "again": "four quiet green words"}
    assert "old password is not right" in browser.post("/settings/password", {"token": token, "old": "wrong", **new}).words
    assert other.get("/mail/INBOX").status == 200
    twice = browser.post("/settings/password", {"token": token, "old": "correct horse", "new": "aaaaaaaaaa", "again": "b"})
    assert twice.status == 409 and "same way twice" in twice.words
    assert browser.post("/settings/password", {"token": token, "old": "correct horse", **new}).status == 303
    assert browser.get("/mail/INBOX").status == 200
    assert other.get("/mail/INBOX").status == 303
    assert Browser(app).log_in().status == 403
    assert Browser(app).log_in(password="four quiet green words").status == 303


def test_the_list_of_sessions_ends_one(browser: Browser, app: WebApp) -> None:
    other = Browser(app, headers={"User_Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"})
    other.log_in()
    page = browser.get("/settings")
    assert "Firefox on Linux" in page.words and "this browser" in page.words
    session = next(value for value in _buttons(page.text) if value != "others")
    browser.post("/settings/sessions", {"token": page.token, "session": session})
    assert other.get("/mail/INBOX").status == 303 and browser.get("/mail/INBOX").status == 200


def _buttons(html: str) -> list[str]:
    return re.findall(r'name="session" value="(\w+)"', html)


def test_sessions_end_by_themselves(services: Services) -> None:
    now = [1_000_000.0]
    sessions = WebSessions(services.directory.database, lambda: now[0])
    token = sessions.begin("ann@example.org", "192.0.2.1", "a browser")
    now[0] += IDLE - 1
    assert sessions.find(token)
    now[0] += IDLE - 1
    assert sessions.find(token), "use keeps it alive"
    now[0] += IDLE + 1
    assert sessions.find(token) is None
    token = sessions.begin("ann@example.org", "192.0.2.1", "a browser")
    end = now[0] + ABSOLUTE
    while now[0] <= end:
        assert sessions.find(token)
        now[0] += IDLE / 2
    assert sessions.find(token) is None, "not even use keeps it alive for ever"


def test_the_database_holds_no_token(services: Services) -> None:
    token = services.sessions.begin("ann@example.org", "", "")
    rows = services.directory.database.read("SELECT * FROM web_session")
    assert rows and token not in str(rows)
    assert services.sessions.find(token + "x") is None and services.sessions.find("") is None


def test_an_account_has_a_limited_number_of_sessions(services: Services) -> None:
    tokens = [services.sessions.begin("ann@example.org", "", "") for _ in range(52)]
    assert len(services.sessions.of("ann@example.org")) == 50
    assert services.sessions.find(tokens[-1])
