"""One IMAP connection as a state machine: lines and literals in, responses out. RFC 3501 §3; no socket in sight.

    greet() -> [not authenticated] -- LOGIN, AUTHENTICATE --> [authenticated] -- SELECT, EXAMINE --> [selected]
                                                                      ^------- CLOSE, UNSELECT ---------'

A command is collected in an Input (its lines and literals), read by a Parser, found in the table COMMANDS, and answered by
its handler with an Answer, or with a Dialogue that asks for more lines (AUTHENTICATE, IDLE). What others did to the
selected mailbox is told after each command and during IDLE: that is View.sync(). What NOTIFY asks for comes from the
Notifier, also between two commands, where nothing is held open but these two.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from io import BytesIO
from typing import BinaryIO, Protocol

from pymaild.dialogue import Output, Then
from pymaild.envelope import Client
from pymaild.imap import names
from pymaild.imap.answers import Answer, Dialogue, Prompt, blocks, line, ok
from pymaild.imap.capability import capabilities
from pymaild.imap.commands import COMMANDS
from pymaild.imap.errors import Bad, Refusal, refusal
from pymaild.imap.grammar import Parser
from pymaild.imap.input import Announced, Discard, Input, Literal, Memory, Spool, announced
from pymaild.imap.limits import Limits
from pymaild.imap.noted import Noted
from pymaild.imap.notifier import Notifier
from pymaild.imap.progress import Progress
from pymaild.imap.table import Command, Request, State
from pymaild.imap.view import View
from pymaild.imap.wanted import EVERYTHING, NOTHING, Wanted
from pymaild.mailstore import AccountStore, ChangeFeed, Mailbox, NoSuchMailbox
from pymaild.progress import listening
from pymaild.sasl import Offer
from pymaild.status import MailError


class Backend(Protocol):
    """What a session needs of the rest of the house."""

    @property
    def feed(self) -> ChangeFeed:
        """Who tells of changes while a client idles."""

    def login(self, username: str, password: str, ip: str) -> str:
        """The account's address. Raises MailError 5.7.8, or 4.7.0 when there were too many wrong passwords."""

    def store(self, account: str) -> AccountStore:
        """The mail of an account."""

    def hidden(self, account: str) -> Collection[str]:
        """The capabilities that this account is not told of; of nobody: those that no client is."""

    def now(self) -> float:
        """Seconds of a clock that never goes back."""

    def place(self, account: str) -> Callable[[], None]:
        """One more connection is logged in as the account; what says that it has gone. Raises MailError 4.7.0."""


class Session:
    """Implements pymaild.dialogue.Session for IMAP4rev1 and its extensions."""

    def __init__(  # noqa: PLR0913  each is a fact of its own
        self,
        hostname: str,
        backend: Backend,
        client: Client,
        *,
        limits: Limits | None = None,
        tls_available: bool = False,
        auth_allowed: bool = True,
        offer: Offer = Offer(),  # noqa: B008  frozen
        spool: Callable[[], BinaryIO] = BytesIO,
    ) -> None:
        self.hostname = hostname
        self.backend = backend
        self.client = client
        self.limits = limits or Limits()
        self.tls_available = tls_available
        self.auth_allowed = auth_allowed  # passwords may be sent without TLS
        self.offer = offer  # the mechanisms of AUTHENTICATE
        self.spool = spool
        self.state = State.NOT_AUTHENTICATED
        self.compressed = False
        self.hidden = backend.hidden("")  # capabilities that are not announced
        self.enabled: set[str] = set()  # what the client has switched on: RFC 5161
        self.view: View | None = None
        self.wanted: Wanted = EVERYTHING  # what is told of the selected mailbox
        self.notifier: Notifier | None = None  # from NOTIFY SET on
        self.noted = Noted(self)  # metadata the client knows, after ENABLE METADATA
        self.on_change: Callable[[], None] | None = None  # set by the wire; called from any thread, see changed()
        self.on_progress: Callable[[bytes], None] | None = None  # set by the wire; sends at once, never raises
        self.failed_logins = 0
        self._store: AccountStore | None = None
        self._leave: Callable[[], None] | None = None  # gives back the account's place
        self._input = Input()
        self._refused: Refusal | None = None  # the command that is coming in was refused; its rest is dropped
        self._dialogue: tuple[Request, Command, Dialogue] | None = None
        self._bad_commands = 0

    # ---- what handlers ask

    @property
    def store(self) -> AccountStore:
        """The mail of the account that has logged in."""
        if self._store is None:
            raise Bad("Log in first")
        return self._store

    @property
    def selected(self) -> View:
        """The view of the selected mailbox."""
        if self.view is None:
            raise Bad("Select a mailbox first")
        return self.view

    @property
    def rev2(self) -> bool:
        """Whether the client speaks IMAP4rev2. RFC 9051."""
        return "IMAP4REV2" in self.enabled

    @property
    def utf8(self) -> bool:
        """Whether mailbox names are UTF-8. RFC 9051 §5.1, RFC 9755 §3."""
        return self.rev2 or "UTF8=ACCEPT" in self.enabled

    def quoted(self, name: str) -> bytes:
        """A mailbox name as this client reads it."""
        return names.quoted(name, self.utf8)

    def normalised(self, typed: str, name: str) -> tuple[bytes, ...]:
        """LIST with OLDNAME, when the server spells a name otherwise than the client did. RFC 9051 §6.3.9.7."""
        if not self.rev2 or typed == name:
            return ()
        return (b'* LIST () "/" %s ("OLDNAME" (%s))\r\n' % (self.quoted(name), self.quoted(typed)),)

    @property
    def may_log_in(self) -> bool:
        """Whether a password may be sent on this connection. §6.2.3."""
        return self.auth_allowed or bool(self.client.tls)

    def logged_in(self, account: str) -> None:
        """Not authenticated -> authenticated. §3.2. LIMIT where the account has too many connections: RFC 5530 §3."""
        try:
            self._leave = self.backend.place(account)
        except MailError as error:
            raise refusal(error) from None
        self.hidden = self.backend.hidden(account)
        self.client.account = account
        self._store = self.backend.store(account)
        self.state = State.AUTHENTICATED

    def unauthenticate(self) -> None:
        """Back to not authenticated; TLS and compression stay, what was enabled does not. RFC 8437 §2."""
        self.unselect()
        self.notify(None, EVERYTHING)
        self.leave()
        self.client.account = ""
        self.hidden = self.backend.hidden("")
        self._store = None
        self.noted = Noted(self)
        self.enabled.clear()
        self.state = State.NOT_AUTHENTICATED

    def select(self, mailbox: Mailbox, read_only: bool) -> View:
        """-> selected. §3.3."""
        self.view = View(mailbox, read_only, self.enabled)
        self.view.wanted = self.wanted
        self.state = State.SELECTED
        return self.view

    def unselect(self) -> None:
        """Selected -> authenticated."""
        view, self.view = self.view, None
        if view is not None:
            view.leave()
            self.state = State.AUTHENTICATED
            if self.notifier is not None:
                self.notifier.left(view)

    def notify(self, notifier: Notifier | None, wanted: Wanted = NOTHING) -> None:
        """News come from this notifier now. RFC 5465 §3.1: NONE is none, also of the selected mailbox."""
        before, self.notifier = self.notifier, notifier
        if before is not None:
            before.close()
        if notifier is None:
            self.want(wanted)

    def want(self, wanted: Wanted) -> None:
        """What is told of the selected mailbox, whichever it is. RFC 5465 §3.1."""
        self.wanted = wanted
        if self.view is not None:
            self.view.wanted = wanted

    def did(self, *mailboxes: str, uids: Collection[int] = ()) -> None:
        """The client changed these itself: it is not notified. RFC 5465 §5."""
        if self.notifier is not None:
            self.notifier.did(mailboxes, uids)
        if self.view is not None and self.view.mailbox.name in mailboxes:
            self.view.own.update(uids)

    @property
    def listening(self) -> bool:
        """Whether news may be told between two commands. RFC 5465 §3.1."""
        return self.notifier is not None

    def enable(self, extension: str) -> None:
        """Switch on what changes the server's answers; QRESYNC brings CONDSTORE. RFC 5161 §3.1, RFC 7162 §3.2.3."""
        self.enabled.update({"CONDSTORE", extension} if extension == "QRESYNC" else {extension})

    def changed(self) -> None:
        """Something changed that the client waits for: the wire is told, and will call wake()."""
        if self.on_change is not None:
            self.on_change()

    # ---- what the wire calls

    @property
    def line_limit(self) -> int:
        """Octets of a command line; few before the login. RFC 2683 §3.2.1.5."""
        before_login = self.state is State.NOT_AUTHENTICATED
        return self.limits.line_before_login if before_login else self.limits.line

    def greet(self) -> Output:
        """The greeting. §7.1.1."""
        return Output((ok(f"CAPABILITY {capabilities(self)}", f"{self.hostname} IMAP server ready"),))

    def line(self, line: bytes) -> Output:
        """One line: of a dialogue, or of a command, which is complete when the line announces no literal.

        LF alone ends a line too, as in every other server: no message is framed by lines here.
        """
        line = line.removesuffix(b"\n")
        if self._dialogue is not None:
            return self._converse(*self._dialogue, line)
        literal = announced(line)
        if literal is not None:
            return self._literal(literal, line[: literal.start])
        self._input.texts.append(line)
        received, refused = self._input, self._refused
        self._input, self._refused = Input(), None
        try:
            return self._refuse(received, refused) if refused else self._command(received)
        finally:
            received.close()

    def line_too_long(self, start: bytes = b"") -> Output:
        """A line passed the limit: refused by the tag it starts with, or that of the command it goes on with."""
        received, self._input, self._refused = self._input, Input(), None
        too_long = Bad(f"The line is too long: at most {self.line_limit} octets", "TOOBIG")
        if self._dialogue is not None:
            request, _, dialogue = self._dialogue
            dialogue.close()
            self._dialogue = None
            return self._refusal(request.tag, too_long)
        received.close()
        received.texts = received.texts or [start if b" " in start else b""]
        return self._refuse(received, too_long)

    def data(self, block: bytes) -> tuple[Output | None, bytes]:
        """Never asked for: IMAP announces every literal's size."""
        return None, b""

    def octets_ended(self) -> Output:
        """The literal is there; the command goes on after it."""
        self._input.literals[-1].end()
        return Output((), Then.LINE)

    def wake(self) -> Output:
        """Tell a client that idles, or that has asked with NOTIFY, what has changed. RFC 2177 §3, RFC 5465 §3.1."""
        output = Output((), Then.COMMAND if self._dialogue is None else Then.IDLE)
        output.data = self._told(output)
        return output

    def tls_started(self, description: str) -> None:
        """What the client said before is forgotten. §6.2.1."""
        self.client.tls = description
        self._input, self._refused, self._bad_commands = Input(), None, 0

    def timed_out(self) -> Output:
        """Nothing came for too long. §5.4."""
        return _bye("The connection was idle for too long")

    def shutting_down(self) -> Output:
        """The server stops."""
        return _bye("The server is going down for maintenance: connect again later", "UNAVAILABLE")

    def closed(self) -> None:
        """The connection is gone."""
        if self._dialogue is not None:
            self._dialogue[2].close()
            self._dialogue = None
        self._input.close()
        self.notify(None)
        self.unselect()
        self.leave()

    def leave(self) -> None:
        """Give back the account's place."""
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()

    # ---- a command comes in

    def _literal(self, literal: Announced, text: bytes) -> Output:
        """A literal is announced: take it, refuse it, or drop it when it comes anyway. RFC 7888 §4."""
        self._input.texts.append(text)
        try:
            sink = self._sink(literal)
        except (Refusal, MailError) as error:
            if literal.synchronising:
                received, self._input, self._refused = self._input, Input(), None
                received.close()
                return self._refuse(received, refusal(error))
            self._refused, sink = refusal(error), Discard()
        if isinstance(sink, Discard) and literal.size > self.limits.swallow:
            return _bye("The literal is too big", "TOOBIG")
        self._input.literals.append(sink)
        return Output((b"+ OK\r\n",) if literal.synchronising else (), Then.OCTETS, literal.size, sink)

    def _sink(self, literal: Announced) -> Literal:
        """Where the literal goes; refuses it when the command so far is wrong or too large."""
        if self._refused:
            raise self._refused
        if not literal.synchronising and "LITERAL+" in self.hidden and literal.size > self.limits.unasked_literal:
            largest = self.limits.unasked_literal
            raise Bad(f"The literal is too big to come unasked: at most {largest} octets", "TOOBIG")  # RFC 7888 §5
        args = Parser([*self._input.texts, b""], self._input.literals, self.utf8)
        args.tag()
        _, command = self._find(args)
        special = command.literal(self, args, literal) if command.literal else None
        if isinstance(special, Spool):
            return special
        if literal.binary and special is None:
            raise Bad("A literal8 is for messages only")
        before_login = self.state is State.NOT_AUTHENTICATED
        largest = self.limits.literal_before_login if before_login else self.limits.literal
        if literal.size > largest or self._input.size + literal.size > self.limits.command:
            raise Bad(f"The literal is too big: at most {largest} octets", "TOOBIG")
        return Memory()

    def _find(self, args: Parser) -> tuple[str, Command]:
        """The verb and its row, if it is legal now. §6."""
        args.space("a command")
        verb = args.word("a command")
        if verb == "UID":
            args.space("a command that can follow UID")
            verb = f"UID {args.word('a command that can follow UID')}"
        command = COMMANDS.get(verb)
        if command is None:
            raise Bad("This server knows no such command")
        if not command.states & self.state:
            raise Bad(_out_of_place(command, self.state))
        return verb, command

    def _command(self, received: Input) -> Output:
        """A command is complete: run it."""
        args = Parser(received.texts, received.literals, self.utf8)
        try:
            tag = args.tag()
            if args.peek() != b" ":
                raise Bad("Expected a command after the tag")
        except Bad as error:
            return self._refusal(b"*", error)
        try:
            verb, command = self._find(args)
        except Bad as error:
            return self._refusal(tag, error)
        try:
            request = Request(tag, verb, args, command.by_uid)
            with listening(self.progress(tag)):
                answer = command.handler(self, request)
        except (Refusal, MailError) as error:
            output = self._refusal(tag, refusal(error))
            if self.view is not None and not isinstance(error, Bad):
                output.data = self._with_news(command, output.data, output)
            return output
        if isinstance(answer, Answer):
            return self._answer(request, command, answer)
        self._dialogue = (request, command, answer)
        return self._converse(request, command, answer, None)

    def progress(self, tag: bytes) -> Progress | None:
        """Who tells the client how far a command is; never when half a response may have been sent. RFC 9585."""
        if self.on_progress is None or self._store is None or "INPROGRESS" in self.hidden:
            return None
        return Progress(tag, self.backend.now, self.on_progress)

    def _converse(self, request: Request, command: Command, dialogue: Dialogue, said: bytes | None) -> Output:
        """One step of a dialogue."""
        try:
            prompt = next(dialogue) if said is None else dialogue.send(said)
        except StopIteration as end:
            self._dialogue = None
            return self._answer(request, command, end.value)
        except (Refusal, MailError) as error:
            self._dialogue = None
            return self._refusal(request.tag, refusal(error))
        return self._prompt(prompt)

    def _prompt(self, prompt: Prompt) -> Output:
        """IDLE first tells what has changed already."""
        if prompt.then is not Then.IDLE:
            return Output((prompt.data,), prompt.then)
        output = Output((), Then.IDLE)
        output.data = self._told(output, prompt.data)
        return output

    # ---- answers go out

    def _answer(self, request: Request, command: Command, answer: Answer) -> Output:
        self._bad_commands = 0
        output = Output((), answer.then)
        output.data = blocks(self._responses(request, command, answer, output))
        return output

    def _responses(self, request: Request, command: Command, answer: Answer, output: Output) -> Iterator[bytes]:
        """Untagged responses, then the news, then the tagged one; all made while the wire sends them."""
        tagged = _done(request, answer)
        try:
            yield from answer.untagged
        except (Refusal, MailError) as error:
            failed = refusal(error)
            tagged = iter((line(request.tag, failed.word, failed.text, failed.code),))
        yield from self._with_news(command, tagged, output)

    def _with_news(self, command: Command, tagged: Iterable[bytes], output: Output) -> Iterator[bytes]:
        """What changed in the selected mailbox, and then the tagged response. §5.2."""
        try:
            if self.view is not None and command.news:
                yield from self.view.sync(not command.keeps_numbers, command.by_uid)
            yield from self._metadata()
            if self.notifier is not None:
                yield from self.notifier.news()
        except MailError as error:
            yield from self._farewell(error, output)
            return
        yield from tagged

    def _metadata(self) -> Iterator[bytes]:
        """What others noted of the selected mailbox and of the server, after ENABLE METADATA. RFC 5464 §4.4.2."""
        if "METADATA" in self.enabled and self.notifier is None:
            for name in ("", self.view.mailbox.name) if self.view is not None else ("",):
                yield self.noted.news(name)

    def _told(self, output: Output, first: bytes = b"") -> Iterator[bytes]:
        """The news for a client in IDLE, or between two commands."""
        yield from (first,) if first else ()
        try:
            if self.view is not None:
                self.view.mailbox.refresh()
                yield from self.view.sync(output.then is Then.IDLE or self.wanted.expunges_at_once)
            yield from self._metadata()
            if self.notifier is not None:
                yield from self.notifier.news()
        except MailError as error:
            yield from self._farewell(error, output)

    def _farewell(self, error: MailError, output: Output) -> Iterator[bytes]:
        """The selected mailbox is no more, or cannot be read: the numbers mean nothing now. RFC 2180 §3.3."""
        deleted = isinstance(error, NoSuchMailbox)
        text = "The selected mailbox was deleted by another session" if deleted else error.text
        output.then = Then.CLOSE
        yield line(b"*", "BYE", text)

    def _refuse(self, received: Input, error: Refusal) -> Output:
        """Refuse a command by its tag, if it has one."""
        try:
            tag = Parser([received.texts[0]], ()).tag()
        except Bad:
            tag = b"*"
        return self._refusal(tag, error)

    def _refusal(self, tag: bytes, error: Refusal) -> Output:
        """A tagged NO or BAD; too many in a row end the session."""
        output = Output((), Then.COMMAND)
        said = [line(tag, "BAD" if tag == b"*" else error.word, error.text, error.code)]
        self._bad_commands = self._bad_commands + 1 if isinstance(error, Bad) else 0
        if self._bad_commands >= self.limits.bad_commands:
            said.append(line(b"*", "BYE", "Too many bad commands"))
            output.then = Then.CLOSE
        elif self.failed_logins >= self.limits.failed_logins:
            said.append(line(b"*", "BYE", "Too many failed logins"))
            output.then = Then.CLOSE
        output.data = said
        return output


def _out_of_place(command: Command, state: State) -> str:
    """Why a command is not legal now. §3."""
    if state is State.NOT_AUTHENTICATED:
        return "Log in first"
    return "Select a mailbox first" if command.states & State.SELECTED else "This command is for before the login only"


def _done(request: Request, answer: Answer) -> Iterator[bytes]:
    """The tagged OK, made when it is sent."""
    code = answer.code() if callable(answer.code) else answer.code
    yield line(request.tag, "OK", answer.text, code)


def _bye(text: str, code: str = "") -> Output:
    return Output((line(b"*", "BYE", text, code),), Then.CLOSE)
