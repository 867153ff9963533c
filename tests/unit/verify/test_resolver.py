"""The resolver against a name server that answers, fails and lies as told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pymaild.verify.resolver import Mx, NoAnswer, NoSuchName, Resolver, Tlsa
from tests import dns_stub

TIMEOUT = 0.4


@pytest.fixture(scope="module")
def stub() -> Iterator[dns_stub.Stub]:
    with dns_stub.running() as made:
        made.add("example.net", "MX", "20 mx2.example.net.", "10 MX1.example.net.")
        made.add("null.example", "MX", "0 .")
        made.add("mx1.example.net", "A", "192.0.2.1", "192.0.2.2")
        made.add("mx1.example.net", "AAAA", "2001:db8::1")
        made.add("alias.example.net", "CNAME", "mx1.example.net.")
        made.add("text.example", "TXT", '"v=spf1 " "-all"', '"other"')
        made.add("_25._tcp.mx1.example.net", "TLSA", "3 1 1 " + "ab" * 32)
        made.add("1.2.0.192.in-addr.arpa", "PTR", "mx1.example.net.")
        yield made


@pytest.fixture
def resolver(stub: dns_stub.Stub) -> Iterator[Resolver]:
    stub.faults.clear()
    stub.secure = False
    stub.asked.clear()
    yield Resolver([stub.address], TIMEOUT)


def test_each_kind_of_record(resolver: Resolver) -> None:
    assert sorted(resolver.mx("Example.NET"), key=lambda mx: mx.preference) == [
        Mx(10, "mx1.example.net"), Mx(20, "mx2.example.net"),
    ]  # fmt: skip
    assert list(resolver.mx("null.example")) == [Mx(0, "")]
    assert sorted(resolver.ipv4("mx1.example.net")) == ["192.0.2.1", "192.0.2.2"]
    assert list(resolver.ipv6("mx1.example.net")) == ["2001:db8::1"]
    assert sorted(resolver.txt("text.example")) == [b"other", b"v=spf1 -all"]
    assert list(resolver.tlsa("_25._tcp.mx1.example.net")) == [Tlsa(3, 1, 1, b"\xab" * 32)]
    assert list(resolver.reverse("192.0.2.1")) == ["mx1.example.net"]


def test_an_alias_leads_to_its_name(resolver: Resolver) -> None:
    found = resolver.ipv4("alias.example.net")
    assert sorted(found) == ["192.0.2.1", "192.0.2.2"] and found.name == "mx1.example.net"


def test_no_such_name_and_no_such_record_are_two_things(resolver: Resolver) -> None:
    with pytest.raises(NoSuchName, match=r"nowhere\.example does not exist"):
        resolver.mx("nowhere.example")
    assert not resolver.mx("mx1.example.net")


@pytest.mark.parametrize("fault", ["servfail", "refused", "drop", "garbage"])
def test_a_fault_means_later(resolver: Resolver, stub: dns_stub.Stub, fault: str) -> None:
    stub.faults["example.net"] = fault
    with pytest.raises(NoAnswer) as raised:
        resolver.mx("example.net")
    assert raised.value.temporary and "example.net" in raised.value.text


def test_a_truncated_answer_is_asked_for_by_tcp(resolver: Resolver, stub: dns_stub.Stub) -> None:
    stub.faults["example.net"] = "truncate"
    assert len(resolver.mx("example.net")) == 2


def test_answers_are_kept_and_so_is_their_absence(resolver: Resolver, stub: dns_stub.Stub) -> None:
    for _ in range(3):
        resolver.mx("example.net")
        resolver.mx("mx1.example.net")
        with pytest.raises(NoSuchName):
            resolver.mx("nowhere.example")
    assert len(stub.asked) == 3


def test_an_answer_is_kept_no_longer_than_its_ttl(stub: dns_stub.Stub) -> None:
    now = [0.0]
    resolver = Resolver([stub.address], TIMEOUT, clock=lambda: now[0])
    stub.asked.clear()
    for moment in (0.0, 299.0, 301.0):
        now[0] = moment
        resolver.mx("example.net")
    assert len(stub.asked) == 2


def test_secure_needs_a_resolver_that_checked_and_a_safe_way_to_it(resolver: Resolver, stub: dns_stub.Stub) -> None:
    assert not resolver.mx("example.net").secure
    stub.secure = True
    assert Resolver([stub.address], TIMEOUT).mx("example.net").secure
    assert not Resolver([stub.address], TIMEOUT, trusted=False).mx("example.net").secure


def test_nobody_there() -> None:
    with pytest.raises(NoAnswer):
        Resolver([("127.0.0.1", 9)], TIMEOUT).mx("example.net")


def test_a_name_that_cannot_be_one(resolver: Resolver) -> None:
    for name in ("a" * 64 + ".example", "a..b", "." * 300):
        with pytest.raises((NoAnswer, NoSuchName)):
            resolver.mx(name)
