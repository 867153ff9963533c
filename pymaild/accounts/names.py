"""One form for every address and domain, so that equal ones compare equal. RFC 5321 §2.4, RFC 6531 §3.2, RFC 5891.

A domain is its A-label in lower case. A local part is compared in NFC and lower case: the RFC leaves the case to the
receiving host, and nobody wants Ann and ann to be two people.
"""

from __future__ import annotations

import re
import unicodedata

from pymaild.envelope import Address

_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)*")
# Never in a new account's local part: what means something to a path, a quoted string, a source route or plus-addressing.
_UNFIT = re.compile(r'[\s/\\%!+"@<>(),:;\[\]\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]')


class BadName(ValueError):
    """A person wrote an address or a domain that cannot be one; the text says what is expected."""


def domain_key(text: str) -> str:
    """A domain as A-label in lower case. Raises BadName."""
    name = text.strip().rstrip(".").lower()
    if not name.isascii():
        import idna  # noqa: PLC0415 - 50 ms, for few

        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            raise BadName(f"{text!r} is no domain name that could exist") from None
    if not _HOST.fullmatch(name):
        raise BadName(f"{text!r} is no domain name; one looks like example.org")
    return name


def shown_domain(key: str) -> str:
    """A domain for people: the U-label where there is one."""
    if "xn--" not in key:
        return key
    import idna  # noqa: PLC0415 - 50 ms, for few

    try:
        return idna.decode(key)
    except (idna.IDNAError, UnicodeError):
        return key


def local_key(local_part: str) -> str:
    """A local part as it is compared."""
    if local_part.isascii():
        return local_part.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", local_part).lower())


def key_of(address: Address) -> str:
    """An address as it is compared and kept: "ann@example.org"."""
    return f"{local_key(address.local_part)}@{address.domain.lower()}"


def address_key(text: str) -> str:
    """What a person or a login name says as an address. Raises BadName."""
    local_part, at, domain = text.strip().rpartition("@")
    if not at or not local_part:
        raise BadName(f"{text!r} is no address; one looks like ann@example.org")
    return f"{local_key(local_part)}@{domain_key(domain)}"


def shown(key: str) -> str:
    """An address for people."""
    local_part, _, domain = key.rpartition("@")
    return f"{local_part}@{shown_domain(domain)}"


def fit_for_account(key: str) -> str:
    """The address again, if an account may have it: it names a folder on disk, too. Raises BadName."""
    local_part = key.rpartition("@")[0]
    if _UNFIT.search(local_part):
        raise BadName(
            'the part before the @ may hold letters, digits and . - _ and the like, no spaces and none of / \\ % ! + "'
        )
    if local_part.startswith(".") or local_part.endswith(".") or ".." in local_part:
        raise BadName("the part before the @ may not begin or end with a dot, nor hold two in a row")
    if len(local_part.encode()) > 64:  # RFC 5321 §4.5.3.1.1
        raise BadName("the part before the @ is longer than 64 octets")
    return key
