"""SCRAM at the door: when verifiers are made and gone, what a stranger cannot learn, and the same buckets as for passwords."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from pymaild.accounts import proofs
from pymaild.accounts.directory import Directory
from pymaild.accounts.throttle import PER_ACCOUNT_AND_NETWORK, Throttle
from pymaild.sasl.scram import Terms, exchange
from pymaild.status import MailError
from tests.scram_client import Scram


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pymaild.accounts.proofs.ITERATIONS", 100)
    monkeypatch.setattr("pymaild.sasl.scram.verifier.__defaults__", (100,))


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Directory]:
    made = Directory(tmp_path / "pymaild.sqlite3", cost=4)
    made.add_domain("example.org")
    made.add_account("ann@example.org", "secret")
    made.close()
    made = Directory(tmp_path / "pymaild.sqlite3", cost=4, scram=True)
    made.add_account("bob@example.org", "secret")
    yield made
    made.close()


def kept(directory: Directory, address: str) -> str | None:
    ((found,),) = directory.database.read("SELECT scram FROM accounts WHERE address = ?", (address,))
    return None if found is None else str(found)


def prove(directory: Directory, name: str, password: str, ip: str = "192.0.2.1") -> str:
    """What comes of a whole exchange: the account, or the status."""
    dialogue = exchange(Terms(lambda name: directory.candidate(name, ip, "imap"), lambda: "nonce", {}, False), False)
    client = Scram(name, password)
    next(dialogue)
    try:
        assert client.trusts(dialogue.send(client.final(dialogue.send(client.first()))))
        dialogue.send(b"")
    except MailError as error:
        return error.status
    except StopIteration as done:
        return str(done.value.account)
    raise AssertionError("there is one more step")


def test_a_verifier_is_made_with_the_password(directory: Directory) -> None:
    assert prove(directory, "bob@example.org", "secret") == "bob@example.org"
    assert prove(directory, "bob", "secret") == "bob@example.org"
    assert prove(directory, "bob", "Secret") == "5.7.8"


def test_an_older_account_gets_its_verifier_at_its_next_login(
    directory: Directory, caplog: pytest.LogCaptureFixture
) -> None:
    assert prove(directory, "ann", "secret") == "5.7.8"
    assert "one login with PLAIN makes it" in caplog.text
    directory.login("ann", "secret", "192.0.2.1")
    assert prove(directory, "ann", "secret") == "ann@example.org"


def test_a_changed_password_replaces_the_verifier(directory: Directory) -> None:
    before = kept(directory, "bob@example.org")
    directory.set_password("bob@example.org", "another")
    assert before != kept(directory, "bob@example.org")
    assert prove(directory, "bob", "secret") == "5.7.8"
    assert prove(directory, "bob", "another") == "bob@example.org"


def test_where_scram_is_off_verifiers_go(directory: Directory) -> None:
    off = Directory(directory.database.path, cost=4)
    off.login("bob", "secret", "192.0.2.1")
    assert kept(off, "bob@example.org") is None
    directory.set_password("ann@example.org", "secret")
    off.set_password("ann@example.org", "secret")
    assert kept(off, "ann@example.org") is None
    off.close()


def test_a_password_with_many_spellings(directory: Directory) -> None:
    directory.set_password("bob@example.org", "gefa\u0308hr\ufb01n")
    assert prove(directory, "bob", "gef\u00e4hrfin") == "bob@example.org"


def test_a_disabled_account_cannot_prove_anything(directory: Directory) -> None:
    directory.set_enabled("bob@example.org", False)
    assert prove(directory, "bob", "secret") == "5.7.8"
    directory.set_enabled("bob@example.org", True)
    assert prove(directory, "bob", "secret") == "bob@example.org"


def shown(directory: Directory, name: str) -> tuple[bytes, int]:
    known = directory.candidate(name, "192.0.2.1").verifier
    return known.salt, known.iterations


def test_a_salt_tells_nobody_who_has_an_account(directory: Directory) -> None:
    """The same for each way to write a name, in every process, before and after there is a verifier, for everybody."""
    other = Directory(directory.database.path, cost=4, scram=True)
    for name in ("ann", "bob", "zoe"):
        ways = {shown(directory, way) for way in (name, name.upper(), f"{name}@example.org", f" {name}@Example.ORG")}
        assert ways == {shown(other, name)} and len(ways) == 1
    before = shown(directory, "ann")
    directory.login("ann", "secret", "192.0.2.1")
    assert shown(directory, "ann") == before
    directory.set_password("ann@example.org", "another")
    assert shown(directory, "ann") == before
    directory.set_enabled("ann@example.org", False)
    assert shown(directory, "ann") == before
    assert len({shown(directory, f"name{number}")[0] for number in range(20)}) == 20
    other.close()


def test_names_without_a_domain_get_some_domain(directory: Directory) -> None:
    directory.add_domain("example.net")
    for name in ("zoe", "yve", "xan", "wim"):
        assert shown(directory, name) in (shown(directory, f"{name}@example.org"), shown(directory, f"{name}@example.net"))
    empty = Directory(directory.database.path.with_name("empty.sqlite3"), cost=4, scram=True)
    assert shown(empty, "zoe") == shown(empty, "zoe")
    empty.close()


def test_nobodys_verifier_fits_no_proof(directory: Directory) -> None:
    for name in ("zoe", "zoe@example.org", "", "no@name@at all", "x" * 400):
        assert prove(directory, name or "?", "secret") == "5.7.8"


def test_wrong_proofs_fill_the_same_buckets_as_wrong_passwords(directory: Directory) -> None:
    half = PER_ACCOUNT_AND_NETWORK.most // 2
    for number in range(half):
        assert prove(directory, "bob", f"wrong {number}", "198.51.100.1") == "5.7.8"
    for number in range(half):
        with pytest.raises(MailError, match="not right"):
            directory.login("bob", str(number), "198.51.100.1")
    assert prove(directory, "bob", "secret", "198.51.100.1") == "4.7.0"
    assert prove(directory, "bob", "secret", "192.0.2.1") == "bob@example.org"


def test_a_right_proof_makes_the_network_known_and_forgives(directory: Directory) -> None:
    waits: list[float] = []
    directory._login.throttle = Throttle(directory._login.tally, lambda: b"secret", pause=waits.append)
    for _ in range(2):
        for number in range(PER_ACCOUNT_AND_NETWORK.most - 1):
            assert prove(directory, "bob", f"wrong {number}") == "5.7.8"
        assert prove(directory, "bob", "secret") == "bob@example.org"
        assert directory._login._is_known("192.0.2.77")
    assert not waits


def test_whatever_was_proved_nobody_is_let_in(directory: Directory) -> None:
    for name in ("zoe", "ann"):  # ann has no verifier yet
        with pytest.raises(MailError, match="not right"):
            directory.candidate(name, "192.0.2.1").proved(True)


def test_a_refused_proof_is_one_line_of_the_log(directory: Directory, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    prove(directory, "bob", "wrong")
    prove(directory, "hunter2", "wrong")
    assert [vars(record)["fields"]["account"] for record in caplog.records] == ["bob@example.org", ""]
    assert "door" in vars(caplog.records[0])["fields"] and "hunter2" not in caplog.text


def test_what_is_written_down_is_read_again() -> None:
    text = proofs.stored(b"key", "ann@example.org", "secret")
    assert text.startswith("SCRAM-SHA-256$100:")
    known = proofs.read(text)
    assert (known.salt, known.iterations) == (proofs.salt(b"key", "ann@example.org"), 100)
    assert proofs.nobodys(b"key", "ann@example.org").stored_key != known.stored_key
