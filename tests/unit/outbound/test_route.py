"""Where mail goes, with name servers that say this and that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pymaild.outbound.route import Host, Login, Plan, Router, Smarthost
from pymaild.status import MailError
from pymaild.verify.resolver import Mx, Resolver
from tests import dns_stub


@pytest.fixture(scope="module")
def stub() -> Iterator[dns_stub.Stub]:
    with dns_stub.running() as made:
        made.add("example.net", "MX", "20 mx3.example.net.", "10 mx1.example.net.", "10 mx2.example.net.")
        made.add("mx1.example.net", "A", "8.8.8.1", "8.8.8.2")
        made.add("mx1.example.net", "AAAA", "2001:4860::1")
        made.add("mx2.example.net", "A", "8.8.4.4")
        made.add("bare.example", "A", "8.8.8.9")
        made.add("null.example", "MX", "0 .")
        made.add("alias.example", "CNAME", "example.net.")
        made.add("lan.example", "MX", "1 lan.example.", "2 here.example.")
        made.add("lan.example", "A", "127.0.0.1", "192.168.1.1", "10.0.0.1", "169.254.1.1", "0.0.0.0", "224.0.0.1")
        made.add("lan.example", "AAAA", "::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1")
        made.add("backup.example", "MX", "10 mx1.example.net.", "20 mail.example.org.", "30 mx3.example.net.")
        made.add("ours.example", "MX", "10 mail.example.org.")
        made.add("here.example", "A", "8.8.8.25")
        made.add("many.example", "MX", *[f"{n} mx{n}.many.example." for n in range(40)])
        yield made


@pytest.fixture
def router(stub: dns_stub.Stub) -> Iterator[Router]:
    stub.faults.clear()
    yield made(stub)


def made(stub: dns_stub.Stub, **plan: object) -> Router:
    return Router(Resolver([stub.address], 0.4), Plan(names=frozenset({"mail.example.org"}), **plan), _sort)  # type: ignore[arg-type]


def _sort(equals: list[Mx]) -> None:
    equals.sort(key=lambda mx: mx.host)


def refused(router: Router, domain: str) -> str:
    with pytest.raises(MailError) as raised:
        route = router.find(domain)
        router.addresses(route.hosts[0])
    return raised.value.status


def test_mail_exchangers_come_by_preference(router: Router) -> None:
    assert router.find("example.net").mx_names == ("mx1.example.net", "mx2.example.net", "mx3.example.net")


def test_equals_share_the_load(stub: dns_stub.Stub) -> None:
    router = Router(Resolver([stub.address], 0.4), Plan(), lambda equals: equals.sort(key=lambda mx: mx.host, reverse=True))
    assert router.find("example.net").mx_names[:2] == ("mx2.example.net", "mx1.example.net")


def test_without_mx_the_domain_is_the_host(router: Router) -> None:
    assert router.find("bare.example").hosts == (Host("bare.example"),)


def test_an_alias_is_followed(router: Router) -> None:
    assert "mx1.example.net" in router.find("alias.example").mx_names


def test_what_cannot_work_says_why(router: Router) -> None:
    assert refused(router, "null.example") == "5.1.10"
    assert refused(router, "nowhere.example") == "5.1.2"
    assert refused(router, "ours.example") == "5.4.6"


@pytest.mark.parametrize("fault", ["servfail", "drop", "refused"])
def test_faults_mean_later_not_never(router: Router, stub: dns_stub.Stub, fault: str) -> None:
    stub.faults["example.net"] = fault
    assert refused(router, "example.net") == "4.4.3"


def test_a_broken_mx_is_no_reason_to_go_to_the_domain_itself(router: Router, stub: dns_stub.Stub) -> None:
    stub.faults["MX bare.example"] = "servfail"
    assert refused(router, "bare.example") == "4.4.3"


def test_mail_only_goes_towards_its_destination(router: Router) -> None:
    assert router.find("backup.example").mx_names == ("mx1.example.net",)


def test_addresses_of_both_families_by_turns(router: Router) -> None:
    found = router.addresses(Host("mx1.example.net"))
    assert found[0] == "2001:4860::1" and sorted(found[1:]) == ["8.8.8.1", "8.8.8.2"]


def test_one_family_may_fail(router: Router, stub: dns_stub.Stub) -> None:
    stub.faults["AAAA mx2.example.net"] = "servfail"
    assert router.addresses(Host("mx2.example.net")) == ["8.8.4.4"]


def test_a_host_without_addresses(router: Router, stub: dns_stub.Stub) -> None:
    with pytest.raises(MailError) as raised:
        router.addresses(Host("mx3.example.net"))
    assert raised.value.status == "5.1.2"
    stub.faults["A mx3.example.net"] = "servfail"
    with pytest.raises(MailError) as raised:
        Router(Resolver([stub.address], 0.4), Plan()).addresses(Host("mx3.example.net"))
    assert raised.value.temporary


def test_the_dns_does_not_lead_us_to_machines_behind_the_firewall(stub: dns_stub.Stub) -> None:
    assert refused(made(stub), "lan.example") == "5.4.6"
    assert len(made(stub, private=True).addresses(Host("lan.example"))) == 10


def test_our_own_address_is_no_destination(stub: dns_stub.Stub) -> None:
    router = made(stub, addresses=frozenset({"8.8.8.25"}))
    assert refused(router, "here.example") == "5.4.6"


def test_no_more_hosts_than_anybody_needs(router: Router) -> None:
    assert len(router.find("many.example").hosts) == 20


def test_address_literals(router: Router) -> None:
    assert router.addresses(router.find("[8.8.8.8]").hosts[0]) == ["8.8.8.8"]
    assert router.addresses(router.find("[IPv6:2001:4860::8]").hosts[0]) == ["2001:4860::8"]
    assert refused(router, "[127.0.0.1]") == "5.4.6"


def test_configured_routes_come_first(stub: dns_stub.Stub, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret\nnot this\n")
    login = Login("ann", tmp_path / "password")
    routes = {"partner.example": Smarthost("10.0.0.5", 2525), ".lan": Smarthost("relay.lan", 25)}
    router = made(stub, smarthost=Smarthost("smtp.example.com", 587, login), routes=routes)
    assert router.find("example.net").hosts == (Host("smtp.example.com", 587, login=login),)
    assert login.password() == "s3cret" and "s3cret" not in repr(router.find("example.net"))
    partner = router.find("partner.example")
    assert partner.configured and router.addresses(partner.hosts[0], configured=True) == ["10.0.0.5"]
    assert router.find("a.b.lan").hosts[0].name == router.find("x.lan").hosts[0].name == "relay.lan"
