"""SORT: the criteria, and uids put in their order. RFC 5256 §3, RFC 5957 §3."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

from pymaild.imap.errors import Bad
from pymaild.imap.grammar import Parser
from pymaild.mailstore import Column, Mailbox, OrderBy, Row
from pymaild.message.sorting import NO_KEYS, SortKeys, from_json

MAX_CRITERIA: Final = 50
BATCH: Final = 1000  # messages whose keys are read at once


class Criterion(NamedTuple):
    """One of the words in the parentheses."""

    name: str
    reverse: bool = False


# What each criterion looks at. Texts are casemapped already, so Python's order is that of i;unicode-casemap.
OF_ROW: Final[dict[str, Callable[[Row], int]]] = {
    "ARRIVAL": lambda row: row.internal_date,
    "SIZE": lambda row: row.size,
}
IN_INDEX: Final = {"ARRIVAL": OrderBy.ARRIVAL, "DATE": OrderBy.DATE, "SIZE": OrderBy.SIZE}  # what the store sorts by
OF_KEYS: Final[dict[str, Callable[[SortKeys], str]]] = {
    "CC": lambda keys: keys.cc,
    "DISPLAYFROM": lambda keys: keys.display_from,
    "DISPLAYTO": lambda keys: keys.display_to,
    "FROM": lambda keys: keys.from_,
    "SUBJECT": lambda keys: keys.subject,
    "TO": lambda keys: keys.to,
}
CRITERIA: Final = (*OF_ROW, *OF_KEYS, "DATE", "RELEVANCY")


def criteria(args: Parser, known: Iterable[str] = CRITERIA) -> list[Criterion]:
    """(REVERSE DATE SUBJECT). §5 (sort-criteria)."""
    words = args.items("a sort criterion", lambda: args.word("a sort criterion"), limit=2 * MAX_CRITERIA)
    found, reverse = [], False
    for word in words:
        if word == "REVERSE" and not reverse:
            reverse = True
        elif word in known:
            found.append(Criterion(word, reverse))
            reverse = False
        else:
            raise Bad(f"Expected sort criteria: REVERSE {' '.join(sorted(known))}")
    if reverse or not found:
        raise Bad(f"Expected a sort criterion: {' '.join(sorted(known))}")
    return found


def sort_keys(mailbox: Mailbox, uids: Sequence[int]) -> dict[int, SortKeys]:
    """What the index keeps of each message for sorting and threading."""
    found: dict[int, SortKeys] = {}
    kept = mailbox.columns(uids, [Column.SORTING])
    while some := dict(islice(kept, BATCH)):
        found.update(zip(some, from_json(value for (value,) in some.values()), strict=True))
    return found


def sent_dates(mailbox: Mailbox, uids: Sequence[int], keys: dict[int, SortKeys]) -> dict[int, int]:
    """The Date fields' moments; where one has none, the internal date. §2.2."""
    dates = {uid: each.sent for uid, each in keys.items() if each.sent is not None}
    undated = [uid for uid in uids if uid not in dates]
    dates.update((row.uid, row.internal_date) for row in mailbox.rows(undated) if undated)
    return dates


def sort(
    mailbox: Mailbox, uids: Sequence[int], wanted: Sequence[Criterion], scores: Mapping[int, int] | None = None
) -> list[int]:
    """Rising uids in the order of the criteria, the first one first; where all are equal they stay as they are. §3."""
    ordered = list(uids)
    if not ordered:
        return ordered
    if all(criterion.name in IN_INDEX for criterion in wanted):
        return _by_index(mailbox, ordered, wanted)
    names = {criterion.name for criterion in wanted}
    rows = {row.uid: row for row in mailbox.rows(ordered)} if names & OF_ROW.keys() else {}
    keys = sort_keys(mailbox, ordered) if names - OF_ROW.keys() - {"RELEVANCY"} else {}
    if rows:
        ordered = [uid for uid in ordered if uid in rows]
    numbers = {"DATE": sent_dates(mailbox, ordered, keys) if "DATE" in names else {}}
    numbers["RELEVANCY"] = {uid: -score for uid, score in (scores or {}).items()}  # the best first. RFC 6203 §4
    for name, reverse in reversed(wanted):
        ordered.sort(key=_ranks(name, rows, keys, numbers), reverse=reverse)
    return ordered


def _by_index(mailbox: Mailbox, uids: Sequence[int], wanted: Sequence[Criterion]) -> list[int]:
    """The whole mailbox is put in order, and then those are taken that were asked for."""
    ordered = mailbox.ordered([(IN_INDEX[name], reverse) for name, reverse in wanted])
    return list(filter(set(uids).__contains__, ordered))


def _ranks(
    name: str, rows: dict[int, Row], keys: dict[int, SortKeys], numbers: dict[str, dict[int, int]]
) -> Callable[[int], int | str]:
    """What is compared, by uid."""
    if name in numbers:
        of = numbers[name]
        return lambda uid: of.get(uid, 0)
    if name in OF_ROW:
        of_row = OF_ROW[name]
        return lambda uid: of_row(rows[uid])
    of_keys = OF_KEYS[name]
    return lambda uid: of_keys(keys.get(uid, NO_KEYS))
