"""The IMAP server: connections that are told when their mailbox changes."""

from __future__ import annotations

from pymaild.servers.base import WireServer
from pymaild.servers.wire import Connection

FAULT = b"* BYE [SERVERBUG] The server has a problem with this command. Connect again later\r\n"


class ImapServer(WireServer):
    """Ports 143 and 993. RFC 9051."""

    refusal = b"* BYE [UNAVAILABLE] {}\r\n"

    def watch(self, connection: Connection) -> None:
        """A session that is parked in IDLE, or after NOTIFY, is taken up when something changes that it waits for."""
        connection.listen_for_changes()
