"""Passwords and the door: right ones, wrong ones, many wrong ones, and what an outsider can learn."""

from __future__ import annotations

import logging
import os
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pymaild.accounts import throttle
from pymaild.accounts.directory import Directory, DirectoryError
from pymaild.accounts.login import WrongPassword
from pymaild.accounts.passwords import Passwords
from pymaild.accounts.throttle import PER_ACCOUNT, PER_ACCOUNT_AND_NETWORK, PER_NETWORK, Throttle, TooManyWrongPasswords
from pymaild.status import MailError


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Directory]:
    made = Directory(tmp_path / "pymaild.sqlite3", cost=4)
    made.add_domain("example.org")
    made.add_domain("example.net")
    made.add_account("ann@example.org", "secret")
    made.add_account("bob@example.org", "secret")
    made.add_account("bob@example.net", "secret")
    yield made
    made.close()


# ---- passwords


def test_what_is_stored_is_salted_scrypt_at_full_cost_by_default() -> None:
    passwords = Passwords()
    stored = passwords.hash("secret")
    assert stored.startswith("scrypt$15$")
    assert stored != passwords.hash("secret")
    assert passwords.verify("ann", stored, "secret")
    assert not passwords.verify("ann", stored, "Secret")


def test_unicode_spellings_are_one_password() -> None:
    passwords = Passwords(4)
    assert passwords.verify("ann", passwords.hash("gru\u0308n"), "gr\u00fcn")


def test_nobody_has_no_password() -> None:
    assert not Passwords(4).verify("ann", None, "")


def test_a_result_is_remembered_for_this_hash_and_this_password_only() -> None:
    passwords = Passwords(4)
    stored = passwords.hash("secret")
    assert passwords.remembered("ann", stored, "secret") is None
    passwords.verify("ann", stored, "secret")
    assert passwords.remembered("ann", stored, "secret") is True
    assert passwords.remembered("ann", stored, "other") is None
    assert passwords.remembered("ann", passwords.hash("secret"), "secret") is None
    assert passwords.remembered("bob", stored, "secret") is None


def test_memory_of_results_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pymaild.accounts.passwords._REMEMBER_AT_MOST", 5)
    passwords = Passwords(1)
    for number in range(20):
        passwords.verify("ann", None, str(number))
    assert len(passwords._results) == 5


def test_never_more_than_two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = Passwords(4)
    stored = passwords.hash("secret")
    running, most, lock, two = 0, 0, threading.Lock(), threading.Barrier(2, timeout=10)

    def slow(password: bytes, salt: bytes, cost: int) -> bytes:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        two.wait()
        with lock:
            running -= 1
        return b""

    monkeypatch.setattr("pymaild.accounts.passwords._scrypt", slow)
    threads = [threading.Thread(target=passwords.verify, args=("ann", stored, str(number))) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most == 2


# ---- the door


@pytest.mark.parametrize("name", ["ann@example.org", "ANN@Example.org", " ann@example.org", "ann", "Ann"])
def test_names_to_log_in_with(directory: Directory, name: str) -> None:
    assert directory.login(name, "secret", "192.0.2.1") == "ann@example.org"


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ann@example.org", "Secret"),
        ("ann@example.org", ""),
        ("nobody@example.org", "secret"),
        ("bob", "secret"),  # two of them
        ("an", "secret"),
        ("", "secret"),
        ("@", "secret"),
        ("%", "secret"),
        ("ann@example.org\0", "secret"),
        ("' OR 1=1 --", "secret"),
        ("../ann@example.org", "secret"),
        ("ann@" + "x" * 70000, "secret"),
    ],
)
def test_no_entrance(directory: Directory, name: str, password: str) -> None:
    with pytest.raises(WrongPassword) as raised:
        directory.login(name, password, "192.0.2.1")
    assert (raised.value.status, raised.value.code) == ("5.7.8", 535)
    assert str(raised.value) == "The user name or the password is not right"


def test_a_disabled_account_cannot_log_in_and_a_changed_password_counts_at_once(directory: Directory) -> None:
    directory.login("ann", "secret", "192.0.2.1")
    directory.set_password("ann@example.org", "other")
    with pytest.raises(WrongPassword):
        directory.login("ann", "secret", "192.0.2.1")
    directory.login("ann", "other", "192.0.2.1")
    directory.set_enabled("ann@example.org", False)
    with pytest.raises(WrongPassword):
        directory.login("ann", "other", "192.0.2.1")
    directory.set_enabled("ann@example.org", True)
    assert directory.login("ann", "other", "192.0.2.1") == "ann@example.org"


def test_changing_ones_own_password(directory: Directory) -> None:
    for old, new, status in (
        ("wrong", "long enough", "5.7.8"),
        ("secret", "short", "5.7.0"),
        ("secret", "ann@example.org", "5.7.0"),
    ):
        with pytest.raises(MailError) as raised:
            directory.change_password("ann@example.org", old, new)
        assert raised.value.status == status
    directory.change_password("ann@example.org", "secret", "long enough")
    assert directory.login("ann", "long enough", "") == "ann@example.org"


def test_known_and_unknown_names_take_the_same_time(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "pymaild.sqlite3", cost=10)
    directory.add_domain("example.org")
    directory.add_account("ann@example.org", "secret")
    directory.add_account("bob@example.org", "secret")
    directory.set_enabled("bob@example.org", False)
    times: dict[str, list[float]] = {"ann": [], "bob": [], "zoe": []}
    for number in range(40):
        for name, taken in times.items():
            start = time.perf_counter()
            with pytest.raises(WrongPassword):
                directory.login(f"{name}@example.org", str(number), f"2001:db8:{number:x}::1")
            taken.append(time.perf_counter() - start)
    medians = [statistics.median(taken) for taken in times.values()]
    assert max(medians) - min(medians) < 0.005
    assert min(medians) > 0.001  # all of them did the work
    directory.close()


def test_passwords_reach_no_log_and_names_only_as_one_line(directory: Directory, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(WrongPassword):
        directory.login("eve\r\n\x1b[31m\u2028@example.org", "hunter2-hunter2", "192.0.2.1")
    assert "login failed" in caplog.text
    assert "hunter2" not in caplog.text
    assert len(caplog.records) == 1
    assert caplog.records[0].getMessage().isprintable()


# ---- many wrong passwords


def attempt(directory: Directory, name: str, password: str, ip: str) -> str:
    try:
        return directory.login(name, password, ip)
    except MailError as error:
        return error.status


def test_guesses_from_one_network_are_cut_off_and_others_are_not(directory: Directory) -> None:
    tries = [attempt(directory, "ann", str(number), f"192.0.2.{number + 1}") for number in range(30)]
    assert tries == ["5.7.8"] * PER_ACCOUNT_AND_NETWORK.most + ["4.7.0"] * (30 - PER_ACCOUNT_AND_NETWORK.most)
    assert attempt(directory, "ann", "secret", "192.0.2.77") == "4.7.0"
    assert attempt(directory, "ann", "secret", "198.51.100.1") == "ann@example.org"
    assert attempt(directory, "bob@example.org", "secret", "192.0.2.77") == "bob@example.org"


def test_unknown_names_are_cut_off_alike(directory: Directory) -> None:
    tries = [attempt(directory, "zoe@example.org", str(number), "192.0.2.1") for number in range(12)]
    assert tries == ["5.7.8"] * 10 + ["4.7.0"] * 2


def test_one_network_trying_many_accounts_is_cut_off(directory: Directory) -> None:
    tries = [attempt(directory, f"user{number}@example.org", "x", "192.0.2.1") for number in range(PER_NETWORK.most + 5)]
    assert tries.count("5.7.8") == PER_NETWORK.most


def test_a_known_address_is_never_locked_out(directory: Directory) -> None:
    slept: list[float] = []
    directory._login.throttle = Throttle(pause=slept.append)
    assert attempt(directory, "ann", "secret", "192.0.2.9") == "ann@example.org"
    for number in range(PER_ACCOUNT.most + 20):
        attempt(directory, "ann", str(number), f"198.51.{number}.1")  # all the world guesses
    directory._login.passwords._results.clear()  # as after a restart
    assert attempt(directory, "ann", "secret", "203.0.113.1") == "4.7.0"
    assert attempt(directory, "ann", "secret", "192.0.2.9") == "ann@example.org"
    assert slept == [throttle.SLOWED]


def test_the_known_address_survives_a_restart(directory: Directory) -> None:
    directory.login("ann", "secret", "192.0.2.9")
    again = Directory(directory.database.path, cost=4)
    assert again._login._is_known("ann@example.org", "192.0.2.9")
    assert not again._login._is_known("ann@example.org", "192.0.2.10")
    again.close()


def test_the_same_wrong_password_counts_once(directory: Directory) -> None:
    assert [attempt(directory, "ann", "old one", "192.0.2.1") for _ in range(50)] == ["5.7.8"] * 50
    assert attempt(directory, "ann", "secret", "192.0.2.1") == "ann@example.org"


def test_buckets_leak() -> None:
    now = [0.0]
    door = Throttle(clock=lambda: now[0])
    for number in range(PER_ACCOUNT_AND_NETWORK.most):
        door.admit("ann", "192.0.2.1", False)
        door.wrong("ann", "192.0.2.1", os.urandom(4) + bytes([number]))
    with pytest.raises(TooManyWrongPasswords):
        door.admit("ann", "192.0.2.1", False)
    now[0] += PER_ACCOUNT_AND_NETWORK.leak + 1
    door.admit("ann", "192.0.2.1", False)


def test_a_flood_of_addresses_costs_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "BUCKETS", 100)
    door = Throttle()
    for number in range(5000):
        door.wrong(f"user{number}", f"10.{number >> 8}.{number & 255}.1", b"x")
    assert len(door._buckets) <= 100


def test_networks() -> None:
    assert throttle.network("192.0.2.200") == throttle.network("::ffff:192.0.2.1") == "192.0.2.0/24"
    assert throttle.network("2001:db8:1:2::3") == "2001:db8:1::/48"
    assert throttle.network("fe80::1%eth0") == "fe80::/48"
    assert throttle.network("127.0.0.1") == throttle.network("::1") == throttle.network("") == "here"
    assert throttle.host("192.0.2.200") == "192.0.2.200"
    assert throttle.host("2001:db8::1:2") == "2001:db8::/64"


def test_a_password_is_one_password_however_it_was_typed_or_sent(directory: Directory) -> None:
    """RFC 4616 §2: SASL prepares it, IMAP's LOGIN and the webmail send it as typed."""
    directory.set_password("ann@example.org", "gefa\u0308hr\ufb01n")
    assert directory.login("ann@example.org", "gef\u00e4hrfin", "192.0.2.1") == "ann@example.org"
    assert directory.login("ann@example.org", "gefa\u0308hr\ufb01n", "192.0.2.1") == "ann@example.org"


def test_a_password_that_no_client_could_send_is_not_taken(directory: Directory) -> None:
    with pytest.raises(DirectoryError, match="mail programs cannot send"):
        directory.set_password("ann@example.org", "bell\a\u00e4")


def test_a_wrong_password_that_cannot_be_prepared_is_just_wrong(directory: Directory) -> None:
    with pytest.raises(WrongPassword):
        directory.login("ann@example.org", "\ud800", "192.0.2.1")
