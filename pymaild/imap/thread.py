"""THREAD: messages of a mailbox as trees on the wire. RFC 5256 §4; the algorithms are in message/thread.py.

Who answers whom never changes while the same messages are there. So the trees of the last large mailboxes are kept as they
are told, with places for the numbers, which are others in each session.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from pymaild.mailstore import Column, Fact, Mailbox
from pymaild.message.sorting import NO_KEYS
from pymaild.message.thread import ALGORITHMS, Message, Node

KEPT: Final = 8  # mailboxes whose trees are kept
LARGE: Final = 500  # messages


class Drawn(NamedTuple):
    """Trees as they are told: (%d)(%d %d (%d)(%d)), and the uids that stand in these places."""

    form: bytes
    uids: array[int]


_kept: dict[tuple[str, str], tuple[array[int], Drawn]] = {}  # by mailbox and algorithm: of which messages, and their trees


def drawn(mailbox: Mailbox, uids: Sequence[int], algorithm: str) -> Drawn:
    """Some messages, by rising uid, as trees."""
    key, these = (mailbox.mailbox_id, algorithm), array("I", uids)
    last = _kept.pop(key, None)
    if last is None or last[0] != these:
        last = these, draw(ALGORITHMS[algorithm](_messages(mailbox, uids)))
    if len(uids) >= LARGE:
        while len(_kept) >= KEPT:
            _kept.pop(next(iter(_kept), key), None)
        _kept[key] = last
    return last[1]


def _messages(mailbox: Mailbox, uids: Sequence[int]) -> list[Message]:
    """What threading knows of them; who has no good Date field counts as sent when it came in. RFC 5256 §2.2."""
    found = mailbox.table(uids, [Fact.INTERNAL_DATE, Column.SORTING])
    texts = [text or _NO_KEYS for text in found.columns[Column.SORTING]]
    keys = json.loads(b"[%b]" % b",".join(texts))
    return [
        Message(uid, int(date) if sent is None else sent, subject, is_reply, message_id, references)
        for uid, date, (subject, is_reply, sent, *_, message_id, references) in zip(
            found.uids, found.columns[Fact.INTERNAL_DATE], keys, strict=True
        )
    ]


_NO_KEYS = json.dumps(NO_KEYS).encode("ascii")


def draw(trees: Sequence[Node]) -> Drawn:
    """Trees as they are told."""
    uids = array("I")
    return Drawn(b"".join(_rendered(trees, uids)), uids)


def response(form: bytes, numbers: Sequence[int]) -> bytes:
    """* THREAD (2)(3 6 (4 23)(44 7 96)). §5 (thread-data)."""
    return b"* THREAD" + (b" " if form else b"") + form % tuple(numbers) + b"\r\n"


def _rendered(trees: Sequence[Node], uids: array[int]) -> Iterator[bytes]:
    """A tree of one branch is a list of numbers; where it branches, each branch has parentheses. Nothing recurses."""
    waiting: list[Node | bytes] = []
    for tree in trees:
        if tree.message is not None and not tree.children:
            uids.append(tree.message.id)
            yield b"(%d)"
            continue
        waiting += (b")", tree)
        yield b"("
        while waiting:
            node = waiting.pop()
            if isinstance(node, bytes):
                yield node
                continue
            if node.message is not None:
                uids.append(node.message.id)
                yield b"%d"
            if node.message is not None and node.children:
                yield b" "
            if len(node.children) == 1:
                waiting.append(node.children[0])
            else:
                for child in reversed(node.children):
                    waiting += (b")", child, b"(")
