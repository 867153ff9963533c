"""Why a message came back, in one word of a closed set."""

from __future__ import annotations

from enum import Enum


class Cause(Enum):
    """Why."""

    USER_UNKNOWN = "user-unknown"
    HOST_UNKNOWN = "host-unknown"  # there is no such domain
    NO_MAIL = "no-mail"  # the host or domain takes none
    MOVED = "moved"
    DISABLED = "disabled"  # the mailbox is there, but switched off
    MAILBOX_FULL = "mailbox-full"
    TOO_LARGE = "too-large"
    CONTENT = "content"  # spam, viruses, malformed: it is about what the message is
    AUTH_FAILURE = "auth-failure"  # SPF, DKIM, DMARC
    BLOCKED = "blocked"  # the sending host: listed, of bad reputation, without a name
    RATE = "rate"  # too much at once
    REJECTED = "rejected"  # this sender or this message, by somebody's rules
    RELAYING = "relaying"  # the host is not responsible for the recipient
    NETWORK = "network"
    EXPIRED = "expired"  # tried until the time was up
    SYSTEM = "system"  # something is broken over there, or in between
    PROTOCOL = "protocol"  # a command was not understood
    DELAY = "delay"  # not yet, for no reason told
    DELIVERED = "delivered"
    FEEDBACK = "feedback-report"
    VACATION = "vacation"
    UNKNOWN = "unknown"
