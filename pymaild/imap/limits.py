"""How much one client may ask of a session. The defaults are what Dovecot and Cyrus live with. RFC 2683 §3.2.1.5."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Octets and counts; a session that passes one gets a NO, a BAD or a BYE that says so."""

    message: int = 50 * MIB  # one message by APPEND; [limits] message_size
    line: int = 64 * 1024  # one command line
    line_before_login: int = 64 * 1024  # an ID of 30 fields with 1024 octets each fits: RFC 2971 §3.3
    literal: int = 64 * 1024  # one literal that is an argument, not a message
    literal_before_login: int = 8 * 1024
    unasked_literal: int = 4096  # a literal{n+} where LITERAL- is announced: RFC 7888 §5
    command: int = 256 * 1024  # lines and argument literals of one command together
    swallow: int = 128 * MIB  # a refused literal{n+} up to this size is read and dropped; a larger one ends the session
    bad_commands: int = 20  # one after the other
    failed_logins: int = 5
    search_keys: int = 1000
    list_patterns: int = 100
    fetch_items: int = 200
    notify_mailboxes: int = 1000  # whose messages are watched. RFC 5465 §3.1
