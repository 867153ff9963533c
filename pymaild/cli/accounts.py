"""pymaild account, domain, alias: who lives here."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict

from pymaild.accounts.directory import Account, Directory, DirectoryError
from pymaild.accounts.names import address_key, domain_key, shown
from pymaild.assembly import become, open_directory
from pymaild.cli.errors import DATA, USAGE, CommandError
from pymaild.cli.listing import as_json, table
from pymaild.cli.parser import Options
from pymaild.cli.passwords import new_password
from pymaild.units import show_size, size


def directory_of(options: Options) -> Directory:
    """The directory of the configured data_dir, as the user whose files it is."""
    become(options.config)
    return open_directory(options.config)


# ---- accounts


def add(options: Options) -> int:
    """Make an account and its mailboxes."""
    directory = directory_of(options)
    quota = _octets("--quota", options.quota) if options.quota is not None else None
    address = shown(address_key(options.address))
    if directory.account(options.address):
        raise DirectoryError(
            f"the account {address} is there already; to change its password: pymaild account passwd {address}"
        )
    account = directory.add_account(options.address, new_password(address, options.password_stdin), options.admin, quota)
    make_mailboxes(options, account.address)
    print(f"{account.shown} lives here now.")
    return 0


def _octets(name: str, text: str) -> int:
    """What --quota or SIZE says. Raises CommandError."""
    try:
        return size(text)
    except ValueError as error:
        raise CommandError(DATA, f"{name} is {error}") from None


def make_mailboxes(options: Options, address: str) -> None:
    """INBOX, Drafts, Sent, Junk, Trash and Archive of a new account."""
    from pymaild.assembly import assemble  # noqa: PLC0415 - the storage

    services = assemble(options.config)
    try:
        services.stores.create_account(address)
    finally:
        services.close()


def listing(options: Options) -> int:
    """List the accounts."""
    directory = directory_of(options)
    wanted = "@" + domain_key(options.domain) if options.domain else ""
    if wanted and not any(wanted == "@" + domain.name for domain in directory.domains()):
        raise DirectoryError(f"there is no domain {options.domain}; see pymaild domain list")
    accounts = [account for account in directory.accounts() if account.address.endswith(wanted)]
    if options.json:
        as_json([asdict(account) for account in accounts])
        return 0
    rows = [(account.shown, _kind(account), _quota(account)) for account in accounts]
    table(("ADDRESS", "", "QUOTA"), rows, "There are no accounts; make one: pymaild account add ADDRESS")
    return 0


def _kind(account: Account) -> str:
    words = [word for word, holds in (("admin", account.admin), ("disabled", not account.enabled)) if holds]
    return ", ".join(words)


def _quota(account: Account) -> str:
    octets = "default" if account.quota is None else show_size(account.quota) if account.quota else "no limit"
    return f"{octets}, {account.messages} messages" if account.messages else octets


def passwd(options: Options) -> int:
    """Set another password."""
    directory = directory_of(options)
    account = existing(directory, options.address)
    directory.set_password(account.address, new_password(account.shown, options.password_stdin))
    _log_out(directory, account)
    print(f"{account.shown} has a new password.")
    return 0


def _log_out(directory: Directory, account: Account) -> None:
    """Every browser that is logged in as the account."""
    from pymaild.accounts.websessions import WebSessions  # noqa: PLC0415

    WebSessions(directory.database).end_all(account.address)


def quota(options: Options) -> int:
    """Set what an account may keep."""
    directory = directory_of(options)
    octets = None if options.size == "default" else _octets("SIZE", options.size)
    if options.messages is not None and not (options.messages.isascii() and options.messages.isdigit()):
        raise CommandError(DATA, "--messages is a whole number; 0: no limit")
    directory.set_quota(options.address, octets)
    if options.messages is not None:
        directory.set_messages(options.address, int(options.messages))
    return 0


def mask(options: Options) -> int:
    """Hide IMAP capabilities from an account, or show which are hidden."""
    from pymaild.imap.capability import spelt  # noqa: PLC0415

    directory = directory_of(options)
    account = existing(directory, options.address)
    if not options.capabilities:
        hidden = account.hidden
    else:
        try:
            hidden = () if options.capabilities == ["none"] else spelt(options.capabilities)
        except ValueError as error:
            raise CommandError(DATA, f"CAPABILITY is one of the {error}") from None
        directory.set_hidden(account.address, hidden)
    if options.json:
        as_json(hidden)
    else:
        print(f"Hidden from {account.shown}: {' '.join(hidden) or 'nothing'}.")
    return 0


def admin(options: Options) -> int:
    """Say who gets the mail to postmaster."""
    directory_of(options).set_admin(options.address, options.admin == "yes")
    return 0


def disable(options: Options) -> int:
    """Let nobody log in."""
    directory = directory_of(options)
    account = existing(directory, options.address)
    directory.set_enabled(account.address, False)
    _log_out(directory, account)
    print(f"Nobody can log in as {account.shown} now. Its mail is kept and goes on arriving.")
    return 0


def enable(options: Options) -> int:
    """Let its owner log in again."""
    directory_of(options).set_enabled(options.address, True)
    return 0


def remove(options: Options) -> int:
    """Remove an account; its mail is put aside or deleted."""
    directory = directory_of(options)
    account = existing(directory, options.address)
    sure(f"Remove the account {account.shown}", options.yes)
    _take_rights(options, account.address)
    gone = directory.remove_account(account.address)
    _log_out(directory, account)
    for alias in gone:
        print(f"The alias {shown(alias)} stood for this account alone: it is gone, too.")
    _put_aside(options, account.address)
    return 0


def _take_rights(options: Options, address: str) -> None:
    """What others shared with the account must not come to the next one of that name."""
    from pymaild.assembly import assemble  # noqa: PLC0415 - the storage

    services = assemble(options.config)
    try:
        services.sharing.forget(address)
    finally:
        services.close()


def _put_aside(options: Options, address: str) -> None:
    """Move an account's mail out of the way of the next one of that name, or delete it."""
    from pymaild.assembly import assemble  # noqa: PLC0415 - the storage

    services = assemble(options.config)
    try:
        folder = services.stores.directory(address)
        if options.delete_mail:
            services.stores.remove_account(address)
        elif folder.is_dir():
            removed = options.config.server.data_dir / "removed"
            removed.mkdir(mode=0o700, exist_ok=True)
            target = folder.rename(removed / f"{folder.name}@{folder.parent.name}-{time.strftime('%Y%m%d-%H%M%S')}")
            print(f"Its mail is in {target} now.")
    finally:
        services.close()


def existing(directory: Directory, address: str) -> Account:
    """The account of an address. Raises DirectoryError."""
    account = directory.account(address)
    if not account:
        raise DirectoryError(f"there is no account {shown(address_key(address))}; see pymaild account list")
    return account


def sure(question: str, yes: bool) -> None:
    """Ask before something that cannot be undone."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError(USAGE, f"{question}? There is no terminal to ask; say --yes if you mean it")
    print(f"{question}? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CommandError(DATA, "nothing was changed")


# ---- domains


def domain_add(options: Options) -> int:
    """Take mail for a domain."""
    from pymaild.cli.keys import dkim_keys  # noqa: PLC0415 - cryptography
    from pymaild.cli.records import zone  # noqa: PLC0415

    directory = directory_of(options)
    name = directory.add_domain(options.domain)
    print(zone(options.config, name, dkim_keys(options.config.server.data_dir, name)))
    return 0


def domain_list(options: Options) -> int:
    """List the domains."""
    domains = directory_of(options).domains()
    if options.json:
        as_json([asdict(domain) for domain in domains])
        return 0
    rows = [(domain.shown, domain.accounts, domain.aliases) for domain in domains]
    table(("DOMAIN", "ACCOUNTS", "ALIASES"), rows, "There are no domains; add one: pymaild domain add DOMAIN")
    return 0


def domain_remove(options: Options) -> int:
    """Take no more mail for a domain."""
    directory = directory_of(options)
    sure(f"Take no more mail for {options.domain} and remove its aliases", options.yes)
    directory.remove_domain(options.domain)
    return 0


# ---- aliases


def alias_add(options: Options) -> int:
    """Let an address stand for others."""
    directory = directory_of(options)
    alias = directory.add_alias(options.alias, options.targets)
    name = shown(alias.address)
    print(f"{name} stands for {', '.join(map(shown, alias.targets))}.")
    if name[0] != "@" and directory.account(alias.address) and alias.address not in alias.targets:
        print(f"{name} is an account, too, and gets no mail now; to keep a copy there: pymaild alias add {name} {name}")
    return 0


def alias_list(options: Options) -> int:
    """List the aliases."""
    aliases = directory_of(options).aliases()
    if options.json:
        as_json([asdict(alias) for alias in aliases])
        return 0
    rows = [(shown(alias.address), ", ".join(map(shown, alias.targets))) for alias in aliases]
    table(("ALIAS", "STANDS FOR"), rows, "There are no aliases; make one: pymaild alias add ALIAS TARGET")
    return 0


def alias_remove(options: Options) -> int:
    """Remove an alias, or some of its targets."""
    directory_of(options).remove_alias(options.alias, options.targets)
    return 0
