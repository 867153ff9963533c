"""SHA-256 of messages: the same for copies, for a rebuilt index, and for what another program put there. RFC 8474 §5.1."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from tests.storing import ANN, message, root, stores


def test_digests_are_those_of_the_messages_also_after_a_rebuild(tmp_path: Path) -> None:
    store = stores(tmp_path)(ANN)
    store.create("Copies")
    inbox, copies = store.open("INBOX"), store.open("Copies")
    wanted = {uid: sha256(message(f"{uid}")).digest() for uid in (1, 2)}
    for uid in wanted:
        inbox.append(message(f"{uid}"))
    inbox.copy([2], "Copies")
    assert inbox.digests([1, 2, 3]) == wanted
    assert copies.digests([1]) == {1: wanted[2]}
    for file in root(tmp_path).glob("index.sqlite3*"):
        file.unlink()
    rebuilt = stores(tmp_path)(ANN).open("INBOX")
    rebuilt.refresh()
    assert rebuilt.digests([1, 2]) == wanted


def test_a_message_of_another_program_has_a_digest(tmp_path: Path) -> None:
    inbox = stores(tmp_path)(ANN).open("INBOX")
    inbox.append(message("first"))
    (root(tmp_path) / "new" / "1700000000.1.elsewhere").write_bytes(message("second"))
    inbox.refresh()
    assert inbox.digests([2]) == {2: sha256(inbox.read(2)).digest()}
