"""Rights and metadata, said to our session and to Dovecot with its acl plugin: the same answers, or a reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.dovecot import ImapConnection, dovecot, missing
from tests.imap_world import World
from tests.player import SessionConnection
from tests.sharing import ANN, BOB

pytestmark = [pytest.mark.clients, pytest.mark.skipif(bool(missing()), reason=missing() or "-")]

PLUGINS = """
mail_plugins = acl
protocol imap {
  mail_plugins = acl imap_acl
  imap_metadata = yes
}
mail_attribute_dict = file:%h/attributes
plugin {
  acl = vfile
  acl_anyone = allow
}
"""
SAID = (
    "MYRIGHTS INBOX",
    "GETACL INBOX",
    "SETACL INBOX bob lrs",
    "SETACL INBOX bob +wk",
    "GETACL INBOX",
    "SETACL INBOX bob -ks",
    "SETACL INBOX -bob w",
    "SETACL INBOX anyone ld",
    "GETACL INBOX",
    "DELETEACL INBOX anyone",
    "DELETEACL INBOX -bob",
    "SETACL INBOX bob c",
    "GETACL INBOX",
    'SETACL INBOX bob ""',
    "GETACL INBOX ",
    "SETACL INBOX bob lrQ",
    "SETACL INBOX bob lrq",
    'SETACL INBOX "" lr',
    "SETACL INBOX bob",
    "LISTRIGHTS INBOX bob",
    "LISTRIGHTS INBOX anyone",
    "LISTRIGHTS INBOX ann",
    "DELETEACL INBOX bob",
    "SETACL INBOX ann lr",
    "GETACL Nowhere",
    "MYRIGHTS Nowhere",
    "GETMETADATA INBOX /private/comment",
    'SETMETADATA INBOX (/private/comment "x" /shared/comment "y")',
    "GETMETADATA INBOX (/private/comment /shared/comment /private/no)",
    "GETMETADATA (DEPTH infinity) INBOX /private",
    "GETMETADATA (MAXSIZE 0) INBOX /private/comment",
    "GETMETADATA INBOX (MAXSIZE 0) /private/comment",
    "GETMETADATA INBOX /comment",
    "GETMETADATA INBOX /private/",
    "SETMETADATA INBOX (/private/comment NIL)",
    'SETMETADATA INBOX (/shared/comment "")',
    "GETMETADATA INBOX (/private/comment /shared/comment)",
)
DIFFERENCES = {
    "GETACL INBOX ": "an entry without rights is none; Dovecot keeps it",
    "LISTRIGHTS INBOX ann": "the owner always has every right, and cannot lock himself out",
    "SETACL INBOX ann lr": "as above: NO",
    "MYRIGHTS Nowhere": "Dovecot tells rights to a mailbox that is not there",
    "GETMETADATA INBOX (MAXSIZE 0) /private/comment": "the examples of RFC 5464 have the options there, its grammar does not: both are taken",
}


def plain(answer: list[str]) -> list[str]:
    """Rights as sets, identifiers without their domain, strings without quotes; of the tagged answer its word and code."""
    text = "\n".join(answer).replace("@example.org", "")
    text = re.sub(r"\{\d+\}\r?\n", "", text)
    text = re.sub(r'"([^"\s]+)"', r"\1", text).replace('""', "")
    tagged = re.sub(r"^t\d+ (OK|NO|BAD)( \[METADATA [^\]]+\])?.*", r"\1\2", text.split("\n")[-1])
    found = []
    for line in text.split("\n")[:-1]:
        words = line.split(" ")
        if words[1] in ("ACL", "MYRIGHTS", "LISTRIGHTS"):
            words = [*words[:3], *sorted("".join(sorted(word)) for word in words[3:])]
        found.append(" ".join(word for word in words if word))
    return [*found, tagged]


def ours(folder: Path) -> list[list[str]]:
    world = World(folder, uses=())
    connection = SessionConnection(world.session())
    connection.receive()
    answers = []
    try:
        for number, said in enumerate([f"LOGIN {ANN} ann-secret", *SAID]):
            command = re.sub(r"(?<=[ -])(ann|bob)(?= |$)", lambda found: {"ann": ANN, "bob": BOB}[found[0]], said)
            connection.send(f"t{number} {command.strip()}\r\n".encode())
            answers.append(plain(connection.receive().decode().removesuffix("\r\n").split("\r\n")))
    finally:
        world.close()
    return answers[1:]


def theirs() -> list[list[str]]:
    answers = []
    with dovecot(PLUGINS) as server:
        server.deliver("ann", [b"Subject: x\r\n\r\n"])
        with ImapConnection(server.port) as connection:
            for number, said in enumerate(["LOGIN ann pw", *SAID]):
                connection.socket.sendall(f"t{number} {said.strip()}\r\n".encode())
                lines = [connection.response().decode()]
                while not lines[-1].startswith(f"t{number} "):
                    lines.append(connection.response().decode())
                answers.append(plain([line for line in "\n".join(lines).replace("\r\n", "\n").split("\n") if line]))
    return answers[1:]


def test_dovecot_says_the_same(tmp_path: Path) -> None:
    pairs = list(zip(SAID, ours(tmp_path), theirs(), strict=True))
    different = [said for said, here, there in pairs if here != there]
    report = "\n".join(f"{said}\n  ours   {here}\n  theirs {there}" for said, here, there in pairs if here != there)
    assert sorted(different) == sorted(DIFFERENCES), report
