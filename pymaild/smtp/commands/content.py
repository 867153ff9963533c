"""The message itself: DATA, and BDAT chunk by chunk. RFC 5321 §4.1.1.4, RFC 3030 §2.

The octets of a BDAT follow its line at once, so they are read whatever the answer is: a refused chunk is discarded, and
what it holds is never taken for a command. A failed chunk ends the transaction; the chunks that are already on their
way then meet the 503 of a command out of order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pymaild.dialogue import Output, Then
from pymaild.smtp.conversation import Answer, Conversation, Dialogue, State
from pymaild.smtp.data import Discard, TextReader, too_big
from pymaild.smtp.reply import Refused, Reply

_CHUNK = re.compile(r"(?P<size>[0-9]{1,18})(?P<last> +LAST)?", re.I)


def data(conversation: Conversation, _argument: str) -> Dialogue:
    """Take the message up to the line with the dot. RFC 5321 §4.1.1.4."""
    message = conversation.new_message()
    conversation.reader = TextReader(message)
    yield Reply(354, "", "Send the message; end it with a dot on a line of its own", Then.MESSAGE)
    answer = conversation.deliver(message)
    return _and_close(answer) if message.has_bare_line_ends else answer


def _and_close(answer: Answer) -> Answer:
    """After a bare CR or LF what follows may be the smuggled half of it: hear no more. RFC 5321 §2.3.8."""
    replies: Sequence[Reply] = [answer] if isinstance(answer, Reply) else answer
    return [*replies[:-1], replace(replies[-1], then=Then.CLOSE)]


def bdat(conversation: Conversation, argument: str) -> Dialogue:
    """Take one chunk of the message; the last one delivers it. RFC 3030 §2.

    A bare CR or LF is refused at the end, as BINARYMIME is not offered, but the session goes on: the octets were
    counted, so nobody can have taken a part of them for a command.
    """
    size, last = _chunk(argument)
    conversation.idle_commands += not size
    message = conversation.message or conversation.new_message()
    if message.size + size > conversation.limits.message_size:
        conversation.reset()
        yield Output((), Then.OCTETS, size, Discard())
        raise too_big(conversation.limits.message_size)
    conversation.state = State.CHUNKS
    yield Output((), Then.OCTETS, size, message)
    if last:
        return conversation.deliver(message)
    return Reply(250, "2.0.0", f"{size} octets received")


def bdat_out_of_order(_conversation: Conversation, argument: str) -> Dialogue:
    """A chunk nobody waits for: read it, forget it, say so. RFC 3030 §2."""
    size, _last = _chunk(argument)
    yield Output((), Then.OCTETS, size, Discard())
    raise Refused(503, "5.5.1", "BDAT comes after MAIL and an accepted RCPT, and not after a chunk that failed")


def _chunk(argument: str) -> tuple[int, bool]:
    match = _CHUNK.fullmatch(argument)
    if match is None:
        raise Refused(501, "5.5.4", "BDAT needs the size of the chunk in octets, and LAST with the last one")
    return int(match["size"]), bool(match["last"])
