"""The directory: whether a domain is ours, whom an address reaches, who may send as whom, and the changes to all that.

An address is looked up exactly first, then without its "+detail", then as postmaster or abuse (RFC 2142: they reach the
administrators unless somebody defined them), then at the domain's catch-all. Answers are remembered until any process
changes a domain, account or alias: the table `generation` holds a number that every change raises.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection
from typing import TYPE_CHECKING

from pymaild.accounts.database import Database
from pymaild.accounts.login import Login
from pymaild.accounts.names import address_key, domain_key, fit_for_account, key_of, shown, shown_domain
from pymaild.accounts.passwords import COST
from pymaild.accounts.proofs import Candidate
from pymaild.envelope import Address
from pymaild.sasl import SaslError, saslprep
from pymaild.status import MailError, NoSuchUser

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_MEMBERS = 10_000  # accounts one address may reach
MAX_STEPS = 3 * MAX_MEMBERS  # names looked at on the way there
_REMEMBERED = 50_000  # names
SHORTEST_PASSWORD = 8  # that people may choose for themselves
_ROLES = ("postmaster", "abuse")
_COLUMNS = "address, admin, enabled, quota, created, messages, hidden"


class DirectoryError(Exception):
    """Why a domain, account or alias cannot be made, changed or removed; one sentence for the person who asked."""


@dataclass(frozen=True, slots=True)
class Account:
    """One account. `quota` (octets) is None where the default of [limits] holds; 0 means no limit.

    `messages` is how many it may keep, 0: no limit; `hidden` are the IMAP capabilities that it is not told of.
    """

    address: str
    admin: bool = False
    enabled: bool = True
    quota: int | None = None
    created: int = 0
    messages: int = 0
    hidden: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """The address for people."""
        return shown(self.address)


@dataclass(frozen=True, slots=True)
class Domain:
    """One domain and how much belongs to it."""

    name: str
    accounts: int = 0
    aliases: int = 0

    @property
    def shown(self) -> str:
        """The domain for people."""
        return shown_domain(self.name)


@dataclass(frozen=True, slots=True)
class Alias:
    """An address (or "@domain", a catch-all) and what it stands for."""

    address: str
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    """What is known of one name."""

    is_account: bool
    targets: tuple[str, ...]


class Directory:
    """Implements flow.Directory over pymaild.sqlite3. `cost` is that of passwords.COST; tests take a lower one.

    With `scram`, verifiers for SCRAM are kept beside the hashes.

    `fresh` is for how many seconds an answer may be given without asking whether another process changed something: a
    server under load asks several times for each message. What this process changes shows at once.
    """

    def __init__(
        self,
        path: Path,
        hostname: str = "",
        cost: int = COST,
        fresh: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        scram: bool = False,
    ) -> None:
        self.hostname = hostname.lower()
        self.database = Database(path)
        self._login = Login(self.database, cost)
        self._login.scram = scram
        self._fresh, self._clock = fresh, clock
        self._asked = -math.inf
        self._entries: dict[str, _Entry] = {}
        self._accounts: dict[str, Account] = {}
        self._domains: frozenset[str] = frozenset()
        self._version = self._generation = -1

    def close(self) -> None:
        """Let go of the files."""
        self.database.close()
        self._login.close()

    # ---- the questions of the path

    def is_local(self, domain: str) -> bool:
        """Whether mail for the domain is for people who live here; the server's own name is (for its postmaster)."""
        self._refresh()
        name = domain.lower()
        return name in self._domains or name == self.hostname

    def resolve(self, address: Address) -> list[str]:
        """The accounts an address stands for, each once; none if all it stands for is elsewhere.

        Raises NoSuchUser, or 5.2.4 where an alias gets out of hand.
        """
        accounts, elsewhere = self._reached(address)
        if not accounts and not elsewhere:
            raise NoSuchUser
        return accounts

    def elsewhere(self, address: Address) -> list[Address]:
        """The addresses of other servers that it stands for, too. Raises 5.2.4."""
        found = []
        for name in self._reached(address)[1]:
            local_part, _, domain = name.rpartition("@")
            found.append(Address(local_part, domain))
        return found

    def _reached(self, address: Address) -> tuple[list[str], list[str]]:
        """Accounts, and names of domains that are not ours."""
        self._refresh()
        accounts: dict[str, None] = {}
        elsewhere: dict[str, None] = {}
        waiting, seen = [key_of(address)], set[str]()
        while waiting:
            name = waiting.pop()
            if name in seen:  # two ways to one name, or a cycle
                continue
            seen.add(name)
            if len(seen) > 1 and not self.is_local(name.rpartition("@")[2]):
                elsewhere[name] = None
                continue
            account, targets = self._step(name)
            if account:
                accounts[account] = None
            if len(accounts) > MAX_MEMBERS or len(seen) > MAX_STEPS:
                raise MailError("5.2.4", "The address stands for too many others")  # RFC 3463 X.2.4
            waiting += reversed(targets)
        return list(accounts), list(elsewhere)

    def may_send_as(self, account: str, address: Address) -> bool:
        """Whether the account or an alias that names it stands behind the address, "+detail" and catch-all included.

        Its own address stays its own where an alias of the same name sends the mail elsewhere.
        """
        self._refresh()
        name = key_of(address)
        own, targets = self._step(name)
        local_part, _, domain = name.rpartition("@")
        return own == account or account in targets or account in (name, f"{local_part.partition('+')[0]}@{domain}")

    def login(self, username: str, password: str, ip: str, door: str = "") -> str:
        """The account's address. Raises MailError 5.7.8, or 4.7.0 when there were too many wrong passwords.

        `door` is the protocol, for the log.
        """
        return self._login(username, password, ip, door)

    def candidate(self, username: str, ip: str, door: str = "") -> Candidate:
        """Who wants to log in without telling the password: for SCRAM. There is one for every name."""
        return self._login.candidate(username, ip, door)

    def _step(self, name: str) -> tuple[str | None, tuple[str, ...]]:
        """The account a name is, if any, and the names it stands for."""
        local_part, _, domain = name.rpartition("@")
        candidates = [name]
        if "+" in local_part[1:]:
            candidates.append(f"{local_part[0]}{local_part[1:].partition('+')[0]}@{domain}")
        for candidate in candidates:
            entry = self._entry(candidate)
            if entry.is_account and (not entry.targets or candidate in entry.targets):
                return candidate, tuple(target for target in entry.targets if target != candidate)
            if entry.targets:
                return None, entry.targets
        base = candidates[-1].rpartition("@")[0]
        if base in _ROLES and (domain in self._domains or domain == self.hostname):
            return None, self._administrators()
        return None, self._entry(f"@{domain}").targets

    def _entry(self, name: str) -> _Entry:
        entries = self._entries  # an answer read before a change must not land among those remembered after it
        entry = entries.get(name)
        if entry is None:
            is_account = bool(self.database.read("SELECT 1 FROM accounts WHERE address = ?", (name,)))
            rows = self.database.read("SELECT target FROM aliases WHERE alias = ? ORDER BY created, target", (name,))
            entry = _Entry(is_account, tuple(str(target) for (target,) in rows))
            if len(entries) >= _REMEMBERED:
                entries.clear()
            entries[name] = entry
        return entry

    def _administrators(self) -> tuple[str, ...]:
        """Who reads the mail to postmaster: the administrators, or whoever was here first."""
        admins = [account.address for account in self.accounts() if account.admin]
        if admins:
            return tuple(admins)
        first = self.database.read("SELECT address FROM accounts ORDER BY created, address LIMIT 1")
        return tuple(str(address) for (address,) in first)

    def _refresh(self) -> None:
        """Forget what is remembered if a domain, account or alias has changed, here or in another process."""
        now = self._clock()
        if now < self._asked + self._fresh:
            return
        version = self.database.version()
        if version != self._version:
            self._look(version)
        self._asked = now  # last of all: until then other threads look for themselves

    def _look(self, version: int) -> None:
        generation = int(str(self.database.read("SELECT number FROM generation")[0][0]))
        if generation != self._generation:
            self._entries, self._accounts = {}, {}
            self._domains = frozenset(str(name) for (name,) in self.database.read("SELECT name FROM domains"))
            self._generation = generation
        self._version = version

    @contextmanager
    def _change(self) -> Iterator[Connection]:
        with self.database.write() as connection:
            yield connection
            connection.execute("UPDATE generation SET number = number + 1")
        self._asked = -math.inf

    # ---- domains

    def domains(self) -> list[Domain]:
        """All of them, sorted."""
        rows = self.database.read(
            "SELECT name, (SELECT count(*) FROM accounts WHERE substr(address, -length(name) - 1) = '@' || name),"
            " (SELECT count(DISTINCT alias) FROM aliases WHERE substr(alias, -length(name) - 1) = '@' || name)"
            " FROM domains ORDER BY name"
        )
        return [Domain(str(name), int(accounts or 0), int(aliases or 0)) for name, accounts, aliases in rows]

    def add_domain(self, domain: str) -> str:
        """Take mail for a domain; its A-label. Raises DirectoryError, BadName."""
        name = domain_key(domain)
        with self._change() as connection:
            if not _inserted(connection, "domains (name, created)", name, int(time.time())):
                raise DirectoryError(f"the domain {shown_domain(name)} is there already")
        return name

    def remove_domain(self, domain: str) -> None:
        """Take no more mail for it; its accounts have to be gone, its aliases go. Raises DirectoryError, BadName."""
        name = domain_key(domain)
        if any(account.address.endswith("@" + name) for account in self.accounts()):
            raise DirectoryError(f"{shown_domain(name)} still has accounts; remove those first: pymaild account list")
        with self._change() as connection:
            if not connection.execute("DELETE FROM domains WHERE name = ?", (name,)).rowcount:
                raise DirectoryError(f"there is no domain {shown_domain(name)}; see pymaild domain list")
            of_domain = "substr(alias, -length(?) - 1) = '@' || ?"
            connection.execute(f"DELETE FROM aliases WHERE {of_domain}", (name, name))  # noqa: S608 - a constant

    # ---- accounts

    def accounts(self) -> list[Account]:
        """All of them, sorted by address."""
        rows = self.database.read(f"SELECT {_COLUMNS} FROM accounts ORDER BY address")  # noqa: S608 - constants
        return [_account(row) for row in rows]

    def account(self, address: str) -> Account | None:
        """The account of this very address, however it is spelt; None: there is none. Raises BadName."""
        sql = f"SELECT {_COLUMNS} FROM accounts WHERE address = ?"  # noqa: S608 - constants
        rows = self.database.read(sql, (address_key(address),))
        return _account(rows[0]) if rows else None

    def add_account(self, address: str, password: str, admin: bool = False, quota: int | None = None) -> Account:
        """Make an account. Raises DirectoryError, BadName."""
        key = fit_for_account(address_key(address))
        stored, scram = self._login.passwords.hash(_good(password)), self._login.verifier_for(key, password)
        with self._change() as connection:
            self._need_domain(connection, key)
            columns = "accounts (address, password, scram, admin, quota, created)"
            if not _inserted(connection, columns, key, stored, scram, int(admin), quota, int(time.time())):
                raise DirectoryError(f"the account {shown(key)} is there already")
        return Account(key, admin, quota=quota)

    def remove_account(self, address: str) -> list[str]:
        """Remove an account and its place in aliases; the aliases that stand for nobody now are gone, too."""
        key = self._existing(address)
        with self._change() as connection:
            named = {str(alias) for (alias,) in connection.execute("SELECT alias FROM aliases WHERE target = ?", (key,))}
            connection.execute("DELETE FROM accounts WHERE address = ?", (key,))
            connection.execute("DELETE FROM aliases WHERE target = ?", (key,))
            connection.execute("DELETE FROM known_networks WHERE account = ?", (key,))
            connection.execute("DELETE FROM shares WHERE ? IN (owner, identifier)", (key,))
            left = {str(alias) for (alias,) in connection.execute("SELECT DISTINCT alias FROM aliases")}
        return sorted(named - left)

    def set_password(self, address: str, password: str) -> None:
        """Another password; the old one is refused from now on."""
        key = self._existing(address)
        stored, scram = self._login.passwords.hash(_good(password)), self._login.verifier_for(key, password)
        with self._change() as connection:
            connection.execute("UPDATE accounts SET password = ?, scram = ? WHERE address = ?", (stored, scram, key))

    def set_enabled(self, address: str, enabled: bool) -> None:
        """A disabled account cannot log in; its mail is kept and goes on arriving."""
        key = self._existing(address)
        with self._change() as connection:
            connection.execute("UPDATE accounts SET enabled = ? WHERE address = ?", (int(enabled), key))

    def set_admin(self, address: str, admin: bool) -> None:
        """Administrators get the mail to postmaster and abuse."""
        key = self._existing(address)
        with self._change() as connection:
            connection.execute("UPDATE accounts SET admin = ? WHERE address = ?", (int(admin), key))

    def set_quota(self, address: str, quota: int | None) -> None:
        """Octets an account may keep; 0: no limit, None: the default."""
        key = self._existing(address)
        with self._change() as connection:
            connection.execute("UPDATE accounts SET quota = ? WHERE address = ?", (quota, key))

    def set_messages(self, address: str, messages: int) -> None:
        """How many messages an account may keep; 0: no limit."""
        key = self._existing(address)
        with self._change() as connection:
            connection.execute("UPDATE accounts SET messages = ? WHERE address = ?", (messages, key))

    def set_hidden(self, address: str, capabilities: Iterable[str]) -> None:
        """The IMAP capabilities that an account is not told of when it logs in the next time."""
        key = self._existing(address)
        with self._change() as connection:
            connection.execute("UPDATE accounts SET hidden = ? WHERE address = ?", (" ".join(capabilities), key))

    def quota_of(self, account: str, default: int = 0) -> tuple[int, int]:
        """The octets and the messages that an account may keep; 0: no limit."""
        known = self._known(account)
        return default if known.quota is None else known.quota, known.messages

    def hidden_from(self, account: str) -> tuple[str, ...]:
        """The IMAP capabilities that an account is not told of."""
        return self._known(account).hidden

    def _known(self, account: str) -> Account:
        """What is remembered of an account; it is asked about with every login and every message."""
        self._refresh()
        accounts = self._accounts  # as in _step(): an old answer must not be remembered after a change
        if account not in accounts:
            sql = f"SELECT {_COLUMNS} FROM accounts WHERE address = ?"  # noqa: S608 - constants
            rows = self.database.read(sql, (account,))
            accounts[account] = _account(rows[0]) if rows else Account(account)
        return accounts[account]

    def addresses(self, account: str) -> list[str]:
        """The addresses an account may write as, its own first; catch-alls name none."""
        sql = "SELECT alias FROM aliases WHERE target = ?1 AND alias <> ?1 AND alias NOT LIKE '@%' ORDER BY alias"
        return [account, *(str(alias) for (alias,) in self.database.read(sql, (account,)))]

    def change_password(self, account: str, old: str, new: str, ip: str = "") -> None:
        """By its owner. Raises MailError 5.7.8 when `old` is wrong, 5.7.0 when `new` is too weak."""
        self.login(account, old, ip, "settings")
        if len(new) < SHORTEST_PASSWORD:
            raise MailError("5.7.0", f"The new password is too short: take {SHORTEST_PASSWORD} characters or more", 550)
        if new.lower() in (account, account.partition("@")[0], old.lower()):
            raise MailError("5.7.0", "The new password is your address or the old password: take another one", 550)
        self.set_password(account, new)

    def _existing(self, address: str) -> str:
        account = self.account(address)
        if account is None:
            raise DirectoryError(f"there is no account {shown(address_key(address))}; see pymaild account list")
        return account.address

    # ---- aliases

    def aliases(self) -> list[Alias]:
        """All of them, sorted."""
        found: dict[str, list[str]] = {}
        for alias, target in self.database.read("SELECT alias, target FROM aliases ORDER BY alias, created, target"):
            found.setdefault(str(alias), []).append(str(target))
        return [Alias(alias, tuple(targets)) for alias, targets in found.items()]

    def add_alias(self, alias: str, targets: Iterable[str]) -> Alias:
        """Let an address, or "@domain" for all that is not there otherwise, stand for others (too), also elsewhere.

        A catch-all stands for people here only: it would send every guess of a spammer on.
        """
        key = alias_key(alias)
        keys = [address_key(target) for target in targets]
        with self._change() as connection:
            self._need_domain(connection, key)
            for target in keys:
                self._need_target(connection, key, target)
                _inserted(connection, "aliases (alias, target, created)", key, target, int(time.time()))
        return next(found for found in self.aliases() if found.address == key)

    def remove_alias(self, alias: str, targets: Iterable[str] = ()) -> None:
        """Remove some of an alias's targets, or all of it. Raises DirectoryError."""
        key = alias_key(alias)
        keys = [address_key(target) for target in targets]
        with self._change() as connection:
            for target in keys:
                if not connection.execute("DELETE FROM aliases WHERE alias = ? AND target = ?", (key, target)).rowcount:
                    raise DirectoryError(f"{shown(key)} does not stand for {shown(target)}; see pymaild alias list")
            if not keys and not connection.execute("DELETE FROM aliases WHERE alias = ?", (key,)).rowcount:
                raise DirectoryError(f"there is no alias {shown(key)}; see pymaild alias list")

    def _need_target(self, connection: Connection, alias: str, target: str) -> None:
        domain = target.rpartition("@")[2]
        if connection.execute("SELECT 1 FROM domains WHERE name = ?", (domain,)).fetchone():
            if not self._reaches_somebody(connection, target):
                raise DirectoryError(f"{shown(target)} is neither an account nor an alias; make it first")
        elif alias.startswith("@"):
            raise DirectoryError(f"a catch-all stands for people here only, and {shown_domain(domain)} is elsewhere")

    @staticmethod
    def _reaches_somebody(connection: Connection, target: str) -> bool:
        local_part, _, domain = target.rpartition("@")
        base = f"{local_part.partition('+')[0] or local_part}@{domain}"
        sql = "SELECT 1 FROM accounts WHERE address IN (?1, ?2) UNION SELECT 1 FROM aliases WHERE alias IN (?1, ?2)"
        return connection.execute(sql, (target, base)).fetchone() is not None or base.partition("@")[0] in _ROLES

    @staticmethod
    def _need_domain(connection: Connection, key: str) -> None:
        domain = key.rpartition("@")[2]
        if not connection.execute("SELECT 1 FROM domains WHERE name = ?", (domain,)).fetchone():
            shown_name = shown_domain(domain)
            raise DirectoryError(
                f"{shown_name} is not a domain of this server; add it first: pymaild domain add {shown_name}"
            )


def alias_key(text: str) -> str:
    """An alias as it is compared: an address, or "@domain" for a catch-all. Raises BadName."""
    text = text.strip()
    return "@" + domain_key(text[1:]) if text.startswith("@") else address_key(text)


def _good(password: str) -> str:
    if not password:
        raise DirectoryError("the password is empty")
    if len(password) > 1000:
        raise DirectoryError("the password is longer than 1000 characters")
    try:
        saslprep(password)
    except (SaslError, UnicodeEncodeError):
        raise DirectoryError("the password has characters that mail programs cannot send (RFC 4013)") from None
    return password


def _inserted(connection: Connection, columns: str, *values: object) -> bool:
    """Insert one row; False when it is there already."""
    places = ", ".join("?" * len(values))
    sql = f"INSERT INTO {columns} VALUES ({places}) ON CONFLICT DO NOTHING"  # noqa: S608 - columns are constants
    return connection.execute(sql, values).rowcount > 0


def _account(row: tuple[object, ...]) -> Account:
    address, admin, enabled, quota, created, messages, hidden = row
    octets = None if quota is None else int(str(quota))
    words = tuple(str(hidden).split())
    return Account(str(address), bool(admin), bool(enabled), octets, int(str(created)), int(str(messages or 0)), words)
