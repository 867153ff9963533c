"""Imports point one way: down the list of layers in pymaild/__init__.py; and the pure packages stay pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import pymaild

ROOT = Path(pymaild.__file__).parent

# From the bottom up. A module may import its own layer and those below.
LAYERS = (
    ("vocabulary", ("", "status", "envelope", "dialogue", "mailstore", "events", "units", "paths", "progress")),
    ("pure", ("smtp", "imap", "message", "sasl")),
    ("services", ("accounts", "store", "verify", "search", "outbound", "config")),
    ("path", ("flow",)),
    ("shells", ("servers", "web")),
    ("assembly", ("assembly", "daemon", "cli", "lab", "__main__")),
)
RANK = {part: rank for rank, (_, parts) in enumerate(LAYERS) for part in parts}
IMPURE = {"socket", "ssl", "threading", "sqlite3", "time", "smtplib", "dns"}
CATCHES_ALL = {"servers/wire.py", "web/app.py", "outbound/runner.py"}

MODULES = sorted(ROOT.rglob("*.py"))


def part_of(file: Path) -> str:
    """The package or module right below pymaild."""
    first = file.relative_to(ROOT).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported, also inside functions; type checking's own are no arrows."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (
                f"{node.module}.{alias.name}" if node.module == "pymaild" else str(node.module) for alias in node.names
            )
        else:
            yield from imports(node)


def parsed(file: Path) -> ast.AST:
    return ast.parse(file.read_text("utf-8"))


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_arrow_points_up(file: Path) -> None:
    own = part_of(file)
    assert own in RANK, f"{file.name} belongs to no layer: add it to LAYERS"
    for name in imports(parsed(file)):
        package, _, rest = name.partition(".")
        if package == "pymaild":
            part = rest.partition(".")[0]
            part = part if part in RANK else ""  # from pymaild import __version__
            assert RANK[part] <= RANK[own], f"{own} ({LAYERS[RANK[own]][0]}) imports {part} ({LAYERS[RANK[part]][0]})"


@pytest.mark.parametrize("file", [file for file in MODULES if RANK.get(part_of(file)) == 1], ids=lambda file: file.name)
def test_pure_packages_know_no_sockets_files_clocks_or_dns(file: Path) -> None:
    assert not IMPURE & {name.partition(".")[0] for name in imports(parsed(file))}


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(ROOT)))
def test_only_the_outermost_shells_catch_everything(file: Path) -> None:
    if str(file.relative_to(ROOT)) in CATCHES_ALL:
        return
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{file}:{node.lineno}: bare except"
            assert not (isinstance(node.type, ast.Name) and node.type.id == "Exception"), f"{file}:{node.lineno}"


def test_the_map_in_the_package_names_every_part() -> None:
    text = pymaild.__doc__ or ""
    for part in RANK:
        if part and part != "__main__":
            assert f"{part}.py" in text or f"{part}/" in text, f"{part} is missing from the map in pymaild/__init__.py"
