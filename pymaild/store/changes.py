"""Who is told when a mailbox changes: in this process by a call, in the others by a datagram.

Every process binds a unix datagram socket of its own in run_dir; whoever changes a mailbox calls its own subscribers and
sends "address NUL mailbox" to every other socket there. Nothing is promised but a wake-up, so equal notices merge, and a
peer whose queue is full gets the notice again a moment later. Publishing never waits and never fails a delivery.

Other programs send no notice: the listening thread looks at the directories of the mailboxes that somebody waits for, twice
a second, two stat calls each, and wakes who subscribed where they have moved. Who waits for an account waits for all of its
mailboxes; where its own directory has moved, mailboxes may have come or gone.
"""

from __future__ import annotations

import os
import secrets
import select
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pymaild.mailstore import StoreError
from pymaild.store import folders, names
from pymaild.store.files import remove

Wake = Callable[[], None]
Heard = Callable[[str], None]
Key = tuple[str, str]  # an account's address, a mailbox's name
SUFFIX = ".feed"
_RETRY = 0.01  # seconds until a peer with a full queue is tried again
_LOOK = 0.5  # seconds between two looks at the directories of mailboxes that somebody waits for
_MANY = 5_000  # mailboxes looked at in one go, about 20 ms; of more each has its turn
_MAX_WAITING = 10_000  # notices kept for peers that do not read; a wake-up more or less is no loss of mail
_GRAIN = 50_000_000  # nanoseconds; the clock that stamps directories moves every 4 to 10 ms
_MAX_PATH = 100  # octets of a unix socket's address, a little below the kernel's limit


class Feed:
    """The ChangeFeed of a process. It listens from start() or the first subscription on, in a forked child anew.

    `folder` names the directory of a mailbox; without it nobody hears of what other programs did.
    """

    def __init__(self, run_dir: Path, folder: Callable[[str, str], Path] | None = None) -> None:
        self._directory = run_dir
        self._folder = folder
        self._places: dict[Key, _Place] = {}  # what is looked at; an account has no mailbox's name
        self._next_look = 0.0
        self._lock = threading.Lock()
        self._starting = threading.Lock()
        self._wakes: dict[Key, list[Wake]] = {}
        self._heard: dict[str, list[Heard]] = {}  # by account
        self._socket: socket.socket | None = None
        self._own = ""
        self._waiting: dict[tuple[str, bytes], None] = {}  # an ordered set
        self._peers: tuple[int, list[str]] = (0, [])
        self._nudge: tuple[int, int] | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0  # the process that listens
        self._sender = 0  # one that does not, but has published

    def start(self) -> None:
        """Bind this process's socket and listen. Harmless when it runs already; needed again in a forked child."""
        if self._pid == os.getpid():
            return
        with self._starting:
            if self._pid != os.getpid():
                self._start()

    def _start(self) -> None:
        self._forget_parent()
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._own = f"{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        with _Reachable(self._directory) as directory:
            self._socket.bind(f"{directory}/{self._own}")
        self._nudge = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._listen, args=(self._socket,), name="feed", daemon=True)
        self._thread.start()

    def _forget_parent(self) -> None:
        """What a child inherited: the parent's socket (closed here, still the parent's) and perhaps a held lock."""
        if self._pid or self._sender:
            self._lock = threading.Lock()
            self._wakes, self._heard, self._waiting, self._peers, self._places = {}, {}, {}, (0, []), {}
            self._release()

    def _release(self) -> None:
        sender, self._socket = self._socket, None
        if sender:
            sender.close()
        nudge, self._nudge = self._nudge, None
        for handle in nudge or ():
            os.close(handle)

    def close(self) -> None:
        """Stop listening and remove the socket's name."""
        if self._pid != os.getpid():
            return
        remove(str(self._directory / self._own))
        self._pid = 0
        self._poke()
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join(timeout=5)
        self._release()

    def subscribe(self, address: str, mailbox: str, wake: Wake) -> Callable[[], None]:
        """Call `wake` after each change of the mailbox until the returned function is called. Starts to listen."""
        self.start()
        key = (address, mailbox)
        with self._lock:
            self._wakes.setdefault(key, []).append(wake)
            if self._folder and key not in self._places:
                self._places[key] = _Place.mailbox(self._folder(*key))
        self._poke()

        def end() -> None:
            with self._lock:
                wakes = self._wakes.get(key, [])
                if wake in wakes:
                    wakes.remove(wake)
                if not wakes:
                    self._wakes.pop(key, None)
                    if address not in self._heard:
                        self._forget(key)

        return end

    def subscribe_account(self, address: str, heard: Heard) -> Callable[[], None]:
        """Call `heard` with the name of each mailbox that changed, came or went; an empty one: names or subscriptions."""
        self.start()
        with self._lock:
            self._heard.setdefault(address, []).append(heard)
        self._survey(address)
        self._poke()

        def end() -> None:
            with self._lock:
                still = self._heard.get(address, [])
                if heard in still:
                    still.remove(heard)
                if not still:
                    self._heard.pop(address, None)
                    for key in [key for key in self._places if key[0] == address]:
                        self._forget(key)

        return end

    def _survey(self, address: str) -> None:
        """Look from now on at every mailbox that the account has, and at none that it had."""
        if self._folder is None:
            return
        root = self._folder(address, names.INBOX)
        own = _Place.account(root)
        try:
            there = folders.found(root)
        except StoreError:
            there = {}
        now = {(address, name): root / folder for folder, name in there.items()}
        with self._lock:
            if address not in self._heard:
                return
            self._places[address, ""] = own
            for key in [key for key in self._places if key[0] == address and key[1] and key not in now]:
                self._forget(key)
            for key, path in now.items():
                if key not in self._places:
                    self._places[key] = _Place.mailbox(path)

    def _forget(self, key: Key) -> None:
        """Look at a place no more, unless somebody waits for it alone. Call it while holding the lock."""
        if key not in self._wakes:
            self._places.pop(key, None)

    def publish(self, address: str, mailbox: str) -> None:
        """Wake the subscribers here, and send the notice to every other process."""
        self._call(address, mailbox)
        self._may_send()
        notice = f"{address}\0{mailbox}".encode("utf-8", "surrogatepass")
        missed = [peer for peer in self._others() if not self._send(peer, notice)]
        if missed:
            with self._lock:
                for peer in missed[: _MAX_WAITING - len(self._waiting)]:
                    self._waiting[peer, notice] = None
            self._poke()

    def _may_send(self) -> None:
        """A process that only tells, and never started to listen, needs a socket all the same."""
        if self._pid != os.getpid() and (self._socket is None or self._sender != os.getpid()):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
            self._sender = os.getpid()

    def _call(self, address: str, mailbox: str) -> None:
        with self._lock:
            wakes = list(self._wakes.get((address, mailbox), ()))
            heard = list(self._heard.get(address, ()))
        for wake in wakes:
            wake()
        for hear in heard:
            hear(mailbox)

    def _others(self) -> list[str]:
        """The names of the other processes' sockets; the directory is read again only after it changed."""
        try:
            changed = os.stat(self._directory).st_mtime_ns
            if changed != self._peers[0]:
                found = [name for name in os.listdir(self._directory) if name.endswith(SUFFIX) and name != self._own]
                settled = time.time_ns() - changed > _GRAIN  # else a second change may bear the same stamp
                self._peers = (changed if settled else 0, found)
                return found
        except OSError:
            return []
        return self._peers[1]

    def _send(self, peer: str, notice: bytes) -> bool:
        """Whether there is nothing left to do for this peer. A socket nobody listens on is removed."""
        sender = self._socket
        try:
            with _Reachable(self._directory) as directory:
                if sender:
                    sender.sendto(notice, f"{directory}/{peer}")
        except BlockingIOError:
            return False
        except ConnectionRefusedError:
            remove(str(self._directory / peer))
        except OSError:
            return True  # gone in between, or a name that is no socket of ours
        return True

    def _poke(self) -> None:
        """Make the listening thread look."""
        nudge = self._nudge
        try:
            if nudge:
                os.write(nudge[1], b"!")
        except OSError:
            pass  # the pipe is full: it looks anyway

    def _listen(self, own: socket.socket) -> None:
        """The thread: receive notices; try again where a queue was full."""
        nudge, pid = self._nudge, os.getpid()
        while nudge and self._pid == pid:
            patience = _RETRY if self._waiting else _LOOK if self._places else None
            ready, _, _ = select.select([own.fileno(), nudge[0]], [], [], patience)
            if nudge[0] in ready:
                os.read(nudge[0], 4096)
            if own.fileno() in ready:
                self._receive(own)
            self._retry()
            if time.monotonic() >= self._next_look:
                self._look()
                self._next_look = time.monotonic() + _LOOK

    def _look(self) -> None:
        """Wake who waits for a mailbox whose directories moved; our own changes move them, too, and wake once more."""
        with self._lock:
            some = list(islice(self._places.items(), _MANY))
            if len(some) < len(self._places):  # to the end of the row
                for key, place in some:
                    del self._places[key]
                    self._places[key] = place
        for key, place in some:
            if place.moved():
                if not key[1]:
                    self._survey(key[0])
                self._call(*key)

    def _receive(self, own: socket.socket) -> None:
        notices: dict[bytes, None] = {}
        try:
            while len(notices) < 1000:
                notices[own.recv(4096)] = None
        except OSError:
            pass  # nothing more waits
        for notice in notices:
            address, _, mailbox = notice.decode("utf-8", "surrogatepass").partition("\0")
            self._call(address, mailbox)

    def _retry(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        again = [key for key in waiting if not self._send(*key)]
        with self._lock:
            self._waiting.update(dict.fromkeys(again))


@dataclass(slots=True)
class _Place:
    """Some directories, and when they were last changed."""

    directories: tuple[str, ...]
    stamps: tuple[int, ...] = ()

    @classmethod
    def mailbox(cls, folder: Path) -> _Place:
        """Where messages come and go."""
        return cls._seen(f"{folder}/new", f"{folder}/cur")

    @classmethod
    def account(cls, root: Path) -> _Place:
        """Where mailboxes and the list of subscriptions come and go."""
        return cls._seen(str(root))

    @classmethod
    def _seen(cls, *directories: str) -> _Place:
        place = cls(directories)
        place.moved()
        return place

    def moved(self) -> bool:
        """Whether a directory changed since this was asked last.

        A stamp of just now may hide another change: it counts as none, so that the next look finds it different.
        """
        before = self.stamps
        try:
            now = tuple(os.stat(directory).st_mtime_ns for directory in self.directories)
        except OSError:
            now = ()
        settled = time.time_ns() - max(now, default=0) > _GRAIN
        self.stamps = now if settled else (-1,)
        return now != before


class _Reachable:
    """A path to the directory that is short enough for a unix socket's address, through /proc where it must be."""

    def __init__(self, directory: Path) -> None:
        self._directory = str(directory)
        self._handle = -1

    def __enter__(self) -> str:
        if len(self._directory) + 40 <= _MAX_PATH:
            return self._directory
        self._handle = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._handle}"

    def __exit__(self, *_: object) -> None:
        if self._handle >= 0:
            os.close(self._handle)
