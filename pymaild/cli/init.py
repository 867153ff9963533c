"""pymaild init: from nothing to a mail system that can be started; what is there already is left as it is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pymaild.accounts.directory import Directory
from pymaild.accounts.names import address_key, domain_key, fit_for_account, shown, shown_domain
from pymaild.assembly import become
from pymaild.cli.accounts import make_mailboxes
from pymaild.cli.errors import CANNOT_CREATE, DATA, USAGE, CommandError
from pymaild.cli.parser import Options
from pymaild.cli.passwords import new_password
from pymaild.config import find, hostname, load, render

_SYSTEM = Path("/etc")
# Without root: the ports people know plus 2000 and the like, on every address.
_HIGH_PORTS = {
    "smtp": "*:2525",
    "submission": "*:2587",
    "submissions": "*:2465",
    "imap": "*:2143",
    "imaps": "*:2993",
    "https": "*:8443",
}


def init(options: Options) -> int:
    """Make what is missing."""
    from pymaild.cli.keys import certificate, dkim_keys  # noqa: PLC0415 - cryptography
    from pymaild.cli.records import zone  # noqa: PLC0415

    domain = domain_key(_asked(options.domain, "--domain", "The domain, such as example.org: "))
    admin = fit_for_account(
        address_key(_asked(options.admin, "--admin", f"Your address, such as ann@{shown_domain(domain)}: "))
    )
    if not admin.endswith("@" + domain):
        raise CommandError(DATA, f"the administrator's address has to be in the first domain, {shown_domain(domain)}")
    file = _configuration(options, domain)
    config = load(file)
    data_dir = config.server.data_dir
    _folder(data_dir, file)
    become(config)
    directory = Directory(config.database, config.server.hostname, scram=config.auth.scram)
    if domain not in [found.name for found in directory.domains()]:
        directory.add_domain(domain)
        print(f"Added the domain {shown_domain(domain)}.")
    keys = dkim_keys(data_dir, domain)
    if certificate(config.certificate, config.key, (config.server.hostname, domain)):
        print(f"Made a self-signed certificate: {config.certificate}")
    if not directory.account(admin):
        directory.add_account(admin, new_password(shown(admin), options.password_stdin), admin=True)
        print(f"Added the account {shown(admin)}.")
    directory.close()
    options.config = config
    make_mailboxes(options, admin)
    print(f"\n{zone(config, domain, keys)}\n\n{_next_steps(file, admin, data_dir)}")
    return 0


def _asked(value: str | None, flag: str, question: str) -> str:
    """What was given, or the answer of who sits at the terminal."""
    if value:
        return str(value)
    if not sys.stdin.isatty():
        raise CommandError(USAGE, f"{flag} is missing; see pymaild init --help")
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


def _configuration(options: Options, domain: str) -> Path:
    """The configuration in force; one is written if there is none."""
    file = find(options.config_path)
    if file and file.exists():
        if options.data_dir or options.hostname:
            raise CommandError(
                CANNOT_CREATE,
                f"{file} is there already and is never changed; set data_dir and hostname in it, without these options",
            )
        return file
    root = os.geteuid() == 0
    file = file or (_SYSTEM / "pymaild.conf" if root else Path("pymaild.conf"))
    default = "" if file.parent == _SYSTEM else "pymaild-data"
    settings = {("server", "hostname"): hostname(options.hostname or f"mail.{domain}")}
    if options.data_dir or default:
        settings["server", "data_dir"] = (
            str(Path(options.data_dir).expanduser().absolute()) if options.data_dir else default
        )
    if not root:
        settings |= {("listen", name): value for name, value in _HIGH_PORTS.items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("x", encoding="utf-8") as opened:
        opened.write(render(settings))
    print(f"Wrote the configuration {file}.")
    return file


def _folder(data_dir: Path, file: Path) -> None:
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except PermissionError:
        raise CommandError(
            CANNOT_CREATE,
            f"{data_dir} cannot be made: permission denied; run this as root, set data_dir in {file} to a folder of yours,"
            " or name a new configuration: pymaild -c FILE init",
        ) from None


def _next_steps(file: Path, admin: str, data_dir: Path) -> str:
    command = f"pymaild -c {file}"
    steps = [
        "What is next:",
        f"  {command} serve                     runs it",
        f"  {command} account add ADDRESS       makes another account",
        f"Log in as {shown(admin)}. Mail programs and browsers warn of the certificate, which nobody vouches for yet.",
    ]
    if os.geteuid() == 0 and data_dir.stat().st_uid == 0:
        steps += [
            "Everything belongs to root now, and serve would stay root. Better make a user for it:",
            f"  useradd --system --home-dir {data_dir} pymaild && chown -R pymaild: {data_dir}",
        ]
    return "\n".join(steps)
