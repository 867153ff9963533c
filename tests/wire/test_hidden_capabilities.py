"""[imap] hide and pymaild account mask, from the configuration and the directory to what a client is told."""

from __future__ import annotations

from pathlib import Path

from tests.wire.house import ANN, PASSWORDS, Peer, house

LOGIN = f"a LOGIN {ANN} {PASSWORDS[ANN]}".encode()


def test_a_mask_holds_from_the_next_login_on(tmp_path: Path) -> None:
    with house(tmp_path, more="[imap]\nhide = literal+\n") as served:
        port = served.port("imap")
        with Peer(port) as early, Peer(port) as late:
            assert b"LITERAL- " in early.line()  # the greeting
            late.line()
            assert b" QRESYNC " in early.imap(LOGIN)
            served.services.directory.set_hidden(ANN, ["CONDSTORE"])
            said = late.imap(LOGIN)
            assert b"CONDSTORE" not in said
            assert b"QRESYNC" not in said
            assert b"LITERAL+" not in said
            late.say(b"b ENABLE QRESYNC\r\n")
            assert late.line() == b"* ENABLED\r\n"
            early.say(b"b ENABLE QRESYNC\r\n")
            assert early.line() == b"* ENABLED QRESYNC\r\n"
