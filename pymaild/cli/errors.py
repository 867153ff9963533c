"""What went wrong, as one line that says what happened and what to do, and an exit code of sysexits.h."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import TracebackType

from pymaild.status import MailError

USAGE, DATA, NO_INPUT, UNAVAILABLE, SOFTWARE = 64, 65, 66, 69, 70
CANNOT_CREATE, IO_ERROR, TRY_AGAIN, NO_PERMISSION, CONFIG = 73, 74, 75, 77, 78
INTERRUPTED = 130


class CommandError(Exception):
    """A command cannot do what was asked: the code, and a sentence for the person who asked."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def report(run: Callable[[], int], debug: bool = False) -> int:
    """Run a command; what it raises becomes a line on standard error, unless `debug` wants to see where."""
    if debug:
        return run()
    sys.excepthook = _unexpected
    try:
        code = run()
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("\npymaild: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has seen enough: pymaild ... | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except tuple(_codes()) as error:
        return _say(error)
    return code


def _codes() -> dict[type[Exception], int]:
    """What people can put right, the narrower kind first; imported only when there is something to tell."""
    from pymaild.accounts.directory import DirectoryError  # noqa: PLC0415
    from pymaild.assembly import NotInitialised  # noqa: PLC0415
    from pymaild.config import ConfigError  # noqa: PLC0415
    from pymaild.servers.listen import ListenError  # noqa: PLC0415
    from pymaild.servers.tls import CertificateError  # noqa: PLC0415

    return {
        ConfigError: CONFIG,
        NotInitialised: CONFIG,
        CertificateError: CONFIG,
        ListenError: UNAVAILABLE,
        DirectoryError: DATA,
        CommandError: DATA,
        MailError: UNAVAILABLE,
        FileNotFoundError: NO_INPUT,
        FileExistsError: CANNOT_CREATE,
        PermissionError: NO_PERMISSION,
        OSError: IO_ERROR,
        ValueError: DATA,
    }


def _say(error: Exception) -> int:
    code = _code_of(error)
    text = error.text if isinstance(error, MailError) else str(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    print(f"pymaild: {' '.join(text.split())}", file=sys.stderr)
    return code


def _code_of(error: Exception) -> int:
    if isinstance(error, CommandError):
        return error.code
    if isinstance(error, MailError) and error.temporary:
        return TRY_AGAIN
    return next(code for kind, code in _codes().items() if isinstance(error, kind))


def _unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A defect of the program: say so in one line, and how to see more."""
    text = (
        f"pymaild: this is a defect of pymaild: {kind.__name__}: {error}; run the command again with --debug to see where"
    )
    print(" ".join(text.split()), file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(SOFTWARE)  # the interpreter would say 1
