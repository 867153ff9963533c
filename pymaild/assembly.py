"""The assembly: the one place where configuration, accounts, storage and the path of the mail become one thing.

Whatever serves people (the daemon, the demo, a test) asks assemble() for the Services and hands their parts to sessions
and pages. Nothing here touches the disk outside data_dir.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from pymaild import events
from pymaild.accounts.directory import Directory
from pymaild.config import Config
from pymaild.envelope import Role
from pymaild.mailstore import AccountStore, ChangeFeed

if TYPE_CHECKING:
    from pymaild.accounts.journal import Journal
    from pymaild.accounts.websessions import WebSessions
    from pymaild.flow import Delivery, Reception, Submission
    from pymaild.outbound.outgoing import Outgoing
    from pymaild.outbound.returned import Returned
    from pymaild.outbound.route import Router
    from pymaild.outbound.runner import Runner
    from pymaild.outbound.security import Secured
    from pymaild.store import Stores
    from pymaild.store.sharing import Sharing


class NotInitialised(Exception):
    """data_dir is not there yet, or may not be used; the text says what to do."""


@dataclass(frozen=True)
class ImapBackend:
    """What an imap.Session asks the house for: who is there, their mail, and when it changes."""

    login: Callable[[str, str, str], str]
    store: Callable[[str], AccountStore]
    feed: ChangeFeed
    hidden: Callable[[str], frozenset[str]]
    place: Callable[[str], Callable[[], None]]
    now: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class Services:
    """The parts of one process. Make them after the fork; close them at its end."""

    config: Config
    directory: Directory
    stores: Stores
    feed: ChangeFeed
    journal: Journal
    delivery: Delivery
    outgoing: Outgoing
    returned: Returned

    def policy(self, role: Role) -> Reception | Submission:
        """What an smtp.Session in this role asks: flow.Reception or flow.Submission."""
        from pymaild.flow import POLICIES  # noqa: PLC0415

        return POLICIES[role](self.delivery)

    @cached_property
    def imap(self) -> ImapBackend:
        """What an imap.Session asks; `place` is for whoever counts connections to put in."""
        from pymaild.store.sharing import SharedFeed  # noqa: PLC0415

        login, feed = partial(self.directory.login, door="imap"), SharedFeed(self.feed, self.sharing)
        return ImapBackend(login, self.sharing, feed, self._hidden, _no_place)

    def _hidden(self, account: str) -> frozenset[str]:
        """The capabilities that are not announced: [imap] hide, and the account's own."""
        from pymaild.imap.capability import hidden  # noqa: PLC0415

        own = self.directory.hidden_from(account) if account else ()
        return hidden((*self.config.imap.hide, *own))

    @cached_property
    def sharing(self) -> Sharing:
        """Every account's mail, with the mailboxes of others that it may use."""
        from pymaild.accounts.shares import Shares  # noqa: PLC0415
        from pymaild.store.sharing import Sharing  # noqa: PLC0415

        return Sharing(self.stores, Shares(self.directory.database), self.feed)

    @cached_property
    def sessions(self) -> WebSessions:
        """Who is logged in to the webmail."""
        from pymaild.accounts.websessions import WebSessions  # noqa: PLC0415

        return WebSessions(self.directory.database)

    def close(self) -> None:
        """Write what waits to be written and let go of the files."""
        self.returned.close()
        self.journal.close()
        for part in (self.outgoing, self.stores, self.feed, self.directory):
            close = getattr(part, "close", None)
            if close:
                close()


def _no_place(account: str) -> Callable[[], None]:
    """Nobody counts."""
    return lambda: None


def assemble(config: Config) -> Services:
    """Everything that serves people, over an initialised data_dir. Raises NotInitialised."""
    from pymaild.accounts.journal import Journal  # noqa: PLC0415 - commands that need less start faster
    from pymaild.flow import Delivery  # noqa: PLC0415
    from pymaild.imap.describe import describe  # noqa: PLC0415
    from pymaild.outbound import outbox  # noqa: PLC0415
    from pymaild.outbound.outgoing import Allowance, Outgoing  # noqa: PLC0415
    from pymaild.outbound.returned import Returned  # noqa: PLC0415
    from pymaild.store import Stores  # noqa: PLC0415
    from pymaild.store.changes import Feed  # noqa: PLC0415

    directory = open_directory(config)

    def folder(address: str, mailbox: str) -> Path:
        return stores.folder(address, mailbox)  # made below: the two know each other

    feed = Feed(config.run_dir, folder)
    stores = Stores(
        config.server.data_dir, describe, feed, lambda account: directory.quota_of(account, config.limits.quota)
    )
    journal = Journal(config.database)
    limits, server = config.limits, config.server
    allowance = Allowance(limits.messages_per_day, limits.new_recipients_per_day)
    outgoing = Outgoing(server.data_dir, config.run_dir, server.hostname, allowance)
    delivery = Delivery(server.hostname, directory, stores, journal, lambda: has_room(config), outgoing)
    returned = Returned(lambda: outgoing.queue, stores, journal)
    delivery.came_back = returned.arrived
    stores.leaving[outbox.NAME] = outbox.Outbox(lambda: outgoing.queue, stores, journal).leaving
    return Services(config, directory, stores, feed, journal, delivery, outgoing, returned)


def sender(services: Services, failed: Callable[[BaseException], None], journal: events.Journal) -> Runner:
    """The process that carries the queue's mail, not started yet. One of them on a data_dir is enough."""
    from pymaild.flow import LocalCourier  # noqa: PLC0415
    from pymaild.outbound.bell import Bell  # noqa: PLC0415
    from pymaild.outbound.job import LOCAL  # noqa: PLC0415
    from pymaild.outbound.outbox import Outbox  # noqa: PLC0415
    from pymaild.outbound.relay import Relay  # noqa: PLC0415
    from pymaild.outbound.reports import Reports  # noqa: PLC0415
    from pymaild.outbound.runner import House, Patience, Runner  # noqa: PLC0415
    from pymaild.outbound.schedule import Routes  # noqa: PLC0415

    config, hostname = services.config, services.config.server.hostname
    out, ways = config.outbound, router(config)
    house = House(
        services.outgoing.queue,
        Bell(config.run_dir),
        {"": Relay(hostname, ways, security(config, ways)), LOCAL: LocalCourier(services.delivery)},
        Reports(hostname, services.delivery, journal),
        journal,
        Outbox(lambda: services.outgoing.queue, services.stores, journal),
        failed,
    )
    return Runner(house, Routes(out.per_destination, out.concurrency), Patience(out.give_up_after, out.tell_delay_after))


def security(config: Config, ways: Router) -> Secured:
    """What TLS other servers must show; what it learns is kept in data_dir/queue."""
    from pymaild.outbound import memory, mtasts  # noqa: PLC0415
    from pymaild.outbound.commit import Commits  # noqa: PLC0415
    from pymaild.outbound.route import Host  # noqa: PLC0415
    from pymaild.outbound.security import Secured  # noqa: PLC0415

    authorities = str(config.outbound.authorities) if config.outbound.authorities else None
    commits = Commits(config.server.data_dir / "queue" / "tls.sqlite3", mtasts.SCHEMA + ";" + memory.SCHEMA)
    fetch = mtasts.fetcher(authorities)
    policies = mtasts.Policies(ways.resolver, commits, lambda name: ways.addresses(Host(name, 443)), fetch)
    return Secured(ways.resolver, policies, memory.Memory(commits), authorities)


def router(config: Config) -> Router:
    """Where mail goes, by the configuration and the DNS."""
    from pymaild.outbound.route import Login, Plan, Router, Smarthost  # noqa: PLC0415
    from pymaild.verify.resolver import Resolver  # noqa: PLC0415

    out, smarthost = config.outbound, None
    if out.smarthost:
        login = Login(out.smarthost_user, out.smarthost_password_file) if out.smarthost_password_file else None
        smarthost = Smarthost(out.smarthost.host, out.smarthost.port, login)
    plan = Plan(
        out.port,
        smarthost,
        {domain: Smarthost(server.host, server.port) for domain, server in out.routes},
        frozenset({config.server.hostname}),
        frozenset(endpoint.host for endpoint in config.listen.smtp),
        out.private_addresses == "yes",
    )
    servers = [(server.host, server.port) for server in config.dns.nameservers]
    return Router(Resolver(servers, config.dns.timeout), plan)


def has_room(config: Config) -> bool:
    """Whether the disk has 1.5 times the largest message free: below that MAIL is answered with 452."""
    try:
        disk = os.statvfs(config.server.data_dir)
    except OSError:
        return True  # then the delivery itself will say what is wrong
    return disk.f_bavail * disk.f_frsize >= config.limits.message_size * 3 // 2


def open_directory(config: Config) -> Directory:
    """Domains, accounts and aliases of an initialised data_dir. Raises NotInitialised."""
    data_dir = config.server.data_dir
    try:
        there = config.database.is_file()
    except PermissionError:
        there = False
        if data_dir.exists():
            raise NotInitialised(f"{data_dir} may not be read: run this as root or as its owner") from None
    if not there:
        raise NotInitialised(
            f"there is no mail system in {data_dir} yet; make one: pymaild init --domain DOMAIN --admin ADDRESS"
            " (or name another configuration with -c)"
        )
    if not os.access(config.database, os.R_OK | os.W_OK):
        raise NotInitialised(f"{config.database} may not be written: run this as root or as its owner")
    return Directory(config.database, config.server.hostname, fresh=0.02, scram=config.auth.scram)


def owner(config: Config) -> tuple[int, int] | None:
    """The user and group to become before touching data_dir, when root runs this; None: stay who we are.

    It is [server] user, or else whoever owns data_dir. Raises NotInitialised when there is no such user.
    """
    if os.geteuid() != 0:
        return None
    if config.server.user:
        import pwd  # noqa: PLC0415 - there is none on every system

        try:
            entry = pwd.getpwnam(config.server.user)
        except KeyError:
            name = config.server.user
            raise NotInitialised(f"[server] user: there is no user {name}; make one: useradd --system {name}") from None
        return entry.pw_uid, entry.pw_gid
    return _owner_of(config.server.data_dir)


def _owner_of(data_dir: Path) -> tuple[int, int] | None:
    try:
        found = data_dir.stat()
    except OSError:
        return None
    return (found.st_uid, found.st_gid) if found.st_uid else None


def become(config: Config) -> None:
    """Drop root for good, if it is root that runs this: files made from here on belong to the owner of the mail."""
    who = owner(config)
    if who:
        os.setgroups([])
        os.setgid(who[1])
        os.setuid(who[0])
