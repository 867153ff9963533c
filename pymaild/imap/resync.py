"""What changed since a client was here last: SELECT (QRESYNC ...), UID FETCH (CHANGEDSINCE ... VANISHED). RFC 7162 §3.2."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pymaild.imap import sequences
from pymaild.imap.errors import Bad
from pymaild.imap.grammar import Parser
from pymaild.imap.sequences import MAX_NUMBER, Ranges
from pymaild.imap.view import View

MAX_MODSEQ: Final = (1 << 63) - 1
EVERYTHING: Final[Ranges] = ((1, MAX_NUMBER),)


@dataclass(frozen=True, slots=True)
class Known:
    """What the client says it knows. §3.2.5."""

    uidvalidity: int
    modseq: int
    uids: Ranges = EVERYTHING
    numbers: Ranges = ()  # some sequence numbers, and the uids that they had
    their_uids: Ranges = ()


def modseq(args: Parser) -> int:
    """A mod-sequence. 0 is taken too: Apple Mail asks for what changed since then. §7 (mod-sequence-valzer)."""
    return args.number("a mod-sequence", MAX_MODSEQ)


def known(args: Parser) -> Known:
    """(uidvalidity modseq [known uids] [(numbers uids)]). §7 (select-param)."""
    args.expect(b"(", "( and then UIDVALIDITY")
    uidvalidity = args.number("UIDVALIDITY")
    args.space("a mod-sequence")
    since, uids = modseq(args), EVERYTHING
    numbers: Ranges = ()
    theirs: Ranges = ()
    space = args.accept(b" ")
    if space and args.peek() != b"(":
        uids = _fixed_set(args)
        space = args.accept(b" ")
    if space:
        args.expect(b"(", "( and then message numbers")
        numbers = _fixed_set(args)
        args.space("the uids of these numbers")
        theirs = _fixed_set(args)
        args.expect(b")", ")")
    args.expect(b")", ")")
    return Known(uidvalidity, since, uids, numbers, theirs)


def _fixed_set(args: Parser) -> Ranges:
    """A set without *. §7 (known-uids)."""
    ranges = args.sequence_set()
    if any(0 in pair for pair in ranges):
        raise Bad("Expected numbers without *")
    return ranges


def responses(view: View, client: Known) -> Iterator[bytes]:
    """VANISHED (EARLIER), and FETCH of what changed; nothing if the client's uids are those of another time. §3.2.5.1."""
    if client.uidvalidity != view.initial.uidvalidity:
        return
    changes = view.mailbox.changes(client.modseq)
    rows = [row for row in changes.rows if row.modseq <= view.modseq]  # later ones: View.sync, with what vanished then
    agreed = last_match(view, client)
    yield from vanished(view, [uid for uid in changes.vanished if uid > agreed], client.uids)
    wanted = set(view.known(sequences.select([row.uid for row in rows], sequences.resolve(client.uids, MAX_NUMBER))))
    yield from view.flags_lines([row for row in rows if row.uid in wanted], with_uid=True)


def vanished(view: View, uids: list[int], ranges: Ranges) -> Iterator[bytes]:
    """VANISHED (EARLIER) of the uids in a set; what the client still has a number for is told by View.sync. §3.2.10."""
    inside = sequences.select(uids, sequences.resolve(ranges, MAX_NUMBER))
    still = set(view.known(inside))
    gone = [uid for uid in inside if uid not in still]
    if gone:
        yield b"* VANISHED (EARLIER) %s\r\n" % sequences.compact(gone)


def last_match(view: View, client: Known) -> int:
    """The last uid whose message has the number it had: below it none can have vanished. §3.2.5.2."""
    agreed = 0
    for number, uid in zip(_each(client.numbers), _each(client.their_uids), strict=False):
        if number > len(view) or view.uids[number - 1] != uid:
            break
        agreed = max(agreed, uid)
    return agreed


def _each(ranges: Iterable[tuple[int, int]]) -> Iterator[int]:
    for low, high in ranges:
        yield from range(min(low, high), max(low, high) + 1)
