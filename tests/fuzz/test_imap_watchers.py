"""Clients that watch a whole account by NOTIFY: what they believe of names, subscriptions and numbers is so. RFC 5465 §5.

Others make, remove, rename and subscribe mailboxes, bring messages and take them away, by IMAP and as programs in the
Maildir. A watcher is told of it by LIST and STATUS alone, sometimes after one change and sometimes after many.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pymaild.dialogue import Pump
from pymaild.imap.names import decode
from pymaild.mailstore import Flag, FlagChange, StoreError
from tests.imap_world import World

NAMES = ("a", "a/b", "a/b/c", "b", "b/c", "c", "Grüße", "c & d")
MESSAGE = b"Subject: x\r\n\r\nx\r\n"
LIST = re.compile(rb'\* LIST \(([^)]*)\) "/" "([^"]*)"(?: \("OLDNAME" \("([^"]*)"\)\))?\Z')
STATUS = re.compile(rb'\* STATUS "([^"]*)" \(([^)]*)\)\Z')


@dataclass
class Believed:
    """What a watcher knows of a name."""

    exists: bool = False
    subscribed: bool = False
    has_children: bool = False
    numbers: dict[bytes, int] = field(default_factory=dict)


class Watcher:
    """Logs in, asks once for what there is, and then only listens."""

    def __init__(self, world: World, enabled: str) -> None:
        self.world = world
        self.names: dict[str, Believed] = {}
        self.session = world.session()
        self.pump = Pump(self.session)
        b"".join(self.pump.start())
        self.enabled = enabled
        self.say("LOGIN ann@example.org ann-secret")
        if enabled:
            self.say(f"ENABLE {enabled}")
        self.say(
            "NOTIFY SET STATUS (personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange))"
            " (selected (MessageNew MessageExpunge FlagChange))"
        )
        self.say('LIST () "" "*" RETURN (SUBSCRIBED CHILDREN)')
        self.say('LIST (SUBSCRIBED) "" "*"')

    def say(self, command: str) -> None:
        said = b"".join(self.pump.feed(b"t " + command.encode() + b"\r\n")).split(b"\r\n")[:-1]
        assert said[-1].startswith(b"t OK"), said
        for line in said[:-1]:
            self.hear(line)

    def listen(self) -> None:
        for line in b"".join(self.pump.wake()).split(b"\r\n")[:-1]:
            assert LIST.match(line) or STATUS.match(line), line
            self.hear(line)

    def hear(self, line: bytes) -> None:
        if found := LIST.match(line):
            self._listed(found[1].split(), decode(found[2]), decode(found[3]) if found[3] else "")
        elif found := STATUS.match(line):
            words = found[2].split()
            numbers = {word: int(value) for word, value in zip(words[::2], words[1::2], strict=True)}
            self.names.setdefault(decode(found[1]), Believed(exists=True)).numbers.update(numbers)

    def _listed(self, words: list[bytes], name: str, old: str) -> None:
        if old:  # with all that is below
            moved = {each: self.names.pop(each) for each in list(self.names) if (each + "/").startswith(old + "/")}
            for each, believed in moved.items():  # subscriptions are of names, and stay with them
                target = name + each[len(old) :]
                there = self.names.get(target, Believed())
                if believed.subscribed:
                    self.names[each] = Believed(subscribed=True)
                if believed.exists or believed.has_children:
                    self.names[target] = replace(believed, subscribed=there.subscribed)
        believed = self.names.setdefault(name, Believed())
        if not believed.exists:
            believed.numbers = {}
        believed.exists = b"\\NonExistent" not in words
        believed.subscribed = b"\\Subscribed" in words
        believed.has_children = b"\\HasChildren" in words
        if not (believed.exists or believed.subscribed or believed.has_children):
            del self.names[name]

    def check(self) -> None:
        """What is believed is so."""
        store = self.world.store
        there = {info.name: info for info in store.mailboxes()}
        assert {name for name, believed in self.names.items() if believed.exists} == {
            name for name, info in there.items() if info.selectable
        }
        assert {name for name, believed in self.names.items() if believed.subscribed} == set(store.subscriptions())
        for name, info in there.items():
            assert self.names[name].has_children == info.has_children, name
            if info.selectable:
                self._check_numbers(name)

    def _check_numbers(self, name: str) -> None:
        state, numbers = self.world.store.open(name).state(), self.names[name].numbers
        assert numbers.get(b"MESSAGES", 0) == state.messages, name
        assert numbers.get(b"UIDNEXT", 1) == state.uidnext, name
        assert numbers.get(b"UNSEEN", 0) == state.unseen, name
        if b"UIDVALIDITY" in numbers:
            assert numbers[b"UIDVALIDITY"] == state.uidvalidity, name
        if self.enabled and b"HIGHESTMODSEQ" in numbers:  # without CONDSTORE it is told once, with STATUS
            assert numbers[b"HIGHESTMODSEQ"] == state.highestmodseq, name


def meddle(world: World, chance: random.Random) -> str:
    """One random thing that another does."""
    store, name, other = world.store, chance.choice(NAMES), chance.choice(NAMES)
    doing = chance.choice(("create", "create", "delete", "rename", "subscribe", "unsubscribe", *["messages"] * 6))
    try:
        match doing:
            case "create":
                store.create(name)
            case "delete":
                store.delete(name)
            case "rename":
                store.rename(name, other)
            case "subscribe" | "unsubscribe":
                store.subscribe(name, doing == "subscribe")
            case _:
                change_messages(world, chance, chance.choice(("INBOX", name)))
    except StoreError:
        pass  # there is no such mailbox, or there is one
    return doing


def change_messages(world: World, chance: random.Random, name: str) -> None:
    box = world.store.open(name)
    uids = list(box.uids())
    doing = chance.choice(("append", "append", "program", "flags", "expunge", "copy"))
    if doing == "append" or not uids:
        box.append(MESSAGE, chance.choice((Flag(0), Flag.SEEN)))
    elif doing == "program":
        folder = world.stores.folder("ann@example.org", name)
        (folder / "new" / f"{chance.random()}.elsewhere").write_bytes(MESSAGE)
        world.feed.publish("ann@example.org", name)  # what the Feed does when it finds the directory changed
    elif doing == "flags":
        box.change_flags([chance.choice(uids)], chance.choice((FlagChange.ADD, FlagChange.REMOVE)), Flag.SEEN)
    elif doing == "copy":
        box.copy([chance.choice(uids)], chance.choice(NAMES))
    else:
        uid = chance.choice(uids)
        box.change_flags([uid], FlagChange.ADD, Flag.DELETED)
        box.expunge([uid])


def play(folder: Path, seed: int, steps: int) -> None:
    chance = random.Random(seed)
    world = World(folder, "three_messages")
    watchers = [Watcher(world, enabled) for enabled in ("", "CONDSTORE", "QRESYNC")]
    try:
        for step in range(steps):
            doing = meddle(world, chance)
            for watcher in watchers:
                if (
                    chance.random() < 0.3 or doing == "rename"
                ):  # several that cross have no order in which LIST could say it
                    watcher.listen()
            if step % 10 == 9:
                for watcher in watchers:
                    watcher.listen()
                    watcher.check()
    finally:
        world.close()


@pytest.mark.parametrize("seed", range(4))
def test_what_watchers_believe(tmp_path: Path, seed: int) -> None:
    play(tmp_path, seed, 100)


@pytest.mark.slow
def test_what_watchers_believe_for_two_thousand_steps(tmp_path: Path) -> None:
    play(tmp_path, 5465, 2000)
