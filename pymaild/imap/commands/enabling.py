"""ENABLE: what a client can take from now on. RFC 5161."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pymaild.imap.answers import Answer
from pymaild.imap.errors import Bad
from pymaild.imap.table import LOGGED_IN, Command, Commands, Request

if TYPE_CHECKING:
    from pymaild.imap.session import Session

# Extensions that change what the server says of its own accord, as they are spelt. RFC 5161 §3.1
WORDS: Final = {word.upper(): word for word in ("CONDSTORE", "QRESYNC", "IMAP4rev2", "UTF8=ACCEPT", "METADATA")}


def enable(session: Session, request: Request) -> Answer:
    """Words that are not known, or hidden, are left out of the answer, and that is no error. RFC 5161 §3.1."""
    words = []
    while request.args.accept(b" "):
        words.append(request.args.word("a capability"))
    request.args.end()
    if not words:
        raise Bad("Expected a space and then a capability")
    enabled = [word for word in dict.fromkeys(words) if word in WORDS and WORDS[word] not in session.hidden]
    for word in enabled:
        session.enable(word)
    said = ["* ENABLED", *(WORDS[word] for word in enabled)]
    return Answer("Done", untagged=(" ".join(said).encode("ascii") + b"\r\n",))


COMMANDS: Final[Commands] = {
    "ENABLE": Command(enable, LOGGED_IN, "RFC 5161 §3.1"),
}
