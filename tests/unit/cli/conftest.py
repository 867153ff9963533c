"""A mail system made by `pymaild init`, and a way to run commands on it in this process."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pymaild.accounts.login import Login as _Login
from pymaild.cli import main

PASSWORD = "correct horse battery"


@dataclass
class Result:
    """What a command did."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Result]


@pytest.fixture
def pymaild(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """pymaild("account", "list", stdin="...")."""
    monkeypatch.setattr("pymaild.accounts.directory.Login", lambda database, cost: _Login(database, 4))
    monkeypatch.setattr("sys.excepthook", lambda *_: None)  # report() sets it; put back afterwards

    def run(*arguments: str | Path, stdin: str = "", config: bool = True) -> Result:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8"))
        first = ["-c", str(tmp_path / "pymaild.conf")] if config else []
        code = main([*first, *map(str, arguments)])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder after init; making keys takes time, and data_dir is relative."""
    folder = tmp_path_factory.mktemp("template")
    command = [sys.executable, "-m", "pymaild", "-c", str(folder / "pymaild.conf")]
    for arguments in (
        ["init", "--domain", "example.org", "--admin", "ann@example.org"],
        ["account", "add", "bob@example.org"],
    ):
        done = subprocess.run(
            [*command, *arguments, "--password-stdin"], input=PASSWORD, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def house(pymaild: Run, template: Path, tmp_path: Path) -> Run:
    """The same, after init and with a second account."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return pymaild
