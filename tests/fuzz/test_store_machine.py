"""A store against a plain model, through everything that can happen to a Maildir.

Two Stores stand for two processes. Each step is done through one of them, or by "another program" on the files; now and
then the index is lost, replaced by an older one (a power cut), or the processes end without a word. After every step:

    - each mailbox holds exactly the messages, flags and keywords of the model
    - uids only rise, and none ever names another message
    - what changes(since) says leads a replica, however old, to the truth
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from unittest.mock import patch

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pymaild.mailstore import Flag, FlagChange, Mailbox, MailboxExists, MailboxHasChildren, NoSuchMailbox, NotPermitted
from pymaild.store import engine
from tests.storing import ANN, memory, message, root, stores

NAMES = ["INBOX", "A", "A/B", "C"]
WORDS = ["$Junk", "Work", "x"]
Content = tuple[bytes, int, frozenset[str]]
names = st.sampled_from(NAMES)
flags = st.integers(0, 31)
words = st.sets(st.sampled_from(WORDS)).map(lambda chosen: tuple(sorted(chosen)))
sides = st.sampled_from([0, 1])
picks = st.integers(0, 5)


class Truth:
    """What a mailbox must hold, and what a client that looked earlier remembers of it."""

    def __init__(self, uidvalidity: int) -> None:
        self.uidvalidity = uidvalidity
        self.messages: dict[int, Content] = {}
        self.highest = 0  # the highest uid ever seen
        self.replica: dict[int, tuple[int, frozenset[str]]] = {}
        self.synced = 0  # the modseq of the replica


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="machine", dir=memory()))
        self.saved = self.directory / "saved"
        self.boots = 1
        self.patch = patch.object(engine, "this_boot", lambda: self.boots)
        self.patch.start()
        self.count = 0
        self.model: dict[str, Truth] = {}
        self.validities: set[int] = set()
        self.open_stores()
        self.learn("INBOX")

    def open_stores(self) -> None:
        self.pair = [stores(self.directory), stores(self.directory)]
        for store in self.pair:
            store(ANN).open("INBOX")
        shutil.rmtree(self.saved, ignore_errors=True)

    def learn(self, name: str) -> None:
        validity = self.pair[0](ANN).open(name).state().uidvalidity
        assert validity not in self.validities
        self.validities.add(validity)
        self.model[name] = Truth(validity)

    def teardown(self) -> None:
        for store in self.pair:
            store.close()
        shutil.rmtree(self.directory)
        self.patch.stop()

    def open(self, side: int, name: str) -> Mailbox:
        return self.pair[side](ANN).open(name)

    def some(self, name: str, pick: int) -> list[int]:
        """Some uids of the mailbox, and one that is not there."""
        return [uid for uid in self.model[name].messages if uid % 5 != pick] + [777]

    def new(self, name: str, uid: int, content: Content) -> None:
        truth = self.model[name]
        assert uid > truth.highest, "a uid that was used already, or is lower than one that was"
        truth.highest = uid
        truth.messages[uid] = content

    # ---- through the store

    @rule(side=sides, name=names, flag=flags, word=words)
    def append(self, side: int, name: str, flag: int, word: tuple[str, ...]) -> None:
        if name in self.model:
            self.count += 1
            content = message(str(self.count))
            self.new(name, self.open(side, name).append(content, flag, word), (content, flag, frozenset(word)))

    @rule(side=sides, name=names, pick=picks, change=st.sampled_from(FlagChange), flag=flags, word=words)
    def change_flags(self, side: int, name: str, pick: int, change: FlagChange, flag: int, word: tuple[str, ...]) -> None:
        if name not in self.model:
            return
        uids = self.some(name, pick)
        self.open(side, name).change_flags(uids, change, flag, word)
        for uid in uids[:-1]:
            content, old, keywords = self.model[name].messages[uid]
            self.model[name].messages[uid] = {
                FlagChange.REPLACE: (content, flag, frozenset(word)),
                FlagChange.ADD: (content, old | flag, keywords | set(word)),
                FlagChange.REMOVE: (content, old & ~flag, keywords - set(word)),
            }[change]

    @rule(side=sides, name=names, to=names, pick=picks, moving=st.booleans())
    def carry(self, side: int, name: str, to: str, pick: int, moving: bool) -> None:
        if name not in self.model or to not in self.model:
            return
        mailbox, uids = self.open(side, name), self.some(name, pick)
        validity, pairs = mailbox.move(uids, to) if moving else mailbox.copy(uids, to)
        assert validity == self.model[to].uidvalidity
        assert [old for old, _ in pairs] == uids[:-1]
        for old, new in pairs:
            self.new(to, new, self.model[name].messages[old])
            if moving:
                del self.model[name].messages[old]

    @rule(side=sides, name=names, pick=picks)
    def expunge(self, side: int, name: str, pick: int) -> None:
        if name in self.model:
            uids = self.some(name, pick)
            expected = [uid for uid in uids[:-1] if self.model[name].messages[uid][1] & Flag.DELETED]
            assert self.open(side, name).expunge(uids) == expected
            for uid in expected:
                del self.model[name].messages[uid]

    @rule(side=sides, name=names)
    def create(self, side: int, name: str) -> None:
        try:
            self.pair[side](ANN).create(name)
        except MailboxExists:
            assert name in self.model
            return
        for level in ("A", "A/B") if name == "A/B" else (name,):
            if level not in self.model:
                self.learn(level)

    @rule(side=sides, name=names)
    def delete(self, side: int, name: str) -> None:
        try:
            self.pair[side](ANN).delete(name)
        except (NoSuchMailbox, NotPermitted, MailboxHasChildren):
            assert name not in self.model or name == "INBOX"
            return
        del self.model[name]

    @rule(side=sides, name=names, to=names)
    def rename(self, side: int, name: str, to: str) -> None:
        account = self.pair[side](ANN)
        if name == "A" and "A/B" in self.model:
            return  # its children would get names that are not in the model
        try:
            account.rename(name, to)
        except (NoSuchMailbox, MailboxExists, NotPermitted):
            assert name not in self.model or to in self.model or to == "A/B"
            return
        if name == "INBOX":
            for level in ("A", "A/B") if to == "A/B" else (to,):
                if level not in self.model:
                    self.learn(level)
            uids = list(account.open(to).uids())
            for uid, old in zip(uids, sorted(self.model[name].messages), strict=True):
                self.new(to, uid, self.model[name].messages.pop(old))
        else:
            if to == "A/B" and "A" not in self.model:
                self.learn("A")
            self.model[to] = self.model.pop(name)

    # ---- other programs

    def folder(self, name: str) -> Path:
        return root(self.directory) / ("." if name == "INBOX" else "." + name.replace("/", "."))

    def file(self, name: str, pick: int) -> tuple[int, Path] | None:
        files = sorted((self.folder(name) / "cur").iterdir()) if name in self.model else []
        if not files:
            return None
        path = files[pick % len(files)]
        return int(path.name.partition(",U=")[2].partition(":")[0]), path

    @rule(name=names, new=st.booleans(), letters=st.sampled_from(["", "S", "FS"]))
    def outside_delivery(self, name: str, new: bool, letters: str) -> None:
        if name not in self.model:
            return
        self.count += 1
        content = message(str(self.count))
        path = self.folder(name) / ("new" if new else "cur") / (f"{self.count}.x" + ("" if new else f":2,{letters}"))
        path.write_bytes(content)
        self.came(name, (content, 0 if new else {"": 0, "S": 1, "FS": 5}[letters], frozenset()))

    def came(self, name: str, content: Content) -> None:
        mailbox = self.open(0, name)
        (uid,) = set(mailbox.uids()) - set(self.model[name].messages)
        self.new(name, uid, content)

    @rule(name=names, pick=picks, letters=st.sampled_from(["", "S", "DT"]))
    def outside_flags(self, name: str, pick: int, letters: str) -> None:
        found = self.file(name, pick)
        if found:
            uid, path = found
            path.rename(path.with_name(path.name.partition(":2,")[0] + f":2,{letters}"))
            flag = {"": 0, "S": Flag.SEEN, "DT": Flag.DRAFT | Flag.DELETED}[letters]
            self.model[name].messages[uid] = (self.model[name].messages[uid][0], int(flag), frozenset())

    @rule(name=names, pick=picks)
    def outside_removal(self, name: str, pick: int) -> None:
        found = self.file(name, pick)
        if found:
            found[1].unlink()
            del self.model[name].messages[found[0]]

    @rule(name=names, to=names, pick=picks)
    def outside_copy(self, name: str, to: str, pick: int) -> None:
        found = self.file(name, pick)
        if found and to in self.model:
            uid, path = found
            self.open(0, to)
            self.count += 1
            shutil.copy(path, self.folder(to) / "cur" / f"{self.count}{path.name.partition(':2,')[0]}:2,")
            self.came(to, (self.model[name].messages[uid][0], 0, frozenset()))

    # ---- misfortune

    def index_files(self) -> list[Path]:
        return [root(self.directory) / f"index.sqlite3{suffix}" for suffix in ("", "-wal", "-shm")]

    def die(self) -> None:
        """Both processes end without a word; what they had open is gone."""
        for store in self.pair:
            for opened in store._engines.values():
                opened.lock.close()

    @rule()
    def reopen(self) -> None:
        for store in self.pair:
            store.close()
        self.open_stores()

    @rule()
    def crash(self) -> None:
        self.die()
        self.open_stores()

    @rule(live=st.booleans())
    def lose_index(self, live: bool) -> None:
        if not live:
            self.die()
        for path in self.index_files():
            path.unlink(missing_ok=True)
        if not live:
            self.open_stores()

    @rule()
    def save_index(self) -> None:
        self.saved.mkdir(exist_ok=True)
        for path in self.index_files()[:2]:
            if path.exists():
                shutil.copy(path, self.saved / path.name)

    @precondition(lambda self: self.saved.exists())
    @rule()
    def power_cut(self) -> None:
        """The files are as they were acknowledged, the index is older."""
        self.die()
        self.boots += 1
        for path in self.index_files():
            path.unlink(missing_ok=True)
        for path in self.saved.iterdir():
            shutil.copy(path, root(self.directory) / path.name)
        self.open_stores()

    @rule()
    def rebuild(self) -> None:
        before = {name: list(self.open(0, name).rows()) for name in self.model}
        self.pair[0].rebuild(ANN)
        for name, rows in before.items():
            after = list(self.open(1, name).rows())
            plain = [(row.uid, row.flags, row.keywords, row.size, row.internal_date, row.save_date) for row in rows]
            again = [(row.uid, row.flags, row.keywords, row.size, row.internal_date, row.save_date) for row in after]
            assert again == plain
        assert self.pair[1].check(ANN) == []

    # ---- what always holds

    @invariant()
    def holds_what_it_must(self) -> None:
        infos = self.pair[1](ANN).mailboxes()
        assert {info.name for info in infos if info.selectable} == set(self.model)
        for side, name in enumerate(self.model):
            mailbox = self.open(side % 2, name)
            truth, state = self.model[name], mailbox.state()
            rows = list(mailbox.rows())
            assert {row.uid: (mailbox.read(row.uid), row.flags, row.keywords) for row in rows} == truth.messages
            assert list(mailbox.uids()) == sorted(truth.messages) == [row.uid for row in rows]
            assert state.uidvalidity == truth.uidvalidity and state.uidnext > truth.highest
            assert state.messages == len(rows) and state.size == sum(row.size for row in rows)
            assert state.unseen == sum(not row.flags & Flag.SEEN for row in rows)
            assert state.deleted == sum(bool(row.flags & Flag.DELETED) for row in rows)
            assert all(row.modseq <= state.highestmodseq for row in rows)
            assert state.highestmodseq >= truth.synced
            truth.highest = max(truth.highest, state.uidnext - 1)

    @rule(name=names, side=sides)
    def sync(self, name: str, side: int) -> None:
        if name not in self.model:
            return
        truth = self.model[name]
        changes = self.open(side, name).changes(truth.synced)
        for uid in changes.vanished:
            truth.replica.pop(uid, None)
        truth.replica.update((row.uid, (row.flags, row.keywords)) for row in changes.rows)
        truth.synced = changes.highestmodseq
        assert truth.replica == {uid: content[1:] for uid, content in truth.messages.items()}


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    derandomize=True,
    max_examples=int(os.environ.get("MACHINE_EXAMPLES", "40")),
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
