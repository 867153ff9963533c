"""The documentation knows every command, option and key; its pages are those that the tables make; its links lead somewhere."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from pymaild.cli import manual
from pymaild.cli.table import COMMANDS
from pymaild.config import SECTIONS

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@pytest.mark.parametrize("page", ["commands", "configuration"])
def test_pages_made_from_tables_are_up_to_date(page: str) -> None:
    made = getattr(manual, page)()
    again = f"python -m pymaild.cli.manual {page} > docs/{page}.md"
    assert (ROOT / f"docs/{page}.md").read_text("utf-8") == made, f"write it again: {again}"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.words)
def test_every_command_and_option_is_documented(command: object) -> None:
    row = next(found for found in COMMANDS if found is command)
    text = (ROOT / "docs/commands.md").read_text("utf-8")
    section = text.partition(f"## pymaild {row.words}\n")[2].partition("\n## ")[0]
    assert section
    for argument in row.arguments:
        assert str(argument.settings.get("metavar", argument.names[0])) in section
        assert argument.help in section


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_is_documented(section: str) -> None:
    text = (ROOT / "docs/configuration.md").read_text("utf-8").partition(f"## [{section}]\n")[2].partition("\n## ")[0]
    for item in fields(SECTIONS[section]):
        assert f"`{item.name}`" in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_that_are_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_documentation_exist(page: Path) -> None:
    known = {command.words for command in COMMANDS} | {command.words.split()[0] for command in COMMANDS}
    code = re.findall(r"`([^`\n]+)`|^    (.+)$", page.read_text("utf-8"), re.MULTILINE)
    for inline, block in code:
        match = re.match(r"(?:\$ )?pymaild (?:-c \S+ )?([a-z]+)(?: ([a-z]+))?", inline or block)
        if match:
            words = {match[1], f"{match[1]} {match[2]}"}
            assert words & known, inline or block
