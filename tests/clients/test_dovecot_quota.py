"""GETQUOTA and its like, said to our session and to Dovecot with its quota plugin: the same answers, or a reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.dovecot import ImapConnection, dovecot, missing
from tests.imap_world import World
from tests.player import SessionConnection

pytestmark = [pytest.mark.clients, pytest.mark.skipif(bool(missing()), reason=missing() or "-")]

PLUGINS = """
mail_plugins = quota
protocol imap {
  mail_plugins = quota imap_quota
}
plugin {
  quota = count:Account
  quota_vsizes = yes
  quota_rule = *:storage=5K:messages=4
}
"""
MESSAGES = [b"Subject: %d\r\n\r\n" % number + b"x" * 1000 + b"\r\n" for number in range(3)]
SAID = (
    "GETQUOTAROOT INBOX",
    "GETQUOTAROOT Nowhere",
    "GETQUOTA Account",
    'GETQUOTA "account"',
    "GETQUOTA Nowhere",
    "GETQUOTA",
    "SETQUOTA Account (STORAGE 512)",
    "SETQUOTA Account STORAGE",
    "SELECT INBOX",
    "COPY 1:2 INBOX",
    "GETQUOTA Account",
    "COPY 1 INBOX",
    "GETQUOTA Account",
    "COPY 1 INBOX",
    "APPEND INBOX {14+}\r\nSubject: x\r\n\r\n",
    "STORE 1:2 +FLAGS.SILENT (\\Deleted)",
    "EXPUNGE",
    "GETQUOTAROOT INBOX",
    "COPY 1 INBOX",
)
DIFFERENCES: dict[str, str] = {}


def plain(answer: bytes) -> list[str]:
    """The quota responses without quotes; of the tagged answer its word and OVERQUOTA."""
    lines = answer.decode().replace('"', "").split("\r\n")
    told = [line for line in lines if line.startswith(("* QUOTA", "* QUOTAROOT"))]
    tagged = next(line for line in lines if re.match(r"t\d+ ", line))
    return [*told, re.sub(r"^t\d+ (OK|NO|BAD)( \[OVERQUOTA\])?.*", r"\1\2", tagged)]


def ours(folder: Path) -> list[list[str]]:
    world = World(folder, mailbox="empty", quota=5 * 1024, messages=4)
    for message in MESSAGES:
        world.store.open("INBOX").append(message)
    connection = SessionConnection(world.session())
    answers = []
    try:
        for number, said in enumerate(["LOGIN ann@example.org ann-secret", *SAID]):
            connection.receive()
            connection.send(f"t{number} {said}\r\n".encode())
            answers.append(plain(connection.receive()))
    finally:
        world.close()
    return answers[1:]


def theirs() -> list[list[str]]:
    answers = []
    with dovecot(PLUGINS) as server:
        server.deliver("ann", MESSAGES)
        with ImapConnection(server.port) as connection:
            for number, said in enumerate(["LOGIN ann pw", *SAID]):
                connection.socket.sendall(f"t{number} {said}\r\n".encode())
                lines = [connection.response()]
                while not lines[-1].startswith(b"t%d " % number):
                    lines.append(connection.response())
                answers.append(plain(b"\r\n".join(line.rstrip(b"\r\n") for line in lines)))
    return answers[1:]


def test_dovecot_says_the_same(tmp_path: Path) -> None:
    pairs = list(zip(SAID, ours(tmp_path), theirs(), strict=True))
    different = [said for said, here, there in pairs if here != there]
    report = "\n".join(f"{said}\n  ours   {here}\n  theirs {there}" for said, here, there in pairs if here != there)
    assert sorted(different) == sorted(DIFFERENCES), report
