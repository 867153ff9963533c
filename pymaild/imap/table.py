"""A row of the command table: the handler, where the command is legal, what it may disturb. RFC 3501 §3, §6."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Flag, auto
from typing import TYPE_CHECKING

from pymaild.imap.answers import Answer, Dialogue
from pymaild.imap.grammar import Parser
from pymaild.imap.input import Announced, Memory, Spool

if TYPE_CHECKING:
    from pymaild.imap.session import Session


class State(Flag):
    """Where a session is. RFC 3501 §3; the logout state is the end of the session."""

    NOT_AUTHENTICATED = auto()
    AUTHENTICATED = auto()
    SELECTED = auto()


ANY = State.NOT_AUTHENTICATED | State.AUTHENTICATED | State.SELECTED
LOGGED_IN = State.AUTHENTICATED | State.SELECTED


@dataclass(slots=True)
class Request:
    """One command on its way to its handler."""

    tag: bytes
    verb: str  # "FETCH", "UID FETCH"
    args: Parser  # stands after the verb
    by_uid: bool = False


Handler = Callable[["Session", Request], "Answer | Dialogue"]
LiteralRule = Callable[["Session", Parser, Announced], "Spool | Memory | None"]


@dataclass(frozen=True, slots=True)
class Command:
    """One row. `literal` lets a command take a literal as a message (APPEND), or one that is binary as an argument."""

    handler: Handler
    states: State
    section: str
    by_uid: bool = False  # its message set holds uids, and so do its answers
    keeps_numbers: bool = False  # EXPUNGE may not be sent during it. RFC 3501 §7.4.1
    literal: LiteralRule | None = None
    news: bool = True  # what changed is told before its OK; SELECT has told everything itself


Commands = dict[str, Command]
