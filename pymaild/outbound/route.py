"""Where mail for a domain goes: its mail exchangers in order, or the host that the configuration names. RFC 5321 §5.1.

    smarthost or a route of the configuration   that host, whatever the DNS says
    MX records                                  by preference, those of one preference in any order
    a null MX (RFC 7505)                        5.1.10: the domain takes no mail
    no MX                                       the domain's own A and AAAA records
    we are one of them                          only those preferred to us; we are the first: 5.4.6, a loop

Addresses that no other server can have (loopback, private networks) are refused where they come from the DNS: whoever
controls a domain must not make us talk to the machines behind our firewall.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from pymaild.status import MailError
from pymaild.verify.resolver import Answer, Mx, NoAnswer, NoSuchName, Resolver

MOST_HOSTS = 20  # of a domain; more are an attack or a mistake, and the first ones do
MOST_ADDRESSES = 10  # of a host


@dataclass(frozen=True, slots=True)
class Login:
    """How to log in to a smarthost. The password is read when it is needed, so that a new one counts at once."""

    user: str
    password_file: Path

    def password(self) -> str:
        """The first line of the file. Raises OSError."""
        return self.password_file.read_text("utf-8").partition("\n")[0]


@dataclass(frozen=True, slots=True)
class Host:
    """A server to try."""

    name: str
    port: int = 25
    preference: int = 0
    secure: bool = False  # its name came by DNSSEC, so its TLSA records count. RFC 7672 §2.2.1
    login: Login | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """The servers of a domain, in the order in which to try them."""

    domain: str
    hosts: tuple[Host, ...]
    configured: bool = False  # by a person, not by the DNS

    @property
    def mx_names(self) -> tuple[str, ...]:
        """What an MTA-STS policy is held against."""
        return tuple(host.name for host in self.hosts)


@dataclass(frozen=True, slots=True)
class Smarthost:
    """A server that takes mail for others."""

    name: str  # or an address
    port: int
    login: Login | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What the configuration says about where mail goes."""

    port: int = 25
    smarthost: Smarthost | None = None
    routes: Mapping[str, Smarthost] = field(default_factory=dict)  # by domain; ".example" and all below it
    names: frozenset[str] = frozenset()  # this server's own names
    addresses: frozenset[str] = frozenset()  # and its own addresses, with port 25
    private: bool = False  # loopback and private addresses from the DNS are as good as others


class Router:
    """Finds routes and addresses."""

    def __init__(self, resolver: Resolver, plan: Plan, shuffle: Callable[[list[Mx]], None] = random.shuffle) -> None:
        self.resolver, self.plan = resolver, plan
        self._shuffle = shuffle

    def find(self, domain: str) -> Route:
        """The route of a domain (an A-label), or of an address literal. Raises MailError: 5yz for good, 4yz for now."""
        named = self._configured(domain)
        if named:
            return Route(domain, (Host(named.name, named.port, login=named.login),), configured=True)
        if domain.startswith("["):
            return Route(domain, (Host(domain.strip("[]").removeprefix("IPv6:"), self.plan.port),))
        answer = self._mx(domain)
        hosts = [Host(mx.host, self.plan.port, mx.preference, answer.secure) for mx in self._ordered(answer)]
        if not answer:
            hosts = [Host(domain, self.plan.port, 0, answer.secure)]  # RFC 5321 §5.1: an implicit MX
        return Route(domain, tuple(self._before_us(domain, hosts[:MOST_HOSTS])))

    def _configured(self, domain: str) -> Smarthost | None:
        routes = self.plan.routes
        if domain in routes:
            return routes[domain]
        labels = domain.split(".")
        for count in range(len(labels)):
            found = routes.get("." + ".".join(labels[count:]))
            if found:
                return found
        return self.plan.smarthost

    def _mx(self, domain: str) -> Answer[Mx]:
        answer = self.resolver.mx(domain)
        if len(answer) == 1 and not answer[0].host:
            raise MailError("5.1.10", f"The domain {domain} says that it takes no mail (a null MX record)", 556)
        return answer

    def _ordered(self, answer: Answer[Mx]) -> Iterator[Mx]:
        """By preference; those of one preference share the load. RFC 5321 §5.1."""
        for _, group in groupby(sorted(answer, key=lambda mx: mx.preference), lambda mx: mx.preference):
            equals = [mx for mx in group if mx.host]
            self._shuffle(equals)
            yield from equals

    def _before_us(self, domain: str, hosts: Sequence[Host]) -> list[Host]:
        """Those that are preferred to this server: mail only ever goes towards the destination. RFC 5321 §5.1."""
        ours = [host.preference for host in hosts if host.name in self.plan.names]
        if not ours:
            return list(hosts)
        kept = [host for host in hosts if host.preference < min(ours)]
        if not kept:
            raise _loop(domain)
        return kept

    def addresses(self, host: Host, configured: bool = False) -> list[str]:
        """Where a host is, IPv6 and IPv4 by turns. Raises MailError: there is none, or not now.

        An address of ours, or one that no other server can have, is left out unless a person named the host.
        """
        literal = _literal(host.name)
        found = [literal] if literal else self._looked_up(host.name)
        if not found:
            raise MailError("5.4.4", f"The mail server {host.name} has no address")
        usable = [ip for ip in found if configured or self.may_use(ip, host.port)]
        if not usable:
            raise MailError("5.4.6", f"The mail server {host.name} has only addresses that lead back here")
        return usable[:MOST_ADDRESSES]

    def may_use(self, ip: str, port: int) -> bool:
        """Whether an address from the DNS may be talked to."""
        address = ipaddress.ip_address(ip)
        if ip in self.plan.addresses and port == self.plan.port:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return self.plan.private or (address.is_global and not address.is_multicast)

    def _looked_up(self, name: str) -> list[str]:
        """A and AAAA by turns; one kind may fail as long as the other answers."""
        found: list[list[str]] = []
        failures: list[MailError] = []
        for ask in (self.resolver.ipv6, self.resolver.ipv4):
            try:
                found.append(list(ask(name)))
            except (NoSuchName, NoAnswer) as error:
                failures.append(error)
        addresses = list(_by_turns(found))
        if not addresses and failures:
            waits = [error for error in failures if error.temporary]
            raise (waits or failures)[0]
        return addresses


def _by_turns(lists: Sequence[Sequence[str]]) -> Iterator[str]:
    for count in range(max(map(len, lists), default=0)):
        yield from (each[count] for each in lists if count < len(each))


def _literal(name: str) -> str:
    """The name as an IP address, if it is one."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return ""


def _loop(domain: str) -> MailError:
    return MailError(
        "5.4.6", f"Mail for {domain} would come back here: this server is its mail exchanger and does not serve it"
    )
