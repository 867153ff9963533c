"""The arguments of SMTP commands: paths, domains, parameters, xtext. RFC 5321 §4.1.2, RFC 6531 §3.3, RFC 3461 §4.

Parsing decides what an address is, never whether it is good: `user%other@example.org`, `other!user@example.org` and
`"user@other"@example.org` are three odd local parts at example.org, so they name nobody at other. Two spellings of one
address give one Address: quotes are removed where they stand, a U-label becomes its A-label, upper case of a domain
lower case. Accepted beyond the grammar, because it is common and harmless: a space after the colon (RFC 5321 §3.3
forbids it, old Outlooks send it) and an underscore in a domain.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from functools import lru_cache

from pymaild.envelope import Address
from pymaild.smtp.reply import Refused

MAX_LOCAL_PART = 64  # octets. RFC 5321 §4.5.3.1.1
MAX_DOMAIN = 255  # §4.5.3.1.2
MAX_PATH = 256  # with its angle brackets. §4.5.3.1.3

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff]"
_DOT_STRING = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.S)
_PATH = re.compile(
    r"""<
    (?:@[^"<>\s:]+:)?                      # a source route: read and forgotten. RFC 5321 §4.1.1.3, appendix C
    (?P<local>"(?:[^"\\]|\\.)*"|[^"<>@\s]*)
    (?P<at>@(?P<domain>\[[^\[\]<>\s]*\]|[^<>@\[\]\s]*))?
    >(?P<rest>\ .*)?""",
    re.X | re.S,
)
_LABEL = r"(?!-)[A-Za-z0-9_\-]{1,63}+(?<!-)"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9\-]*)(?:=([\x21-\x3c\x3e-\x7e\u0080-\U0010ffff]+))?")
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")  # RFC 3461 §4
_JOINERS = "\u200c\u200d"  # format characters that some scripts need to be spelt right


def is_safe(text: str) -> bool:
    """Whether no character controls anything: none of C0, C1, bidi overrides, line separators, surrogates."""
    if text.isascii():
        return text.isprintable()
    return all(c in _JOINERS or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Cn", "Zl", "Zp") for c in text)


def keyword(argument: str, word: str) -> str:
    """What follows `FROM:` or `TO:`. RFC 5321 §4.1.1.2, §4.1.1.3."""
    if not argument[: len(word)].upper() == word:
        raise Refused(501, "5.5.4", f"The address comes after {word} and stands in angle brackets")
    return argument[len(word) :].lstrip(" ")


def path(text: str, status: str) -> tuple[Address | None, str]:
    """A path in angle brackets and the parameters that follow; None for <>. RFC 5321 §4.1.2.

    `status` is 5.1.7 for a sender and 5.1.3 for a recipient (RFC 3463 §3.2). A path without a domain is left to the
    caller: only <postmaster> may be.
    """
    match = _PATH.fullmatch(text)
    if match is None:
        raise Refused(501, status, "The address cannot be read: it should look like <name@example.org>")
    rest = match["rest"] or ""
    if len(text.encode("utf-8")) - len(rest.encode("utf-8")) > MAX_PATH:
        raise Refused(501, status, f"The address is too long: {MAX_PATH} octets are the limit")
    if not match["local"] and not match["at"]:
        return None, rest
    return Address(_local_part(match["local"], status), _mail_domain(match, status)), rest


def _local_part(text: str, status: str) -> str:
    """Without its quotes; the same name quoted or not is the same. RFC 5321 §4.1.2, §4.5.3.1.1; RFC 6530 §10.1 for NFC."""
    if quoted := _QUOTED.fullmatch(text):
        local = re.sub(r"\\(.)", r"\1", quoted[1])
    elif _DOT_STRING.fullmatch(text):
        local = text
    else:
        local = ""
    if not local or not is_safe(local):
        raise Refused(501, status, "The part before the @ is not a name that mail can be sent to")
    if len(local.encode("utf-8")) > MAX_LOCAL_PART:
        raise Refused(501, status, f"The part before the @ is too long: {MAX_LOCAL_PART} octets are the limit")
    return local if local.isascii() else unicodedata.normalize("NFC", local)


def _mail_domain(match: re.Match[str], status: str) -> str:
    if not match["at"]:
        return ""
    parsed = domain_or_literal(match["domain"])
    if parsed is None:
        raise Refused(501, status, "The part after the @ is not a domain")
    return parsed


def domain_or_literal(text: str) -> str | None:
    """A domain as A-label in lower case, or an address literal; None when it is neither. RFC 5321 §4.1.2."""
    return _literal(text[1:-1]) if text.startswith("[") and text.endswith("]") else domain(text)


@lru_cache(1024)
def domain(text: str) -> str | None:
    """A domain as A-label in lower case; None when it is none. RFC 5321 §4.1.2, RFC 5890 §2.3.2, UTS 46.

    A dot at the end makes it another text and is no part of the grammar, so it is refused.
    """
    if not text.isascii():
        import idna  # noqa: PLC0415  its tables are only worth loading for the few who need them

        try:
            text = idna.encode(text, uts46=True, std3_rules=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    return text.lower() if len(text) <= MAX_DOMAIN and _DOMAIN.fullmatch(text) else None


def _literal(text: str) -> str | None:
    """An address literal in its canonical spelling. RFC 5321 §4.1.3."""
    try:
        if text[:5].upper() == "IPV6:" and "%" not in text:
            return f"[IPv6:{ipaddress.IPv6Address(text[5:])}]"
        return f"[{ipaddress.IPv4Address(text)}]"
    except ValueError:
        return None


def helo_name(argument: str) -> str:
    """Who the client says it is: a word that is safe to write into a Received field. RFC 5321 §4.1.1.1, §4.1.4.

    Many clients are wrong about their own name and RFC 5321 forbids to refuse them for that, so one word of letters,
    digits and a few signs will do; a name that is not ASCII is stored as its A-label.
    """
    if argument.startswith("["):
        name = domain_or_literal(argument)
    elif re.fullmatch(r"[A-Za-z0-9_.:'+\-]{1,255}", argument):
        name = argument
    else:
        name = domain(argument)
    if name is None:
        raise Refused(501, "5.5.4", "Say who you are: a domain name, or an address in square brackets")
    return name


def parameters(text: str) -> dict[str, str | None]:
    """`SIZE=1000 BODY=8BITMIME SMTPUTF8`, keywords in upper case; None where there is no value. RFC 5321 §4.1.2."""
    found: dict[str, str | None] = {}
    for word in filter(None, text.split(" ")):
        match = _PARAMETER.fullmatch(word)
        if match is None:
            raise Refused(501, "5.5.4", "A parameter cannot be read: parameters look like KEYWORD or KEYWORD=value")
        name = match[1].upper()
        if name in found:
            raise Refused(501, "5.5.4", "A parameter stands twice")
        found[name] = match[2]
    return found


def xtext(text: str) -> str:
    """Decode what a parameter could not hold as it is: +3D is an equals sign. RFC 3461 §4."""
    decoded = re.sub(r"\+([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), text)
    if not _XTEXT.fullmatch(text) or not decoded.isascii() or not decoded.isprintable():
        raise Refused(501, "5.5.4", "A value is not xtext: RFC 3461 section 4 says how to write it")
    return decoded
