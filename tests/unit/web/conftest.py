"""The webmail over the real directory, store and path, in a folder of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pymaild import config
from pymaild.accounts.directory import Directory
from pymaild.assembly import Services, assemble
from pymaild.mailstore import AccountStore
from pymaild.web.app import WebApp

from .browser import Browser


def message(subject: str = "Hello", sender: str = "Bob <bob@example.org>", body: str = "Hi Ann", more: str = "") -> bytes:
    head = f"From: {sender}\r\nTo: Ann <ann@example.org>\r\nSubject: {subject}\r\nDate: Tue, 3 Mar 2026 14:05:00 +0000\r\n"
    return f"{head}Message-ID: <{abs(hash((subject, body)))}@example.org>\r\n{more}\r\n{body}\r\n".encode()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Accounts are made once: scrypt takes its time on purpose."""
    folder = tmp_path_factory.mktemp("template")
    directory = Directory(folder / "pymaild.sqlite3", "mail.example.org", cost=4)
    directory.add_domain("example.org")
    for name in ("ann", "bob", "eve"):
        directory.add_account(f"{name}@example.org", "correct horse")
    directory.add_alias("anna@example.org", ["ann@example.org"])
    directory.close()
    return folder / "pymaild.sqlite3"


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """In memory where the system has such a place: these tests prove pages, not what a disk keeps."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def services(data_dir: Path, template: Path) -> Iterator[Services]:
    (data_dir / "run").mkdir()
    (data_dir / "pymaild.sqlite3").write_bytes(template.read_bytes())
    parsed = config.parse(f"[server]\ndata_dir = {data_dir}\nhostname = mail.example.org\n[limits]\nmessage_size = 2M\n")
    made = assemble(parsed)
    yield made
    made.close()


@pytest.fixture
def app(services: Services) -> WebApp:
    return WebApp(services)


@pytest.fixture
def ann(services: Services) -> AccountStore:
    """Her mail: three messages in the inbox."""
    store = services.stores("ann@example.org")
    box = store.open("INBOX")
    for subject in ("First", "Second", "Third"):
        box.append(message(subject))
    return store


@pytest.fixture
def stranger(app: WebApp) -> Browser:
    return Browser(app)


@pytest.fixture
def browser(app: WebApp, ann: AccountStore) -> Browser:
    """Ann, logged in."""
    made = Browser(app)
    assert made.log_in().status == 303
    return made
