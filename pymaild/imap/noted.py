"""What changed in metadata since the client was told: names of entries, unasked. RFC 5464 §4.4.2, RFC 5465 §5.6, §5.7."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pymaild.mailstore import StoreError

if TYPE_CHECKING:
    from pymaild.imap.session import Session


class Noted:
    """Remembers of each value only what it takes to see that it is another one."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[str, dict[str, int]] = {}  # mailbox name, or "" for the server -> entry -> hash of its value

    def knows(self, name: str) -> bool:
        """Whether changes of this mailbox can be told."""
        return name in self._known

    def learn(self, name: str) -> None:
        """From now on changes count, of this mailbox or of the server ("")."""
        self._known[name] = self._look(name)

    def _look(self, name: str) -> dict[str, int]:
        try:
            return {entry: hash(value) for entry, value in self._session.store.metadata(name).items()}
        except StoreError:
            return {}  # it went away, or may not be seen any more

    def news(self, name: str) -> bytes:
        """* METADATA "INBOX" /shared/comment /private/comment. The client asks for values if it wants them. §4.4.2."""
        before = self._known.get(name)
        if before is None:
            self.learn(name)
            return b""
        now = self._known[name] = self._look(name)
        entries = sorted(entry for entry in before.keys() | now.keys() if before.get(entry) != now.get(entry))
        if not entries:
            return b""
        return b"* METADATA %s %s\r\n" % (self._session.quoted(name), " ".join(map(_astring, entries)).encode("ascii"))


def _astring(entry: str) -> str:
    """An entry's name; with quotes where it has characters that need them."""
    plain = entry.replace("/", "").replace("-", "").replace("_", "").replace(".", "").isalnum()
    return entry if plain else '"' + entry.replace("\\", "\\\\").replace('"', '\\"') + '"'
