"""Who is told when a mailbox changes: in this process by a call, in the others by a datagram.

Every process binds a unix datagram socket of its own in run_dir; whoever changes a mailbox calls its own subscribers and
sends "address NUL mailbox" to every other socket there. Nothing is promised but a wake-up, so equal notices merge, and a
peer whose queue is full gets the notice again a moment later. Publishing never waits and never fails a delivery.

Other programs send no notice: the listening thread looks at the directories of the mailboxes that somebody waits for, once
a second, two stat calls each, and wakes who subscribed where they have moved.
"""

from __future__ import annotations

import os
import secrets
import select
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from pymaild.store.files import remove

Wake = Callable[[], None]
Key = tuple[str, str]  # an account's address, a mailbox's name
SUFFIX = ".feed"
_RETRY = 0.01  # seconds until a peer with a full queue is tried again
_LOOK = 1.0  # seconds between two looks at the directories of mailboxes that somebody waits for
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
        self._stamps: dict[Key, tuple[int, ...]] = {}  # of the directories of mailboxes, at the last look
        self._next_look = 0.0
        self._lock = threading.Lock()
        self._starting = threading.Lock()
        self._wakes: dict[Key, list[Wake]] = {}
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
            self._wakes, self._waiting, self._peers, self._stamps = {}, {}, (0, []), {}
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
            if self._folder:
                self._stamps.setdefault(key, _stamps(self._folder(*key)))
        self._poke()

        def end() -> None:
            with self._lock:
                wakes = self._wakes.get(key, [])
                if wake in wakes:
                    wakes.remove(wake)
                if not wakes:
                    self._wakes.pop(key, None)
                    self._stamps.pop(key, None)

        return end

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
        for wake in wakes:
            wake()

    def _others(self) -> list[str]:
        """The names of the other processes' sockets; the directory is read again only after it changed."""
        try:
            changed = os.stat(self._directory).st_mtime_ns
            if changed != self._peers[0]:
                names = [name for name in os.listdir(self._directory) if name.endswith(SUFFIX) and name != self._own]
                settled = time.time_ns() - changed > _GRAIN  # else a second change may bear the same stamp
                self._peers = (changed if settled else 0, names)
                return names
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
            patience = _RETRY if self._waiting else _LOOK if self._stamps else None
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
            before = dict(self._stamps)
        for key, stamps in before.items():
            now = _stamps(self._folder(*key)) if self._folder else stamps
            if now != stamps:
                with self._lock:
                    if key in self._stamps:
                        self._stamps[key] = now
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


def _stamps(folder: Path) -> tuple[int, ...]:
    """When new/ and cur/ were last changed; empty when the mailbox is gone."""
    try:
        return tuple(os.stat(folder / part).st_mtime_ns for part in ("new", "cur"))
    except OSError:
        return ()


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
