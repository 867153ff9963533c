"""LIST, LSUB, XLIST, with selection and return options. RFC 3501 §6.3.8-9, RFC 5258, 5819, 6154, 8440, 9590."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pymaild.imap import names
from pymaild.imap.answers import Answer
from pymaild.imap.commands import metadata
from pymaild.imap.commands.access import my_rights
from pymaild.imap.commands.authenticated import status_items, status_line
from pymaild.imap.errors import Bad
from pymaild.imap.grammar import Parser
from pymaild.imap.table import LOGGED_IN, Command, Commands, Request
from pymaild.mailstore import AccessDenied, MailboxInfo, SpecialUse, StoreError

if TYPE_CHECKING:
    from pymaild.imap.session import Session

ROOT: Final = b'(\\Noselect) "/" ""\r\n'


@dataclass(slots=True)
class Listing:
    """What one LIST asks for."""

    patterns: list[bytes] = field(default_factory=list)
    extended: bool = False  # any option or a list of patterns: the answers of RFC 5258
    select: set[str] = field(default_factory=set)
    wanted: set[str] = field(default_factory=set)
    status: list[str] = field(default_factory=list)
    noted: metadata.Asked = field(default_factory=lambda: metadata.Asked([]))  # RFC 9590

    def selects(self, info: MailboxInfo) -> bool:
        """Whether every selection option holds. RFC 5258 §3.1."""
        return all(SELECTION[option](info) for option in self.select)

    @property
    def recursive(self) -> bool:
        """Whether a mailbox is also listed for the sake of one below it."""
        return "RECURSIVEMATCH" in self.select


SELECTION: Final[dict[str, Callable[[MailboxInfo], bool]]] = {
    "SUBSCRIBED": lambda info: info.subscribed,
    "SPECIAL-USE": lambda info: info.special_use is not None,  # RFC 6154 §5.2
    "REMOTE": lambda info: True,  # there are no remote mailboxes to add
    "RECURSIVEMATCH": lambda info: True,
}
RETURN: Final = ("SUBSCRIBED", "CHILDREN", "SPECIAL-USE", "STATUS", "MYRIGHTS", "METADATA")
XLIST_NAMES: Final = {SpecialUse.JUNK: b"\\Spam", SpecialUse.ARCHIVE: b"\\AllMail"}


# ---- the arguments


def _arguments(args: Parser) -> Listing:
    """[(selection options)] reference pattern [RETURN (options)]. RFC 5258 §6."""
    listing = Listing()
    args.space("a reference name")
    if args.peek() == b"(":
        listing.extended = True
        listing.select = {option.upper() for option in args.items("a selection option", lambda: args.atom("an option"))}
        args.space("a reference name")
    reference = args.astring("a reference name")
    args.space("a mailbox pattern")
    if args.peek() == b"(":
        listing.extended = True
        listing.patterns = args.items("a mailbox pattern", args.list_mailbox, limit=100)
    else:
        listing.patterns = [args.list_mailbox()]
    listing.patterns = [reference + pattern if pattern else pattern for pattern in listing.patterns]
    if args.accept(b" RETURN "):
        listing.extended = True
        args.items("a return option", lambda: _return_option(args, listing))
    args.end()
    _check(listing)
    return listing


def _return_option(args: Parser, listing: Listing) -> None:
    option = args.word("a return option")
    if option not in RETURN:
        raise Bad(f"Expected return options: {' '.join(sorted(RETURN))}")
    listing.wanted.add(option)
    if option == "STATUS":  # RFC 5819 §2
        args.space("a list of status items")
        listing.status = status_items(args)
    if option == "METADATA":  # RFC 9590 §4
        args.space("names of entries")
        _noted(args, listing.noted)


def _noted(args: Parser, asked: metadata.Asked) -> None:
    """[(DEPTH 1 ...) SP] (entries). RFC 9590 §4 (return-option)."""
    if metadata.has_options(args):
        metadata.options(args, asked)
    asked.entries = metadata.entries(args)


def _check(listing: Listing) -> None:
    if not listing.select <= SELECTION.keys():
        raise Bad(f"Expected selection options: {' '.join(SELECTION)}")
    if listing.recursive and not listing.select & {"SUBSCRIBED", "SPECIAL-USE"}:
        raise Bad("RECURSIVEMATCH needs SUBSCRIBED or SPECIAL-USE beside it")


# ---- the mailboxes


def _candidates(session: Session, listing: Listing) -> list[tuple[MailboxInfo, bool]]:
    """Everything that may be listed, and whether it exists: also names that are subscribed but are no mailbox."""
    infos = session.store.mailboxes()
    known = {info.name for info in infos}
    found = [(info, info.selectable) for info in infos]
    if "SUBSCRIBED" not in listing.select:
        return found
    absent = [name for name in session.store.subscriptions() if name not in known]
    found += [(MailboxInfo(name, selectable=False, subscribed=True), False) for name in absent]
    if listing.recursive:
        levels = {level for name in absent for level in _above(name)} - known - set(absent)
        found += [(MailboxInfo(level, selectable=False, has_children=True), False) for level in sorted(levels)]
    return found


def _above(name: str) -> Iterator[str]:
    """a/b/c -> a/b, a."""
    while names.DELIMITER in name:
        name = name.rpartition(names.DELIMITER)[0]
        yield name


def list_(session: Session, request: Request) -> Answer:
    """The mailboxes whose names match. §6.3.8, RFC 5258 §3."""
    listing = _arguments(request.args)
    return Answer("Done", lambda: listing.noted.code, _list(session, listing, request.verb))


def _list(session: Session, listing: Listing, verb: str) -> Iterator[bytes]:
    word = b"* %s " % verb.encode("ascii")
    if not listing.extended and listing.patterns == [b""]:
        yield word + ROOT  # the delimiter, please. §6.3.8
        return
    patterns = [names.Pattern(pattern, session.utf8) for pattern in listing.patterns if pattern]
    candidates = _candidates(session, listing)
    listed = {info.name for info, _ in candidates if any(pattern.matches(info.name) for pattern in patterns)}
    parents: set[str] = set()
    if listing.recursive:  # for the sake of children that are not listed themselves. RFC 5258 §3.5
        below = [info.name for info, _ in candidates if info.name not in listed and listing.selects(info)]
        parents = {level for name in below for level in _above(name)}
    for info, exists in candidates:
        selects = listing.selects(info)
        if (selects or info.name in parents) and info.name in listed:
            yield from _line(session, listing, word, info, exists, selects, info.name in parents)


def _line(
    session: Session, listing: Listing, word: bytes, info: MailboxInfo, exists: bool, selects: bool, above: bool
) -> Iterator[bytes]:
    """One LIST response, and what is asked for besides of mailboxes that exist. RFC 5258 §4."""
    told: list[bytes] = []
    try:
        told += _more(session, listing, info.name) if exists and selects else ()
    except StoreError:
        exists = False  # it went away meanwhile. RFC 5819 §2
    more = b' ("CHILDINFO" ("SUBSCRIBED"))' if above and "SUBSCRIBED" in listing.select else b""
    attributes = b" ".join(_attributes(listing, word, info, exists))
    yield b'%s(%s) "/" %s%s\r\n%s' % (word, attributes, session.quoted(info.name), more, b"".join(told))


def _more(session: Session, listing: Listing, name: str) -> Iterator[bytes]:
    """STATUS, MYRIGHTS and METADATA. RFC 5819 §2, RFC 8440 §3, RFC 9590 §3; what may not be known is left out."""
    if listing.status:
        with suppress(AccessDenied):
            yield status_line(session, name, listing.status)
    if "MYRIGHTS" in listing.wanted:
        yield my_rights(session, name)
    if listing.noted.entries:
        with suppress(AccessDenied):
            yield metadata.response(session, name, listing.noted.of(session.store.metadata(name)))


def _attributes(listing: Listing, word: bytes, info: MailboxInfo, exists: bool) -> Iterator[bytes]:
    r"""\NonExistent implies \Noselect, and is for those who asked with options. RFC 5258 §3, RFC 3348 §3, RFC 6154 §2."""
    if not exists:
        yield b"\\NonExistent" if listing.extended else b"\\Noselect"
    if info.subscribed and (listing.select | listing.wanted) & {"SUBSCRIBED"}:
        yield b"\\Subscribed"
    yield b"\\HasChildren" if info.has_children else b"\\HasNoChildren"
    if info.special_use is not None:
        yield b"\\" + info.special_use.value.encode("ascii")
    if b"XLIST" in word:
        yield from (b"\\Inbox",) if info.name == "INBOX" else ()
        yield from (XLIST_NAMES[info.special_use],) if info.special_use in XLIST_NAMES else ()


def lsub(session: Session, request: Request) -> Answer:
    r"""Subscribed names; with % also the level above one, as \Noselect. §6.3.9."""
    args = request.args
    args.space("a reference name")
    reference = args.astring("a reference name")
    args.space("a mailbox pattern")
    pattern = args.list_mailbox()
    args.end()
    return Answer("Done", untagged=_lsub(session, reference + pattern if pattern else b""))


def _lsub(session: Session, wire: bytes) -> Iterator[bytes]:
    if not wire:
        yield b"* LSUB " + ROOT
        return
    pattern = names.Pattern(wire, session.utf8)
    infos = {info.name: info for info in session.store.mailboxes()}
    subscribed = session.store.subscriptions()
    found = {name: infos.get(name, MailboxInfo(name, selectable=False)) for name in subscribed if pattern.matches(name)}
    if wire.endswith(b"%"):
        for name in subscribed:
            for level in _above(name):
                if name not in found and pattern.matches(level):
                    found.setdefault(level, MailboxInfo(level, selectable=False, has_children=True))
    for name, info in found.items():
        words = [] if info.selectable else [b"\\Noselect"]
        if info.special_use is not None:  # where old Outlooks look for it
            words.append(b"\\" + info.special_use.value.encode("ascii"))
        yield b'* LSUB (%s) "/" %s\r\n' % (b" ".join(words), session.quoted(name))


COMMANDS: Final[Commands] = {
    "LIST": Command(list_, LOGGED_IN, "RFC 3501 §6.3.8"),
    "LSUB": Command(lsub, LOGGED_IN, "RFC 3501 §6.3.9"),
    "XLIST": Command(list_, LOGGED_IN, "RFC 6154 §1"),
}
