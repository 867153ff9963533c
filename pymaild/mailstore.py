"""The words of storage: what a mailbox, a message and a change are, and what a store can be asked.

Sessions and pages talk to these Protocols; store/ implements them over a Maildir. Everything is said in UIDs and plain
values: sequence numbers, quoting and response codes belong to imap/. Mailbox names are Unicode text with "/" between
levels; "INBOX" is spelt in upper case. Every method that changes something returns only when what it did is durable.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, IntFlag
from typing import BinaryIO, Final, NamedTuple, Protocol

from pymaild.status import MailError


class Flag(IntFlag):
    """The system flags that are kept. RFC 9051 §2.3.2. (\\Recent is a fact of a session, not of a message.)"""

    SEEN = 1
    ANSWERED = 2
    FLAGGED = 4
    DELETED = 8
    DRAFT = 16


class SpecialUse(Enum):
    """What a mailbox is for. RFC 6154 §2; the value is the attribute's name without its backslash."""

    ARCHIVE = "Archive"
    DRAFTS = "Drafts"
    JUNK = "Junk"
    SENT = "Sent"
    TRASH = "Trash"


# ---- errors: facts about storage; imap/ has one dict that maps each class to its RFC 5530 response code


class StoreError(MailError):
    """Storage could not do what was asked."""


class NoSuchMailbox(StoreError):
    """The account has no mailbox of this name."""

    def __init__(self) -> None:
        super().__init__("5.1.1", "There is no such mailbox")


class MailboxExists(StoreError):
    """A mailbox of this name is there already."""

    def __init__(self) -> None:
        super().__init__("5.0.0", "A mailbox of this name exists already")


class MailboxHasChildren(StoreError):
    """It cannot be removed: other mailboxes lie below it and it is no mailbox itself."""

    def __init__(self) -> None:
        super().__init__("5.0.0", "The mailbox has mailboxes below it: remove those first")


class InvalidName(StoreError):
    """The name cannot name a mailbox here."""

    def __init__(self, why: str) -> None:
        super().__init__("5.1.3", f"The mailbox name cannot be used: {why}")


class NotPermitted(StoreError):
    """The mailbox is one that may not be changed in this way (INBOX cannot be deleted)."""


class AccessDenied(StoreError):
    """Its owner has not given this account the right to do that. RFC 4314 §4."""

    def __init__(self, text: str = "You do not have the right to do that: ask the mailbox's owner") -> None:
        super().__init__("5.7.1", text)


class LimitReached(StoreError):
    """Too many of something: mailboxes of an account, keywords of a mailbox."""


class TooManyEntries(StoreError):
    """There is no room for more metadata. RFC 5464 §4.3."""

    def __init__(self) -> None:
        super().__init__("5.0.0", "Too much is noted of this mailbox: remove something first")


class OverQuota(StoreError):
    """The account has no room for it. RFC 3463 X.2.2."""

    def __init__(self, temporary: bool = False) -> None:
        status = "4.2.2" if temporary else "5.2.2"
        super().__init__(status, "The mailbox is full: its owner has to make room before more can come in")


class NoSpace(StoreError):
    """The disk is full. RFC 3463 X.3.1."""

    def __init__(self) -> None:
        super().__init__("4.3.1", "The server's disk is full: try again later")


class StorageFailed(StoreError):
    """The disk or the file system answered with an error."""

    def __init__(self) -> None:
        super().__init__("4.3.0", "The server could not store or read the message: try again later")


class MessageGone(StoreError):
    """A uid that was asked for is not there any more."""

    def __init__(self) -> None:
        super().__init__("5.0.0", "The message is gone: another program removed it")


# ---- values


@dataclass(frozen=True, slots=True)
class MailboxInfo:
    """One line of the list of mailboxes."""

    name: str
    selectable: bool = True  # False: only a level in other names
    subscribed: bool = False
    has_children: bool = False
    special_use: SpecialUse | None = None
    mailbox_id: str = ""  # outlives a rename; a level that is no mailbox has none
    owner: str = ""  # whose it is, where it is another account's


@dataclass(frozen=True, slots=True)
class MailboxState:
    """The numbers of a mailbox at one moment. RFC 9051 §6.3.11, RFC 7162 §3.1."""

    uidvalidity: int
    uidnext: int
    highestmodseq: int
    messages: int
    unseen: int
    deleted: int
    recent: int  # messages no session has been told of yet
    size: int  # octets of all messages
    first_unseen: int = 0  # uid of the first message without \Seen; 0: none
    keywords: tuple[str, ...] = ()  # every keyword the mailbox knows
    keywords_full: bool = False  # no new keyword can be defined


class Row(NamedTuple):
    """What is known of a message without opening it."""

    uid: int
    flags: int  # of Flag
    keywords: frozenset[str]
    modseq: int
    size: int  # octets, CRLF line ends
    internal_date: int  # seconds since 1970 UTC
    save_date: int = 0  # when it came into this mailbox (RFC 8514)


class Column(Enum):
    """What the index holds of each message besides its Row, rendered when the message was taken in.

    The store knows only that these are bytes: the assembly gives it the function that makes them (`Describe`).
    """

    ENVELOPE = "envelope"  # IMAP wire bytes. RFC 9051 §7.5.2
    BODY = "body"
    BODYSTRUCTURE = "bodystructure"
    SUMMARY = "summary"  # JSON for lists: from, to, subject, date, preview, has_attachment, message_id, references
    HEADER = "header"  # the header block up to and with the empty line, at most 64 KiB; empty when it is longer
    USUAL = "usual"  # those header fields that mail programs ask for most (message/sections.py); empty as above
    SORTING = "sorting"  # JSON: what it is sorted and threaded by (message/sorting.py)
    PARTS = "parts"  # JSON: part number -> byte offsets (message/structure.py)
    # What whole mailboxes are searched and sorted by (message/folded.py). Digits; nothing where there is no good Date
    SENT = "sent"  # seconds since 1970 UTC
    SENT_DAY = "sent_day"  # the Date field's own calendar day, in days since 1970-01-01
    FROM = "from_text"  # casemapped text
    TO = "to_text"
    CC = "cc_text"
    BCC = "bcc_text"
    SUBJECT = "subject_text"
    MESSAGE_ID = "message_id_text"


Describe = Callable[[bytes], dict[Column, bytes]]


class Fact(Enum):
    """What a Row says of a message, for those who ask about very many messages at once (see Table)."""

    FLAGS = "flags"  # with the keywords; Table.labels says what a cell means
    MODSEQ = "modseq"
    SIZE = "size"
    INTERNAL_DATE = "internal date"
    SAVE_DATE = "save date"


@dataclass(frozen=True, slots=True)
class Table:
    """Some messages column by column, each column in the order of `uids`. The cells of a Fact are digits."""

    uids: list[int]  # rising
    columns: dict[Fact | Column, list[bytes]]
    labels: dict[bytes, tuple[int, frozenset[str]]]  # cell of Fact.FLAGS -> flags and keywords


class OrderBy(Enum):
    """What a whole mailbox can be put in order by."""

    ARRIVAL = "arrival"  # the internal date
    DATE = "date"  # the Date field; where there is none, the internal date. RFC 5256 §2.2
    SIZE = "size"


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened in a mailbox after a given modseq."""

    highestmodseq: int
    uidnext: int
    rows: list[Row]  # new messages and changed flags, by rising uid
    vanished: list[int]  # uids expunged, rising


@dataclass(frozen=True, slots=True)
class Quota:
    """What an account uses and may use. 0: no limit."""

    octets: int
    octets_limit: int
    messages: int
    messages_limit: int = 0


@dataclass(frozen=True, slots=True)
class Upload:
    """A message that a client brings, with what it says of it."""

    message: BinaryIO | bytes
    flags: int = 0
    keywords: tuple[str, ...] = ()
    internal_date: int | None = None


class FlagChange(Enum):
    """How STORE combines flags. RFC 9051 §6.4.6."""

    REPLACE = "FLAGS"
    ADD = "+FLAGS"
    REMOVE = "-FLAGS"


# ---- search: a tree of plain values. imap/search.py parses SEARCH into it, the webmail its own syntax, and
# search/query.py evaluates it against rows, the index and, where those cannot tell, the message. RFC 9051 §6.4.4


@dataclass(frozen=True, slots=True)
class All:
    """Every message."""


@dataclass(frozen=True, slots=True)
class And:
    """All of them hold."""

    keys: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of them holds."""

    keys: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """It does not hold."""

    key: Query


@dataclass(frozen=True, slots=True)
class Uids:
    """The uid lies in one of the ranges (both ends included)."""

    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class HasFlag:
    """A system flag is set."""

    flag: Flag


@dataclass(frozen=True, slots=True)
class HasKeyword:
    """A keyword is set; compared without case."""

    keyword: str


@dataclass(frozen=True, slots=True)
class HeaderContains:
    """A header field of that name has the text in its decoded body; empty text: the field is there."""

    name: str  # lower case
    text: str


@dataclass(frozen=True, slots=True)
class AddressContains:
    """FROM, TO, CC, BCC: the text is in the field's ENVELOPE addresses or its decoded body."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class BodyContains:
    """The decoded text of a text part has it."""

    text: str


@dataclass(frozen=True, slots=True)
class TextContains:
    """Header or body has it."""

    text: str


class DateOf(Enum):
    """Which date a DateRange speaks of."""

    INTERNAL = "internal"
    SENT = "sent"  # the Date field, its own calendar day, zone disregarded
    SAVED = "saved"


@dataclass(frozen=True, slots=True)
class DateRange:
    """A calendar day within [first, before), as days since 1970-01-01; None: open on that side."""

    of: DateOf
    first: int | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Age:
    """Came in at least `older`, at most `younger` seconds before now; None: open on that side. RFC 5032."""

    older: int | None = None
    younger: int | None = None


@dataclass(frozen=True, slots=True)
class CameBetween:
    """Internal date within [first, before), in seconds since 1970 UTC; None: open on that side."""

    first: int | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class SizeRange:
    """larger < size < smaller, in octets; None: open on that side."""

    larger: int | None = None
    smaller: int | None = None


@dataclass(frozen=True, slots=True)
class ModseqAtLeast:
    """Changed at or after. RFC 7162 §3.1.5."""

    modseq: int


@dataclass(frozen=True, slots=True)
class Fuzzy:
    """It holds more or less: texts need not be the same to the letter. RFC 6203 §3."""

    key: Query


Query = (
    All
    | And
    | Or
    | Not
    | Uids
    | HasFlag
    | HasKeyword
    | HeaderContains
    | AddressContains
    | BodyContains
    | TextContains
    | DateRange
    | Age
    | CameBetween
    | SizeRange
    | ModseqAtLeast
    | Fuzzy
)


# ---- rights to a mailbox, RFC 4314 §2.1: lookup, read, keep seen, write flags, insert, post, create below, delete the
# mailbox, delete messages, expunge, administer

ALL_RIGHTS: Final = "lrswipkxtea"
ANYONE: Final = "anyone"  # the identifier of every account of the server
OTHER_USERS: Final = "Other Users"  # the level below which the mailboxes of others are: Other Users/<address>/<name>


# ---- what a store can be asked


class Mailbox(Protocol):
    """One mailbox of one account, opened. Safe to use from one thread at a time."""

    @property
    def name(self) -> str:
        """Its name when it was opened."""

    @property
    def mailbox_id(self) -> str:
        """An id that outlives a rename (RFC 8474)."""

    @property
    def stood_at(self) -> int:
        """The highest modseq just before the last change_flags: who knew all up to it knows all but that change."""

    @property
    def rights(self) -> str:
        """What this account may do with it, of ALL_RIGHTS, in their order. RFC 4314 §2.1."""

    def need(self, rights: str) -> None:
        """Raises AccessDenied when one of these rights is missing, NoSuchMailbox when even lookup is. RFC 4314 §6."""

    def refresh(self) -> None:
        """Look at the Maildir: take in what other programs delivered, renamed or removed. Cheap when nothing moved."""

    def state(self) -> MailboxState:
        """The numbers of now, without looking at the Maildir. Raises NoSuchMailbox when it was deleted."""

    def uids(self) -> array[int]:
        """Every uid, rising. Others have the same array: do not change it."""

    def claim_recent(self) -> range:
        """The uids no session has been told of, perhaps none: from now on they all count as told."""

    def rows(self, uids: Sequence[int] | None = None) -> Iterator[Row]:
        """Rows by rising uid; None: of every message. Uids that are gone are left out."""

    def columns(self, uids: Sequence[int], wanted: Sequence[Column]) -> Iterator[tuple[int, tuple[bytes, ...]]]:
        """What the index holds of each message, rendered first where it was not yet; by rising uid."""

    def table(self, uids: Sequence[int], wanted: Sequence[Fact | Column]) -> Table:
        """What is wanted of those messages (rising uids) that are there, rendered first where it was not yet."""

    def read(self, uid: int) -> bytes:
        """The whole message, exact. Raises MessageGone."""

    def messages(self, uids: Sequence[int]) -> Iterator[bytes | None]:
        """Each whole message, read when it is its turn; None: it is gone."""

    def digests(self, uids: Sequence[int]) -> dict[int, bytes]:
        """SHA-256 of each message that is there."""

    def changes(self, since: int) -> Changes:
        """What changed after modseq `since`."""

    def ordered(self, by: Sequence[tuple[OrderBy, bool]]) -> array[int]:
        """Every uid in this order; True: the other way round. Where all are equal they stand by uid. RFC 5256 §3."""

    def search(self, query: Query, scores: dict[int, int] | None = None) -> list[int]:
        """The uids it holds for, rising; `scores` gets how well those fit that a Fuzzy key found, 1 to 100."""

    def append(
        self,
        message: BinaryIO | bytes,
        flags: int = 0,
        keywords: Iterable[str] = (),
        internal_date: int | None = None,
    ) -> int:
        """Take in a message from its current position to its end; its uid. Raises OverQuota, NoSpace, LimitReached."""

    def append_all(self, uploads: Sequence[Upload]) -> list[int]:
        """Take in several messages, all or none; their uids, in this order."""

    def replace(self, uid: int, upload: Upload, to: str) -> int:
        """Take a message into the mailbox `to` and remove `uid` here, in one step; the new uid. Raises MessageGone."""

    def change_flags(
        self,
        uids: Sequence[int],
        change: FlagChange,
        flags: int,
        keywords: Iterable[str] = (),
        unchanged_since: int | None = None,
    ) -> tuple[list[Row], list[int]]:
        """Set, add or remove flags: the new rows, and the uids left alone because they changed after `unchanged_since`."""

    def copy(self, uids: Sequence[int], to: str) -> tuple[int, list[tuple[int, int]]]:
        """Copy with flags and internal date: uidvalidity of the target and (old uid, new uid) pairs; all or none.

        The uidvalidity is 0 for those who may not look into the target. RFC 4315 §3.
        """

    def move(self, uids: Sequence[int], to: str) -> tuple[int, list[tuple[int, int]]]:
        """As copy, and then gone from here."""

    def vanish_again(self, uids: Sequence[int]) -> None:
        """Messages that are gone already are in `changes` once more, under a new modseq."""

    def expunge(self, uids: Sequence[int] | None = None) -> list[int]:
        """Remove the messages that have \\Deleted (of `uids`, or all); the uids removed."""


class AccountStore(Protocol):
    """The mail of one account."""

    @property
    def address(self) -> str:
        """Whose it is."""

    def mailboxes(self) -> list[MailboxInfo]:
        """All of them, sorted, INBOX first; levels that are no mailbox are included."""

    def subscriptions(self) -> list[str]:
        """Subscribed names, also of mailboxes that do not exist (RFC 9051 §6.3.7)."""

    def open(self, name: str) -> Mailbox:
        """Raises NoSuchMailbox, InvalidName."""

    def create(self, name: str, special_use: SpecialUse | None = None) -> None:
        """With every level above it that is missing. Raises MailboxExists, InvalidName, LimitReached."""

    def delete(self, name: str) -> None:
        """Raises NoSuchMailbox, NotPermitted, MailboxHasChildren."""

    def rename(self, old: str, new: str) -> None:
        """With everything below; INBOX: its messages move and it stays (RFC 9051 §6.3.6)."""

    def subscribe(self, name: str, subscribed: bool = True) -> None:
        """Remember or forget the name."""

    def special(self, use: SpecialUse) -> str:
        """The name of the mailbox for this use, made if it is missing."""

    def quota(self) -> Quota:
        """What is used and allowed."""

    def deliver(self, mailbox: str, trace: bytes, message: BinaryIO, flags: int = 0) -> int:
        """Append `trace` and then the whole of `message` to a mailbox; its uid. Raises as Mailbox.append."""

    def acl(self, name: str) -> list[tuple[str, str]]:
        """Identifiers and their rights, the owner first; "-" before one takes rights away. RFC 4314 §3.6."""

    def change_acl(self, name: str, identifier: str, change: str, rights: str) -> None:
        """Add ("+"), remove ("-") or replace ("") rights. Raises NotPermitted for the owner's and unknown identifiers."""

    def required_rights(self, name: str, identifier: str) -> str:
        """The rights an identifier always has to the mailbox: all, or none. RFC 4314 §3.7."""

    def metadata(self, name: str) -> dict[str, bytes]:
        """Entries and values of a mailbox, or of the server (""), as this account sees them. RFC 5464 §3.3."""

    def set_metadata(self, name: str, changes: Mapping[str, bytes | None]) -> None:
        """Set some entries; None removes one. All or none. Raises TooManyEntries, AccessDenied."""


class ChangeFeed(Protocol):
    """Who is told when a mailbox changes, in this process or another."""

    def subscribe(self, address: str, mailbox: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` (quickly, from any thread) after each change; returns what ends the subscription."""

    def subscribe_account(self, address: str, heard: Callable[[str], None]) -> Callable[[], None]:
        """Call `heard` (as `wake`) with the name of each mailbox of the account that changed, came or went.

        An empty name: names or subscriptions changed. Returns what ends the subscription.
        """

    def publish(self, address: str, mailbox: str) -> None:
        """A mailbox of this account changed; without a name: its subscriptions did."""
