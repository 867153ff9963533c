"""scripts/crash: kill -9 of all processes in the middle of a load, again and again; a ledger knows what was promised.

Each cycle delivers by SMTP and sets flags by IMAP in several threads, kills the whole process group at a random moment,
starts it again and looks:

    every message answered 250 is there exactly once, byte-identical below the trace fields
    a message that was not answered is there at most once, and whole
    no uid has changed its message, and no uid came back
    no flag whose STORE was answered OK is lost

Only smtplib and imaplib speak to the server.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import imaplib
import random
import re
import shutil
import smtplib
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

from scripts.measure.servers import ADDRESS, PASSWORD, Pymaild

_ID = re.compile(rb"^X-Ledger: ([0-9a-f]+)\r$", re.M)
_LOST = (OSError, smtplib.SMTPException, imaplib.IMAP4.error)
DELIVERERS, FLAGGERS = 8, 2


@dataclass
class Ledger:
    """What was sent, and what was promised."""

    sent: dict[str, str] = field(default_factory=dict)  # id -> SHA-256 of the message
    answered: set[str] = field(default_factory=set)  # by 250
    flagged: set[int] = field(default_factory=set)  # uids whose +FLAGS was answered by OK
    uids: dict[int, str] = field(default_factory=dict)  # as seen after a crash: uid -> id
    uidvalidity: bytes = b""
    lock: threading.Lock = field(default_factory=threading.Lock)


def message(identity: str, size: int) -> bytes:
    """A message that says who it is."""
    filler = (identity * 3)[:72].encode() + b"\r\n"
    head = f"From: a@example.net\r\nTo: {ADDRESS}\r\nSubject: {identity}\r\nX-Ledger: {identity}\r\n\r\n"
    return head.encode() + filler * (size // len(filler))


def deliverer(server: Pymaild, ledger: Ledger, number: int, stop: threading.Event) -> None:
    """Send until the server is gone."""
    choose = random.Random(f"{time.time_ns()} {number}")
    with contextlib.suppress(*_LOST), smtplib.SMTP("127.0.0.1", server.port, "client.example.net", timeout=10) as client:
        while not stop.is_set():
            identity = f"{choose.getrandbits(64):016x}"
            text = message(identity, choose.choice((200, 4000, 4000, 60_000)))
            with ledger.lock:
                ledger.sent[identity] = hashlib.sha256(text).hexdigest()
            client.sendmail("a@example.net", [ADDRESS], text)
            with ledger.lock:
                ledger.answered.add(identity)


def flagger(server: Pymaild, ledger: Ledger, number: int, stop: threading.Event) -> None:
    """Flag messages until the server is gone; a flag is written down when the server says OK."""
    choose = random.Random(f"{time.time_ns()} {number}")
    with contextlib.suppress(*_LOST):
        client = log_in(server)
        client.select()
        while not stop.is_set():
            with ledger.lock:
                unflagged = [uid for uid in ledger.uids if uid not in ledger.flagged]
            if not unflagged:
                return
            uid = choose.choice(unflagged)
            if client.uid("STORE", str(uid), "+FLAGS", r"(\Flagged)")[0] == "OK":
                with ledger.lock:
                    ledger.flagged.add(uid)


def log_in(server: Pymaild) -> imaplib.IMAP4:
    client = imaplib.IMAP4("127.0.0.1", server.imap_port, timeout=30)
    client.login(ADDRESS, PASSWORD)
    return client


def look(server: Pymaild, ledger: Ledger) -> list[str]:
    """Read everything that is new, compare all with the ledger; what is wrong."""
    client = log_in(server)
    client.select(readonly=True)
    wrong = []
    uidvalidity = bytes(client.response("UIDVALIDITY")[1][0])
    if ledger.uidvalidity not in (b"", uidvalidity):
        wrong.append("UIDVALIDITY has changed")
    ledger.uidvalidity = uidvalidity
    wrong += _uids_and_flags(client, ledger)
    client.logout()
    return wrong + _promises(ledger)


def _uids_and_flags(client: imaplib.IMAP4, ledger: Ledger) -> list[str]:
    wrong = []
    newest = max(ledger.uids, default=0)
    _, listed = client.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (X-LEDGER)])")
    seen: dict[int, str] = {}
    for item in listed:
        if not isinstance(item, tuple):
            continue
        uid = int(re.search(rb"UID (\d+)", item[0])[1])  # type: ignore[index]
        found = _ID.search(item[1])
        seen[uid] = found[1].decode() if found else ""
        if uid in ledger.flagged and rb"\Flagged" not in item[0]:
            wrong.append(f"uid {uid} has lost its flag")
    for uid, identity in ledger.uids.items():
        if seen.get(uid) != identity:
            wrong.append(f"uid {uid} was {identity} and is {seen.get(uid)}")
    fresh = sorted(uid for uid in seen if uid not in ledger.uids)
    if fresh and fresh[0] <= newest:
        wrong.append(f"uid {fresh[0]} is new, though {newest} was there already")
    wrong += _contents(client, ledger, fresh)
    ledger.uids = seen
    return wrong


def _contents(client: imaplib.IMAP4, ledger: Ledger, uids: list[int]) -> list[str]:
    """Whether new messages are what was sent, below the trace fields."""
    wrong = []
    for start in range(0, len(uids), 200):
        _, data = client.uid("FETCH", ",".join(map(str, uids[start : start + 200])), "(UID BODY.PEEK[])")
        for item in data:
            if isinstance(item, tuple):
                found = _ID.search(item[1])
                identity = found[1].decode() if found else ""
                text = item[1][item[1].find(b"From: a@example.net") :]
                if hashlib.sha256(text).hexdigest() != ledger.sent.get(identity):
                    wrong.append(f"message {identity or '?'} is not what was sent: {item[0]!r}")
    return wrong


def _promises(ledger: Ledger) -> list[str]:
    there = list(ledger.uids.values())
    lost = ledger.answered - set(there)
    doubled = {identity for identity in there if there.count(identity) > 1} if len(set(there)) < len(there) else set()
    return [f"message {i} was answered 250 and is lost" for i in lost] + [f"message {i} is there twice" for i in doubled]


def cycle(server: Pymaild, ledger: Ledger, choose: random.Random) -> None:
    """A load, and death in the middle of it."""
    stop = threading.Event()
    threads = [threading.Thread(target=deliverer, args=(server, ledger, n, stop)) for n in range(DELIVERERS)]
    threads += [threading.Thread(target=flagger, args=(server, ledger, n, stop)) for n in range(FLAGGERS)]
    before = len(ledger.answered)
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    while len(ledger.answered) == before and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(choose.uniform(0, 0.4))
    server.kill()
    stop.set()
    for thread in threads:
        thread.join()
    server.start()


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/crash", description=__doc__)
    parser.add_argument("--cycles", type=int, default=50, help="how often (50)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of death; 0: another each time")
    parser.add_argument("--folder", type=Path, help="where to work")
    options = parser.parse_args()
    seed = options.seed or time.time_ns() % 1_000_000
    choose = random.Random(seed)
    folder = Path(mkdtemp(prefix="pymaild-crash-", dir=options.folder))
    server, ledger = Pymaild(folder), Ledger()
    wrong: list[str] = []
    try:
        for number in range(1, options.cycles + 1):
            cycle(server, ledger, choose)
            wrong = look(server, ledger)
            print(
                f"cycle {number}: {len(ledger.answered)} answered, {len(ledger.uids)} there, {len(ledger.flagged)} flagged,"
                f" {len(wrong)} wrong",
                flush=True,
            )
            if wrong:
                print("\n".join(wrong), f"seed {seed}; everything is in {folder}", sep="\n")
                return 1
    finally:
        server.stop()
        if not wrong:
            shutil.rmtree(folder)
    print(f"{options.cycles} times killed: nothing lost, nothing doubled, no uid changed, no flag lost")
    return 0


if __name__ == "__main__":
    sys.exit(main())
