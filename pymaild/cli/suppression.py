"""pymaild suppression: addresses that an account's mail came back from for good, and are not written to again."""

from __future__ import annotations

import time
from dataclasses import asdict

from pymaild.cli.listing import as_json, table
from pymaild.cli.parser import Options
from pymaild.cli.queue import open_queue

_EMPTY = "Nothing is suppressed."


def listing(options: Options) -> int:
    """Of one account or of all: the address, why, since when, until when."""
    with open_queue(options) as queue:
        found = queue.suppressions(options.address or "")
    if options.json:
        as_json([{**asdict(row), "until": row.until} for row in found])
        return 0
    rows = [(r.account, r.address, r.why, _day(r.since), _day(r.until), r.words[:80]) for r in found]
    table(("ACCOUNT", "ADDRESS", "WHY", "SINCE", "UNTIL", "WHAT WAS SAID"), rows, _EMPTY)
    return 0


def clear(options: Options) -> int:
    """Write there again: to one address, or to all of the account's list."""
    with open_queue(options) as queue:
        count = queue.clear_suppressed(options.address, options.target or "")
    print(f"{count} address{'es are' if count != 1 else ' is'} written to again.")
    return 0


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at))
