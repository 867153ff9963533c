"""One message for some recipients over one connection, from MAIL to the answer to its end. RFC 5321 §3.3.

    C: MAIL RCPT RCPT DATA     one group where PIPELINING is offered, else one by one. RFC 2920
    S: 250 250 550 354         each recipient has its own answer
    C: (the message) .         or BDAT where the message is big and CHUNKING is offered. RFC 3030
    S: 250                     the answer for all that were accepted

What came of it stands in `verdicts`, also when the dialogue ends early because the connection broke.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pymaild.envelope import Recipient
from pymaild.smtp.answer import Answer, Garbled
from pymaild.smtp.client import Client, Dialogue, Phase, Turn, ask
from pymaild.smtp.request import Mail, check, mail_line, no_smtputf8, rcpt_line
from pymaild.smtp.wiretext import END, canonical, chunks, stuffed
from pymaild.status import MailError

GROUP = 100  # commands written before their answers are read: these fit into any socket's buffer. RFC 2920 §3.1
BIG = 1 << 20  # octets: a message above it goes in chunks of that size, so that a refusal comes early
_TOO_MANY = ("4.5.3", "5.5.3")


class Transaction:
    """One run of it. `verdicts` has an answer or our own reason per recipient; None: nobody said anything."""

    def __init__(self, client: Client, mail: Mail, recipients: Sequence[Recipient]) -> None:
        self.client, self.mail, self.recipients = client, mail, recipients
        self.verdicts: list[Answer | MailError | None] = [None] * len(recipients)
        self.left: list[int] = []  # too many for one transaction: they go in the next
        self.was_heard = False  # the server answered something
        self.sender_waits = False  # MAIL was answered with 4yz
        self.is_committed = False  # the end of the message was sent: without an answer nobody knows what came of it
        self._asked: list[int] = []  # recipients that are named to the server
        self._accepted: list[int] = []
        self._text = mail.text

    def run(self) -> Dialogue[None]:
        """The whole of it. Raises MailError when this server cannot be given this mail, Unwilling, Garbled."""
        offers = self.client.offers
        check(self.mail, offers)
        self._asked = [index for index in range(len(self.recipients)) if self._can_be_named(index)]
        if not self._asked:
            return
        if self._text.is_8bit and "8BITMIME" not in offers:
            self._text = self._text.as_7bit()
        self.client.transactions += 1
        yield from self._reset()
        by_data = not ("CHUNKING" in offers and self._text.size > BIG)
        early = yield from self._envelope(by_data)
        if not self._accepted:
            yield from self._nobody(early)
        elif by_data:
            yield from self._data(early)
        else:
            yield from self._chunks()

    def _can_be_named(self, index: int) -> bool:
        if self.recipients[index].address.is_ascii or "SMTPUTF8" in self.client.offers:
            return True
        self.verdicts[index] = no_smtputf8()
        return False

    def _reset(self) -> Dialogue[None]:
        """Leave a transaction that came to nothing. RFC 5321 §4.1.1.5."""
        if self.client.must_reset:
            answer = yield from self._ask(Turn(Phase.MAIL, [b"RSET\r\n"]))
            if not answer.ok:
                raise Garbled("It does not take RSET")
            self.client.must_reset = False

    # ---- who to whom

    def _envelope(self, by_data: bool) -> Dialogue[Answer | None]:
        """MAIL and RCPT, in groups; the answer to DATA when that was in the last group."""
        offers = self.client.offers
        recipients = [self.recipients[index] for index in self._asked]
        lines = [mail_line(self.mail, self._text, recipients, offers)]
        lines += [rcpt_line(recipient, offers) for recipient in recipients]
        if "PIPELINING" not in offers:
            yield from self._one_by_one(lines)
            return None
        for start in range(0, len(lines), GROUP):
            group = lines[start : start + GROUP]
            with_data = by_data and start + GROUP >= len(lines)
            data: Iterable[bytes] = [b"".join([*group, b"DATA\r\n"] if with_data else group)]
            for number in range(start, start + len(group)):
                yield from self._named(number, data)
                data = ()
            if with_data:
                return (yield from self._ask(Turn(Phase.DATA)))
            if not self.client.must_reset:  # MAIL was refused
                return None
        return None

    def _one_by_one(self, lines: list[bytes]) -> Dialogue[None]:
        for number, line in enumerate(lines):
            yield from self._named(number, [line])
            if not self.client.must_reset:
                return

    def _named(self, number: int, data: Iterable[bytes]) -> Dialogue[None]:
        """One answer: to MAIL, or to the RCPT of that number."""
        answer = yield from self._ask(Turn(Phase.RCPT if number else Phase.MAIL, data))
        if 300 <= answer.code < 400:
            raise Garbled("It answers another question than the one it was asked")
        if number:
            self._about(self._asked[number - 1], answer)
        else:
            self.client.must_reset = answer.ok
            self.sender_waits = answer.temporary
            if not answer.ok:
                self._all(self._asked, answer)

    def _about(self, index: int, answer: Answer) -> None:
        """What the server says of one recipient; once the sender is refused that means nothing. §3.3."""
        if self.verdicts[index] is not None:
            return
        if answer.ok:
            self._accepted.append(index)
        elif self._accepted and _is_too_many(answer):
            self.left.append(index)
        else:
            self.verdicts[index] = answer

    # ---- the message

    def _nobody(self, early: Answer | None) -> Dialogue[None]:
        """A server that takes the message though it took no recipient gets an empty one. RFC 2920 §3.1."""
        if early and early.code == 354:
            yield from self._ask(Turn(Phase.END, [END]))
            self.client.must_reset = False

    def _data(self, early: Answer | None) -> Dialogue[None]:
        """RFC 5321 §4.1.1.4."""
        answer = early or (yield from self._ask(Turn(Phase.DATA, [b"DATA\r\n"])))
        if answer.code == 354:
            answer = yield from self._ask(Turn(Phase.END, self._to_the_end(stuffed(canonical(self._text.blocks())))))
            self.client.must_reset = False
        elif answer.code < 400:
            raise Garbled("It answers another question than the one it was asked")
        self._all(self._accepted, answer)

    def _chunks(self) -> Dialogue[None]:
        """RFC 3030 §2; a refused chunk ends it, and RSET comes next (§4.2)."""
        for chunk, is_last in chunks(canonical(self._text.blocks()), BIG):
            pieces = [b"BDAT %d%s\r\n" % (len(chunk), b" LAST" if is_last else b""), chunk]
            turn = Turn(Phase.END, self._to_the_end(pieces)) if is_last else Turn(Phase.CHUNK, pieces)
            answer = yield from self._ask(turn)
            if not answer.ok or is_last:
                break
        self.client.must_reset = not answer.ok
        self._all(self._accepted, answer)

    def _to_the_end(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The pieces; before the last of them goes, it is known that the message may have arrived whole."""
        held = None
        for piece in pieces:
            if held is not None:
                yield held
            held = piece
        self.is_committed = True
        if held is not None:
            yield held

    # ---- answers

    def _ask(self, turn: Turn) -> Dialogue[Answer]:
        answer = yield from ask(turn)
        self.was_heard = True
        return answer

    def _all(self, indexes: Sequence[int], answer: Answer) -> None:
        if 300 <= answer.code < 400:
            raise Garbled("It answers another question than the one it was asked")
        for index in indexes:
            self.verdicts[index] = answer


def _is_too_many(answer: Answer) -> bool:
    """452, and 552 as RFC 821 had it; with a status of its own it may also be a full mailbox. RFC 5321 §4.5.3.1.10."""
    if answer.said_status:
        return answer.status in _TOO_MANY
    return answer.code in (452, 552)
