"""The webmail in Chromium: with and without JavaScript, on three screens, judged by axe-core, attacked by hostile mail."""

from __future__ import annotations

import importlib.util
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pymaild.assembly import Services
from pymaild.mailstore import SpecialUse

from .conftest import Canary, letter

pytestmark = pytest.mark.clients

SCREENS = {"desk": (1440, 900), "tablet": (900, 800), "phone": (390, 844)}
PAGES = {
    "inbox": "/mail/INBOX",
    "second page": "/mail/INBOX?page=2",
    "empty folder": "/mail/Archive",
    "trash": "/mail/Trash",
    "subfolder": "/mail/Projects/Haus%20%26%20Hof",
    "message": "/message/1/INBOX",
    "html message": "/message/57/INBOX",
    "html as text": "/message/57/INBOX?view=text",
    "message with file": "/message/58/INBOX",
    "message in trash": "/message/1/Trash",
    "original": "/original/57/INBOX",
    "search form": "/search",
    "results": "/search?q=minutes",
    "nothing found": "/search?q=xyzzy",
    "compose": "/compose?to=bob@example.org&cc=x@example.org&subject=Hi",
    "folders": "/folders",
    "empty trash": "/empty/Trash",
    "settings": "/settings",
    "not there": "/nowhere",
}


def log_in(context: Any, address: str) -> Any:
    page = context.new_page()
    page.goto(address + "/login")
    page.fill("#username", "ann@example.org")
    page.fill("#password", "correct horse")
    page.click("button.primary")
    page.wait_for_url("**/mail/INBOX")
    return page


@pytest.fixture
def page(chromium: Any, address: str) -> Any:
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    yield log_in(context, address)
    context.close()


def violations(page: Any, axe: str) -> list[str]:
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {iframes: false})")["violations"]
    return [f"{rule['id']}: {node['target']} {node['html'][:120]}" for rule in found for node in rule["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
def test_axe_finds_nothing_on_any_page(chromium: Any, address: str, axe: str, screen: str, scheme: str) -> None:
    width, height = SCREENS[screen]
    context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, bypass_csp=True)
    stranger = context.new_page()
    stranger.goto(address + "/login")
    found = {"login": violations(stranger, axe)}
    page = log_in(context, address)
    for name, path in PAGES.items():
        page.goto(address + path)
        found[name] = violations(page, axe)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} is {wide} pixels wider than the screen"
    context.close()
    assert {name: said for name, said in found.items() if said} == {}


def test_the_script_and_style_obey_our_own_policy(page: Any, address: str) -> None:
    said: list[str] = []
    page.on("console", lambda line: said.append(line.text) if line.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    for name, path in PAGES.items():
        if name != "not there":
            page.goto(address + path)
    assert said == []


def test_the_inbox_is_small(chromium: Any, address: str) -> None:
    context = chromium.new_context()
    page = log_in(context, address)
    cookies = context.cookies()
    context.close()
    fresh = chromium.new_context()
    fresh.add_cookies(cookies)
    sizes: list[int] = []
    page = fresh.new_page()
    page.on("requestfinished", lambda request: sizes.append(request.sizes()["responseBodySize"]))
    page.goto(address + "/mail/INBOX", wait_until="networkidle")
    fresh.close()
    print(f"inbox of 50 rows: {len(sizes)} requests, {sum(sizes)} octets")
    assert len(sizes) <= 4 and sum(sizes) <= 40_000


def test_writing_and_acting_without_javascript(chromium: Any, address: str, services: Services) -> None:
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844})
    page = log_in(context, address)
    page.goto(address + "/compose")
    page.fill("#to", "bob@example.org, nobody@example.org")
    page.fill("#subject", "No script")
    page.fill("#text", "It works.")
    page.set_input_files("#files", {"name": "a.txt", "mimeType": "text/plain", "buffer": b"attached"})
    page.click("text=Send")
    assert "There is no such user here" in page.inner_text("#to_problem")
    assert page.input_value("#text") == "It works." and "a.txt" in page.inner_text(".kept")
    page.fill("#to", "bob@example.org")
    page.click("text=Send")
    assert "Sent." in page.inner_text(".notice")
    box = services.stores("bob@example.org").open("INBOX")
    assert b"a.txt" in box.read(box.uids()[-1])
    before = services.stores("ann@example.org").open("INBOX").state().messages
    page.locator(".row .pick input").first.check()
    page.click(".bulk button[value=archive]")
    assert services.stores("ann@example.org").open("INBOX").state().messages == before - 1
    page.click("text=Undo")
    assert services.stores("ann@example.org").open("INBOX").state().messages == before
    context.close()


def test_keys(page: Any) -> None:
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/message/*/INBOX")
    page.keyboard.press("r")
    page.wait_for_url("**/compose?reply=*")
    page.goto(page.url.split("/compose")[0] + "/mail/INBOX")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "q"


def _hostile() -> dict[str, str]:
    """The corpus of tests/unit/web, loaded by path: tests are no package."""
    path = Path(__file__).parents[1] / "unit" / "web" / "hostile.py"
    spec = importlib.util.spec_from_file_location("hostile", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    bodies: dict[str, str] = module.BODIES
    return bodies


def test_the_canary_hears_a_request(page: Any, canary: Canary) -> None:
    """Or the next test would prove nothing."""
    before = len(canary.heard)
    page.evaluate("fetch('http://canary.example/', {mode: 'no-cors'}).catch(() => 0)")  # our own policy stops this
    assert len(canary.heard) == before
    with suppress(Exception):  # 204 leaves the page where it is, and Playwright calls that an error
        page.context.new_page().goto("http://canary.example/")
    assert len(canary.heard) > before


@pytest.mark.parametrize("walls", ["both walls", "only the frame"])
def test_hostile_mail_runs_nothing_and_loads_nothing(
    page: Any, address: str, services: Services, canary: Canary, walls: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each wall alone has to hold: with the sanitiser taken away, the frame and its policy still stop everything."""
    if walls == "only the frame":
        monkeypatch.setattr("pymaild.web.pages.frame.safe_html", lambda letter, remote=False: letter.html)
    windows: list[str] = []
    page.context.on("page", lambda opened: windows.append(opened.url))
    before = len(canary.heard)
    store = services.stores("ann@example.org")
    box = store.open(store.special(SpecialUse.JUNK))
    for name, body in _hostile().items():
        uid = box.append(letter(name, body, "Content-Type: text/html; charset=utf-8\r\n"))
        page.goto(f"{address}/message/{uid}/Junk", wait_until="load")
        frame = page.frames[1]
        assert "frame" in frame.url, name
        if walls == "only the frame":
            assert "canary" in frame.content() or "canary" not in body, (
                f"{name}: the attack did not get as far as the frame"
            )
        assert page.evaluate("window.canary") is None, name
        assert page.url == f"{address}/message/{uid}/Junk", name
    assert canary.heard[before:] == []
    assert windows == []
