"""`pymaild serve`: a supervisor that binds the sockets, and worker processes that accept on them.

    supervisor   binds (or takes systemd's sockets), drops root, forks; replaces the dead; passes signals on; tells systemd
      worker 0..n-1   servers/running.py on the shared sockets, all listeners in each
      chores          what must exist once: carrying the queue, catching up with the index, sweeping

The supervisor has one thread and opens no database, so that a fork copies nothing that must not be shared. A worker makes
its own Services. If the supervisor dies, its children notice and drain.

    SIGTERM drain and end    SIGINT end at once    SIGHUP certificates and log level again    SIGUSR1 write all stacks
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import logging
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from pymaild.assembly import Services, assemble, become, open_directory, sender
from pymaild.config import SECTIONS, Config, ConfigError, Endpoint, load
from pymaild.events import Event, Journal
from pymaild.servers import log, tls
from pymaild.servers.census import Census
from pymaild.servers.limits import Caps
from pymaild.servers.listen import NAMES, Sockets, bind_all, close_all
from pymaild.servers.notify import notify, reloading, watchdog_interval
from pymaild.servers.running import DRAIN, Running, Surroundings, listening
from pymaild.servers.trace import Write, to_file, to_stderr

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1)
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_CHORES = "chores"
_CHORES_EVERY = 600.0  # seconds
_BACK_OFF = (0.1, 30.0)  # seconds before a child that died at once is started again: the first time, and at most
_SOFTWARE = 70  # sysexits.h
_HEALTHY = 5.0  # seconds a child lives to count as healthy


def _trace(where: str) -> Write | None:
    if not where:
        return None
    return to_stderr if where == "-" else to_file(Path(where))


def serve(config: Config, trace: str = "") -> int:
    """Run in the foreground until a signal ends it. Raises ListenError, CertificateError, NotInitialised."""
    _route_logging()
    sockets = bind_all({name: getattr(config.listen, name) for name in NAMES})
    try:
        contexts = tls.contexts(config, [name for name, group in sockets.items() if group])
        become(config)
        open_directory(config).close()  # complains now, in one place, if there is no mail system yet
        workers = max(config.server.workers, 1)
        limits = config.limits
        caps = Caps(limits.connections, limits.connections_per_ip, limits.connections_per_account)
        around = Surroundings(contexts, Census(caps, workers), trace=_trace(trace))
        _preload(sockets)
        return Supervisor(config, sockets, around, workers).run()
    finally:
        close_all(sockets)


def _preload(sockets: Sockets) -> None:
    """Import once, before the fork, what every worker needs: they start sooner and share its memory."""
    modules = ["pymaild.flow", "pymaild.imap.session", "pymaild.smtp.session", "pymaild.store"]
    if sockets.get("http") or sockets.get("https"):
        modules += ["pymaild.web.app", "waitress.server"]
    for module in modules:
        importlib.import_module(module)
    gc.freeze()  # the collector leaves those pages alone, so that they stay shared


# ---- the supervisor


@dataclass
class Child:
    """One process: what it is for, and how it has fared."""

    name: str
    run: Callable[[], int]
    row: int = -1  # in the census
    pid: int = 0
    started: float = 0.0
    back_off: float = field(default=_BACK_OFF[0])
    due: float = 0.0  # when it is started next; only while pid is 0


class Supervisor:
    """Keeps the children alive until it is told to end."""

    def __init__(self, config: Config, sockets: Sockets, around: Surroundings, workers: int) -> None:
        self.config, self.sockets, self.around = config, sockets, around
        self.children = [Child(f"worker {n}", lambda n=n: self._worker(n), n) for n in range(workers)]  # type: ignore[misc]
        self.children.append(Child(_CHORES, self._chores))
        self._ready, self._report = os.pipe()
        os.set_blocking(self._ready, False)
        self._waiting_for = workers
        self._ever_ready = False
        self._broken = False  # the first workers died before they served anybody: there is no use in trying again
        self._watchdog, self._life_due = watchdog_interval(), 0.0
        self._pid = os.getpid()

    def run(self) -> int:
        """Until the end; the exit code."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        for line in listening(self.sockets):
            log.write(line + "\n")
        while True:
            self._start_due()
            self._count_ready()
            arrived = signal.sigtimedwait(_SIGNALS, self._patience())
            if arrived and arrived.si_signo in (signal.SIGTERM, signal.SIGINT):
                return self._end(signal.Signals(arrived.si_signo))
            if arrived and arrived.si_signo == signal.SIGHUP:
                self._reload()
            elif arrived and arrived.si_signo == signal.SIGUSR1:
                self._pass_on(signal.SIGUSR1)
            self._reap()
            if self._broken:
                self._end(signal.SIGTERM)
                return _SOFTWARE
            self._show_life()

    def _show_life(self) -> None:
        """What systemd's watchdog waits for."""
        if self._watchdog and time.monotonic() >= self._life_due:
            self._life_due = time.monotonic() + self._watchdog
            notify(WATCHDOG=1)

    def _patience(self) -> float:
        """Seconds until there is something to do without a signal."""
        if self._waiting_for > 0:
            return 0.02
        dues = [child.due - time.monotonic() for child in self.children if not child.pid]
        return max(0.0, min([1.0, self._watchdog or 1.0, *dues]))

    def _start_due(self) -> None:
        for child in self.children:
            if not child.pid and time.monotonic() >= child.due:
                self._fork(child)

    def _fork(self, child: Child) -> None:
        sys.stdout.flush()
        child.started = time.monotonic()
        child.pid = os.fork()
        if child.pid == 0:
            os._exit(_as_child(child.run))
        log.event("started", "debug", process=child.name, pid=child.pid)

    def _count_ready(self) -> None:
        """Tell systemd once every worker accepts connections."""
        if self._waiting_for <= 0:
            return
        try:
            self._waiting_for -= len(os.read(self._ready, 64))
        except BlockingIOError:
            return
        self._ever_ready = True
        if self._waiting_for <= 0:
            log.event("ready", workers=len(self.children) - 1, pid=os.getpid())
            notify(READY=1, MAINPID=os.getpid(), STATUS="serving")

    def _reap(self) -> None:
        """Bury the dead; each is started again, at once or after a growing pause."""
        for child in self.children:
            if child.pid and os.waitpid(child.pid, os.WNOHANG)[0]:
                lived = time.monotonic() - child.started
                child.back_off = _BACK_OFF[0] if lived > _HEALTHY else min(child.back_off * 2, _BACK_OFF[1])
                child.due = time.monotonic() + (0 if lived > _HEALTHY else child.back_off)
                log.event("died", "error", process=child.name, pid=child.pid, lived=round(lived, 1))
                child.pid = 0
                self._broken = self._broken or (child.row >= 0 and not self._ever_ready)
                if child.row >= 0 and self.around.census:
                    self.around.census.clear(child.row)

    def _reload(self) -> None:
        """SIGHUP: certificates here too, since a worker that is replaced inherits them from here."""
        reloading()
        reload(self.config, self.around)
        self._pass_on(signal.SIGHUP)
        notify(READY=1, STATUS="serving")

    def _pass_on(self, number: signal.Signals) -> None:
        for child in self.children:
            if child.pid:
                os.kill(child.pid, number)

    def _end(self, number: signal.Signals) -> int:
        """Let the children drain; whoever takes too long is killed."""
        notify(STOPPING=1)
        log.event("stopping", signal=number.name)
        close_all(self.sockets)
        self._pass_on(number)
        deadline = time.monotonic() + DRAIN + 5
        while left := [child for child in self.children if child.pid]:
            for child in left:
                if os.waitpid(child.pid, os.WNOHANG)[0]:
                    child.pid = 0
            again = signal.sigtimedwait(_SIGNALS, 0.5)
            if again and again.si_signo == signal.SIGINT:
                self._pass_on(signal.SIGINT)  # Ctrl-C twice: no more patience
            if time.monotonic() > deadline:
                self._pass_on(signal.SIGKILL)
        log.event("stopped")
        return 0

    # ---- what children run

    def _worker(self, row: int) -> int:
        if self.around.census:
            self.around.census.row = row
        with serving(self.config) as services:
            running = Running(services, self.sockets, self.around)
            running.start()
            gc.freeze()  # what exists now lives as long as the process: the collector need not look at it again
            os.write(self._report, b"!")
            number = self._wait()
            running.stop(0 if number is signal.SIGINT else DRAIN)
        return 0

    def _chores(self) -> int:
        close_all(self.sockets)
        with serving(self.config) as services, sending(services):
            while self._wait(_CHORES_EVERY) is None:
                chores(services)
        return 0

    def _wait(self, seconds: float = math.inf) -> signal.Signals | None:
        """In a child: wait for a signal that ends it; None: time is up. The supervisor's death counts as SIGTERM."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            arrived = signal.sigtimedwait(_ENDING, 1.0)
            # A stop or a tracer that interrupts the wait past its end makes CPython answer with garbage, not None.
            number = arrived.si_signo if arrived else 0
            if number == signal.SIGHUP:
                reload(self.config, self.around)
            elif number in _ENDING:
                return signal.Signals(number)
            if os.getppid() != self._pid:
                return signal.SIGTERM
        return None


def _as_child(run: Callable[[], int]) -> int:
    """The whole life of a child: errors end it with a line in the log, never in the parent's code."""
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
    try:
        return run()
    except KeyboardInterrupt:
        return 0
    except BaseException as error:
        log.failure(error)
        return _SOFTWARE


# ---- for all of them


@contextmanager
def serving(config: Config) -> Iterator[Services]:
    """The Services of this process, listening for changes of others."""
    services = assemble(config)
    start = getattr(services.feed, "start", None)
    try:
        if start:
            start()
        yield services
    finally:
        services.close()


@contextmanager
def sending(services: Services) -> Iterator[None]:
    """Mail of the queue is carried while this holds."""
    from pymaild.outbound.runner import AlreadyRunning  # noqa: PLC0415 - one process needs it

    runner = sender(services, log.failure, _Told(services.journal))
    try:
        runner.start([account.address for account in services.directory.accounts()])
    except AlreadyRunning:
        log.event("queue_taken", "error", text="another pymaild on this data_dir carries the queue: this one does not")
        yield
        return
    try:
        yield
    finally:
        runner.stop(DRAIN)


class _Told:
    """A journal that writes every attempt to the log, too."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def record(self, event: Event) -> None:
        """One line: what came of it, where, and the other server's words."""
        self._journal.record(event)
        details = event.details
        if event.what != "attempt":
            log.event(f"mail_{event.what}", "info", id=event.message_id, **details)
            return
        wanted = ("recipient", "status", "code", "host", "ip", "tls", "text", "attempt", "milliseconds")
        words = {name: details[name] for name in wanted if details.get(name)}
        log.event(f"mail_{details['kind']}", "info", id=event.message_id, **words)


def reload(config: Config, around: Surroundings) -> None:
    """Certificates and log level again. What else the file says needs a restart, and the log tells so."""
    try:
        fresh = load(config.path) if config.path else config
        if around.tls:
            around.tls.reload()
    except (ConfigError, tls.CertificateError) as error:
        log.event("reload_failed", "error", text=error)
        return
    changed = [name for name in SECTIONS if getattr(fresh, name) != getattr(config, name)]
    log.event("reloaded", restart_needed_for=",".join(changed))


def chores(services: Services) -> None:
    """What must be done once for the whole machine, now and then. An error ends the process, and it is started again."""
    for account in services.directory.accounts():
        services.stores(account.address)  # a worker that died left something undone, perhaps
        while services.stores.catch_up():
            time.sleep(0.01)
    services.stores.sweep()


class _Bridge(logging.Handler):
    """What modules say with the standard library's logging becomes events of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelname.lower() if record.levelname.lower() in log.LEVELS else "error"
        if fields := getattr(record, "fields", None):  # it was made as an event
            log.event(str(getattr(record, "event", "note")), level, **fields)
        else:
            log.event("note", level, source=record.name, text=record.getMessage())
        if record.exc_info and record.exc_info[1]:
            log.failure(record.exc_info[1], source=record.name)


def _route_logging() -> None:
    root = logging.getLogger()
    if not any(isinstance(handler, _Bridge) for handler in root.handlers):
        root.addHandler(_Bridge())


# ---- in one process, for the demo and for tests


@dataclass
class Threaded:
    """Servers that run in threads of this process: where they listen, and how to end them."""

    addresses: dict[str, tuple[str, int]]
    paths: dict[str, Path]
    running: Running

    def stop(self, patience: float = 0) -> None:
        """Say farewell and close."""
        self.running.stop(patience)


def start_in_thread(
    services: Services, listen: dict[str, tuple[Endpoint, ...]] | None = None, around: Surroundings | None = None
) -> Threaded:
    """Serve in this process; without `listen`, on what the configuration says. Port 0 takes any free port."""
    config = services.config
    if listen is None:
        listen = {name: getattr(config.listen, name) for name in NAMES}
    sockets = bind_all(dict(listen))
    if around is None:
        around = Surroundings()
    if around.tls is None:
        around = replace(around, tls=tls.contexts(config, [name for name, group in sockets.items() if group]))
    start = getattr(services.feed, "start", None)
    if start:
        start()
    running = Running(services, sockets, around)
    names = {name: group[0].getsockname() for name, group in sockets.items() if group}
    running.start()
    return Threaded(
        {name: (at[0], at[1]) for name, at in names.items() if isinstance(at, tuple)},
        {name: Path(at) for name, at in names.items() if isinstance(at, str)},
        running,
    )
