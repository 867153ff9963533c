"""A webmail on a port of this machine, a headless Chromium to look at it, and axe-core to judge what it sees."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pymaild import config
from pymaild.accounts.directory import Directory
from pymaild.assembly import Services, assemble
from pymaild.mailstore import Flag, SpecialUse
from pymaild.web.app import WebApp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
AXE = "axe-core@4.14.1"


def letter(subject: str, body: str, more: str = "") -> bytes:
    head = f"From: Bob Baker <bob@example.org>\r\nTo: Ann <ann@example.org>\r\nSubject: {subject}\r\nMessage-ID: <{abs(hash(subject))}@x>\r\n"
    return f"{head}Date: Tue, 3 Mar 2026 14:05:00 +0000\r\nMIME-Version: 1.0\r\n{more}\r\n{body}\r\n".encode()


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    folder = tmp_path_factory.mktemp("data")
    (folder / "run").mkdir()
    directory = Directory(folder / "pymaild.sqlite3", "mail.example.org", cost=4)
    directory.add_domain("example.org")
    for name in ("ann", "bob"):
        directory.add_account(f"{name}@example.org", "correct horse")
    directory.close()
    made = assemble(config.parse(f"[server]\ndata_dir = {folder}\nhostname = mail.example.org\n"))
    fill(made)
    yield made
    made.close()


def fill(services: Services) -> None:
    store = services.stores("ann@example.org")
    for use in SpecialUse:
        store.special(use)
    box = store.open("INBOX")
    for number in range(56):
        box.append(
            letter(f"Minutes {number}", "Dear Ann,\r\n\r\nsee https://example.org/x\r\n> a\r\n> b\r\n> c\r\n> d"),
            Flag.SEEN if number % 3 else 0,
        )
    box.append(
        letter(
            "Letter in colours",
            "<h1>Hello</h1><p>world</p><img src='http://127.0.0.1:9/i.png'>",
            "Content-Type: text/html\r\n",
        )
    )
    parts = "--b\r\n\r\nSee the file.\r\n--b\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename=lake.png\r\n\r\nx\r\n--b--"
    box.append(letter("With a file", parts, "Content-Type: multipart/mixed; boundary=b\r\n"))
    store.open(store.special(SpecialUse.TRASH)).append(letter("Old", "old"))
    store.create("Projects/Haus & Hof")


@pytest.fixture(scope="module")
def address(services: Services) -> Iterator[str]:
    import waitress.server  # noqa: PLC0415 - only where browser tests run

    server: Any = waitress.server.create_server(WebApp(services), host="127.0.0.1", port=0, threads=4)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.close()
    thread.join(10)


class Canary:
    """Where the name canary.example leads: it notes who comes. No other name leads anywhere."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.heard: list[bytes] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                self.heard.append(connection.recv(200))
                connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    made = Canary()
    yield made
    made.listener.close()


@pytest.fixture(scope="module")
def chromium(canary: Canary) -> Iterator[Any]:
    if not CHROMIUM:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where a browser is installed

    rules = f"--host-resolver-rules=MAP canary.example 127.0.0.1:{canary.port}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, rules])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core: from the folder $PYMAILD_AXE names, or fetched by npm for this run."""
    folder = Path(os.environ.get("PYMAILD_AXE", ""))
    if not (folder / "axe.min.js").is_file():
        npm = shutil.which("npm")
        if not npm:
            pytest.skip("npm is not installed, so axe-core cannot be had")
        home = tmp_path_factory.mktemp("axe")
        command = [npm, "install", "--prefix", str(home), "--no-audit", "--no-fund", "--ignore-scripts", AXE]
        if subprocess.run(command, capture_output=True, check=False, timeout=180).returncode:
            pytest.skip("npm could not fetch axe-core: no registry can be reached")
        folder = home / "node_modules" / "axe-core"
    return (folder / "axe.min.js").read_text("utf-8")
