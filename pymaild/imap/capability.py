"""What CAPABILITY says, from one table: a row each, with when it holds. RFC 3501 §6.1.1, §7.2.1.

Words can be hidden, from everybody or from an account (clients have bugs, too): what is hidden is not announced, and ENABLE
does not know it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from pymaild.imap.table import State

if TYPE_CHECKING:
    from pymaild.imap.session import Session


def _always(session: Session) -> bool:
    return True


def _before_login(session: Session) -> bool:
    return session.state is State.NOT_AUTHENTICATED


def _logged_in(session: Session) -> bool:
    return session.state is not State.NOT_AUTHENTICATED


def _can_start_tls(session: Session) -> bool:
    return _before_login(session) and session.tls_available and not session.client.tls


def _may_log_in(session: Session) -> bool:
    return _before_login(session) and session.may_log_in


def _offers(mechanism: str) -> Callable[[Session], bool]:
    """[auth] mechanisms; -PLUS only where TLS can be bound to."""
    return lambda session: _may_log_in(session) and mechanism in session.offer.names(session.client)


def _may_not_log_in(session: Session) -> bool:
    return _before_login(session) and not session.may_log_in


def _can_compress(session: Session) -> bool:
    return _logged_in(session) and not session.compressed


def _literals_are_bounded(session: Session) -> bool:
    """A server announces one of LITERAL+ and LITERAL-: who hides the first has the second. RFC 7888 §5."""
    return "LITERAL+" in session.hidden


# In the order they are sent. PLAIN comes first of the mechanisms: clients take the first they know.
CAPABILITIES: Final[dict[str, Callable[[Session], bool]]] = {
    "IMAP4rev1": _always,  # RFC 3501
    "IMAP4rev2": _always,  # RFC 9051; what ENABLE switches on
    "SASL-IR": _before_login,  # RFC 4959
    "STARTTLS": _can_start_tls,  # RFC 3501 §6.2.1
    "AUTH=PLAIN": _offers("PLAIN"),  # RFC 4616
    "AUTH=LOGIN": _offers("LOGIN"),
    "AUTH=SCRAM-SHA-256": _offers("SCRAM-SHA-256"),  # RFC 7677
    "AUTH=SCRAM-SHA-256-PLUS": _offers("SCRAM-SHA-256-PLUS"),  # RFC 7677, RFC 5802 §6
    "LOGINDISABLED": _may_not_log_in,  # RFC 3501 §6.2.3
    "LITERAL+": _always,  # RFC 7888
    "LITERAL-": _literals_are_bounded,  # RFC 7888 §5
    "ID": _always,  # RFC 2971
    "ENABLE": _always,  # RFC 5161
    "IDLE": _always,  # RFC 2177
    "COMPRESS=DEFLATE": _can_compress,  # RFC 4978
    "NAMESPACE": _logged_in,  # RFC 2342
    "CHILDREN": _logged_in,  # RFC 3348
    "LIST-EXTENDED": _logged_in,  # RFC 5258
    "LIST-STATUS": _logged_in,  # RFC 5819
    "STATUS=SIZE": _logged_in,  # RFC 8438
    "SPECIAL-USE": _logged_in,  # RFC 6154
    "CREATE-SPECIAL-USE": _logged_in,  # RFC 6154 §3
    "XLIST": _logged_in,  # what old Outlooks look for; LIST does the same
    "ACL": _logged_in,  # RFC 4314
    "RIGHTS=texk": _logged_in,  # RFC 4314 §2.2
    "LIST-MYRIGHTS": _logged_in,  # RFC 8440
    "METADATA": _logged_in,  # RFC 5464
    "LIST-METADATA": _logged_in,  # RFC 9590
    "UNSELECT": _logged_in,  # RFC 3691
    "UIDPLUS": _logged_in,  # RFC 4315
    "MOVE": _logged_in,  # RFC 6851
    "APPENDLIMIT": _logged_in,  # RFC 7889
    "MULTIAPPEND": _logged_in,  # RFC 3502
    "CATENATE": _logged_in,  # RFC 4469
    "REPLACE": _logged_in,  # RFC 8508
    "QUOTA": _logged_in,  # RFC 9208
    "QUOTA=RES-STORAGE": _logged_in,  # RFC 9208 §5.1
    "QUOTA=RES-MESSAGE": _logged_in,  # RFC 9208 §5.2
    "UTF8=ACCEPT": _logged_in,  # RFC 9755
    "CONDSTORE": _logged_in,  # RFC 7162 §3.1
    "QRESYNC": _logged_in,  # RFC 7162 §3.2
    "SAVEDATE": _logged_in,  # RFC 8514
    "PREVIEW": _logged_in,  # RFC 8970
    "OBJECTID": _logged_in,  # RFC 8474
    "UNAUTHENTICATE": _logged_in,  # RFC 8437
    "BINARY": _logged_in,  # RFC 3516
    "ESEARCH": _logged_in,  # RFC 4731
    "SEARCHRES": _logged_in,  # RFC 5182
    "WITHIN": _logged_in,  # RFC 5032
    "NOTIFY": _logged_in,  # RFC 5465
    "CONTEXT=SEARCH": _logged_in,  # RFC 5267 §4
    "MULTISEARCH": _logged_in,  # RFC 7377
    "PARTIAL": _logged_in,  # RFC 9394
    "SEARCH=FUZZY": _logged_in,  # RFC 6203
    "SORT": _logged_in,  # RFC 5256
    "SORT=DISPLAY": _logged_in,  # RFC 5957
    "ESORT": _logged_in,  # RFC 5267 §3.1
    "THREAD=ORDEREDSUBJECT": _logged_in,  # RFC 5256
    "THREAD=REFERENCES": _logged_in,  # RFC 5256
    "I18NLEVEL=1": _logged_in,  # RFC 5255 §4.3
    "INPROGRESS": _logged_in,  # RFC 9585
}


# What cannot be hidden: nobody could log in without it, or not safely. [auth] mechanisms says which AUTH= there are.
_ESSENTIAL: Final = {"IMAP4rev1", "STARTTLS", "LOGINDISABLED", *(word for word in CAPABILITIES if word.startswith("AUTH="))}
# What means nothing without another one, and is hidden with it.
_BUILT_ON: Final = {
    "ENABLE": ("IMAP4rev2", "UTF8=ACCEPT", "QRESYNC"),
    "CONDSTORE": ("QRESYNC",),
    "LIST-EXTENDED": ("LIST-STATUS", "LIST-MYRIGHTS", "LIST-METADATA"),
    "ACL": ("RIGHTS=texk", "LIST-MYRIGHTS"),
    "METADATA": ("LIST-METADATA",),
    "SPECIAL-USE": ("CREATE-SPECIAL-USE",),
    "ESEARCH": ("SEARCHRES", "CONTEXT=SEARCH", "MULTISEARCH", "PARTIAL", "ESORT"),
    "SORT": ("SORT=DISPLAY", "ESORT"),
    "QUOTA": ("QUOTA=RES-STORAGE", "QUOTA=RES-MESSAGE"),
}


def capabilities(session: Session) -> str:
    """The words of now."""
    shown = (word for word, holds in CAPABILITIES.items() if word not in session.hidden and holds(session))
    return " ".join(_value(session, word) for word in shown)


def spelt(words: Iterable[str]) -> tuple[str, ...]:
    """Capabilities that can be hidden, in any case, as they are spelt here. Raises ValueError."""
    known = {word.upper(): word for word in CAPABILITIES if word not in _ESSENTIAL}
    found = []
    for word in words:
        if word.upper() not in known:
            near = get_close_matches(word.upper(), known, 1, 0.5)
            hint = f"did you mean {known[near[0]]}?" if near else f"known are {' '.join(known.values())}"
            raise ValueError(f"capabilities that can be hidden, but {word} is none; {hint}")
        found.append(known[word.upper()])
    return tuple(dict.fromkeys(found))


def hidden(words: Iterable[str]) -> frozenset[str]:
    """These, and what is built on them."""
    return frozenset(more for word in words for more in (word, *_BUILT_ON.get(word, ())))


def _value(session: Session, word: str) -> str:
    """APPENDLIMIT says its number with it. RFC 7889 §3."""
    return f"{word}={session.limits.message}" if word == "APPENDLIMIT" else word
