"""Logins at real worker processes: they count wrong passwords together and remember right ones for each other."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pymaild.accounts.places import PLACES, Places
from tests.wire.house import ANN, PASSWORDS, Daemon, Peer, write_config

CONNECTIONS = 6


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(write_config(tmp_path, workers=2)) as running:
        yield running


@contextlib.contextmanager
def connections(daemon: Daemon) -> Iterator[list[Peer]]:
    """Several at once, so that both workers have some."""
    with contextlib.ExitStack() as stack:
        before = {pid: sockets(pid) for pid in daemon.children()}
        peers = [stack.enter_context(Peer(daemon.port("imap"))) for _ in range(CONNECTIONS)]
        for peer in peers:
            peer.line()
        assert sum(sockets(pid) > count for pid, count in before.items()) == 2, "both workers have some of them"
        yield peers


def sockets(pid: int) -> int:
    count = 0
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            count += os.readlink(descriptor).startswith("socket:")
    return count


def test_the_workers_count_wrong_passwords_together(daemon: Daemon) -> None:
    with connections(daemon) as peers:
        said = [peers[n % CONNECTIONS].imap(b"a LOGIN %s wrong-%d" % (ANN.encode(), n)) for n in range(16)]
    assert [b"[AUTHENTICATIONFAILED]" in line for line in said] == [True] * 10 + [False] * 6
    assert all(b" NO " in line and b"Too many wrong passwords" in line for line in said[10:])
    failures = daemon.logged("login_failed")
    assert len(failures) == 16, "each is logged once"
    assert all(f"account={ANN} ip=127.0.0.1 network=here door=imap " in line for line in failures)
    assert not any("wrong-" in line for line in daemon.lines)


def test_a_worker_knows_what_another_one_has_checked(daemon: Daemon, tmp_path: Path) -> None:
    good = b"a LOGIN %s %s" % (ANN.encode(), PASSWORDS[ANN].encode())
    with connections(daemon) as peers:
        assert b" OK " in peers[0].imap(good)
        bad = peers[1].imap(b"a LOGIN %s wrong" % ANN.encode())
        places = Places(tmp_path / "data", patience=10)
        with contextlib.ExitStack() as stack:
            for _ in range(PLACES):
                stack.enter_context(places.one())  # nobody can check a password now
            for peer in peers[2:4]:
                assert b" OK " in peer.imap(good)
            for peer in peers[4:]:
                assert peer.imap(b"a LOGIN %s wrong" % ANN.encode()) == bad


def test_submission_tells_of_a_failed_login_once(daemon: Daemon) -> None:
    with Peer(daemon.port("submission")) as peer:
        peer.line()
        peer.command(b"EHLO client.example.net")
        assert peer.command(b"AUTH PLAIN AHpvZQB3cm9uZw==").startswith(b"535 5.7.8 ")
    lines = [line for line in daemon.lines if "fail" in line]
    assert len(lines) == 1 and " door=submission " in lines[0] and "zoe" not in lines[0]
