"""docs/commands.md and docs/configuration.md from the tables: python -m pymaild.cli.manual commands|configuration."""

from __future__ import annotations

import sys
from dataclasses import fields

from pymaild.cli.parser import GLOBAL_OPTIONS
from pymaild.cli.table import COMMANDS, Argument, Command
from pymaild.config import SECTIONS

_COMMANDS = """\
# Commands

What `pymaild --help` says, on one page; `python -m pymaild.cli.manual commands` writes it. `pymaild COMMAND --help` tells
about one command. Listings take `--json`. Passwords come from a prompt or from standard input, never from the arguments.

Exit codes are those of sysexits.h: 0 done, 64 the command line makes no sense, 65 the data are wrong, 66 there is no such
file, 69 something needed is not available, 70 a defect of pymaild, 73 cannot be created, 74 the disk failed, 75 try again
later, 77 no permission, 78 the configuration is wrong. Errors are one line on standard error: what happened, what to do.

Commands that root runs become the owner of `data_dir` first, so that the servers can use what they make.

## Options before every command
"""

_CONFIGURATION = """\
# Configuration

`python -m pymaild.cli.manual configuration` writes this page. The file is INI: sections in brackets, `key = value`, lines
that begin with `#` are comments. It is the one named by `-c`, else by `$PYMAILD_CONF`, else `./pymaild.conf`, else
`/etc/pymaild.conf`; without any, the defaults hold. `pymaild config` prints all keys with their defaults, `pymaild config
--in-force` what holds now. An unknown section or key is an error that names the file, the section, the key and the nearest
known one, and so is a value that does not fit.

Sizes are written `500K`, `25 MiB`, `5G`; durations `30s`, `5m`, `12h`, `5d`. Listeners are `1.2.3.4:25`, `[::1]:25`, `*:25`
(every address, IPv4 and IPv6) or `unix:/path`, several with commas between; port 0 is any free port. Relative paths start
at the folder of the file. Ports below 1024 need root, who becomes `[server] user` once they are open; without root choose
ports above, as `pymaild init` does.

Domains, accounts and aliases are data and not here: see [commands](commands.md).
"""


def commands() -> str:
    """docs/commands.md."""
    rows = [f"- `{', '.join(names)}`: {settings['help']}" for names, settings in GLOBAL_OPTIONS]
    return _COMMANDS + "\n" + "\n".join(rows) + "\n" + "".join(map(_command, COMMANDS))


def _command(command: Command) -> str:
    usage = " ".join(["pymaild", command.words, *map(_usage, command.arguments)])
    help = command.help[0].upper() + command.help[1:]
    rows = "".join(f"- `{_names(argument)}`: {argument.help}\n" for argument in command.arguments)
    examples = "".join(f"    {example}\n" for example in command.examples)
    text = f"\n{command.text}\n" if command.text else ""
    return (
        f"\n## pymaild {command.words}\n\n`{usage}`\n\n{help}.\n{text}"
        + (f"\n{rows}" if rows else "")
        + (f"\nExamples:\n\n{examples}" if examples else "")
    )


def _usage(argument: Argument) -> str:
    many = str(argument.settings.get("nargs", ""))
    if argument.names[0].startswith("-"):
        return f"[{_names(argument)}]"
    name = _names(argument) + (" ..." if many in ("*", "+") else "")
    return f"[{name}]" if many in ("*", "?") else name


def _names(argument: Argument) -> str:
    settings = argument.settings
    if not argument.names[0].startswith("-"):
        return str(settings.get("metavar", argument.names[0]))
    choices = "|".join(settings.get("choices", ()))
    value = settings.get("metavar") or choices
    if settings.get("nargs") == "?":
        value = f"[{value}]"
    return ", ".join(argument.names) + (f" {value}" if value else "")


def configuration() -> str:
    """docs/configuration.md."""
    parts = [_CONFIGURATION]
    for name, section in SECTIONS.items():
        parts.append(f"\n## [{name}]\n\n{section.__doc__}\n\n| key | default | |\n|---|---|---|\n")
        for item in fields(section):
            default = f"`{item.metadata['default']}`" if item.metadata["default"] else "empty"
            note = "" if item.metadata["used"] else " *Checked and kept; this version does not act on it.*"
            parts.append(f"| `{item.name}` | {default} | {item.metadata['help']}{note} |\n")
    return "".join(parts)


if __name__ == "__main__":
    sys.stdout.write({"commands": commands, "configuration": configuration}[sys.argv[1]]())
