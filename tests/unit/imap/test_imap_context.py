"""A client that believes the updates knows the result of its search at any time. RFC 5267 §4.3."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pymaild.dialogue import Pump
from pymaild.imap.context import MAX_CONTEXTS
from pymaild.imap.sequences import parse
from pymaild.mailstore import Flag, FlagChange, Mailbox
from tests.imap_world import World

steps = st.lists(
    st.one_of(
        st.tuples(st.just("flag"), st.integers(1, 9), st.booleans()),
        st.tuples(st.just("expunge"), st.integers(1, 9), st.booleans()),
        st.tuples(st.just("append"), st.booleans(), st.booleans()),
        st.tuples(st.sampled_from(["NOOP", "FETCH 1:* UID", "UID FETCH 1:* UID"]), st.just(0), st.booleans()),
    ),
    max_size=12,
)


def apply(mailbox: Mailbox, step: tuple[str, int, bool]) -> bool:
    """What another session does; False: it is a command of the client itself."""
    what, number, on = step
    if what == "flag":
        mailbox.change_flags([number], FlagChange.ADD if on else FlagChange.REMOVE, Flag.FLAGGED)
    elif what == "expunge":
        mailbox.change_flags([number], FlagChange.ADD, Flag.DELETED)
        mailbox.expunge([number])
    elif what == "append":
        mailbox.append(b"Subject: x\r\n\r\n", Flag.FLAGGED if number else 0)
    else:
        return False
    return True


class Client:
    """Believes what it is told: two results, one by number and one by uid."""

    def __init__(self, pump: Pump) -> None:
        self.pump = pump
        self.numbers: set[int] = set()
        self.uids: set[int] = set()

    def say(self, command: str) -> list[str]:
        said = b"".join(self.pump.feed(command.encode() + b"\r\n")).decode().splitlines()
        for line in said:
            self._hear(line)
        return said

    def _hear(self, line: str) -> None:
        if found := re.fullmatch(r"\* (\d+) EXPUNGE", line):
            gone = int(found[1])
            assert gone not in self.numbers, "REMOVEFROM stands before EXPUNGE"
            self.numbers = {number - (number > gone) for number in self.numbers}
        elif found := re.fullmatch(r'\* ESEARCH \(TAG "."\)( UID)? (ADDTO|REMOVEFROM) \(0 ([0-9:,]+)\)', line):
            known = self.uids if found[1] else self.numbers
            for low, high in parse(found[3].encode()):
                change = set(range(low, high + 1))
                if found[2] == "ADDTO":
                    assert not change & known
                    known |= change
                else:
                    assert change <= known
                    known -= change


def client(world: World) -> Client:
    pump = Pump(world.session())
    b"".join(pump.start())
    client = Client(pump)
    client.say("l LOGIN ann@example.org ann-secret")
    client.say("s SELECT INBOX")
    return client


@settings(derandomize=True, max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps)
def test_updates_lead_to_the_result_of_a_new_search(tmp_path_factory: object, drawn: list[tuple[str, int, bool]]) -> None:
    world = World(tmp_path_factory.mktemp("imap"), "empty", uses=())  # type: ignore[attr-defined]
    try:
        mailbox = world.store.open("INBOX")
        for number in range(5):
            mailbox.append(b"Subject: %d\r\n\r\n" % number, Flag.FLAGGED if number % 2 else 0)
        ann = client(world)
        ann.numbers, ann.uids = {2, 4}, {2, 4}
        ann.say("n SEARCH RETURN (UPDATE) FLAGGED")
        ann.say("u UID SEARCH RETURN (UPDATE) FLAGGED")
        for step in drawn:
            if not apply(mailbox, step):
                ann.say(f"c {step[0]}")
        ann.say("z NOOP")
        assert {f"* SEARCH {' '.join(map(str, sorted(ann.numbers)))}".strip()} <= set(ann.say("x SEARCH FLAGGED"))
        assert {f"* SEARCH {' '.join(map(str, sorted(ann.uids)))}".strip()} <= set(ann.say("y UID SEARCH FLAGGED"))
    finally:
        world.close()


def test_too_many_are_not_kept(tmp_path: Path) -> None:
    world = World(tmp_path)
    ann = client(world)
    for number in range(MAX_CONTEXTS):
        assert not [line for line in ann.say(f"t{number} SEARCH RETURN (UPDATE) ALL") if "NOUPDATE" in line]
    told = ann.say("last SEARCH RETURN (UPDATE) ALL")
    assert '* NO [NOUPDATE "last"] The result of this search will not be kept up to date' in told
    ann.say('c CANCELUPDATE "t1"')
    assert not [line for line in ann.say("again SEARCH RETURN (UPDATE) ALL") if "NOUPDATE" in line]
    world.close()
