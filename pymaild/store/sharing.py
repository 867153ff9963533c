"""Mailboxes shared between accounts: each account's own mail, and below "Other Users" what others let it use. RFC 4314.

    Other Users/ann@example.org/Projects    ann's mailbox Projects, for whom ann gave rights to it

Sharing makes a GuestStore of every account's store; it is what IMAP sessions get. What an account may do is in the
pymaild-acl file of each mailbox (acl.py); a register tells whose accounts have to be looked into. A name that is not
there, one that cannot be and one that may not be seen are refused alike.
"""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import BinaryIO, Final, Protocol

from pymaild.mailstore import (
    ALL_RIGHTS,
    ANYONE,
    OTHER_USERS,
    AccessDenied,
    ChangeFeed,
    InvalidName,
    Mailbox,
    MailboxExists,
    MailboxInfo,
    NoSuchMailbox,
    NotPermitted,
    Quota,
    SpecialUse,
)
from pymaild.store import metadata, names
from pymaild.store.account import Account
from pymaild.store.guarded import GuardedMailbox, lacking

CONTACT: Final = "/shared/admin"  # RFC 5464 §6.2.1
_SEES: Final = frozenset("lrikxa")  # who has one of these may know of the mailbox. RFC 4314 §4 (MYRIGHTS)
_TAKEN: Final = f'Names below "{OTHER_USERS}" are for mailboxes of other accounts that you may use: take another name'
_NOBODY: Final = "There is no such account here: name an account of this server, or anyone"


class Register(Protocol):
    """Who has shared something with whom: accounts/shares.py."""

    def owners(self, guest: str) -> tuple[str, ...]:
        """The other accounts that share something with this one, or with everybody, sorted."""

    def granting(self, identifier: str) -> list[str]:
        """The accounts that have given this identifier rights."""

    def add(self, owner: str, identifier: str) -> None:
        """The owner is about to give it rights."""

    def keep(self, owner: str, identifiers: set[str]) -> None:
        """These, and no others, have rights to mailboxes of the owner."""

    def account(self, text: str) -> str | None:
        """The account that somebody means, as it is kept; None: there is none."""


class Sharing:
    """Every account's mail as its own sessions see it. Safe to use from any thread."""

    def __init__(self, stores: Callable[[str], Account], register: Register, feed: ChangeFeed | None = None) -> None:
        self._stores = stores
        self._feed = feed
        self.register = register

    def __call__(self, address: str) -> GuestStore:
        """The mail of one account, and what others share with it."""
        return GuestStore(self, self._stores(address))

    def account(self, address: str) -> Account:
        """The mail of one account, unguarded."""
        return self._stores(address)

    def change_acl(self, owner: Account, name: str, identifier: str, change: str, rights: str) -> None:
        """Change rights, so that at no moment somebody has rights the register does not know of."""
        known = dict(owner.acl(name))
        if identifier not in known:
            identifier = self.identifier(identifier)
        if rights and change != "-" and not identifier.startswith("-"):
            self.register.add(owner.address, identifier)
        owner.change_acl(name, identifier, change, rights)
        self.look_again(owner)
        if self._feed:  # the guest's list of mailboxes is another one
            self._feed.publish(identifier.removeprefix("-"), "")

    def identifier(self, text: str) -> str:
        """An identifier as it is kept. Raises NotPermitted."""
        sign, bare = ("-", text[1:]) if text.startswith("-") else ("", text)
        if bare.lower() == ANYONE:
            return sign + ANYONE
        address = self.register.account(bare)
        if address is None:
            raise NotPermitted("5.1.1", _NOBODY)
        return sign + address

    def look_again(self, owner: Account) -> None:
        """Make the register say what the files of an account say."""
        owner.tell_granted(partial(self.register.keep, owner.address))

    def forget(self, guest: str) -> None:
        """An account is to be removed: nobody who comes after it, under its address, has its rights."""
        for owner in self.register.granting(guest):
            account = self._stores(owner)
            account.forget_guest(guest)
            self.look_again(account)


class GuestStore:
    """mailstore.AccountStore of one account, with the mailboxes of others that it may use."""

    def __init__(self, sharing: Sharing, own: Account) -> None:
        self._sharing = sharing
        self._own = own

    @property
    def address(self) -> str:
        """Whose it is."""
        return self._own.address

    # ---- whose mailbox a name is

    def elsewhere(self, name: str) -> tuple[Account, str] | None:
        """The account and the name there of a mailbox below "Other Users"; None: the name is one of our own.

        A mailbox of our own that has such a name all the same comes first, so that it can still be reached. Raises
        NoSuchMailbox.
        """
        first, _, rest = unicodedata.normalize("NFC", name).partition("/")
        if first != OTHER_USERS or self._own.has(name):
            return None
        owner, _, inner = rest.partition("/")
        if not inner or owner not in self._sharing.register.owners(self.address):
            raise NoSuchMailbox
        return self._sharing.account(owner), names.canonical(inner)

    def _rights(self, account: Account, inner: str) -> str:
        """What we may do with a mailbox of another account; nothing, where there is none."""
        try:
            return account.grants(inner).rights_of(self.address)
        except NoSuchMailbox:
            return ""

    def _need(self, account: Account, inner: str, rights: str) -> None:
        have = self._rights(account, inner)
        if not set(rights) <= set(have):
            raise lacking(have)

    # ---- lists

    def mailboxes(self) -> list[MailboxInfo]:
        """Our own, and then those of others that we may see."""
        own, shared = self._own.mailboxes(), self._others()
        if not shared:
            return own
        there = {info.name: at for at, info in enumerate(own)}
        others = {info.name: info for info in shared if info.name not in there}
        for level in sorted({level for name in others for level in names.parents(name)}):
            if level in there:
                own[there[level]] = replace(own[there[level]], has_children=True)
            elif level in others:
                others[level] = replace(others[level], has_children=True)
            else:
                others[level] = MailboxInfo(level, selectable=False, has_children=True, owner=_owner_of(level))
        return own + [others[name] for name in sorted(others, key=lambda name: name.split("/"))]

    def _others(self) -> list[MailboxInfo]:
        """Mailboxes of others with the right to see them. What they use them for is not what we do."""
        owners = self._sharing.register.owners(self.address)
        subscribed = set(self.subscriptions()) if owners else set()
        found = []
        for owner in owners:
            for info, acl in self._sharing.account(owner).shared():
                name = f"{OTHER_USERS}/{owner}/{info.name}"
                if "l" in acl.rights_of(self.address):
                    found.append(replace(info, name=name, subscribed=name in subscribed, owner=owner))
        return found

    def subscriptions(self) -> list[str]:
        """Subscribed names, also of mailboxes that are not there, or not for us."""
        return self._own.subscriptions()

    def subscribe(self, name: str, subscribed: bool = True) -> None:
        """Remember or forget the name, whatever it names. RFC 4314 §4."""
        self._own.subscribe(name, subscribed)

    # ---- one mailbox

    def open(self, name: str) -> Mailbox:
        """Raises NoSuchMailbox, InvalidName."""
        return self.opened(name)

    def opened(self, name: str) -> GuardedMailbox:
        """The same; with no right that tells of it, the mailbox is not there."""
        place = self.elsewhere(name)
        if place is None:
            return GuardedMailbox(self, self._own.open(name), "", lambda: ALL_RIGHTS)
        account, inner = place
        if not _SEES & set(self._rights(account, inner)):
            raise NoSuchMailbox
        mailbox, prefix = account.open(inner), f"{OTHER_USERS}/{account.address}/"
        return GuardedMailbox(self, mailbox, prefix, partial(self._granted, account, mailbox.mailbox_id))

    def _granted(self, account: Account, mailbox_id: str) -> str:
        """As long as the account is there and shares with us."""
        if account.address not in self._sharing.register.owners(self.address):
            raise NoSuchMailbox
        return account.grants_of(mailbox_id).rights_of(self.address)

    def deliver(self, mailbox: str, trace: bytes, message: BinaryIO, flags: int = 0) -> int:
        """Into a mailbox of our own."""
        return self._own.deliver(mailbox, trace, message, flags)

    def special(self, use: SpecialUse) -> str:
        """A mailbox of our own."""
        return self._own.special(use)

    def quota(self) -> Quota:
        """What is used and allowed; mail in the mailboxes of others counts for them."""
        return self._own.quota()

    # ---- the tree

    def create(self, name: str, special_use: SpecialUse | None = None) -> None:
        """Below a mailbox of others with the right to create; who may use that one may use the new one. RFC 4314 §4."""
        if not _is_reserved(name):
            self._own.create(name, special_use)
            return
        account, inner = self._place_for(name)
        if special_use is not None:
            raise AccessDenied("Only its owner can say what a mailbox is for")
        account.create(inner)

    def _place_for(self, name: str) -> tuple[Account, str]:
        """Where a new mailbox may be made, by its owner's leave."""
        try:
            place = self.elsewhere(name)
        except NoSuchMailbox:
            raise AccessDenied(_TAKEN) from None
        if place is None:
            raise MailboxExists
        account, inner = place
        if "l" in self._rights(account, inner):
            raise MailboxExists
        parent = next((level for level in reversed(names.parents(inner)) if account.has(level)), "")
        if not parent or "k" not in self._rights(account, parent) or account.has(inner):
            raise AccessDenied(_TAKEN)
        return place

    def delete(self, name: str) -> None:
        """One of others with the right to delete it."""
        account, inner = self.elsewhere(name) or (self._own, name)
        if account is not self._own:
            self._need(account, inner, "x")
        account.delete(inner)
        self._sharing.look_again(account)

    def rename(self, old: str, new: str) -> None:
        """One of others with the right to delete it, and to create where it goes: in the same account. RFC 4314 §4."""
        place = self.elsewhere(old)
        if place is None:
            if _is_reserved(new):
                raise AccessDenied(_TAKEN)
            self._own.rename(old, new)
            return
        account, inner = place
        self._need(account, inner, "x")
        if inner == names.INBOX:
            raise NotPermitted("5.7.1", "The INBOX of another account cannot be renamed")
        if not _is_reserved(new):
            raise NotPermitted("5.0.0", "A mailbox cannot go from one account to another: copy its messages")
        there, target = self._place_for(new)
        if there.address != account.address:
            raise NotPermitted("5.0.0", "A mailbox cannot go from one account to another: copy its messages")
        for info, acl in account.shared():
            if info.name.startswith(inner + "/") and "x" not in acl.rights_of(self.address):
                raise AccessDenied("There are mailboxes below it that you do not have the right to rename")
        account.rename(inner, target)

    # ---- rights

    def acl(self, name: str) -> list[tuple[str, str]]:
        """Of others with the right to administer."""
        account, inner = self._administered(name)
        return account.acl(inner)

    def change_acl(self, name: str, identifier: str, change: str, rights: str) -> None:
        """Of others with the right to administer."""
        account, inner = self._administered(name)
        self._sharing.change_acl(account, inner, identifier, change, rights)

    def required_rights(self, name: str, identifier: str) -> str:
        """Of others with the right to administer."""
        account, inner = self._administered(name)
        return account.required_rights(inner, self._sharing.identifier(identifier))

    def _administered(self, name: str) -> tuple[Account, str]:
        account, inner = self.elsewhere(name) or (self._own, name)
        if account is not self._own:
            self._need(account, inner, "a")
        return account, inner

    # ---- metadata

    def metadata(self, name: str) -> dict[str, bytes]:
        """Of others with the right to see, and one to do something. RFC 5464 §3.3."""
        if not name:
            domain = self.address.rpartition("@")[2]
            return {**self._own.metadata(""), CONTACT: f"mailto:postmaster@{domain}".encode()}
        account, inner = self._noted(name)
        return account.metadata(inner, self.address)

    def set_metadata(self, name: str, changes: Mapping[str, bytes | None]) -> None:
        """The same; and what is for everybody needs the right to write."""
        account, inner = self._noted(name) if name else (self._own, "")
        if account is not self._own and any(entry.startswith(metadata.SHARED) for entry in changes):
            self._need(account, inner, "w")
        account.set_metadata(inner, changes, self.address)

    def _noted(self, name: str) -> tuple[Account, str]:
        account, inner = self.elsewhere(name) or (self._own, name)
        if account is not self._own:
            have = self._rights(account, inner)
            if "l" not in have or not set("rswip") & set(have):
                raise lacking(have)
        return account, inner


def _is_reserved(name: str) -> bool:
    return unicodedata.normalize("NFC", name).partition("/")[0] == OTHER_USERS


def _owner_of(level: str) -> str:
    """Other Users/ann@example.org/a -> ann@example.org; the level above all of them is the server's."""
    return level.split("/")[1] if "/" in level else OTHER_USERS


class SharedFeed:
    """A ChangeFeed that knows the mailboxes of others under the names a guest sees them by."""

    def __init__(self, feed: ChangeFeed, sharing: Sharing) -> None:
        self._feed = feed
        self._sharing = sharing

    def subscribe(self, address: str, mailbox: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Hear of the owner's mailbox; his taking away of rights is a change of it, too."""
        try:
            place = self._sharing(address).elsewhere(mailbox)
        except (NoSuchMailbox, InvalidName):
            return _nothing
        if place is None:
            return self._feed.subscribe(address, mailbox, wake)
        return self._feed.subscribe(place[0].address, place[1], wake)

    def subscribe_account(self, address: str, heard: Callable[[str], None]) -> Callable[[], None]:
        """Hear of the account, and of every account that shares something with it, from then on."""
        return _Ears(self._feed, self._sharing.register, address, heard).close

    def publish(self, address: str, mailbox: str) -> None:
        """As ChangeFeed."""
        self._feed.publish(address, mailbox)


def _nothing() -> None:
    """There is nothing to end."""


class _Ears:
    """One guest's subscriptions to the accounts that share with it; those that come and go are noticed."""

    def __init__(self, feed: ChangeFeed, register: Register, guest: str, heard: Callable[[str], None]) -> None:
        self._feed, self._register, self._guest, self._heard = feed, register, guest, heard
        self._lock = threading.Lock()
        self._closed = False
        self._ends: dict[str, Callable[[], None]] = {}
        for address in (guest, ANYONE):  # what is shared with anyone is told under that name
            self._ends[address] = feed.subscribe_account(address, self._own)
        self._survey()

    def _own(self, mailbox: str) -> None:
        if not mailbox:
            self._survey()
        self._heard(mailbox)

    def _survey(self) -> None:
        with self._lock:
            if self._closed:
                return
            owners = {*self._register.owners(self._guest), self._guest, ANYONE}
            for owner in owners - self._ends.keys():
                self._ends[owner] = self._feed.subscribe_account(owner, partial(self._other, owner))
            for owner in self._ends.keys() - owners:
                self._ends.pop(owner)()

    def _other(self, owner: str, mailbox: str) -> None:
        self._heard(f"{OTHER_USERS}/{owner}/{mailbox}" if mailbox else "")

    def close(self) -> None:
        """Hear no more."""
        with self._lock:
            self._closed = True
            ends, self._ends = self._ends, {}
        for end in ends.values():
            end()
