"""THREAD: messages of a mailbox as trees on the wire. RFC 5256 §4; the algorithms are in message/thread.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pymaild.imap.sort import sent_dates, sort_keys
from pymaild.mailstore import Mailbox
from pymaild.message.sorting import NO_KEYS
from pymaild.message.thread import Algorithm, Message, Node


def threads(mailbox: Mailbox, uids: Sequence[int], algorithm: Algorithm) -> list[Node]:
    """Some messages, by rising uid, as trees."""
    keys = sort_keys(mailbox, uids) if uids else {}
    sent = sent_dates(mailbox, uids, keys)
    messages = []
    for uid in uids:
        of = keys.get(uid, NO_KEYS)
        messages.append(Message(uid, sent.get(uid, 0), of.subject, of.is_reply, of.message_id, of.references))
    return algorithm(messages)


def response(trees: Sequence[Node], number: Callable[[int], int]) -> bytes:
    """* THREAD (2)(3 6 (4 23)(44 7 96)); `number` is what stands for a uid. §5 (thread-data)."""
    return b"* THREAD%s%s\r\n" % (b" " if trees else b"", b"".join(_rendered(trees, number)))


def _rendered(trees: Sequence[Node], number: Callable[[int], int]) -> Iterator[bytes]:
    """A tree of one branch is a list of numbers; where it branches, each branch has parentheses. Nothing recurses."""
    waiting: list[Node | bytes] = []
    for tree in trees:
        waiting += (b")", tree)
        yield b"("
        while waiting:
            node = waiting.pop()
            if isinstance(node, bytes):
                yield node
                continue
            if node.message is not None:
                yield b"%d" % number(node.message.id)
            if node.message is not None and node.children:
                yield b" "
            if len(node.children) == 1:
                waiting.append(node.children[0])
            else:
                for child in reversed(node.children):
                    waiting += (b")", child, b"(")
