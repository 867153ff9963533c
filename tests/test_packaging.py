"""A wheel carries everything: installed alone into a fresh environment, it finds the webmail's files."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pymaild.paths import www

ROOT = Path(__file__).parents[1]


def test_a_checkout_uses_its_own_www() -> None:
    assert www() == ROOT / "www"


@pytest.mark.slow
def test_a_wheel_installed_elsewhere(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("setup.py", "setup.cfg", "README.md", "LICENSE", "MANIFEST.in", "pymaild", "www"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(source)])
    run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")])
    python = str(tmp_path / "venv/bin/python")
    run([*pip, "--python", python, "install", "--no-deps", "--no-index", str(next(tmp_path.glob("*.whl")))])
    found = Path(run([python, "-c", "from pymaild.paths import www; print(www())"], cwd=tmp_path).strip())
    assert found.is_relative_to(tmp_path / "venv")
    assert {file.relative_to(found) for file in found.rglob("*")} == {
        file.relative_to(ROOT / "www") for file in www().rglob("*")
    }
    assert run([str(tmp_path / "venv/bin/pymaild"), "--version"], cwd=tmp_path).startswith("pymaild ")


def run(command: list[str], cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
