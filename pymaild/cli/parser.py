"""The table of commands as argparse, and Options: what a command's function is given."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pymaild
from pymaild.cli.table import COMMANDS, GROUPS, Command

if TYPE_CHECKING:
    from pymaild.config import Config


class UsageError(Exception):
    """The command line makes no sense; what is wrong and where to read on."""


class Options:
    """The arguments of a command, and the configuration it runs with, read when it is asked for."""

    def __init__(self, namespace: argparse.Namespace) -> None:
        self._namespace = namespace

    def __getattr__(self, name: str) -> Any:
        return getattr(self._namespace, name)

    @property
    def config_path(self) -> Path | None:
        """What -c named."""
        path: Path | None = self._namespace.config
        return path

    @cached_property
    def config(self) -> Config:
        """The configuration in force. Raises ConfigError."""
        from pymaild.config import load  # noqa: PLC0415 - some commands need none

        return load(self.config_path)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Complain in our own words: argparse would print its usage and exit with 2."""
        raise UsageError(f"pymaild: {message}; see {self.prog} --help")


def parse(arguments: Sequence[str]) -> tuple[Command, argparse.Namespace]:
    """The command that is meant, and its arguments. Raises UsageError."""
    namespace = build().parse_args(arguments)
    return namespace.command, namespace


def build() -> argparse.ArgumentParser:
    """The parser of the whole table."""
    parser = _parser("pymaild", "A whole mail system in one program.", _EPILOG, add_help=False)
    for names, settings in GLOBAL_OPTIONS:
        parser.add_argument(*names, **settings)
    commands = parser.add_subparsers(metavar="COMMAND", required=True, title="commands", parser_class=_Parser)
    groups: dict[str, Any] = {}
    for command in COMMANDS:
        first, _, second = command.words.partition(" ")
        if second and first not in groups:
            group = commands.add_parser(first, help=GROUPS[first], description=_sentence(GROUPS[first]))
            groups[first] = group.add_subparsers(metavar="COMMAND", required=True, title="commands", parser_class=_Parser)
        _add(groups[first] if second else commands, second or first, command)
    return parser


def _add(parsers: Any, name: str, command: Command) -> None:
    description = _sentence(command.help)
    examples = "".join(f"\n  {example}" for example in command.examples)
    parser = parsers.add_parser(
        name,
        help=command.help,
        description=f"{description} {command.text}".strip(),
        epilog=f"examples:{examples}" if examples else None,
        formatter_class=_Formatter,
    )
    for argument in command.arguments:
        parser.add_argument(*argument.names, help=argument.help, **argument.settings)
    parser.set_defaults(command=command)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Descriptions are filled, examples keep their lines."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith(("examples:", "first steps:")):
            return super()._fill_text(text, width, indent)
        return argparse.HelpFormatter._fill_text(self, text, width, indent)


def _parser(program: str, description: str, epilog: str, add_help: bool) -> argparse.ArgumentParser:
    return _Parser(program, description=description, epilog=epilog, formatter_class=_Formatter, add_help=add_help)


GLOBAL_OPTIONS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("-h", "--help"), {"action": "help", "help": "this text; pymaild COMMAND --help tells about one command"}),
    (("--version",), {"action": "version", "version": f"pymaild {pymaild.__version__}", "help": "the version"}),
    (
        ("-c", "--config"),
        {
            "metavar": "FILE",
            "type": Path,
            "help": "the configuration; else $PYMAILD_CONF, ./pymaild.conf, /etc/pymaild.conf, else the defaults",
        },
    ),
    (("--debug",), {"action": "store_true", "help": "show where in the program an error happened"}),
)

_EPILOG = """\
first steps:
  pymaild demo                                     look at it: nothing is needed, nothing is left behind
  pymaild init --domain example.org --admin ann@example.org
  pymaild serve                                    run it
  pymaild account add bob@example.org              and somebody else moves in

Exit codes are those of sysexits.h: 64 usage, 65 data, 66 no such file, 69 unavailable, 70 defect, 73 cannot create,
74 disk, 75 try again, 77 permission, 78 configuration.
"""
