"""Finding messages: words in sender, recipients, subject and text, in one folder or everywhere."""

from __future__ import annotations

import re
from typing import Final

from pymaild.mailstore import AddressContains, And, BodyContains, HeaderContains, MailboxInfo, Or, Query
from pymaild.web import words
from pymaild.web.http import Response
from pymaild.web.pages.list import OPTION, list_pane, mailbox_info, nothing, rows
from pymaild.web.refs import Ref
from pymaild.web.session import Visit
from pymaild.web.shell import Room, hint, room, targets
from pymaild.web.summary import entries
from pymaild.web.templates import Markup, Page

MAX_SHOWN: Final = 200
_MAX_WORDS: Final = 12
_SEARCH = Page("search.html")
_ROWS = Page("list.html", "rows")
_WORD = re.compile(r'"([^"]+)"|(\S+)')


def show(visit: Visit) -> Response:
    """The results, or the form when nothing is asked."""
    asked, where = visit.request.query.get("q", "").strip()[:500], visit.request.query.get("in", "")
    if not asked:
        pane = _SEARCH(query="", targets=targets(visit.store, OPTION))
        return room(visit, Room("Search", "search listing", Markup(pane + hint("What you find is shown here."))))
    boxes = [mailbox_info(visit, where)] if where else [box for box in visit.store.mailboxes() if box.selectable]
    pane = _results(visit, boxes, asked)
    return room(visit, Room(f"Search: {asked}", "search listing", Markup(pane + hint("Choose a message.")), query=asked))


def query(text: str) -> Query:
    """Every word, or phrase in quotation marks, has to stand somewhere in a message."""
    found = [quoted or word for quoted, word in _WORD.findall(text)][:_MAX_WORDS]
    return And(tuple(_anywhere(word) for word in found))


def _anywhere(word: str) -> Query:
    return Or(
        (
            AddressContains("from", word),
            AddressContains("to", word),
            AddressContains("cc", word),
            HeaderContains("subject", word),
            BodyContains(word),
        )
    )


def _results(visit: Visit, boxes: list[MailboxInfo], asked: str) -> Markup:
    wanted, lines, total = query(asked), [], 0
    refs: dict[tuple[str, int], Ref] = {}
    for box in boxes:
        mailbox = visit.store.open(box.name)
        mailbox.refresh()
        uids = mailbox.search(wanted)
        total += len(uids)
        validity = mailbox.state().uidvalidity
        for line in entries(mailbox, uids[-MAX_SHOWN:]):
            lines.append(line)
            refs[line.mailbox, line.row.uid] = Ref(line.row.uid, validity, box.name)
    lines.sort(key=lambda line: line.date, reverse=True)
    shown = Markup("").join(
        rows([line], {line.row.uid: refs[line.mailbox, line.row.uid]}, places=len(boxes) > 1) for line in lines[:MAX_SHOWN]
    )
    more = f", the newest {MAX_SHOWN} are shown" if total > MAX_SHOWN else ""
    return list_pane(
        visit,
        None,
        name=f"Search: {asked}",
        sum=(words.count(total, "message") + more) if total else "Nothing found",
        rows=_ROWS(rows=Markup(shown)) if lines else nothing("Nothing found", "Try fewer or other words."),
        pages="",
    )
