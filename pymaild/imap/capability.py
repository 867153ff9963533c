"""What CAPABILITY says, from one table: a row each, with when it holds. RFC 3501 §6.1.1, §7.2.1."""

from __future__ import annotations

from collections.abc import Callable
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
    "UNSELECT": _logged_in,  # RFC 3691
    "UIDPLUS": _logged_in,  # RFC 4315
    "MOVE": _logged_in,  # RFC 6851
    "APPENDLIMIT": _logged_in,  # RFC 7889
    "MULTIAPPEND": _logged_in,  # RFC 3502
    "CATENATE": _logged_in,  # RFC 4469
    "REPLACE": _logged_in,  # RFC 8508
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
}


def capabilities(session: Session) -> str:
    """The words of now."""
    return " ".join(_value(session, word) for word, holds in CAPABILITIES.items() if holds(session))


def _value(session: Session, word: str) -> str:
    """APPENDLIMIT says its number with it. RFC 7889 §3."""
    return f"{word}={session.limits.message}" if word == "APPENDLIMIT" else word
