"""What moves no mail: NOOP, VRFY, EXPN, QUIT. RFC 5321 §4.1.1.6 to §4.1.1.10."""

from __future__ import annotations

from pymaild.dialogue import Then
from pymaild.smtp.conversation import Conversation
from pymaild.smtp.reply import Reply


def noop(_conversation: Conversation, _argument: str) -> Reply:
    """Nothing, politely. RFC 5321 §4.1.1.9."""
    return Reply(250, "2.0.0", "Ok")


def vrfy(_conversation: Conversation, _argument: str) -> Reply:
    """Neither yes nor no: who lives here is said at RCPT, to those who bring mail. RFC 5321 §3.5.3, §7.3."""
    return Reply(252, "2.1.0", "Addresses are not verified here; send the message and RCPT will tell")


def expn(_conversation: Conversation, _argument: str) -> Reply:
    """Who is behind an alias is nobody's business; 252 as for VRFY. RFC 5321 §3.5.3, §7.3."""
    return Reply(252, "2.1.0", "Lists are not expanded here; send the message and RCPT will tell")


def quit_(_conversation: Conversation, _argument: str) -> Reply:
    """Goodbye. RFC 5321 §4.1.1.10."""
    return Reply(221, "2.0.0", "Goodbye", Then.CLOSE)
