"""pymaild index rebuild, check: the cache beside the Maildir."""

from __future__ import annotations

from collections.abc import Callable

from pymaild.accounts.names import shown
from pymaild.assembly import assemble, become
from pymaild.cli.accounts import existing
from pymaild.cli.errors import DATA, USAGE, CommandError
from pymaild.cli.listing import as_json
from pymaild.cli.parser import Options
from pymaild.cli.progress import Progress

Teller = Callable[[int, int], None]


def rebuild(options: Options) -> int:
    """Make the index anew."""
    return _each(options, check=False)


def check(options: Options) -> int:
    """Compare index, Maildir and checksums."""
    return _each(options, check=True)


def _each(options: Options, check: bool) -> int:
    if bool(options.address) == options.all:
        raise CommandError(USAGE, "name one account, or say --all for every one")
    become(options.config)
    services = assemble(options.config)
    reports: dict[str, list[str]] = {}
    try:
        chosen = services.directory.accounts() if options.all else [existing(services.directory, options.address)]
        for account in chosen:
            with Progress(f"{'check' if check else 'rebuild'} {account.shown}") as progress:
                tell = _teller(progress)
                if check:
                    reports[account.address] = services.stores.check(account.address, tell)
                else:
                    services.stores.rebuild(account.address, tell)
                    services.sharing.look_again(services.stores(account.address))
                    reports[account.address] = []
    finally:
        services.close()
    _print(options, reports, check)
    return DATA if any(reports.values()) else 0


def _teller(progress: Progress) -> Teller:
    def tell(done: int, total: int) -> None:
        progress.total = total
        progress.at(done)

    return tell


def _print(options: Options, reports: dict[str, list[str]], check: bool) -> None:
    if options.json:
        as_json([{"account": account, "problems": problems} for account, problems in reports.items()])
        return
    for address, problems in reports.items():
        account = shown(address)
        if not check:
            print(f"{account}: the index is new.")
        elif not problems:
            print(f"{account}: index, Maildir and checksums agree.")
        for problem in problems:
            print(f"{account}: {problem}")
    if any(reports.values()):
        print("The Maildir is right and the index only a cache: pymaild index rebuild ADDRESS makes it anew.")
