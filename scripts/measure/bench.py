"""scripts/bench smtp: messages a second, ours and Postfix's by turns on the same disk, each time in a fresh folder.
scripts/bench imap: the time of commands, ours and Dovecot's by turns on the same mailbox; see imap.py.
scripts/bench relay: what leaves, ours and Postfix's by turns to smtp-sink; see relay.py.
scripts/bench doors: whether the time of a refused login tells who has an account; see doors.py.

A message counts when it is in the mailbox: the clock stops when the last file is there. The load is Postfix's smtp-source.
Nothing is deleted between runs, since deleting slows the making of files afterwards; the folders go at the very end.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from scripts.measure import doors, imap, relay
from scripts.measure.servers import ADDRESS, Postfix, Pymaild, Server, until


@dataclass(frozen=True)
class Row:
    """One kind of load."""

    name: str
    text: str
    options: tuple[str, ...]  # of smtp-source
    messages: int


ROWS = (
    Row("4k-10", "4 KB, 10 sessions kept open", ("-s", "10", "-l", "4096", "-d"), 2000),
    Row("4k-50", "4 KB, 50 sessions kept open", ("-s", "50", "-l", "4096", "-d"), 2000),
    Row("4k-10-connect", "4 KB, 10 sessions, a connection per message", ("-s", "10", "-l", "4096"), 1500),
    Row("50k-10", "50 KB, 10 sessions kept open", ("-s", "10", "-l", "51200", "-d"), 1000),
)
WARM_UP = 100


@dataclass(frozen=True)
class Figure:
    """One run of one server."""

    rate: float  # messages a second, durable
    cpu: float  # milliseconds of processor time a message


def load(server: Server, row: Row, messages: int) -> None:
    """Send, and wait until all are in the mailbox."""
    there = server.stored()
    command = ["smtp-source", *row.options, "-m", str(messages), "-f", "a@example.net", "-t", ADDRESS]
    subprocess.run([*command, f"127.0.0.1:{server.port}"], check=True)
    until(lambda: server.stored() >= there + messages, 120, f"{server.name} lost messages")


def run(start: Callable[[Path], Server], folder: Path, row: Row) -> Figure:
    """One run from nothing."""
    folder.mkdir()
    server = start(folder)
    try:
        load(server, row, WARM_UP)
        used, began = server.cpu(), time.monotonic()
        load(server, row, row.messages)
        seconds = time.monotonic() - began
        return Figure(row.messages / seconds, (server.cpu() - used) / row.messages * 1000)
    finally:
        server.stop()


def compare(row: Row, rounds: int, folder: Path) -> dict[str, object]:
    """A B A B ..."""
    ours, theirs = [], []
    for number in range(rounds):
        ours.append(run(Pymaild, folder / f"{row.name}-{number}-pymaild", row))
        theirs.append(run(Postfix, folder / f"{row.name}-{number}-postfix", row))
    ratios = [one.rate / two.rate for one, two in zip(ours, theirs, strict=True)]
    cpu = [one.cpu / two.cpu for one, two in zip(ours, theirs, strict=True)]
    return {
        "row": row.name,
        "text": row.text,
        "pymaild": spread([figure.rate for figure in ours]),
        "postfix": spread([figure.rate for figure in theirs]),
        "ratio": spread(ratios),
        "pymaild_cpu_ms": spread([figure.cpu for figure in ours]),
        "postfix_cpu_ms": spread([figure.cpu for figure in theirs]),
        "cpu_ratio": spread(cpu),
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def show(result: dict[str, object]) -> str:
    """One line of the table."""

    def shown(key: str, digits: int) -> str:
        value = result[key]
        assert isinstance(value, dict)
        return f"{value['median']:.{digits}f} ({value['min']:.{digits}f}-{value['max']:.{digits}f})"

    return (
        f"{result['text']:45} pymaild {shown('pymaild', 0)}/s  postfix {shown('postfix', 0)}/s  ratio {shown('ratio', 2)}"
        f"  CPU ms {shown('pymaild_cpu_ms', 2)} / {shown('postfix_cpu_ms', 2)}"
    )


def smtp(folder: Path, rounds: int, only: Sequence[str]) -> list[dict[str, object]]:
    """All rows; each line is printed when it is known."""
    results = []
    for row in ROWS:
        if not only or row.name in only:
            results.append(compare(row, rounds, folder))
            print(show(results[-1]), flush=True)
    return results


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("what", choices=["smtp", "imap", "relay", "doors"])
    parser.add_argument("--rounds", type=int, default=3, help="how often each server has its turn (3)")
    parser.add_argument(
        "--row",
        action="append",
        choices=[row.name for row in (*ROWS, *imap.ROWS)] + [*relay.ROWS, imap.TAKEN],
        help="only this row; may be repeated",
    )
    parser.add_argument("--messages", type=int, default=10_000, help="imap: how many the mailbox has (10000; also 100000)")
    parser.add_argument("--folder", type=Path, help="where to work: the disk that is measured")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args()
    folder = Path(mkdtemp(prefix="pymaild-bench-", dir=options.folder))
    folder.chmod(0o755)
    only = options.row or ()
    try:
        if options.what == "smtp":
            results = smtp(folder, options.rounds, only)
        elif options.what == "relay":
            results = relay.measure(folder, options.rounds, only)
        elif options.what == "doors":
            results = doors.measure(folder)
        else:
            results = imap.measure(folder, options.messages, options.rounds, only)
    finally:
        shutil.rmtree(folder)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
