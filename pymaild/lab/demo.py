"""pymaild demo: a whole mail system on loopback in a few seconds, with people in it. Ctrl-C ends it.

A folder of its own (thrown away at the end, or kept with --keep) gets a pymaild.conf, two domains, five accounts and their
letters; then the same daemon that `pymaild serve` runs is forked, and a correspondent goes on writing.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pymaild.lab.cast import DOMAINS, RESIDENTS
from pymaild.lab.child import HOST, DemoError, servers
from pymaild.lab.correspondent import Correspondent, Doors
from pymaild.lab.letters import Letter, Post
from pymaild.lab.show import Screen, welcome

if TYPE_CHECKING:
    from pymaild.assembly import Services
    from pymaild.config import Config

PORTS = {"smtp": 2525, "submission": 5870, "submissions": 4650, "imap": 1143, "imaps": 1993, "http": 8080}
MARK = "demo.json"  # in a folder that a demo made
LOG = "demo.log"

_SYLLABLES = tuple(a + b for a in "bdfgklmnprst" for b in "aeio")


@dataclass(frozen=True, slots=True)
class Running:
    """A demo that runs: what a person needs to look around in it."""

    config: Config
    ports: dict[str, int]
    passwords: dict[str, str]
    letters: int
    seconds: float


def main(keep: Path | None = None) -> int:
    """Run until Ctrl-C or SIGTERM; 0, or 69 (EX_UNAVAILABLE) when it could not be started."""
    stop = threading.Event()
    screen = Screen(sys.stdout)
    with _signals(stop), contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(_folder(keep))
            running = stack.enter_context(demo(folder))
        except DemoError as error:
            print(f"pymaild demo: {error}", file=sys.stderr)
            return 69
        screen.say(welcome(running, screen.style, kept=folder if keep else None))
        doors = Doors(HOST, running.ports["smtp"], running.ports["submission"])
        correspondent = Correspondent(doors, running.passwords, lambda letter, how: screen.say(_line(letter, how)))
        correspondent.start()
        stop.wait()
        screen.say("\nStopping ...")
        correspondent.stop()
    screen.say("All ended." + (f" The data is kept in {keep}." if keep else " The data is removed."))
    return 0


def _line(letter: Letter, how: str) -> str:
    """One letter that has just been sent, for the screen."""
    to = ", ".join(person.name.partition(" ")[0] for person in (*letter.to, *letter.cc))
    return f"  {time.strftime('%H:%M:%S')}  {letter.sender.name} -> {to}: {letter.subject}  ({how})"


@contextlib.contextmanager
def demo(folder: Path) -> Iterator[Running]:
    """A demo in a folder; its servers have ended when this ends. Raises DemoError."""
    began = time.monotonic()
    ports = free_ports()
    config = configure(folder, ports)
    passwords = {person.address: password() for person in RESIDENTS}
    letters = populate(config, passwords)
    with servers(config, folder / LOG, ports.values()):
        yield Running(config, ports, passwords, letters, time.monotonic() - began)


# ---- the folder


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """The kept folder, or one that is removed at the end."""
    if keep:
        yield _kept(keep)
        return
    folder = Path(tempfile.mkdtemp(prefix="pymaild-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _kept(folder: Path) -> Path:
    """A folder that is new, empty, or of an earlier demo: nothing else is ever written into."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        foreign = any(folder.iterdir()) and not (folder / MARK).is_file()
    except OSError as error:
        raise DemoError(f"{folder} cannot be used: {error.strerror}; name another folder after --keep") from None
    if foreign:
        raise DemoError(f"{folder} is not empty and not of an earlier demo; name a new folder after --keep")
    return folder.absolute()


def configure(folder: Path, ports: dict[str, int]) -> Config:
    """A pymaild.conf in the folder, so that every other command works on it with -c, and what it says."""
    from pymaild.cli.keys import certificate  # noqa: PLC0415 -- cryptography
    from pymaild.config import load, render  # noqa: PLC0415

    settings = {("server", "hostname"): f"mail.{DOMAINS[1]}", ("server", "data_dir"): "data", ("server", "workers"): "1"}
    settings |= {("listen", name): f"{HOST}:{port}" for name, port in ports.items()} | {("listen", "https"): ""}
    file = folder / "pymaild.conf"
    file.write_text(render(settings), "utf-8")
    config = load(file)
    mark = folder / MARK
    if not (mark.is_file() and json.loads(mark.read_text("utf-8"))["letters"]):  # new, or interrupted while it was filled
        mark.write_text('{"letters": 0}\n', "utf-8")
        shutil.rmtree(config.server.data_dir, ignore_errors=True)
    config.server.data_dir.mkdir(mode=0o700, exist_ok=True)
    certificate(config.certificate, config.key, (config.server.hostname, *DOMAINS))
    return config


# ---- the people and their letters


def populate(config: Config, passwords: dict[str, str]) -> int:
    """Domains, accounts with these passwords and, in a new folder, all the letters; how many copies lie there."""
    from pymaild.accounts.directory import Directory  # noqa: PLC0415
    from pymaild.assembly import assemble  # noqa: PLC0415

    mark = config.server.data_dir.parent / MARK
    directory = Directory(config.database, config.server.hostname)
    for domain in DOMAINS:
        if not directory.is_local(domain):
            directory.add_domain(domain)
    for number, person in enumerate(RESIDENTS):
        if directory.account(person.address):
            directory.set_password(person.address, passwords[person.address])
        else:
            directory.add_account(person.address, passwords[person.address], admin=number == 0)
    directory.close()
    if filed := json.loads(mark.read_text("utf-8"))["letters"]:
        return int(filed)
    services = assemble(config)
    try:
        letters = _file(services)
    finally:
        services.close()
    mark.write_text(json.dumps({"letters": letters, "made": datetime.now(UTC).isoformat()}) + "\n", "utf-8")
    return letters


def _file(services: Services) -> int:
    """Every letter into every mailbox it belongs to."""
    from pymaild.lab.filing import file_letters  # noqa: PLC0415
    from pymaild.lab.stories import all_letters  # noqa: PLC0415
    from pymaild.mailstore import Mailbox, MailboxExists  # noqa: PLC0415

    open_mailboxes: dict[tuple[str, str], Mailbox] = {}
    count = 0
    for copy in file_letters(Post(all_letters(), datetime.now(UTC))):
        place = (copy.account, copy.mailbox)
        if place not in open_mailboxes:
            store = services.stores(copy.account)
            with contextlib.suppress(MailboxExists):
                store.create(copy.mailbox)
                store.subscribe(copy.mailbox)
            open_mailboxes[place] = store.open(copy.mailbox)
        open_mailboxes[place].append(copy.message, copy.flags, copy.keywords, int(copy.internal_date.timestamp()))
        count += 1
    return count


def password() -> str:
    """Short enough to type, and random: 40 bits, for an account that only this machine can reach."""
    letters = "".join(secrets.choice(_SYLLABLES) for _ in range(6))
    return f"{letters[:6]}-{letters[6:]}-{secrets.randbelow(90) + 10}"


# ---- the servers


def free_ports() -> dict[str, int]:
    """The ports people remember where they are free, others where not; all different."""
    held: list[socket.socket] = []
    ports: dict[str, int] = {}
    try:
        for name, wanted in PORTS.items():
            opened = _bound(wanted) or _bound(0)
            if opened is None:
                raise DemoError(f"no port of {HOST} is free")
            held.append(opened)
            ports[name] = int(opened.getsockname()[1])
    finally:
        for opened in held:
            opened.close()
    return ports


def _bound(port: int) -> socket.socket | None:
    """A socket on this port, held so that no other name gets it; None: somebody else has it."""
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((HOST, port))
        opened.listen()
    except OSError:
        opened.close()
        return None
    return opened


@contextlib.contextmanager
def _signals(stop: threading.Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM both mean: end, and clean up."""
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
