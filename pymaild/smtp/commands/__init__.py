"""The table of commands: who handles a verb, when it is legal, where it is written down.

HELP, the order of commands, the documents and the tests derive from it. RFC 5321 §4.1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pymaild.envelope import Role
from pymaild.smtp.commands import content, hello, login, plain, transaction
from pymaild.smtp.conversation import Answer, Conversation, Dialogue, State
from pymaild.smtp.reply import Refused, Reply

Handler = Callable[[Conversation, str], Answer | Dialogue]

SMTP = frozenset({Role.MX, Role.MSA, Role.MSA_TLS})
SUBMISSION = frozenset({Role.MSA, Role.MSA_TLS})
LMTP = frozenset({Role.LMTP})


@dataclass(frozen=True, slots=True)
class Command:
    """One row. `argument` is its syntax for HELP and says whether there may be one: "" no, "[...]" perhaps, else must.

    `out_of_order` answers in a state where the command is illegal, when a plain 503 would not do; `elsewhere` is the
    text for a port that has no such command.
    """

    handler: Handler
    states: State
    section: str
    argument: str = ""
    roles: frozenset[Role] = SMTP | LMTP
    moves_mail: bool = False  # not counted by Limits.idle_commands
    ends_group: bool = False  # the client has to wait for the answer before it sends more. RFC 2920 §3.1
    out_of_order: Handler | None = None
    elsewhere: str = ""

    def check_argument(self, argument: str) -> None:
        """Refuse an argument too many or too few. RFC 5321 §4.3.2."""
        if argument and not self.argument:
            raise Refused(501, "5.5.4", "This command takes no argument")
        if not argument and self.argument and not self.argument.startswith("["):
            raise Refused(501, "5.5.4", f"Something is missing: {self.argument}")


def help_(conversation: Conversation, argument: str) -> Reply:
    """The commands of this port, or the syntax of one. RFC 5321 §4.1.1.8."""
    here = {verb: command for verb, command in COMMANDS.items() if conversation.client.role in command.roles}
    if not argument:
        return Reply(214, "2.0.0", "Commands: " + " ".join(here) + "\nHELP and a command tell its syntax")
    command = here.get(argument.upper())
    if command is None:
        raise Refused(504, "5.5.4", "There is no help on this; HELP alone lists the commands")
    return Reply(214, "2.0.0", f"{argument.upper()} {command.argument}".rstrip() + f"   {command.section.replace('§', '')}")


COMMANDS: Final[dict[str, Command]] = {
    "HELO": Command(
        hello.helo, State.ANY, "RFC 5321 §4.1.1.1", "domain", SMTP, ends_group=True, elsewhere="This is LMTP: say LHLO"
    ),
    "EHLO": Command(
        hello.ehlo, State.ANY, "RFC 5321 §4.1.1.1", "domain", SMTP, ends_group=True, elsewhere="This is LMTP: say LHLO"
    ),
    "LHLO": Command(
        hello.ehlo, State.ANY, "RFC 2033 §4.1", "domain", LMTP, ends_group=True, elsewhere="This is SMTP: say EHLO"
    ),
    "STARTTLS": Command(hello.starttls, State.ANY, "RFC 3207 §4"),
    "AUTH": Command(
        login.auth,
        State.READY,
        "RFC 4954 §4",
        "mechanism [initial-response]",
        SUBMISSION,
        elsewhere="Log in on the submission port (587 or 465), not here",
    ),
    "MAIL": Command(
        transaction.mail, State.READY, "RFC 5321 §4.1.1.2", "FROM:<address> [SIZE=n] [BODY=8BITMIME] ...", moves_mail=True
    ),
    "RCPT": Command(
        transaction.rcpt,
        State.MAIL | State.RCPT,
        "RFC 5321 §4.1.1.3",
        "TO:<address> [NOTIFY=...] [ORCPT=...]",
        moves_mail=True,
    ),
    "DATA": Command(content.data, State.RCPT, "RFC 5321 §4.1.1.4", moves_mail=True, ends_group=True),
    "BDAT": Command(
        content.bdat,
        State.RCPT | State.CHUNKS,
        "RFC 3030 §2",
        "size [LAST]",
        moves_mail=True,
        out_of_order=content.bdat_out_of_order,
    ),
    "RSET": Command(transaction.rset, State.ANY, "RFC 5321 §4.1.1.5"),
    "VRFY": Command(plain.vrfy, State.ANY, "RFC 5321 §4.1.1.6", "name"),
    "EXPN": Command(plain.expn, State.ANY, "RFC 5321 §4.1.1.7", "list"),
    "HELP": Command(help_, State.ANY, "RFC 5321 §4.1.1.8", "[command]"),
    "NOOP": Command(plain.noop, State.ANY, "RFC 5321 §4.1.1.9", "[anything]"),
    "QUIT": Command(plain.quit_, State.ANY, "RFC 5321 §4.1.1.10"),
}
