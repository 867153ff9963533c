"""The small parts of the shells: threads, addresses, certificates, the work that comes afterwards."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import pytest

from pymaild.cli.keys import certificate
from pymaild.config import Endpoint
from pymaild.servers.listen import ListenError, address_text, bind
from pymaild.servers.threads import Threads
from pymaild.servers.tls import CertificateError, Contexts
from tests.wire.house import ANN, MESSAGE, house, smtp, until


def test_threads_are_used_again_and_never_queue() -> None:
    threads = Threads()
    used: list[int] = []
    for count in range(1, 6):
        threads.run(lambda: used.append(threading.get_ident()))
        until(partial(lambda n: len(used) == n and threads.busy == 0, count))
    assert len(set(used)) == 1
    gate = threading.Event()
    for _ in range(20):
        threads.run(gate.wait)
    assert threads.busy == 20
    gate.set()
    until(lambda: threads.busy == 0)


def test_both_families_on_one_socket() -> None:
    with bind("smtp", Endpoint("*", 0)) as sock:
        assert address_text(sock).startswith(("[::]:", "0.0.0.0:"))


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        (Endpoint("192.0.2.1", 2525), "is not an address of this machine"),
        (Endpoint(path=Path("/proc/pymaild/socket")), "cannot be listened on"),
    ],
)
def test_an_address_that_cannot_be_used_says_why(endpoint: Endpoint, words: str) -> None:
    with pytest.raises(ListenError, match=words):
        bind("smtp", endpoint)


def test_a_living_unix_socket_is_not_taken_away(tmp_path: Path) -> None:
    endpoint = Endpoint(path=tmp_path / "lmtp")
    with bind("lmtp", endpoint), pytest.raises(ListenError, match="is in use"):
        bind("lmtp", endpoint)


def test_certificate_and_key_have_to_belong_together(tmp_path: Path) -> None:
    certificate(tmp_path / "one.pem", tmp_path / "one.key", ("one.example",))
    certificate(tmp_path / "two.pem", tmp_path / "two.key", ("two.example",))
    Contexts(tmp_path / "one.pem", tmp_path / "one.key")
    with pytest.raises(CertificateError, match="belong together"):
        Contexts(tmp_path / "one.pem", tmp_path / "two.key")


def test_what_a_reply_did_not_wait_for_is_done_in_a_quiet_moment(tmp_path: Path) -> None:
    with house(tmp_path) as served:
        with smtp(served.port("smtp")) as client:
            client.sendmail("x@example.net", [ANN], MESSAGE)
        until(lambda: not served.services.stores._engine(ANN).unrendered)
