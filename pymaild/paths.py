"""Where the files are that belong to the program and are no Python: www/ with templates, styles and pictures."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def www() -> Path:
    """The folder www/: beside the package in a checkout or an editable install, inside the package in a wheel."""
    package = Path(__file__).resolve().parent
    for folder in (package / "_www", package.parent / "www"):
        if folder.is_dir():
            return folder
    raise FileNotFoundError("www/, the webmail's templates, is neither in the package nor beside it: install it again")
