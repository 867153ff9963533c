"""Clients that do random things to one mailbox, each with what it must believe: nothing a server says may contradict it.

A client keeps a list of uids by message number and the flags of each uid, and changes them by what it is told alone:
EXISTS, EXPUNGE, VANISHED, FETCH. RFC 3501 §5.2, §7.4.1; RFC 7162 §3.2; RFC 9051 §7.5. Those that have asked with NOTIFY are told
between their commands, and believe the truth without asking. RFC 5465 §5, §6.1.
"""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from pymaild.dialogue import Pump
from pymaild.imap import Session
from pymaild.imap.sequences import parse
from tests.imap_world import World

FLAGS = ("\\Seen", "\\Flagged", "\\Deleted", "$Label1", "$Work")
FETCH = re.compile(rb"\* (\d+) FETCH \((.*)\)\Z")
ITEM = re.compile(rb"(UID|FLAGS|MODSEQ) (?:\(([^)]*)\)|(\d+))")
QUIET = ("FETCH", "STORE", "SEARCH")  # by number: no EXPUNGE may come. §7.4.1
KINDS = {
    "plain": "",
    "condstore": "CONDSTORE",
    "qresync": "QRESYNC",
    "rev2": "IMAP4rev2",
    "all": "QRESYNC IMAP4rev2",
    "notified": "",
    "notified qresync": "QRESYNC",
    "delayed": "CONDSTORE",
}
NOTIFY = {"notified": "SELECTED", "notified qresync": "SELECTED", "delayed": "SELECTED-DELAYED"}


class Client:
    """One connection, and another one after it has been away."""

    session: Session
    pump: Pump

    def __init__(self, world: World, kind: str, chance: random.Random) -> None:
        self.world, self.kind, self.chance = world, kind, chance
        self.uids: list[int] = []  # 0: the uid is not known yet
        self.flags: dict[int, frozenset[bytes]] = {}
        self.uidvalidity = self.modseq = self.count = 0
        self.verb = ""
        self.connect()

    @property
    def resyncs(self) -> bool:
        return "QRESYNC" in KINDS[self.kind]

    # ---- saying

    def connect(self) -> None:
        """Log in and select; a client with QRESYNC brings what it knew."""
        if self.count:
            self.pump.session.closed()
        self.session = self.world.session()
        self.pump = Pump(self.session)
        b"".join(self.pump.start())
        self.say("LOGIN ann@example.org ann-secret")
        if KINDS[self.kind]:
            self.say(f"ENABLE {KINDS[self.kind]}")
        known = [uid for uid in self.uids if uid]
        if self.resyncs and known and len(known) == len(self.uids):
            self._select_again(known)
        else:
            self.uids, self.flags = [], {}
            self.say("SELECT INBOX")
        if self.kind in NOTIFY:
            self.say(f"NOTIFY SET ({NOTIFY[self.kind]} (MessageNew (UID FLAGS) MessageExpunge FlagChange))")
        self.learn()

    def listen(self) -> None:
        """What comes while no command runs; numbers may change only for those that said so. RFC 5465 §6.1."""
        if self.session.listening:
            self.verb = "" if NOTIFY[self.kind] == "SELECTED" else QUIET[0]
            for line in b"".join(self.pump.wake()).split(b"\r\n")[:-1]:
                self.hear(line)

    def _select_again(self, known: list[int]) -> None:
        """Numbers are built anew from the uids that are left. RFC 7162 §3.2.5."""
        match = f" ({len(known)} {known[-1]})" if self.chance.random() < 0.5 else ""
        self.uids = []
        self.before = known
        self.say(f"SELECT INBOX (QRESYNC ({self.uidvalidity} {self.modseq} 1:{known[-1]}{match}))")
        fresh = len(self.uids) - len(self.before)
        assert fresh >= 0, f"{self.kind}: {len(self.before)} messages are left of {len(known)}, but {self.uids} exist"
        self.uids = self.before + [0] * fresh

    def say(self, command: str, *more: bytes) -> bytes:
        """One command; everything that comes is believed. The tagged line."""
        self.count += 1
        self.verb = command.split(" ", maxsplit=1)[0]
        tag = b"t%d" % self.count
        said = b"".join(self.pump.feed(tag + b" " + command.encode() + b"".join(more) + b"\r\n"))
        lines = said.split(b"\r\n")[:-1]
        for line in lines[:-1]:
            self.hear(line)
        assert lines[-1].startswith((tag + b" OK", tag + b" NO")), (self.kind, command, lines)
        if found := re.search(rb"HIGHESTMODSEQ (\d+)", lines[-1]):
            self.modseq = int(found[1])
        return lines[-1]

    def learn(self) -> None:
        """Ask for what is new; what is gone already is not told before a NOOP."""
        while 0 in self.uids:
            self.say(f"FETCH {self.uids.index(0) + 1}:{len(self.uids)} (UID FLAGS{' MODSEQ' if self.resyncs else ''})")
            if 0 in self.uids:
                self.say("NOOP")

    def catch_up(self) -> None:
        self.say("NOOP")
        self.learn()

    # ---- hearing

    def hear(self, line: bytes) -> None:
        if found := FETCH.match(line):
            self._fetched(int(found[1]), found[2])
        elif found := re.match(rb"\* (\d+) EXISTS\Z", line):
            assert int(found[1]) >= len(self.uids), f"{self.kind}: {line!r} after {len(self.uids)}"
            self.uids += [0] * (int(found[1]) - len(self.uids))
        elif found := re.match(rb"\* (\d+) EXPUNGE\Z", line):
            assert not self.resyncs and self.verb not in QUIET, f"{self.kind}: {line!r} during {self.verb}"
            self.flags.pop(self.uids.pop(int(found[1]) - 1), None)
        elif found := re.match(rb"\* VANISHED (\(EARLIER\) )?([\d:,]+)\Z", line):
            self._vanished(found[2], bool(found[1]))
        elif found := re.search(rb"\[HIGHESTMODSEQ (\d+)\]", line):
            self.modseq = int(found[1])
        elif found := re.search(rb"\[UIDVALIDITY (\d+)\]", line):
            self.uidvalidity = int(found[1])
        elif b"RECENT" in line.upper():
            assert "rev2" not in KINDS[self.kind].lower(), f"{self.kind}: {line!r}"

    def _fetched(self, number: int, items: bytes) -> None:
        values = {name: listed or plain for name, listed, plain in ITEM.findall(items)}
        if self.verb == "SELECT":  # after (QRESYNC ...): numbers come later
            uid = int(values[b"UID"])
        else:
            assert number <= len(self.uids), f"{self.kind}: number {number} of {len(self.uids)}"
            uid = int(values.get(b"UID", b"0")) or self.uids[number - 1]
            assert self.uids[number - 1] in (0, uid), f"{self.kind}: {number} was {self.uids[number - 1]}, now {uid}"
            self.uids[number - 1] = uid
        if b"FLAGS" in values and uid:
            self.flags[uid] = frozenset(values[b"FLAGS"].split()) - {b"\\Recent"}

    def _vanished(self, uids: bytes, earlier: bool) -> None:
        assert self.resyncs and (earlier or self.verb not in QUIET), f"{self.kind}: VANISHED {uids!r} during {self.verb}"
        gone = {uid for low, high in parse(uids) for uid in range(low, high + 1)}
        if earlier:
            self.before = [uid for uid in self.before if uid not in gone]
        else:
            unknown = gone - set(self.uids)  # of messages whose uid the client has not learnt yet: the last ones
            assert len(unknown) <= self.uids.count(0), f"{self.kind}: {gone} vanished of {self.uids}"
            self.uids = [uid for uid in self.uids if uid not in gone][: len(self.uids) - len(gone)]
        for uid in gone:
            self.flags.pop(uid, None)

    # ---- doing

    def some(self) -> str:
        """A message set by number."""
        low = self.chance.randint(1, len(self.uids))
        return f"{low}:{min(len(self.uids), low + self.chance.randint(0, 3))}"

    def step(self) -> None:
        """One random thing."""
        chance = self.chance
        if len(self.uids) < 3 or chance.random() < 0.12:
            self.say("APPEND INBOX (\\Seen) {14+}\r\n", b"Subject: x\r\n\r\n")
            self.learn()
            return
        doing = chance.choice(
            ("STORE", "STORE", "SILENT", "EXPUNGE", "UID EXPUNGE", "FETCH", "SEARCH", "NOOP", "MOVE", "AWAY")
        )
        flag, sign = chance.choice(FLAGS), chance.choice("+-")
        if doing == "AWAY":
            self.catch_up()
            self.say("UNSELECT")
        elif doing == "STORE":
            self.say(f"STORE {self.some()} {sign}FLAGS ({flag})")
        elif doing == "SILENT":
            self._silent(sign, flag)
        elif doing == "UID EXPUNGE":
            self.say(f"UID EXPUNGE {chance.choice([uid for uid in self.uids if uid] or [1])}")
        elif doing == "MOVE":
            self.say(f"UID MOVE {chance.choice([uid for uid in self.uids if uid] or [1])} Trash")
        else:
            self.say({"FETCH": f"FETCH {self.some()} FLAGS", "SEARCH": "SEARCH ALL"}.get(doing, doing))
        self.learn()

    def _silent(self, sign: str, flag: str) -> None:
        """The client knows what its own silent STORE did: only where the server says OK without [EXPUNGEISSUED]."""
        number = self.chance.randint(1, len(self.uids))
        uid = self.uids[number - 1]
        before = self.flags.get(uid, frozenset())
        tagged = self.say(f"STORE {number} {sign}FLAGS.SILENT ({flag})")
        if b"EXPUNGEISSUED" not in tagged and self.flags.get(uid, before) == before:
            self.flags[uid] = before | {flag.encode()} if sign == "+" else before - {flag.encode()}


def play(folder: Path, seed: int, steps: int) -> None:
    chance = random.Random(seed)
    world = World(folder, "three_messages")
    clients = [Client(world, kind, chance) for kind in KINDS]
    try:
        for step in range(steps):
            client = chance.choice(clients)
            if client.session.view is None:
                client.connect()
            client.step()
            if chance.random() < 0.5:
                chance.choice(clients).listen()
            if step % 25 == 24:
                check(world, [each for each in clients if each.session.view is not None])
    finally:
        world.close()


def check(world: World, clients: list[Client]) -> None:
    """When each has heard the news, all believe what is so; some need not ask."""
    for client in clients:
        client.catch_up()
    rows = list(world.store.open("INBOX").rows())
    for client in clients:
        if NOTIFY.get(client.kind) == "SELECTED":
            client.listen()
        else:
            client.catch_up()
        assert client.uids == [row.uid for row in rows], client.kind
        for row in rows:
            told = client.flags.get(row.uid, frozenset())
            assert (b"\\Seen" in told) == bool(row.flags & 1), (client.kind, row, told)
            assert {word for word in told if not word.startswith(b"\\")} == {k.encode() for k in row.keywords}, client.kind
            assert (b"\\Deleted" in told, b"\\Flagged" in told) == (bool(row.flags & 8), bool(row.flags & 4)), client.kind


@pytest.mark.parametrize("seed", range(3))
def test_what_clients_believe(tmp_path: Path, seed: int) -> None:
    play(tmp_path, seed, 150)


@pytest.mark.slow
def test_what_clients_believe_for_ten_thousand_steps(tmp_path: Path) -> None:
    play(tmp_path, 7162, 10_000)
