"""A guest does whatever comes to his mind while the owner changes his rights: against a model of RFC 4314 §4 and §6.

After each command of the guest four things must hold. He heard of no message, flag or count without `r`. A mailbox he may
not look up answers as one that is not there. LIST shows what he may look up, no more and no less. And nothing of the
owner's changed but what his rights cover.
"""

from __future__ import annotations

import random
import re
import tempfile
from pathlib import Path

import pytest

from pymaild.dialogue import Then
from pymaild.mailstore import ALL_RIGHTS, AccountStore, Flag
from tests.imap_world import World
from tests.player import SessionConnection
from tests.sharing import ANN, BOB
from tests.storing import memory

NAMES = ("INBOX", "Alpha", "Alpha/Beta", "Gamma", "Gamma/Delta/Eps")
GHOST = "Ghost"  # never there
PREFIX = f"Other Users/{ANN}/"
STEPS = 80

# What a guest says; {m} is a mailbox of the owner, {o} another one. The messages' words tell which mailbox they are of
COMMANDS = (
    'SELECT "{m}"',
    'SELECT "{m}"',
    'EXAMINE "{m}"',
    'STATUS "{m}" (MESSAGES UNSEEN UIDNEXT UIDVALIDITY MAILBOXID HIGHESTMODSEQ SIZE DELETED)',
    'LIST "" "{m}" RETURN (STATUS (MESSAGES) MYRIGHTS METADATA (/shared/comment))',
    'LIST "" "*"',
    'LSUB "" "*"',
    'SUBSCRIBE "{m}"',
    'MYRIGHTS "{m}"',
    'GETACL "{m}"',
    'LISTRIGHTS "{m}" bob@example.org',
    'SETACL "{m}" bob@example.org +lr',
    'DELETEACL "{m}" anyone',
    'GETMETADATA "{m}" (/shared/comment /private/comment)',
    'SETMETADATA "{m}" (/shared/comment "by the guest")',
    'SETMETADATA "{m}" (/private/comment "by the guest")',
    'CREATE "{m}/new"',
    'CREATE "{m}"',
    'DELETE "{m}"',
    'RENAME "{m}" "{o}/moved"',
    'RENAME "{m}" mine',
    "FETCH 1:* (FLAGS BODY[])",
    "UID FETCH 1:* (FLAGS BODY.PEEK[] ENVELOPE)",
    "SEARCH RETURN (ALL COUNT) TEXT secret",
    'ESEARCH IN (subtree "Other Users" personal) TEXT secret',
    'ESEARCH IN (mailboxes "{m}") ALL',
    r"STORE 1:* +FLAGS (\Seen)",
    r"STORE 1:* -FLAGS (\Seen)",
    r"STORE 1:* FLAGS (\Flagged \Deleted guest)",
    r"STORE 1 FLAGS.SILENT ()",
    r"UID STORE 1:* +FLAGS.SILENT (\Deleted)",
    "EXPUNGE",
    "UID EXPUNGE 1:*",
    "CLOSE",
    "UNSELECT",
    "NOOP",
    'COPY 1:* "{m}"',
    "COPY 1:* INBOX",
    'MOVE 1 "{m}"',
    "MOVE 1 INBOX",
    'APPEND "{m}" (\\Seen \\Flagged \\Deleted guest) {{12+}}\r\nSubject: g\r\n',
    'APPEND INBOX CATENATE (URL "/{m};UIDVALIDITY=1/;UID=1")',
)


SELECTED = tuple(
    command
    for command in COMMANDS
    if command.split(" ")[0] in ("FETCH", "UID", "SEARCH", "STORE", "EXPUNGE", "COPY", "MOVE", "NOOP", "CLOSE", "UNSELECT")
)


def words_of(name: str) -> str:
    """What only the messages of this mailbox say."""
    return f"secret{NAMES.index(name)}x"


class House:
    """Ann's mailboxes, and Bob's connection."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.chance = chance
        self.world = World(folder, mailbox="empty", uses=())
        self.owner = self.world.sharing(ANN)
        self.raw: AccountStore = self.world.stores(ANN)
        for name in NAMES:
            if name != "INBOX":
                self.raw.create(name)
            box = self.raw.open(name)
            for flags in (0, Flag.SEEN | Flag.FLAGGED, Flag.DELETED):
                box.append(
                    f"Subject: {words_of(name)}\r\n\r\n{words_of(name)}\r\n".encode(), flags, [f"kw{NAMES.index(name)}"]
                )
            self.raw.set_metadata(name, {"/shared/comment": words_of(name).encode()})
        self.read: set[str] = set()  # whose words the guest has had the right to read, and may have copied
        self.tag = 0
        for _ in range(8):
            self.change_rights()
        self.connect()

    def connect(self) -> None:
        self.guest = SessionConnection(self.world.session())
        self.hear(f"LOGIN {BOB} bob-secret")

    def hear(self, command: str) -> str:
        """What the server says to a command; who was sent away comes back."""
        if self.guest.pump.then is Then.CLOSE:
            self.connect()
        self.tag += 1
        self.guest.send(f"t{self.tag} {command}\r\n".encode())
        heard = b""
        while said := self.guest.receive():
            heard += said
        return heard.decode("latin-1").replace(f"t{self.tag} ", "tag ")

    def rights(self) -> dict[str, str]:
        """By name, of everything the owner has."""
        found = {}
        for info in self.raw.mailboxes():
            if info.selectable:
                found[info.name] = self.world.stores(ANN).grants(info.name).rights_of(BOB)
        return found

    def truth(self) -> dict[str, dict[str, object]]:
        """Everything the owner has, by the mailbox's id."""
        found: dict[str, dict[str, object]] = {}
        for info in self.raw.mailboxes():
            if info.selectable:
                rows = {row.uid: (row.flags, row.keywords) for row in self.raw.open(info.name).rows()}
                noted = self.raw.metadata(info.name)
                found[info.mailbox_id] = {"name": info.name, "rows": rows, "acl": self.raw.acl(info.name), "noted": noted}
        return found

    def change_rights(self) -> None:
        name = self.chance.choice([info.name for info in self.raw.mailboxes() if info.selectable])
        identifier = self.chance.choice([BOB, BOB, BOB, "anyone", f"-{BOB}"])
        some = "".join(right for right in ALL_RIGHTS if self.chance.random() < 0.7)
        rights = self.chance.choice(["", "i", "lr", "lrs", "lrswite", ALL_RIGHTS, some, some, some])
        self.owner.change_acl(name, identifier, "", rights if self.chance.random() < 0.3 else rights.replace("x", ""))

    def step(self) -> None:
        if self.chance.random() < 0.15:
            self.change_rights()
        rights, before = self.rights(), self.truth()
        self.read |= {name for name in NAMES if "r" in rights.get(name, "")}
        there = list(rights)
        mailbox, other = (PREFIX + self.chance.choice([*there, GHOST]) for _ in range(2))
        selected = self.world.sessions[-1].view is not None
        command = self.chance.choice(SELECTED if selected and self.chance.random() < 0.6 else COMMANDS)
        command = command.format(m=mailbox, o=other)
        heard = self.hear(command)
        self.check_words(command, heard, rights)
        self.check_secrecy(command, heard, mailbox, rights)
        self.check_changes(command, before, self.truth(), rights)
        self.check_list(command)

    # ---- what must hold

    def check_words(self, command: str, heard: str, rights: dict[str, str]) -> None:
        for name in NAMES:
            noted = "METADATA" in command and "l" in rights.get(name, "") and set("rswip") & set(rights[name])
            if name not in self.read and not noted:
                assert words_of(name) not in heard, (command, name, rights, heard)

    def check_secrecy(self, command: str, heard: str, mailbox: str, rights: dict[str, str]) -> None:
        """Without lookup, a refusal is that of a mailbox that is not there."""
        mine = rights.get(mailbox.removeprefix(PREFIX), "")
        first = re.match(r'([A-Z]+) "Other', command)
        if first is None or "l" in mine or "tag OK" in heard or first[1] in ("SUBSCRIBE", "RENAME", "CREATE"):
            return
        again = self.hear(command.replace(f'"{mailbox}', f'"{PREFIX}{GHOST}2'))
        assert _plain(heard, mailbox) == _plain(again, f"{PREFIX}{GHOST}2"), (command, mine)

    def check_changes(
        self,
        command: str,
        before: dict[str, dict[str, object]],
        after: dict[str, dict[str, object]],
        rights: dict[str, str],
    ) -> None:
        said = (command, rights)
        for mailbox_id in after.keys() - before.keys():
            name = str(after[mailbox_id]["name"])
            parents = [name[:at] for at, char in enumerate(name) if char == "/"]
            assert any("k" in rights.get(parent, "") for parent in parents), (said, name)
        for mailbox_id, old in before.items():
            mine, new = rights[str(old["name"])], after.get(mailbox_id)
            if new is None:
                assert "x" in mine and old["name"] != "INBOX", said
                continue
            assert new["name"] == old["name"] or "x" in mine, said
            assert new["acl"] == old["acl"] or "a" in mine, said
            assert new["noted"] == old["noted"] or {"l", "w"} <= set(mine), said
            self.check_rows(said, old["rows"], new["rows"], mine)

    def check_rows(self, said: object, old: object, new: object, mine: str) -> None:
        assert isinstance(old, dict)
        assert isinstance(new, dict)
        assert not old.keys() - new.keys() or ("e" in mine and "r" in mine), said
        assert not new.keys() - old.keys() or "i" in mine, said
        for uid in new:
            flags, keywords = old.get(uid, (0, frozenset()))
            changed = int(flags) ^ int(new[uid][0])
            assert not changed & Flag.SEEN or "s" in mine, said
            assert not changed & Flag.DELETED or "t" in mine, said
            others = changed & ~(Flag.SEEN | Flag.DELETED) or keywords != new[uid][1]
            assert not others or "w" in mine, said

    def check_list(self, command: str) -> None:
        listed = re.findall(rf'\* LIST \(([^)]*)\) "/" "{re.escape(PREFIX)}([^"]*)"', self.hear('LIST "" "*"'))
        shown = {name for words, name in listed if "Noselect" not in words}
        levels = {name for words, name in listed if "Noselect" in words}
        visible = {name for name, rights in self.rights().items() if "l" in rights}
        assert shown == visible, command
        above = {name[:at] for name in visible for at, char in enumerate(name) if char == "/"}
        assert levels == above - visible, command


def _plain(heard: str, mailbox: str) -> str:
    """Without the name that was asked for, and without news of the selected mailbox."""
    tagged = [
        line for line in heard.replace(mailbox, "{m}").split("\r\n") if line.startswith(("tag ", "* LIST", "* STATUS"))
    ]
    return "\n".join(tagged)


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 60))])
def test_a_guest_sees_and_does_what_he_may_and_nothing_else(seed: int) -> None:
    with tempfile.TemporaryDirectory(dir=memory()) as folder:
        house = House(Path(folder), random.Random(seed))
        try:
            for _ in range(STEPS):
                house.step()
        finally:
            house.world.close()
