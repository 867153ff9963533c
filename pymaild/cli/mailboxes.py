"""pymaild mailbox share, shares: who else may use a mailbox, for people whose mail program has no ACL editor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from pymaild.accounts.names import shown
from pymaild.assembly import Services, assemble, become
from pymaild.cli.accounts import existing
from pymaild.cli.errors import DATA, CommandError
from pymaild.cli.listing import as_json, table
from pymaild.cli.parser import Options
from pymaild.mailstore import ALL_RIGHTS, ANYONE, OTHER_USERS, NoSuchMailbox, StoreError

if TYPE_CHECKING:
    from pymaild.store.acl import Acl
    from pymaild.store.sharing import Sharing

# Words for the rights of RFC 4314 §2.1 that people usually want together
WORDS: Final = {"none": "", "read": "lr", "seen": "lrs", "add": "lrsi", "write": "lrswite", "all": ALL_RIGHTS}


@dataclass(frozen=True, slots=True)
class Share:
    """One entry of one mailbox's list."""

    owner: str
    mailbox: str
    identifier: str
    rights: str


@contextmanager
def _services(options: Options) -> Iterator[Services]:
    become(options.config)
    services = assemble(options.config)
    try:
        yield services
    finally:
        services.close()


def share(options: Options) -> int:
    """Give somebody rights to a mailbox, or take them away."""
    change, rights = _rights(options.rights)
    with _services(options) as services:
        owner = existing(services.directory, options.address).address
        guest = _guest(services, options.guest)
        store = services.sharing(owner)
        try:
            store.change_acl(options.mailbox, guest, change, rights)
            now = dict(store.acl(options.mailbox)).get(guest, "")
        except NoSuchMailbox:
            raise CommandError(DATA, f"{shown(owner)} has no mailbox {options.mailbox}") from None
        except StoreError as error:
            raise CommandError(DATA, error.text) from None
    name = _name(guest)
    if not now:
        print(f"{name} has no rights to {options.mailbox} of {shown(owner)}.")
    elif guest.startswith("-"):
        print(f"{name} never has the rights {now} to {options.mailbox} of {shown(owner)}, whatever else grants them.")
    else:
        print(f"{name} has the rights {now} to {options.mailbox} of {shown(owner)}.")
        if "l" in now:
            print(f"It is called {OTHER_USERS}/{owner}/{options.mailbox} there.")
    return 0


def _rights(text: str) -> tuple[str, str]:
    """A word, or letters with perhaps + or - before them. Raises CommandError."""
    if text in WORDS:
        return "", WORDS[text]
    change = text[:1] if text[:1] in ("+", "-") else ""
    letters = text[len(change) :]
    if not letters or not set(letters) <= set(ALL_RIGHTS):
        raise CommandError(DATA, f"{text!r} are no rights: say {', '.join(WORDS)}, or letters of {ALL_RIGHTS} (RFC 4314)")
    return change, letters


def _guest(services: Services, text: str) -> str:
    sign, bare = ("-", text[1:]) if text.startswith("-") else ("", text)
    return sign + (ANYONE if bare.lower() == ANYONE else existing(services.directory, bare).address)


def _name(identifier: str) -> str:
    bare = identifier.removeprefix("-")
    return "anyone" if bare == ANYONE else shown(bare)


def shares(options: Options) -> int:
    """List what an account shares, and what others share with it."""
    with _services(options) as services:
        address = existing(services.directory, options.address).address
        given = _given(services.sharing, address)
        got = [one for owner in services.sharing.register.owners(address) for one in _got(services.sharing, owner, address)]
    if options.json:
        as_json([asdict(one) for one in (*given, *got)])
        return 0
    empty = f"{shown(address)} shares nothing, and nobody shares anything with it; see pymaild mailbox share --help"
    rows = [(shown(one.owner), one.mailbox, _sign(one.identifier), one.rights) for one in (*given, *got)]
    table(("OWNER", "MAILBOX", "WITH", "RIGHTS"), rows, empty)
    return 0


def _sign(identifier: str) -> str:
    return ("not " if identifier.startswith("-") else "") + _name(identifier)


def _lists(sharing: Sharing, owner: str) -> Iterator[tuple[str, Acl]]:
    for info, acl in sorted(sharing.account(owner).shared(), key=lambda pair: pair[0].name):
        if acl.entries:
            yield info.name, acl


def _given(sharing: Sharing, owner: str) -> list[Share]:
    return [
        Share(owner, name, identifier, rights)
        for name, acl in _lists(sharing, owner)
        for identifier, rights in acl.entries.items()
    ]


def _got(sharing: Sharing, owner: str, guest: str) -> list[Share]:
    found = [Share(owner, name, guest, acl.rights_of(guest)) for name, acl in _lists(sharing, owner)]
    return [one for one in found if one.rights]
