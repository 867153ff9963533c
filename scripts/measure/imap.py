"""scripts/bench imap: the time of IMAP commands, ours and Dovecot's by turns on the same mailbox.

The first answers are measured in two ways: once of files that another program put into both Maildirs, and ROUNDS times of
mail that pymaild took in itself (APPEND) and Dovecot finds as files, each time after both have been started anew.
Then each row is asked ROUNDS times of each server by turns, after one turn that does not count. A change is taken back
between the turns. Before that both servers have come to rest: pymaild keeps the words of messages after it has taken
them in.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.measure.client import Client
from scripts.measure.mailbox import COMMON, RARE, fill, messages
from scripts.measure.servers import Dovecot, ImapServer, Pymaild, cpu_of, private_memory

LIST_ITEMS = "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)"
WHOLE = 10_000  # messages of the row that fetches whole ones
SOME = 1000  # messages of COPY and EXPUNGE


@dataclass
class Side:
    """One server with the connection that asks it."""

    server: ImapServer
    client: Client
    count: int

    def again(self) -> Client:
        return Client(self.server.imap_port, self.server.user, self.server.password)


Measure = Callable[[Side], float]


@dataclass(frozen=True)
class ImapRow:
    """What is measured; `rate`: more is better, otherwise less."""

    name: str
    text: str
    target: float  # ours / Dovecot's
    measure: Measure
    unit: str = "ms"
    rounds: int = 0  # 0: as asked

    @property
    def rate(self) -> bool:
        return self.unit == "/s"


def _command(command: str) -> Measure:
    return lambda side: side.client.timed(
        command.format(last=side.count, page=max(1, side.count - 49), whole=min(WHOLE, side.count))
    )


def _store(side: Side) -> float:
    """Every message changes: the keyword-free flag is taken away again off the clock."""
    taken = side.client.timed(r"STORE 1:* +FLAGS (\Answered)")
    side.client.command(r"STORE 1:* -FLAGS (\Answered)")
    return taken


def _copy(side: Side) -> float:
    return side.client.timed(f"COPY 1:{min(SOME, side.count)} Copies")


def _expunge(side: Side) -> float:
    """Of messages that were copied into a mailbox of their own."""
    side.client.command(f"COPY 1:{min(SOME, side.count)} Doomed")
    side.client.select("Doomed")
    side.client.command(r"STORE 1:* +FLAGS.SILENT (\Deleted)")
    taken = side.client.timed("EXPUNGE")
    side.client.select()
    return taken


def _append(side: Side) -> float:
    texts = [text for text, _, _ in messages(300)]
    began = time.perf_counter()
    for text in texts:
        side.client.append("Appended", text)
    return len(texts) / (time.perf_counter() - began)


def _logins(side: Side) -> float:
    """One after the other: connect, log in, and leave."""
    count, began = 150, time.perf_counter()
    for _ in range(count):
        client = side.again()
        client.close()
    return count / (time.perf_counter() - began)


def _memory(side: Side) -> float:
    """KiB of private memory that each of many connections in IDLE adds to a server that was just started."""
    side.client.close()
    side.server.stop()
    side.server.start()
    idle: list[Client] = []
    for number in range(20 + IDLE_CONNECTIONS):
        if number == 20:
            before = private_memory(side.server.process.pid)
        client = side.again()
        client.select()
        client.socket.sendall(b"i IDLE\r\n")
        client.read_until(b"+ ")
        idle.append(client)
    time.sleep(3)  # whatever is put aside for quiet connections has happened by then
    added = private_memory(side.server.process.pid) - before
    for client in idle:
        client.close()
    side.client = side.again()
    side.client.select()
    return added / IDLE_CONNECTIONS


IDLE_CONNECTIONS = 200


def _wakes(side: Side) -> list[float]:
    """Milliseconds from the OK of an APPEND on one connection to EXISTS on another one in IDLE."""
    watcher, text = side.again(), next(messages(1))[0]
    watcher.select("Appended")
    watcher.socket.sendall(b"i IDLE\r\n")
    watcher.read_until(b"+ ")
    taken = []
    for _ in range(WAKES):
        side.client.append("Appended", text)
        began = time.perf_counter()
        watcher.read_until(b" EXISTS")
        taken.append((time.perf_counter() - began) * 1000)
        time.sleep(0.6)  # so that each one is alone: Dovecot gathers half a second
    watcher.close()
    return sorted(taken)


WAKES = 30


def _wake(share: float) -> Measure:
    def measure(side: Side) -> float:
        taken = _wakes(side)
        return taken[min(len(taken) - 1, int(len(taken) * share))]

    return measure


ROWS = (
    ImapRow("select", "SELECT", 1.5, _command("SELECT INBOX"), rounds=15),
    ImapRow("flags", "FETCH 1:* (UID FLAGS)", 1.5, _command("FETCH 1:* (UID FLAGS)")),
    ImapRow("list", f"FETCH 1:* {LIST_ITEMS}", 0.5, _command(f"FETCH 1:* {LIST_ITEMS}")),
    ImapRow(
        "fields",
        "FETCH 1:* BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT DATE)]",
        1,
        _command("FETCH 1:* BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT DATE)]"),
    ),
    ImapRow("whole", f"FETCH 1:{WHOLE} BODY.PEEK[]", 1.5, _command("FETCH 1:{whole} BODY.PEEK[]")),
    ImapRow("page", "FETCH of the 50 newest, list items", 1.5, _command("FETCH {page}:{last} " + LIST_ITEMS), rounds=15),
    ImapRow("text-rare", f"SEARCH TEXT {RARE}", 0.01, _command(f"SEARCH TEXT {RARE}")),
    ImapRow("text-common", f"SEARCH TEXT {COMMON}", 0.01, _command(f"SEARCH TEXT {COMMON}")),
    ImapRow("from", "SEARCH FROM greta", 0.2, _command("SEARCH FROM greta")),
    ImapRow("subject", "SEARCH SUBJECT invoice", 0.2, _command("SEARCH SUBJECT invoice")),
    ImapRow("since", "SEARCH SINCE 1-Jan-2020", 0.5, _command("SEARCH SINCE 1-Jan-2020")),
    ImapRow("unseen", "SEARCH UNSEEN", 1, _command("SEARCH UNSEEN")),
    ImapRow("sort", "SORT (DATE) UTF-8 ALL", 1, _command("SORT (DATE) UTF-8 ALL")),
    ImapRow("thread", "THREAD REFERENCES UTF-8 ALL", 1, _command("THREAD REFERENCES UTF-8 ALL")),
    ImapRow("store", r"STORE 1:* +FLAGS (\Answered)", 1, _store),
    ImapRow("copy", f"COPY {SOME}", 2, _copy),
    ImapRow("expunge", f"EXPUNGE {SOME}", 2, _expunge),
    ImapRow("append", "APPEND 10 KB, one connection", 1, _append, "/s"),
    ImapRow("login", "new connections with login", 1000 / 148, _logins, "/s"),
    ImapRow("memory", f"private memory per connection in IDLE ({IDLE_CONNECTIONS})", 0.055, _memory, "KiB", rounds=1),
    ImapRow("wake-p50", "IDLE wake-up after one delivery, p50", 0.01, _wake(0.5), rounds=1),
    ImapRow("wake-p99", "IDLE wake-up after one delivery, p99", 0.01, _wake(0.99), rounds=1),
)
COLD = (("select", "SELECT {}", 0.2), ("list", f"FETCH 1:* {LIST_ITEMS}", 0.1))
TAKEN = "taken"  # the row of mail that pymaild took in itself


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def first_answers(sides: Sequence[Side], mailbox: str, what: str, rounds: int = 0) -> list[dict[str, object]]:
    """What the first one who asks waits for; with `rounds` so often, each time of servers that were started anew."""
    taken: list[list[list[float]]] = [[[] for _ in sides] for _ in COLD]
    for _ in range(rounds or 1):
        if rounds:
            start_anew(sides)
        for (_, command, _), values in zip(COLD, taken, strict=True):
            for side, times in zip(sides, values, strict=True):
                times.append(side.client.timed(command.format(mailbox)))
    return [
        _result(f"cold-{name}-{mailbox}", f"first {command.format(mailbox)}, {what}", target, "ms", *values)
        for (name, command, target), values in zip(COLD, taken, strict=True)
    ]


def take_in(sides: Sequence[Side]) -> None:
    """The same messages once more: through pymaild's door, and into Dovecot's Maildir."""
    ours, theirs = sides
    for side in sides:
        side.client.command("CREATE Taken")
    for text, _, _ in messages(ours.count):
        ours.client.append("Taken", text)
    fill([theirs.server.mailbox / ".Taken"], theirs.count)
    theirs.server.own()
    rest(sides)


def start_anew(sides: Sequence[Side]) -> None:
    """Both servers; Dovecot knows nothing of its files then."""
    for side in sides:
        side.client.close()
        side.server.stop()
    for path in (sides[1].server.mailbox / ".Taken").glob("dovecot*"):
        path.unlink()
    for side in sides:
        side.server.start()
        side.client = side.again()


def rest(sides: Sequence[Side]) -> None:
    """Wait until what a server does afterwards is done."""
    before = -1.0
    while (now := sum(cpu_of(side.server.process.pid) for side in sides)) > before + 0.05:
        before = now
        time.sleep(3)


def compare(row: ImapRow, rounds: int, sides: Sequence[Side]) -> dict[str, object]:
    """A B A B ..."""
    turns = row.rounds or rounds
    if turns > 1:
        for side in sides:
            row.measure(side)
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(turns):
        for side, values in zip(sides, taken, strict=True):
            values.append(row.measure(side))
    return _result(row.name, row.text, row.target, row.unit, *taken)


def _result(
    name: str, text: str, target: float, unit: str, ours: Sequence[float], theirs: Sequence[float]
) -> dict[str, object]:
    ratios = [one / two for one, two in zip(ours, theirs, strict=True)]
    return {
        "row": name,
        "text": text,
        "unit": unit,
        "pymaild": spread(ours),
        "dovecot": spread(theirs),
        "ratio": spread(ratios),
        "target": target,
        "reached": statistics.median(ratios) >= target if unit == "/s" else statistics.median(ratios) <= target,
    }


def show(result: dict[str, object]) -> str:
    """One line of the table."""

    def shown(key: str) -> str:
        value = result[key]
        assert isinstance(value, dict)
        return f"{value['median']:.4g} ({value['min']:.3g}-{value['max']:.3g})"

    wanted = f"{'>=' if result['unit'] == '/s' else '<='} {result['target']:.3g}"
    return (
        f"| {result['text']} | {result['unit']} | {shown('pymaild')} | {shown('dovecot')} | {shown('ratio')} |"
        f" {wanted} | {'yes' if result['reached'] else 'no'} |"
    )


def measure(folder: Path, count: int, rounds: int, only: Sequence[str]) -> list[dict[str, object]]:
    """All rows, in a fresh folder; each line is printed when it is known."""
    servers: list[ImapServer] = []
    results: list[dict[str, object]] = []

    def say(result: dict[str, object]) -> None:
        results.append(result)
        print(show(result), flush=True)

    try:
        for name in ("pymaild", "dovecot"):
            (folder / name).mkdir()
        servers.append(Pymaild(folder / "pymaild", more=_LIMITS))
        servers.append(Dovecot(folder / "dovecot"))
        sides = _sides(servers, count)
        print("| row | unit | pymaild | Dovecot | ratio | wanted | reached |\n|---|---|---|---|---|---|---|", flush=True)
        for first in first_answers(sides, "INBOX", "files of another program"):
            say(first)
        if not only or TAKEN in only:
            take_in(sides)
            for first in first_answers(sides, "Taken", "mail that pymaild took in", rounds):
                say(first)
        _prepare(sides)
        for row in ROWS:
            if not only or row.name in only:
                say(compare(row, rounds, sides))
    finally:
        for server in servers:
            server.stop()
    return results


_LIMITS = f"[limits]\nconnections_per_account = {IDLE_CONNECTIONS + 100}\n"  # as Dovecot's are lifted


def _sides(servers: Sequence[ImapServer], count: int) -> list[Side]:
    """The same messages in the Maildir of each, which a first login makes; nobody looks at it while it is filled."""
    for server in servers:
        client = Client(server.imap_port, server.user, server.password)
        client.select()
        client.close()
    fill([server.mailbox for server in servers], count)
    for server in servers:
        server.own()
    return [Side(server, Client(server.imap_port, server.user, server.password), count) for server in servers]


def _prepare(sides: Sequence[Side]) -> None:
    """The mailboxes that rows write into; and whether all messages are there."""
    for side in sides:
        for mailbox in ("Copies", "Doomed", "Appended"):
            side.client.command(f"CREATE {mailbox}")
        there = side.client.select()
        if there != side.count:
            raise ValueError(f"{side.server.name} has {there} messages of {side.count}")
    rest(sides)
