"""The server's side of one SMTP or LMTP connection: lines in, replies out. RFC 5321 §3, §4.

    line -> verb and argument -> row of COMMANDS -> legal here and now? -> handler -> Reply
                                                                        -> Dialogue: more lines, octets, or text first

No socket and no clock: servers/ feeds it from the network, tests feed it from a string. What goes wrong on the way is
a MailError, and _run() is the one place where that becomes a reply.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import BinaryIO

from pymaild.dialogue import Output, Then
from pymaild.envelope import Client
from pymaild.sasl import Offer
from pymaild.smtp.commands import COMMANDS, login
from pymaild.smtp.conversation import (
    Answer,
    Conversation,
    Dialogue,
    Limits,
    Policy,
    Settings,
    State,
    new_id,
    new_spool,
)
from pymaild.smtp.reply import Refused, Reply
from pymaild.status import MailError

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
# What no mail client says: another protocol was brought to this port, perhaps by a web page in a browser (ALPACA).
_OTHER_PROTOCOL = re.compile(
    rb"(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|CONNECT|TRACE|PATCH|PRI) |SSH-|\x16\x03|PROXY TCP", re.I
)
# Whoever talks on without an answer is a script that cannot hear us, or smuggles commands through another protocol.
_TOO_EARLY = Reply(503, "5.5.0", "Wait for the answer before you send more: goodbye", Then.CLOSE)
_NO_MISTAKE = ("4.5.3",)  # a list bigger than our limit is sent in parts. RFC 5321 §4.5.3.1.10


class Session:
    """One connection; see dialogue.Session for what the wire does with it."""

    def __init__(  # noqa: PLR0913  what a server injects, by name
        self,
        hostname: str,
        policy: Policy,
        client: Client,
        *,
        limits: Limits = Limits(),  # noqa: B008  frozen
        tls_available: bool = False,
        auth_allowed: bool = False,
        offer: Offer = Offer(),  # noqa: B008  frozen
        spool: Callable[[], BinaryIO] = new_spool,
        new_id: Callable[[], str] = new_id,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        settings = Settings(hostname, policy, limits, tls_available, auth_allowed, offer, spool, new_id, clock)
        self.conversation = Conversation(settings, client)
        self.line_limit = limits.command_line
        self._dialogue: Dialogue | None = None
        self._ends_group = False  # the last command asks its client to wait

    # ---- what the wire tells us

    def greet(self) -> Output:
        """The greeting, or a refusal. RFC 5321 §3.1."""
        conversation = self.conversation
        try:
            conversation.policy.connected(conversation.client)
        except MailError as error:
            return _output(Reply(error.code, "", error.text, Then.CLOSE))
        protocol = "LMTP" if conversation.is_lmtp else "ESMTP"
        return _output(Reply(220, "", f"{conversation.settings.hostname} {protocol} pymaild"))

    def line(self, line: bytes) -> Output:
        """A command, or the next line of the dialogue that is under way."""
        if self._dialogue is not None:
            return self._run(lambda: self._resume(line))
        self._ends_group = False
        output = self._run(lambda: self._command(line))
        if self._ends_group and self.conversation.limits.must_wait:
            output.if_early = _output(_TOO_EARLY)
        return output

    def line_too_long(self, start: bytes = b"") -> Output:
        """RFC 5321 §4.5.3.1.4; in an AUTH dialogue RFC 4954 §6."""
        if self._dialogue is not None:
            self._end_dialogue()
            return self._answer(login.TOO_LONG)
        return self._answer(Reply(500, "5.5.2", "The line is too long"))

    def data(self, block: bytes) -> tuple[Output | None, bytes]:
        """Text of the message, and the answer when it is complete. RFC 5321 §4.1.1.4."""
        reader = self.conversation.reader
        rest = reader.feed(block) if reader else block
        if rest is None:
            return None, b""
        return self._run(lambda: self._resume(b"")), rest

    def octets_ended(self) -> Output:
        """The chunk of a BDAT is complete. RFC 3030 §2."""
        return self._run(lambda: self._resume(b""))

    def wake(self) -> Output:
        """Nothing in SMTP waits to be woken."""
        return Output(())

    def tls_started(self, description: str) -> None:
        """Forget what was said in clear. RFC 3207 §4.2."""
        self._end_dialogue()
        self.conversation.client.tls = description
        self.conversation.forget()

    def timed_out(self) -> Output:
        """RFC 5321 §4.5.3.2, §3.8."""
        return _output(_farewell("4.4.2", "Nothing came for too long: goodbye"))

    def shutting_down(self) -> Output:
        """RFC 5321 §3.8."""
        return _output(_farewell("4.3.2", "The service is not available now: try again later"))

    def closed(self) -> None:
        """Let go of everything."""
        self._end_dialogue()
        self.conversation.drop_message()

    # ---- one command

    def _command(self, line: bytes) -> Answer | Dialogue:
        """Find the row, check role, order and argument, call the handler. RFC 5321 §4.1.4, §4.2.4, §4.3.2."""
        conversation = self.conversation
        if conversation.is_tiresome:
            return _farewell("4.7.0", "Too many errors, or too many commands without mail: goodbye")
        if _OTHER_PROTOCOL.match(line):
            return Reply(500, "5.5.2", "This is a mail server: goodbye", Then.CLOSE)
        if line.endswith(b"\n"):  # §2.3.8: nothing but CR LF ends a line
            raise Refused(500, "5.5.2", "A line ends in CR LF, this one in LF alone (nc needs -C)")
        verb, argument = _split(line)
        command = COMMANDS.get(verb)
        if command is None:
            raise Refused(500, "5.5.2", "The command is not known: HELP lists the commands")
        if conversation.client.role not in command.roles:
            raise Refused(500, "5.5.1", command.elsewhere)
        self._ends_group = command.ends_group
        conversation.idle_commands += not command.moves_mail
        command.check_argument(argument)
        if conversation.state in command.states:
            return command.handler(conversation, argument)
        if command.out_of_order:
            return command.out_of_order(conversation, argument)
        raise Refused(503, "5.5.1", _what_comes_first(conversation, verb))

    def _run(self, step: Callable[[], Answer | Dialogue | Output]) -> Output:
        """Take one step and send what comes of it: the one place where a MailError becomes a reply."""
        try:
            result = step()
            if not isinstance(result, Reply | Output) and isinstance(result, Generator):
                result = self._begin(result)
        except MailError as error:
            result = Reply.of(error)
        return result if isinstance(result, Output) else self._answer(result)

    def _begin(self, dialogue: Dialogue) -> Answer | Output:
        """Run to the first question; AUTH with an initial response has none. RFC 4954 §4."""
        try:
            return self._wait(dialogue, next(dialogue))
        except StopIteration as done:
            answer: Answer = done.value
            return answer

    def _resume(self, line: bytes) -> Answer | Output:
        """Go on with the dialogue that waits: it returns its answer, raises, or waits once more."""
        dialogue, self._dialogue = self._dialogue, None
        self.line_limit = self.conversation.limits.command_line
        if dialogue is None:
            raise Refused(503, "5.5.1", "Nothing waits for this")
        try:
            return self._wait(dialogue, dialogue.send(line))
        except StopIteration as done:
            answer: Answer = done.value
            return answer

    def _wait(self, dialogue: Dialogue, step: Reply | Output) -> Output:
        """Send what the dialogue yields; the wire then brings what it waits for."""
        self._dialogue = dialogue
        self.line_limit = self.conversation.limits.response_line
        return step if isinstance(step, Output) else _output(step)

    def _answer(self, answer: Answer) -> Output:
        """Count the errors and render; several replies belong to several recipients (LMTP). RFC 5321 §7.8."""
        replies = [answer] if isinstance(answer, Reply) else answer
        self.conversation.errors += any(reply.is_error and reply.status not in _NO_MISTAKE for reply in replies)
        return _output(*replies)

    def _end_dialogue(self) -> None:
        dialogue, self._dialogue = self._dialogue, None
        self.line_limit = self.conversation.limits.command_line
        if dialogue is not None:
            dialogue.close()


def _output(*replies: Reply) -> Output:
    return Output([b"".join(reply.render() for reply in replies)], replies[-1].then)


def _farewell(status: str, text: str) -> Reply:
    return Reply(421, status, text, Then.CLOSE)


def _split(line: bytes) -> tuple[str, str]:
    """Verb in upper case and argument; white space at the end is forgiven. RFC 5321 §2.4, §4.1.1."""
    line = line.rstrip(b" \t")
    if _CONTROL.search(line):
        raise Refused(500, "5.5.2", "The command has control characters")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(500, "5.5.2", "The command is not UTF-8") from None
    verb, _, argument = text.partition(" ")
    return (verb.upper() if verb.isascii() else ""), argument.lstrip(" ")


def _what_comes_first(conversation: Conversation, verb: str) -> str:
    """Why a command is out of order, and what to do. RFC 5321 §4.1.4."""
    if conversation.state is State.NEW:
        return f"Introduce yourself first: {'LHLO' if conversation.is_lmtp else 'EHLO'}"
    if verb in ("MAIL", "AUTH"):
        return "A transaction is under way: RSET ends it"
    if conversation.state is State.CHUNKS:
        return "The message comes by BDAT: go on with BDAT, or RSET"
    return "MAIL comes first" if conversation.state is State.READY else "RCPT comes first: nobody was accepted yet"
