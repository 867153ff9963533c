"""The command line: one table of commands, one function for each, one place where errors become a line and a code.

    table.py      every command with its arguments, help and examples; --help and docs/commands.md follow from it
    parser.py     the table as argparse
    errors.py     what went wrong as "pymaild: what happened; what to do" and a code of sysexits.h
    listing.py    tables for people, JSON for programs
    progress.py   a bar on a terminal, a line every ten seconds anywhere else
    passwords.py  from standard input or a prompt, never from the arguments
    and a module for each group of commands

A command's function takes Options and returns an exit code. Modules are imported when their command is run, so
`pymaild --version` does not wait for what serving mail needs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    from pymaild.cli.errors import report  # noqa: PLC0415 - nothing is imported before it is needed
    from pymaild.cli.parser import Options, UsageError, parse  # noqa: PLC0415

    arguments = _as_called(sys.argv) if argv is None else list(argv)
    try:
        command, namespace = parse(arguments)
    except UsageError as error:
        print(error, file=sys.stderr)
        return 64
    return report(lambda: command.run(Options(namespace)), debug=namespace.debug)


def _as_called(argv: Sequence[str]) -> list[str]:
    """A link named sendmail or mailq that leads here is that command."""
    name = argv[0].rpartition("/")[2]
    first = {"sendmail": ["sendmail"], "mailq": ["queue", "list"]}.get(name, [])
    return [*first, *argv[1:]]
