"""Thunderbird on a large mailbox (BIG_MAILBOX messages): the next start brings only the difference, flags go both ways."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.filling import fill
from tests.clients.reading import imap
from tests.clients.server import DORA, PASSWORD, Server, serving, wait_for
from tests.clients.thunderbird import Seen, Thunderbird, received, sent, thunderbird

pytestmark = [pytest.mark.clients, pytest.mark.slow]

COUNT = int(os.environ.get("BIG_MAILBOX", "2000"))
NAMES = ["Пісьмы", "Ελλάδα", "日本", "مجلد", "a & b", "🎉"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("thunderbird-server")) as running:
        yield running


def flagged(server: Server) -> bytes:
    with imap(server, DORA) as client:
        client.select("INBOX", readonly=True)
        found: list[bytes] = client.uid("SEARCH", "FLAGGED")[1]
        return found[0]


def test_ten_thousand_and_then_the_difference(server: Server, tmp_path: Path) -> None:
    """Thunderbird looks twice before it keeps the mod-sequence; after an expunge it asks for all flags, whatever is said."""
    fill(server, DORA, "INBOX", COUNT, NAMES)
    profile = tmp_path / "profile"
    profile.mkdir()
    with thunderbird(server, DORA, profile, tmp_path / "first") as program:
        program.log_in(DORA, PASSWORD)
        seen = opened(program)
        assert len(seen.messages) == COUNT
        assert set(NAMES) <= set(seen.folders)
        assert all(len(program.look(name).messages) == 1 for name in NAMES)
        program.look("INBOX")
    with imap(server, DORA) as client:
        client.select("INBOX")
        client.uid("STORE", "5,50,500", "+FLAGS", r"(\Flagged)")
        client.append("INBOX", "", "", b"Subject: late\r\n\r\nnew\r\n")
    with thunderbird(server, DORA, profile, tmp_path / "second") as program:
        program.log_in(DORA, PASSWORD)
        seen = opened(program)
        assert len(seen.messages) == COUNT + 1
        assert {uid for uid, (_, marked) in seen.messages.items() if marked} == {5, 50, 500}
        program.flag("INBOX", [90])
        wait_for("the flag is on the server", lambda: flagged(server) == b"5 50 90 500")
    commands = sent(tmp_path / "second")
    since = [int(number) for command in commands for number in re.findall(r"\(CHANGEDSINCE (\d+)\)", command)]
    assert since and min(since) > 0, commands
    told = [line for line in received(tmp_path / "second") if re.match(r"\* \d+ FETCH ", line)]
    assert len(told) < 20, "everything was sent again"
    with imap(server, DORA) as client:
        client.select("INBOX")
        client.uid("STORE", "7,70", "+FLAGS", r"(\Deleted)")
        client.expunge()
    with thunderbird(server, DORA, profile, tmp_path / "third") as program:
        program.log_in(DORA, PASSWORD)
        seen = opened(program)
        assert len(seen.messages) == COUNT - 1 and not {7, 70} & seen.messages.keys()


def opened(program: Thunderbird) -> Seen:
    """The inbox as Thunderbird has it when it is up to date; how long that took is printed."""
    begun = time.monotonic()
    seen = program.look("INBOX")
    print(f"{len(seen.messages)} messages up to date in {time.monotonic() - begun:.1f} s")
    return seen
