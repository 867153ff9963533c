"""pymaild serve, demo, config."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

from pymaild.cli.listing import as_json
from pymaild.cli.parser import Options


def serve(options: Options) -> int:
    """Run the servers in the foreground."""
    from pymaild.daemon import serve as run  # noqa: PLC0415 - the whole house

    for key in options.config.unused:
        print(f"pymaild: {options.config.path}: {key} is set, and this version does not act on it", file=sys.stderr)
    return int(run(options.config, trace=options.trace or ""))


def demo(options: Options) -> int:
    """Run a mail system to play with."""
    from pymaild.lab.demo import main  # noqa: PLC0415

    return int(main(keep=Path(options.keep).expanduser() if options.keep else None))


def config(options: Options) -> int:
    """Print the commented default, or what is in force."""
    from pymaild.config import SECTIONS, render  # noqa: PLC0415

    if not (options.in_force or options.json):
        print(render(), end="")
        return 0
    found = options.config
    values = {name: asdict(getattr(found, name)) for name in SECTIONS}
    for name, value in values["listen"].items():
        values["listen"][name] = [str(endpoint) for endpoint in getattr(found.listen, name)] if value else []
    values["dns"]["nameservers"] = [str(endpoint) for endpoint in found.dns.nameservers]
    as_json({"file": str(found.path) if found.path else None, **_plain(values)})
    return 0


def _plain(value: dict[str, dict[str, object]]) -> dict[str, object]:
    """Paths as text: JSON knows none."""
    return {
        section: {key: str(item) if isinstance(item, Path) else item for key, item in keys.items()}
        for section, keys in value.items()
    }
