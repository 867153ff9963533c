"""Power cuts, as real as software can make them: an ext4 on a loop device that is shut down under load (root only).

EXT4_IOC_SHUTDOWN with the flag "no log flush" stops the file system at once: what was not flushed by then is lost, as it
is when the power goes. Mounted again, the journal is replayed and we see what was truly on the disk.

    with Disk(directory) as disk:       # disk.path is where it is mounted
        ... start writing there ...
        disk.cut()                      # from here on every write and fsync fails
        ... end the writers ...
        disk.revive()                   # mounted again, as after a reboot

Run as a program it is a load for the store: `python -m tests.powercut DATA_DIR` delivers, flags, expunges, appends several
messages at once, copies them and replaces drafts until it fails, and says on standard output what was acknowledged, a JSON
list a line.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from pymaild.mailstore import Flag, FlagChange, Mailbox, MailboxExists, StoreError, Upload
from tests.storing import ANN, describe, message

SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN
NO_LOG_FLUSH = (2).to_bytes(4, sys.byteorder)
SIZE = 300 << 20
THREADS = 4
GROUP = 40  # messages that are appended, and copied, together


def why_not() -> str:
    """Why power cuts cannot be made here; empty: they can."""
    if os.geteuid() != 0:
        return "needs root, for loop devices and mount"
    missing = [tool for tool in ("mkfs.ext4", "losetup", "mount", "umount") if not shutil.which(tool)]
    if missing:
        return f"needs {', '.join(missing)}"
    if not os.path.exists("/dev/loop-control"):
        return "this kernel has no loop devices"
    return ""


class Disk:
    """A small ext4 of its own, mounted at `path`."""

    def __init__(self, directory: Path) -> None:
        self.image = directory / "disk.img"
        self.path = directory / "disk"
        self.device = ""

    def __enter__(self) -> Disk:
        self.path.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(SIZE)
        _run("mkfs.ext4", "-q", "-F", str(self.image))
        self.device = _run("losetup", "--find", "--show", str(self.image)).strip()
        self._mount()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _run("umount", "--lazy", str(self.path))
        _run("losetup", "--detach", self.device)
        self.image.unlink()

    def _mount(self) -> None:
        _run("mount", "-t", "ext4", self.device, str(self.path))

    def cut(self) -> None:
        """The power goes."""
        handle = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, SHUTDOWN, NO_LOG_FLUSH)
        finally:
            os.close(handle)

    def revive(self) -> None:
        """The machine starts again. Every process that had files open there must have ended."""
        deadline = time.monotonic() + 20
        while subprocess.run(["umount", str(self.path)], capture_output=True, check=False).returncode:
            if time.monotonic() > deadline:
                raise RuntimeError("the file system is still in use")
            time.sleep(0.05)
        self._mount()


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


# ---- a load for the store, and its ledger


class Ledger:
    """What was acknowledged, and what had been asked for: read from the load's standard output."""

    def __init__(self) -> None:
        self.delivered: dict[int, str] = {}  # uid -> SHA-256
        self.twice: list[str] = []
        self.seen: set[int] = set()
        self.expunged: set[int] = set()
        self.asked: set[int] = set()  # expunge asked for, perhaps not acknowledged
        self.groups: set[str] = set()  # acknowledged: GROUP messages that came together, by APPEND or COPY
        self.drafts: dict[str, int] = {}  # draft -> the version last acknowledged

    def note(self, line: str) -> None:
        what, uid, *rest = json.loads(line)
        if what == "group":
            self.groups.add(uid)
        elif what == "draft":
            self.drafts[uid] = rest[0]
        elif what == "delivered":
            if uid in self.delivered:
                self.twice.append(f"{uid} was given to two messages")
            self.delivered[uid] = rest[0]
        else:
            {"seen": self.seen, "expunged": self.expunged, "asked": self.asked}[what].add(uid)

    def read(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.note(line)

    def problems(self, there: dict[int, tuple[bytes, int]]) -> list[str]:
        """Hold it against what is in the mailbox: uid -> content and flags."""
        sums = {uid: hashlib.sha256(content).hexdigest() for uid, (content, _) in there.items()}
        found = self.twice + [f"{uid} is lost" for uid in self.delivered.keys() - there.keys() - self.asked]
        found += [
            f"{uid} has another content" for uid in self.delivered.keys() & sums.keys() if self.delivered[uid] != sums[uid]
        ]
        found += [f"doubled: {total}" for total, count in Counter(sums.values()).items() if count > 1]
        found += [f"{uid} came back" for uid in self.expunged & there.keys()]
        return found + [f"{uid} lost its flag" for uid in self.seen & there.keys() if not there[uid][1] & Flag.SEEN]

    def group_problems(self, mailbox: str, contents: Iterable[bytes]) -> list[str]:
        """What came together is there together: the group is named in the subject."""
        there = Counter(f"{mailbox} {subject(content)}" for content in contents)
        found = [f"only {count} of {group}" for group, count in there.items() if count != GROUP]
        return found + [f"{group} is lost" for group in self.groups - there.keys() if group.startswith(f"{mailbox} ")]

    def draft_problems(self, contents: Iterable[bytes]) -> list[str]:
        """Of each draft the version last acknowledged, or the one after it, or both; none that was replaced."""
        there: dict[str, set[int]] = {}
        for content in contents:
            draft, _, version = subject(content).rpartition(" ")
            there.setdefault(draft, set()).add(int(version))
        return [
            f"{draft}: {versions} where {last} was the last"
            for draft, last in self.drafts.items()
            if not (versions := there.get(draft, set())) or not versions <= {last, last + 1}
        ]


def subject(content: bytes) -> str:
    """What a message of tests.storing says in its Subject."""
    return content.partition(b"Subject: ")[2].partition(b"\r\n")[0].decode()


def check(data_dir: Path, ledger: Ledger) -> dict[int, tuple[bytes, int]]:
    """Open the account again and hold everything against the ledger; what is in INBOX."""
    from pymaild.store import Stores  # noqa: PLC0415 - reading the ledger needs no store

    store = Stores(data_dir, describe)
    account = store(ANN)
    inbox = account.open("INBOX")
    there = {row.uid: (inbox.read(row.uid), row.flags) for row in inbox.rows()}
    found = {info.name: account.open(info.name) for info in account.mailboxes()}
    contents = {name: [mailbox.read(row.uid) for row in mailbox.rows()] for name, mailbox in found.items()}
    assert ledger.problems(there) == []
    assert ledger.group_problems("Groups", contents.get("Groups", [])) == []
    assert ledger.group_problems("Copies", contents.get("Copies", [])) == []
    assert ledger.draft_problems(contents.get("Drafts", [])) == []
    assert store.check(ANN) == []
    assert inbox.state().uidnext > max(ledger.delivered)
    store.close()
    return there


class Load:
    """Delivers, flags and expunges until the disk fails; says what was acknowledged."""

    def __init__(self, data_dir: Path) -> None:
        from pymaild.store import Stores  # noqa: PLC0415 - reading the ledger needs no store

        self.account = Stores(data_dir, describe)(ANN)
        self.output = threading.Lock()
        self.done: list[int] = []

    def run(self) -> None:
        threads = [threading.Thread(target=self.deliver, args=(number,)) for number in range(THREADS)]
        threads += [threading.Thread(target=work) for work in (self.change, self.group, self.draft)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def say(self, *words: object) -> None:
        with self.output:
            sys.stdout.write(json.dumps(words) + "\n")
            sys.stdout.flush()

    def deliver(self, number: int) -> None:
        with suppress(StoreError, OSError):  # the power is gone
            for count in itertools.count():
                content = message(f"{os.getpid()} {number} {count}", "x" * (count * 37 % 9000))
                uid = self.account.deliver("INBOX", b"", io.BytesIO(content))
                self.say("delivered", uid, hashlib.sha256(content).hexdigest())
                self.done.append(uid)

    def change(self) -> None:
        inbox = self.account.open("INBOX")
        with suppress(StoreError, OSError):
            while True:
                if len(self.done) < 3:
                    time.sleep(0.001)
                    continue
                seen, gone, _ = (self.done.pop(0) for _ in range(3))
                inbox.change_flags([seen], FlagChange.ADD, int(Flag.SEEN))
                self.say("seen", seen)
                self.say("asked", gone)
                inbox.change_flags([gone], FlagChange.ADD, int(Flag.DELETED))
                for uid in inbox.expunge([gone]):
                    self.say("expunged", uid)

    def group(self) -> None:
        """Several messages at once, and copies of them all."""
        with suppress(StoreError, OSError):
            groups, number = self.mailbox("Groups"), os.getpid()
            for count in itertools.count():
                uids = groups.append_all([Upload(message(f"{number} {count}", f"{part}\r\n")) for part in range(GROUP)])
                self.say("group", f"Groups {number} {count}")
                groups.copy(uids, "Copies")
                self.say("group", f"Copies {number} {count}")

    def draft(self) -> None:
        """One draft, replaced by the next version of it again and again."""
        with suppress(StoreError, OSError):
            drafts, number = self.mailbox("Drafts"), os.getpid()
            uid = drafts.append(message(f"{number} 0"))
            for version in itertools.count(1):
                self.say("draft", str(number), version - 1)
                uid = drafts.replace(uid, Upload(message(f"{number} {version}")), "Drafts")

    def mailbox(self, name: str) -> Mailbox:
        for each in (name, "Copies"):
            with suppress(MailboxExists):
                self.account.create(each)
        return self.account.open(name)


if __name__ == "__main__":
    Load(Path(sys.argv[1])).run()
    os._exit(0)
