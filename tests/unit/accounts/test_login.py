"""Passwords and the door: right ones, wrong ones, many wrong ones, and what an outsider can learn."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from sqlite3 import Connection
from subprocess import PIPE

import pytest

from pymaild.accounts import passwords as passwords_module
from pymaild.accounts import throttle
from pymaild.accounts.database import SCHEMA, Database
from pymaild.accounts.directory import Directory, DirectoryError
from pymaild.accounts.login import WrongPassword
from pymaild.accounts.networks import network
from pymaild.accounts.passwords import Passwords
from pymaild.accounts.places import Places, TooBusy
from pymaild.accounts.tally import Tally
from pymaild.accounts.throttle import PER_ACCOUNT, PER_ACCOUNT_AND_NETWORK, PER_NETWORK, Throttle, TooManyWrongPasswords
from pymaild.mailstore import NoSpace
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
    assert passwords.verify(stored, "secret")
    assert not passwords.verify(stored, "Secret")


def test_unicode_spellings_are_one_password() -> None:
    passwords = Passwords(4)
    assert passwords.verify(passwords.hash("gru\u0308n"), "gr\u00fcn")


def test_nobody_has_no_password() -> None:
    assert not Passwords(4).verify(None, "")


def test_a_result_is_remembered_for_this_hash_and_this_password_only() -> None:
    passwords = Passwords(4)
    stored = passwords.hash("secret")
    question = passwords.question("ann", stored, "secret")
    assert passwords.remembered(question) is None
    passwords.remember(question, True)
    assert passwords.remembered(question) is True
    for other in (("ann", stored, "other"), ("ann", passwords.hash("secret"), "secret"), ("bob", stored, "secret")):
        assert passwords.remembered(passwords.question(*other)) is None


def test_a_result_is_remembered_for_ten_minutes_and_by_every_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1e9]
    monkeypatch.setattr("pymaild.accounts.passwords.time.time", lambda: now[0])
    one, two = (Passwords(4, Tally(tmp_path / "pymaild.sqlite3")) for _ in range(2))
    one.remember(b"right", True)
    one.remember(b"wrong", False)
    assert (two.remembered(b"right"), two.remembered(b"wrong"), two.remembered(b"never")) == (True, False, None)
    now[0] += 601
    assert (one.remembered(b"right"), two.remembered(b"right")) == (None, None)


def test_memory_of_results_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pymaild.accounts.passwords._REMEMBER_AT_MOST", 5)
    passwords = Passwords(1)
    for number in range(20):
        passwords.remember(bytes([number]), False)
    assert len(passwords._results) == 5


def test_what_is_written_down_is_bounded_and_names_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pymaild.accounts.tally.MOST", 100)
    monkeypatch.setattr("pymaild.accounts.tally._SWEEP", 10)
    tally = Tally(tmp_path / "pymaild.sqlite3")
    door, passwords = Throttle(tally, lambda: b"secret"), Passwords(1, tally)
    for number in range(300):
        door.admit(f"whoever{number}", f"10.{number >> 8}.{number & 255}.1", False)
        passwords.remember(passwords.question("whoever", None, f"hunter{number}"), False)
    for table in ("answers", "buckets"):
        assert int(tally.read(f"SELECT count(*) FROM {table}")[0][0] or 0) <= 100 + 3 * 10
    tally.close()
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert written and b"whoever" not in written and b"hunter" not in written and b"10.0." not in written


def test_old_rows_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pymaild.accounts.tally._SWEEP", 1)
    now = [1e9]
    tally = Tally(tmp_path / "pymaild.sqlite3")
    door = Throttle(tally, lambda: b"secret", clock=lambda: now[0])
    door.admit("ann", "192.0.2.1", False)
    now[0] += 7201
    door.admit("bob", "192.0.2.1", False)
    assert len(tally.read("SELECT 1 FROM buckets")) == 3  # bob's, and the network's


def test_never_more_than_two_at_once_in_all_processes(tmp_path: Path) -> None:
    """Two objects that know of each other only by the files stand for two processes."""
    houses = [Places(tmp_path), Places(tmp_path)]
    running, most, lock, two = 0, 0, threading.Lock(), threading.Barrier(2, timeout=10)

    def work(places: Places) -> None:
        nonlocal running, most
        with places.one():
            with lock:
                running += 1
                most = max(most, running)
            two.wait()
            with lock:
                running -= 1

    threads = [threading.Thread(target=work, args=(houses[number % 2],)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (most, running) == (2, 0)


def test_a_place_of_a_process_that_died_is_free_again(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys; from pymaild.accounts.places import Places; p = Places(pathlib.Path(sys.argv[1]))\n"
        "with p.one(), p.one(): print('both', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code, tmp_path], stdin=PIPE, stdout=PIPE) as holder:
        assert holder.stdout and holder.stdout.readline() == b"both\n"
        with pytest.raises(TooBusy), Places(tmp_path, patience=0.02).one():
            raise AssertionError("there are only two places")
        holder.kill()
    with Places(tmp_path, patience=10).one():
        pass


def test_strangers_leave_a_place_to_those_who_have_been_here(tmp_path: Path) -> None:
    places = Places(tmp_path, patience=0.02)
    with places.one(known=False):
        with pytest.raises(TooBusy), places.one(known=False):
            raise AssertionError("one for strangers")
        with places.one():
            pass


# ---- every "no" costs the same


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The cost of each scrypt computation."""
    costs: list[int] = []

    def counting(password: bytes, salt: bytes, cost: int) -> bytes:
        costs.append(cost)
        return bytes(scrypt(password, salt, cost))

    scrypt = passwords_module._scrypt
    monkeypatch.setattr(passwords_module, "_scrypt", counting)
    return costs


def work(costs: list[int]) -> int:
    total = sum(1 << cost for cost in costs)
    costs.clear()
    return total


WAYS = ["ann@example.org", "ann", "zoe@example.org", "zoe", "bob", "carl@example.org", "no@name@at all", ""]


@pytest.mark.parametrize("name", WAYS)
def test_wrong_unknown_ambiguous_and_disabled_are_one_hash(directory: Directory, hashed: list[int], name: str) -> None:
    directory.add_account("carl@example.org", "secret")
    directory.set_enabled("carl@example.org", False)
    hashed.clear()
    for password in ("wrong", "secret" if name != "ann" and not name.startswith("ann@") else "Secret"):
        assert attempt(directory, name, password, "192.0.2.1") == "5.7.8"
        assert hashed == [4]
        hashed.clear()


def test_after_a_change_of_the_cost_every_no_costs_what_the_dearest_hash_costs(
    directory: Directory, hashed: list[int]
) -> None:
    newer = Directory(directory.database.path, cost=7)
    for name in ("ann", "zoe", "bob@example.org", "zoe@example.org"):
        assert attempt(newer, name, "wrong", "192.0.2.1") == "5.7.8"
        assert work(hashed) == 2**7
    newer.add_account("dora@example.org", "secret")
    older = Directory(directory.database.path, cost=4)  # as after a step back
    hashed.clear()
    for name in ("ann", "dora", "zoe"):
        assert attempt(older, name, "another wrong one", "192.0.2.1") == "5.7.8"
        assert work(hashed) == 2**7
    newer.close()
    older.close()


def test_a_right_password_is_hashed_again_at_todays_cost(directory: Directory, hashed: list[int]) -> None:
    newer = Directory(directory.database.path, cost=7)
    assert attempt(newer, "ann", "secret", "192.0.2.1") == "ann@example.org"
    assert hashed == [4, 7]
    ((stored,),) = newer.database.read("SELECT password FROM accounts WHERE address LIKE 'ann@%'")
    assert str(stored).startswith("scrypt$7$")
    hashed.clear()
    assert attempt(newer, "ann", "secret", "192.0.2.1") == "ann@example.org"
    assert hashed == []  # the new hash is what the answer is remembered for
    newer.close()
    again = Directory(directory.database.path, cost=7)
    assert attempt(again, "ann", "wrong", "192.0.2.1") == "5.7.8"
    assert hashed == [7]
    again.close()


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


def test_a_failed_login_is_one_line_and_neither_passwords_nor_unknown_names_are_in_it(
    directory: Directory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("eve\r\n\x1b[31m\u2028@example.org", "hunter2-hunter2", "ann"):
        with pytest.raises(WrongPassword):
            directory.login(name, "hunter2-hunter2", "192.0.2.1", "imap")
    assert len(caplog.records) == 3
    assert "hunter2" not in caplog.text and "eve" not in caplog.text
    assert caplog.records[-1].getMessage() == (
        "login failed: ann@example.org from 192.0.2.1 (network 192.0.2.0/24), imap: The user name or the password is not right"
    )
    assert all(record.getMessage().isprintable() for record in caplog.records)
    fields = vars(caplog.records[-1])["fields"]
    assert (fields["account"], fields["network"], fields["door"]) == ("ann@example.org", "192.0.2.0/24", "imap")
    assert not vars(caplog.records[0])["fields"]["account"]


# ---- many wrong passwords


def forget(directory: Directory) -> None:
    """What was checked, as after a restart."""
    directory._login.passwords._results.clear()
    with directory._login.tally.write() as connection:
        connection.execute("DELETE FROM answers")


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


@pytest.fixture
def slept(directory: Directory) -> list[float]:
    """Nobody really waits: how long they would have."""
    waits: list[float] = []
    directory._login.throttle = Throttle(directory._login.tally, lambda: b"secret", pause=waits.append)
    return waits


def test_a_known_network_is_never_locked_out(directory: Directory, slept: list[float]) -> None:
    assert attempt(directory, "ann", "secret", "192.0.2.9") == "ann@example.org"
    for number in range(PER_ACCOUNT.most + 20):
        attempt(directory, "ann", str(number), f"198.51.{number}.1")  # all the world guesses
    forget(directory)
    assert attempt(directory, "ann", "secret", "203.0.113.1") == "4.7.0"
    assert attempt(directory, "ann", "secret", "192.0.2.9") == "ann@example.org"
    assert slept == [throttle.SLOWED]


def test_the_owner_gets_in_beside_an_attacker_in_the_same_network(directory: Directory, slept: list[float]) -> None:
    assert attempt(directory, "ann", "secret", "192.0.2.9") == "ann@example.org"
    tries = [attempt(directory, "ann", str(number), "192.0.2.77") for number in range(30)]
    assert tries == ["5.7.8"] * 30
    assert len(slept) == 20 and min(slept) == throttle.SLOWED  # after ten, each one waits
    assert max(slept) == throttle.LONGEST  # as many as come at once: one after the other, but nobody longer than this
    forget(directory)
    assert attempt(directory, "ann", "secret", "192.0.2.2") == "ann@example.org"
    assert slept[-1] == throttle.LONGEST


def test_in_a_known_network_known_and_unknown_names_are_slowed_alike(directory: Directory, slept: list[float]) -> None:
    """Or a stranger in somebody's network could tell by the refusal who has an account."""
    attempt(directory, "bob@example.org", "secret", "192.0.2.9")
    waits = []
    for name in ("bob@example.org", "ann@example.org", "zoe@example.org"):
        slept.clear()
        assert [attempt(directory, name, str(number), "192.0.2.77") for number in range(12)] == ["5.7.8"] * 12
        waits.append([round(wait) for wait in slept])
    assert waits[0] == waits[1] == waits[2] == [3, 6]


def test_the_known_network_survives_a_restart(directory: Directory) -> None:
    directory.login("ann", "secret", "192.0.2.9")
    again = Directory(directory.database.path, cost=4)
    assert again._login._is_known("192.0.2.9") and again._login._is_known("192.0.2.10")
    assert not again._login._is_known("192.0.3.9")
    again.close()


def test_known_addresses_of_an_older_database_become_networks(tmp_path: Path) -> None:
    path = tmp_path / "pymaild.sqlite3"
    old = Database(path, SCHEMA[:1])
    with old.write() as connection:
        for ip, seen in (("192.0.2.9", 5), ("192.0.2.10", 7), ("2001:db8:0:1::/64", 6), ("here", 8)):
            connection.execute("INSERT INTO known_addresses VALUES ('ann@example.org', ?, ?)", (ip, seen))
    old.close()
    rows = Database(path).read("SELECT network, account, seen FROM known_networks ORDER BY seen")
    assert rows == [
        ("2001:db8::/48", "ann@example.org", 6),
        ("192.0.2.0/24", "ann@example.org", 7),
        ("here", "ann@example.org", 8),
    ]


def test_the_same_wrong_password_counts_once(directory: Directory) -> None:
    assert [attempt(directory, "ann", "old one", "192.0.2.1") for _ in range(50)] == ["5.7.8"] * 50
    assert attempt(directory, "ann", "secret", "192.0.2.1") == "ann@example.org"


def test_all_processes_count_together_and_remember_for_each_other(directory: Directory, hashed: list[int]) -> None:
    """Two directories that know of each other only by the files stand for two workers."""
    workers = [directory, Directory(directory.database.path, cost=4)]
    tries = [attempt(workers[number % 2], "ann", str(number), "198.51.100.1") for number in range(14)]
    assert tries == ["5.7.8"] * 10 + ["4.7.0"] * 4
    assert len(hashed) == 10
    assert [attempt(worker, "ann", "0", "198.51.100.1") for worker in workers] == ["5.7.8"] * 2  # known to be wrong
    assert [attempt(worker, "ann", "secret", "192.0.2.1") for worker in workers] == ["ann@example.org"] * 2
    assert len(hashed) == 11
    workers[1].close()


def test_the_count_survives_a_restart(directory: Directory) -> None:
    for number in range(10):
        attempt(directory, "ann", str(number), "198.51.100.1")
    again = Directory(directory.database.path, cost=4)
    assert attempt(again, "ann", "secret", "198.51.100.1") == "4.7.0"
    again.close()


def test_passwords_that_are_being_checked_count_already(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred guesses at once are no more than ten."""
    inside, go = threading.Semaphore(0), threading.Event()

    def slow(stored: str | None, password: str, known: bool) -> bool:
        inside.release()
        go.wait(10)
        return False

    monkeypatch.setattr(directory._login.passwords, "verify", slow)
    results: list[str] = []
    threads = [
        threading.Thread(target=lambda n: results.append(attempt(directory, "ann", n, "198.51.100.1")), args=(str(n),))
        for n in range(30)
    ]
    for thread in threads:
        thread.start()
    for _ in range(10):
        assert inside.acquire(timeout=10)
    go.set()
    for thread in threads:
        thread.join(10)
    assert sorted(results) == ["4.7.0"] * 20 + ["5.7.8"] * 10


def test_the_same_password_from_several_connections_at_once_is_checked_once(
    directory: Directory, hashed: list[int]
) -> None:
    results: list[str] = []
    threads = [
        threading.Thread(target=lambda: results.append(attempt(directory, "ann", "secret", "192.0.2.1"))) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (results, len(hashed)) == (["ann@example.org"] * 20, 1)


def test_a_check_that_found_no_place_counts_for_nothing(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> bool:
        raise TooBusy

    with monkeypatch.context() as patch:
        patch.setattr(directory._login.passwords, "verify", busy)
        assert [attempt(directory, "ann", str(number), "198.51.100.1") for number in range(20)] == ["4.7.0"] * 20
    assert attempt(directory, "ann", "secret", "198.51.100.1") == "ann@example.org"


def test_a_disk_without_room_keeps_nobody_out_but_slows_who_cannot_be_counted(
    directory: Directory, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(now: float) -> AbstractContextManager[Connection]:
        raise NoSpace

    monkeypatch.setattr(directory._login.tally, "noting", full)
    assert attempt(directory, "ann", "wrong", "198.51.100.1") == "5.7.8"
    assert attempt(directory, "ann", "secret", "198.51.100.1") == "ann@example.org"
    assert slept == [throttle.SLOWED] * 2


@pytest.fixture
def door(tmp_path: Path) -> Throttle:
    return Throttle(Tally(tmp_path / "pymaild.sqlite3"), lambda: b"secret", clock=lambda: NOW[0])


NOW = [1e9]


def test_buckets_leak(door: Throttle) -> None:
    for _ in range(PER_ACCOUNT_AND_NETWORK.most):
        door.admit("ann", "192.0.2.1", False)
    with pytest.raises(TooManyWrongPasswords):
        door.admit("ann", "192.0.2.1", False)
    NOW[0] += PER_ACCOUNT_AND_NETWORK.leak + 1
    door.admit("ann", "192.0.2.1", False)
    with pytest.raises(TooManyWrongPasswords):
        door.admit("ann", "192.0.2.1", False)


def test_a_right_password_forgives_wrong_ones_of_its_network(door: Throttle) -> None:
    for _ in range(2):
        for _ in range(PER_ACCOUNT_AND_NETWORK.most):
            door.admit("ann", "192.0.2.1", False)
        with pytest.raises(TooManyWrongPasswords):
            door.admit("ann", "192.0.2.1", False)
        door.right("ann", "192.0.2.1")


def test_a_clock_that_was_set_back_makes_no_turn_longer(tmp_path: Path) -> None:
    waits: list[float] = []
    door = Throttle(Tally(tmp_path / "pymaild.sqlite3"), lambda: b"secret", clock=lambda: NOW[0], pause=waits.append)
    for _ in range(PER_ACCOUNT_AND_NETWORK.most + 1):
        door.admit("ann", "192.0.2.1", True)
    NOW[0] -= 86400
    door.admit("ann", "192.0.2.1", True)
    NOW[0] += throttle.LONGEST
    door.admit("ann", "192.0.2.1", True)
    assert waits == [throttle.SLOWED, throttle.LONGEST, throttle.SLOWED]


def test_a_clock_that_was_set_back_keeps_nobody_waiting_for_long(door: Throttle) -> None:
    for _ in range(PER_ACCOUNT_AND_NETWORK.most):
        door.admit("ann", "192.0.2.1", False)
    NOW[0] -= 86400
    with pytest.raises(TooManyWrongPasswords):
        door.admit("ann", "192.0.2.1", False)
    door.unchecked("ann", "192.0.2.1")  # writes the time of now
    NOW[0] += PER_ACCOUNT_AND_NETWORK.leak + 1
    door.admit("ann", "192.0.2.1", False)


def test_networks() -> None:
    assert network("192.0.2.200") == network("::ffff:192.0.2.1") == "192.0.2.0/24"
    assert network("2001:db8:1:2::3") == "2001:db8:1::/48"
    assert network("fe80::1%eth0") == "fe80::/48"
    assert network("127.0.0.1") == network("::1") == network("") == "here"


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
