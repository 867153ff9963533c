"""What a reply, a forward, a draft or a mailto: link puts into the form. RFC 5322 §3.6.2, RFC 6068."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote

from pymaild.accounts.names import BadName, address_key, shown
from pymaild.web import words
from pymaild.web.letter import Letter, Person
from pymaild.web.session import Visit
from pymaild.web.writing import Typed

MAX_QUOTED: Final = 100_000  # characters of the message that is answered
# What a link may fill in, and nothing else: no attach, no From, no other header field. RFC 6068 §7, THREATS T172.
FROM_LINKS: Final = ("to", "cc", "bcc", "subject", "body")
_REPLY = re.compile(r"(?:re|aw|sv|antw|r)\s*(?:\[\d+\])?:\s*", re.IGNORECASE)
_FORWARD = re.compile(r"(?:fwd?|wg):\s*", re.IGNORECASE)


def reply(visit: Visit, letter: Letter, everybody: bool) -> Typed:
    """To whoever wrote it, or to everybody who got it, with the text quoted."""
    own = {_key(address) for address in visit.services.directory.addresses(visit.account)}
    authors = letter.people("reply-to") or letter.people("from")
    if all(_key(person.address) in own for person in letter.people("from")):  # going on with one's own message
        authors = letter.people("to")
    to = _others(authors, own) or authors
    known = own | {_key(person.address) for person in to}
    cc = _others([*letter.people("to"), *letter.people("cc")], known) if everybody else []
    return Typed(
        sender=_own_recipient(visit, letter),
        to=", ".join(map(str, to)),
        cc=", ".join(map(str, cc)),
        subject=_prefixed("Re: ", _REPLY, letter.subject),
        text=_quoted(letter),
        in_reply_to=letter.message_id,
        references=" ".join([*letter.references[-20:], letter.message_id]).strip(),
    )


def forward(visit: Visit, letter: Letter) -> Typed:
    """The text with who wrote it when; the attachments go along."""
    lines = [("From", "from"), ("To", "to"), ("Cc", "cc")]
    head = [f"{label}: {', '.join(map(str, letter.people(name)))}" for label, name in lines if letter.people(name)]
    head.append(f"Date: {_when(letter)}")
    head.append(f"Subject: {letter.subject}")
    text = "\n\n---------- Forwarded message ----------\n" + "\n".join(head) + "\n\n" + letter.plain[:MAX_QUOTED]
    return Typed(sender=_own_recipient(visit, letter), subject=_prefixed("Fwd: ", _FORWARD, letter.subject), text=text)


def draft(letter: Letter) -> Typed:
    """What was typed before."""
    author = letter.people("from")
    return Typed(
        sender=author[0].address if author else "",
        to=letter.field("to"),
        cc=letter.field("cc"),
        bcc=letter.field("bcc"),
        subject=letter.subject,
        text=letter.plain.replace("\r\n", "\n").removesuffix("\n"),
        in_reply_to=letter.field("in-reply-to"),
        references=letter.field("references"),
    )


def from_link(query: Mapping[str, str]) -> Typed:
    """What /compose?to=... or /compose?mailto=mailto:... asks for. It is only shown: sending is up to whoever reads it."""
    asked = {name: query.get(name, "") for name in FROM_LINKS}
    address = query.get("mailto", "")
    if address.lower().startswith("mailto:"):
        people, _, rest = address[len("mailto:") :].partition("?")
        asked["to"] = unquote(people, errors="replace")
        for name, value in parse_qsl(rest.replace("+", "%2B"), errors="replace", max_num_fields=50):
            if name.lower() in FROM_LINKS:
                before = asked[name.lower()]
                asked[name.lower()] = f"{before}, {value}" if before and name.lower() in {"to", "cc", "bcc"} else value
    return Typed(to=asked["to"], cc=asked["cc"], bcc=asked["bcc"], subject=asked["subject"], text=asked["body"])


def _others(people: Iterable[Person], known: set[str]) -> list[Person]:
    """Everybody once, without those who are known already."""
    seen, found = set(known), []
    for person in people:
        key = _key(person.address)
        if "@" in key and key not in seen:
            seen.add(key)
            found.append(person)
    return found


def _key(address: str) -> str:
    try:
        return address_key(address)
    except BadName:
        return address


def _own_recipient(visit: Visit, letter: Letter) -> str:
    """The own address it was sent to, so that the answer comes from there."""
    got = {_key(person.address) for name in ("to", "cc") for person in letter.people(name)}
    own = visit.services.directory.addresses(visit.account)
    return shown(next((address for address in own if address in got), own[0]))


def _prefixed(prefix: str, pattern: re.Pattern[str], subject: str) -> str:
    return subject if pattern.match(subject) else prefix + subject


def _quoted(letter: Letter) -> str:
    author = (letter.people("from") or [Person("", "somebody")])[0].shown
    text = letter.plain[:MAX_QUOTED].replace("\r\n", "\n").strip("\n")
    lines = [f">{line}" if line.startswith(">") else f"> {line}".rstrip() for line in text.split("\n")]
    return f"\n\nOn {_when(letter)}, {author} wrote:\n" + "\n".join(lines) + "\n"


def _when(letter: Letter) -> str:
    return words.full_date(letter.date) if letter.date is not None else "an unknown day"
