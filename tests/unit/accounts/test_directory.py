"""Whom an address reaches, who may send as whom, and what people are told when they ask for the impossible."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from pymaild.accounts.database import Value
from pymaild.accounts.directory import MAX_MEMBERS, Directory, DirectoryError
from pymaild.accounts.names import BadName, domain_key
from pymaild.envelope import Address
from pymaild.status import MailError, NoSuchUser

IDN = domain_key("bücher.example")


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Directory]:
    made = Directory(tmp_path / "pymaild.sqlite3", "mail.example.org", cost=4)
    for domain in ("example.org", "bücher.example"):
        made.add_domain(domain)
    made.add_account("ann@example.org", "secret", admin=True)
    made.add_account("Bob@Example.org", "secret")
    made.add_account("jürgen@bücher.example", "secret")
    yield made
    made.close()


def reach(directory: Directory, address: str) -> list[str]:
    local_part, _, domain = address.rpartition("@")
    return directory.resolve(Address(local_part, domain))


def test_local_domains(directory: Directory) -> None:
    assert directory.is_local("example.org")
    assert directory.is_local("EXAMPLE.ORG")
    assert directory.is_local(IDN)
    assert directory.is_local("mail.example.org")
    assert not directory.is_local("example.com")
    assert not directory.is_local("sub.example.org")


@pytest.mark.parametrize(
    ("address", "accounts"),
    [
        ("ann@example.org", ["ann@example.org"]),
        ("ANN@example.org", ["ann@example.org"]),
        ("bob+news+more@example.org", ["bob@example.org"]),
        (f"J\u00dcRGEN@{IDN}", [f"jürgen@{IDN}"]),
        (f"ju\u0308rgen@{IDN}", [f"jürgen@{IDN}"]),
        ("postmaster@example.org", ["ann@example.org"]),
        ("Abuse@example.org", ["ann@example.org"]),
        ("postmaster+x@example.org", ["ann@example.org"]),
        (f"postmaster@{IDN}", ["ann@example.org"]),
        ("postmaster@mail.example.org", ["ann@example.org"]),
    ],
)
def test_addresses(directory: Directory, address: str, accounts: list[str]) -> None:
    assert reach(directory, address) == accounts


@pytest.mark.parametrize(
    "address",
    [
        "nobody@example.org",
        "+x@example.org",
        "ann@mail.example.org",
        "ann@example.com",
        "postmaster@example.com",
        "ann%x@example.org",
    ],
)
def test_nobody(directory: Directory, address: str) -> None:
    with pytest.raises(NoSuchUser):
        reach(directory, address)


def test_aliases_within_aliases_and_cycles(directory: Directory) -> None:
    directory.add_alias("a@example.org", ["ann@example.org"])
    directory.add_alias("b@example.org", ["a@example.org", "bob@example.org", "ann@example.org"])
    directory.add_alias("a@example.org", ["b@example.org"])
    assert sorted(reach(directory, "b@example.org")) == ["ann@example.org", "bob@example.org"]
    assert sorted(reach(directory, "A+x@example.org")) == ["ann@example.org", "bob@example.org"]


def test_an_alias_of_an_account_replaces_it_unless_it_names_it_too(directory: Directory) -> None:
    directory.add_alias("bob@example.org", ["ann@example.org"])
    assert reach(directory, "bob@example.org") == ["ann@example.org"]
    directory.add_alias("bob@example.org", ["bob@example.org"])
    assert sorted(reach(directory, "bob@example.org")) == ["ann@example.org", "bob@example.org"]


def test_a_defined_detail_comes_before_its_base(directory: Directory) -> None:
    directory.add_alias("bob+ann@example.org", ["ann@example.org"])
    assert reach(directory, "bob+ann@example.org") == ["ann@example.org"]
    assert reach(directory, "bob+else@example.org") == ["bob@example.org"]


def test_catch_all_is_the_last_resort(directory: Directory) -> None:
    directory.add_alias("@example.org", ["bob@example.org"])
    assert reach(directory, "whoever@example.org") == ["bob@example.org"]
    assert reach(directory, "ann@example.org") == ["ann@example.org"]
    assert reach(directory, "postmaster@example.org") == ["ann@example.org"]
    with pytest.raises(NoSuchUser):
        reach(directory, f"whoever@{IDN}")


def test_ten_thousand_members_and_no_more(directory: Directory) -> None:
    members = [f"m{number}@example.org" for number in range(MAX_MEMBERS + 1)]
    with directory.database.write() as connection:
        rows = [(member, "x", 0) for member in members]
        connection.executemany("INSERT INTO accounts (address, password, created) VALUES (?, ?, ?)", rows)
    directory.add_alias("all@example.org", members[:-1])
    assert len(reach(directory, "all@example.org")) == MAX_MEMBERS
    directory.add_alias("all@example.org", members[-1:])
    with pytest.raises(MailError) as raised:
        reach(directory, "all@example.org")
    assert raised.value.status == "5.2.4"


def test_changes_by_another_process_are_seen_at_once(directory: Directory) -> None:
    other = Directory(directory.database.path, cost=4)
    with pytest.raises(NoSuchUser):
        reach(directory, "new@example.org")
    other.add_account("new@example.org", "x")
    assert reach(directory, "new@example.org") == ["new@example.org"]
    other.add_domain("example.net")
    assert directory.is_local("example.net")
    other.remove_account("new@example.org")
    with pytest.raises(NoSuchUser):
        reach(directory, "new@example.org")
    other.close()


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("bob@example.org", True),
        ("BOB+shop@example.org", True),
        ("sales@example.org", True),
        ("sales+x@example.org", True),
        ("team@example.org", False),  # reaches Bob through another alias only
        ("ann@example.org", False),
        ("bob@example.com", False),
        (f"anything@{IDN}", True),  # his catch-all
        (f"jürgen@{IDN}", False),
        ("postmaster@example.org", False),
    ],
)
def test_senders(directory: Directory, address: str, allowed: bool) -> None:
    directory.add_alias("sales@example.org", ["bob@example.org"])
    directory.add_alias("team@example.org", ["sales@example.org"])
    directory.add_alias("@bücher.example", ["bob@example.org"])
    local_part, _, domain = address.rpartition("@")
    assert directory.may_send_as("bob@example.org", Address(local_part, domain)) is allowed


def test_an_account_whose_mail_goes_elsewhere_still_writes_as_itself(directory: Directory) -> None:
    directory.add_alias("bob@example.org", ["ann@example.org"])
    assert directory.may_send_as("bob@example.org", Address("bob", "example.org"))
    assert directory.may_send_as("bob@example.org", Address("Bob+shop", "example.org"))
    assert not directory.may_send_as("bob@example.org", Address("ann", "example.org"))


def test_addresses_to_write_as(directory: Directory) -> None:
    directory.add_alias("sales@example.org", ["bob@example.org"])
    directory.add_alias("@example.org", ["bob@example.org"])
    assert directory.addresses("bob@example.org") == ["bob@example.org", "sales@example.org"]


def test_removing_an_account_takes_it_out_of_its_aliases(directory: Directory) -> None:
    directory.add_alias("team@example.org", ["ann@example.org", "bob@example.org"])
    directory.add_alias("sales@example.org", ["bob@example.org"])
    assert directory.remove_account("bob@example.org") == ["sales@example.org"]
    assert reach(directory, "team@example.org") == ["ann@example.org"]
    with pytest.raises(NoSuchUser):
        reach(directory, "sales@example.org")


def test_quota(directory: Directory) -> None:
    assert directory.quota_of("bob@example.org", 7) == (7, 0)
    directory.set_quota("bob@example.org", 0)
    assert directory.quota_of("bob@example.org", 7) == (0, 0)
    directory.set_messages("bob@example.org", 12)
    assert directory.quota_of("bob@example.org", 7) == (0, 12)
    directory.set_messages("bob@example.org", 0)
    directory.set_quota("bob@example.org", None)
    assert directory.quota_of("bob@example.org", 7) == (7, 0)


def test_listings(directory: Directory) -> None:
    directory.add_alias("x@bücher.example", ["ann@example.org", "bob@example.org"])
    assert [(d.shown, d.accounts, d.aliases) for d in directory.domains()] == [
        ("example.org", 2, 0),
        ("bücher.example", 1, 1),
    ]
    assert [account.shown for account in directory.accounts()] == [
        "ann@example.org",
        "bob@example.org",
        "jürgen@bücher.example",
    ]
    assert [alias.address for alias in directory.aliases()] == [f"x@{IDN}"]


@pytest.mark.parametrize(
    ("action", "says"),
    [
        (lambda d: d.add_domain("example.org"), "is there already"),
        (lambda d: d.remove_domain("example.org"), "still has accounts"),
        (lambda d: d.remove_domain("example.com"), "there is no domain example.com"),
        (lambda d: d.add_account("ANN@example.org", "x"), "the account ann@example.org is there already"),
        (lambda d: d.add_account("ann@example.com", "x"), "add it first: pymaild domain add example.com"),
        (lambda d: d.add_account("new@example.org", ""), "the password is empty"),
        (lambda d: d.add_account("new@example.org", "x" * 1001), "longer than 1000"),
        (lambda d: d.set_password("new@example.org", "x"), "there is no account new@example.org"),
        (lambda d: d.remove_account("new@example.org"), "there is no account"),
        (lambda d: d.add_alias("x@example.org", ["nobody@example.org"]), "is neither an account nor an alias"),
        (lambda d: d.add_alias("@example.org", ["ann@example.com"]), "a catch-all stands for people here only"),
        (lambda d: d.add_alias("@example.com", ["ann@example.org"]), "example.com is not a domain of this server"),
        (lambda d: d.remove_alias("x@example.org"), "there is no alias x@example.org"),
        (
            lambda d: d.remove_alias("x@example.org", ["ann@example.org"]),
            "x@example.org does not stand for ann@example.org",
        ),
    ],
)
def test_refusals(directory: Directory, action: object, says: str) -> None:
    assert callable(action)
    with pytest.raises(DirectoryError, match=says):
        action(directory)


@pytest.mark.parametrize(
    "address", ["ann", "@example.org", "a/b@example.org", "a\0b@example.org", ".a@example.org", "a..b@example.org", "a b@example.org",
                "a+b@example.org", "a%b@example.org", "a!b@example.org", '"a"@example.org', "a\u200bb@example.org", "a@exa mple.org",
                "a@-x.org", "a@xn--\udcff.org", "a" * 65 + "@example.org", "..@example.org", "../../x@example.org"],
)  # fmt: skip
def test_names_that_no_account_may_have(directory: Directory, address: str) -> None:
    with pytest.raises(BadName):
        directory.add_account(address, "x")


def test_the_file_is_for_its_owner_alone(directory: Directory) -> None:
    assert directory.database.path.stat().st_mode & 0o777 == 0o600


def test_a_broken_disk_is_a_temporary_failure(tmp_path: Path) -> None:
    (tmp_path / "pymaild.sqlite3").write_bytes(b"this is no database, whatever its name says. " * 100)
    with pytest.raises(MailError) as raised:
        Directory(tmp_path / "pymaild.sqlite3", cost=4).is_local("example.org")
    assert raised.value.temporary


def test_while_one_thread_looks_another_does_not_answer_from_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that was just started is asked by many threads at once."""
    with closing(Directory(tmp_path / "pymaild.sqlite3", cost=4)) as first:
        first.add_domain("example.org")
    started = Directory(tmp_path / "pymaild.sqlite3", cost=4, fresh=60)
    looking, go_on = threading.Event(), threading.Event()
    read = started.database.read

    def slow(sql: str, values: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        if threading.current_thread() is slow_one:
            looking.set()
            go_on.wait(10)
        return read(sql, values)

    monkeypatch.setattr(started.database, "read", slow)
    slow_one = threading.Thread(target=started.is_local, args=("example.org",))
    slow_one.start()
    looking.wait(10)
    try:
        assert started.is_local("example.org")
    finally:
        go_on.set()
        slow_one.join()
        started.close()


def test_what_another_process_changes_shows_when_the_last_look_is_old(tmp_path: Path) -> None:
    now = [1000.0]
    mine = Directory(tmp_path / "pymaild.sqlite3", cost=4, fresh=5, clock=lambda: now[0])
    other = Directory(tmp_path / "pymaild.sqlite3", cost=4)
    with closing(mine), closing(other):
        assert not mine.is_local("example.org")
        other.add_domain("example.org")
        now[0] += 4.9
        assert not mine.is_local("example.org")
        now[0] += 0.2
        assert mine.is_local("example.org")
        mine.add_domain("example.net")
        assert mine.is_local("example.net"), "what this process changes shows at once"


def test_hidden_capabilities_are_remembered_until_they_change(directory: Directory) -> None:
    assert directory.hidden_from("ann@example.org") == ()
    directory.set_hidden("ann@example.org", ["QRESYNC", "UTF8=ACCEPT"])
    assert directory.hidden_from("ann@example.org") == ("QRESYNC", "UTF8=ACCEPT")
    assert directory.hidden_from("nobody@example.org") == ()
    directory.set_hidden("ann@example.org", [])
    assert directory.hidden_from("ann@example.org") == ()


def test_an_alias_may_lead_elsewhere_too(directory: Directory) -> None:
    directory.add_alias("x@example.org", ["ann@example.org", "ann@example.com", "Ann@Elsewhere.example"])
    directory.add_alias("y@example.org", ["x@example.org"])
    directory.add_alias("z@example.org", ["bob@example.com"])
    for name in ("x", "y"):
        address = Address(name, "example.org")
        assert directory.resolve(address) == ["ann@example.org"]
        assert set(map(str, directory.elsewhere(address))) == {"ann@example.com", "ann@elsewhere.example"}
    assert directory.resolve(Address("z", "example.org")) == []
    assert directory.elsewhere(Address("ann", "example.org")) == []
    assert not directory.may_send_as("ann@example.org", Address("z", "example.org"))
