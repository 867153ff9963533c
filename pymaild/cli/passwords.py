"""Where passwords come from: the first line of standard input, or a prompt. Never from the arguments: ps shows those."""

from __future__ import annotations

import getpass
import sys

from pymaild.cli.errors import DATA, USAGE, CommandError

_LONGEST = 1000


def new_password(for_whom: str, from_stdin: bool) -> str:
    """A new password for an account; typed twice when it is typed."""
    if from_stdin:
        return _first_line()
    if not sys.stdin.isatty():
        raise CommandError(
            USAGE, "there is no terminal to ask for a password; give it on standard input, with --password-stdin"
        )
    for _ in range(3):
        password = getpass.getpass(f"New password for {for_whom}: ")
        if not password:
            print("It is empty. Once more.", file=sys.stderr)
        elif getpass.getpass("The same again: ") != password:
            print("They are not the same. Once more.", file=sys.stderr)
        else:
            return password
    raise CommandError(DATA, "no password was set: three tries did not agree")


def _first_line() -> str:
    try:
        password = sys.stdin.readline(_LONGEST + 2).rstrip("\r\n")
    except UnicodeDecodeError:
        raise CommandError(DATA, "the password on standard input is not UTF-8 text") from None
    if not password or len(password) > _LONGEST:
        raise CommandError(DATA, f"the first line of standard input has to be a password of 1 to {_LONGEST} characters")
    return password
