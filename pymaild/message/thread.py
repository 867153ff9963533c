"""Who answers whom: messages as trees, by subject or by References. RFC 5256 §3 (thread algorithms).

    ORDEREDSUBJECT   one tree for each base subject, the eldest message on top, the others below it
    REFERENCES       Message-ID and References make trees; trees of one subject are then joined

Time grows with the number of messages and references only, however they point at each other: whether a link would close
a circle is asked of sets that are joined (union-find), never by walking up. Nothing recurses, so a chain of ten thousand
answers is no deeper than any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple


class Message(NamedTuple):
    """What threading knows of a message."""

    id: int  # its number; also its place where two were sent at the same second
    sent: int  # seconds since 1970 UTC
    subject: str  # base subject, casemapped
    is_reply: bool
    message_id: str = ""
    references: Sequence[str] = ()


@dataclass(slots=True, eq=False)
class Node:
    """A message in its tree; without one it stands for a message that is not here, or holds siblings together."""

    message: Message | None = None
    parent: Node | None = None
    children: list[Node] = field(default_factory=list)

    @property
    def first(self) -> Message:
        """The message itself, or the first of the children of one that is not here. §3 (step 4)."""
        node = self
        while node.message is None:
            node = node.children[0]
        return node.message

    @property
    def order(self) -> tuple[int, int]:
        """Siblings stand by sent date. §2.2, §3 (steps 4 and 6)."""
        return self.first.sent, self.first.id


# ---- ORDEREDSUBJECT


def ordered_subject(messages: Iterable[Message]) -> list[Node]:
    """One tree for each base subject, by the date of its first message. §3 (ORDEREDSUBJECT)."""
    threads: dict[str, Node] = {}
    for message in sorted(messages, key=lambda each: (each.sent, each.id)):
        top = threads.setdefault(message.subject, Node(message))
        if top.message is not message:
            top.children.append(Node(message, top))
    return list(threads.values())


# ---- REFERENCES


def references(messages: Sequence[Message]) -> list[Node]:
    """The six steps. §3 (REFERENCES)."""
    root = Node()
    root.children = _prune(_Linking(messages).roots())
    _sort(root)
    root.children = _join_subjects(root.children)
    _sort(root)
    return root.children


class _Linking:
    """Step 1: a node for every id that is named, linked to the one it answers."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._nodes: list[Node] = []
        self._sets: list[int] = []  # union-find: the number of a node nearer to the top of its tree
        self._named: dict[str, int] = {}
        self._owners = [self._own(message) for message in messages]
        self._own_links(messages)
        self._others_links(messages)

    def roots(self) -> list[Node]:
        """Step 2: everything that has no parent."""
        return [node for node in self._nodes if node.parent is None]

    def _new(self, message: Message | None = None) -> int:
        self._nodes.append(Node(message))
        self._sets.append(len(self._sets))
        return len(self._nodes) - 1

    def _own(self, message: Message) -> int:
        """The node of a message; the second of two with one id gets an id of its own."""
        at = self._new(message)
        if message.message_id and message.message_id not in self._named:
            self._named[message.message_id] = at
        return at

    def _node(self, message_id: str) -> int:
        """The node of an id, perhaps of a message that is not here."""
        at = self._named.get(message_id)
        if at is None:
            at = self._named[message_id] = self._new()
        return at

    def _own_links(self, messages: Sequence[Message]) -> None:
        """Step 1 (B): what a message says of itself counts: its last reference is its parent."""
        for at, message in zip(self._owners, messages, strict=True):
            if message.references:
                self._link(self._node(message.references[-1]), at)

    def _others_links(self, messages: Sequence[Message]) -> None:
        """Step 1 (A): each reference is the parent of the next one, where no message says otherwise.

        Of a message that names no ancestors only those who come after it may say so: (B) undoes what was said before.
        """
        place = {at: number for number, at in enumerate(self._owners)}
        for number, message in enumerate(messages):
            ids = [self._node(each) for each in message.references]
            for parent, child in pairwise(ids):
                says_itself = self._nodes[child].message
                if says_itself is not None and (says_itself.references or place[child] > number):
                    continue
                self._link(parent, child)

    def _link(self, parent: int, child: int) -> None:
        """Unless the child has a parent or is an ancestor of this one."""
        node = self._nodes[child]
        if node.parent is None and self._top(parent) != child:
            node.parent = self._nodes[parent]
            node.parent.children.append(node)
            self._sets[child] = parent

    def _top(self, at: int) -> int:
        """The root of a node's tree; the way to it is halved each time it is gone."""
        sets = self._sets
        while sets[at] != at:
            sets[at] = sets[sets[at]]
            at = sets[at]
        return at


def _bottom_up(roots: Iterable[Node]) -> list[Node]:
    """Every node after all that is below it."""
    found = list(roots)
    for node in found:  # grows while it is walked
        found.extend(node.children)
    found.reverse()
    return found


def _prune(roots: list[Node]) -> list[Node]:
    """Step 3: nodes without a message go; their children take their place, on top only if there is a single one."""
    for node in _bottom_up(roots):
        node.children = [each for child in node.children for each in _kept(child)]
        for child in node.children:
            child.parent = node
    kept = []
    for node in roots:
        if node.message is None and len(node.children) == 1:
            node = node.children[0]  # noqa: PLW2901 - what stands in its place
            node.parent = None
        if node.message is not None or node.children:
            kept.append(node)
    return kept


def _kept(node: Node) -> list[Node]:
    return [node] if node.message is not None else node.children


def _sort(root: Node) -> None:
    """Steps 4 and 6: siblings by sent date, from the bottom up, since an absent message counts by its first child."""
    for node in _bottom_up([root]):
        if len(node.children) > 1:
            node.children.sort(key=lambda child: child.order)


def _join_subjects(roots: list[Node]) -> list[Node]:
    """Step 5: trees of one base subject become one."""
    table: dict[str, Node] = {}
    for node in roots:  # B
        subject = node.first.subject
        if subject and _preferred(node, table.get(subject)):
            table[subject] = node
    joined: list[Node | None] = list(roots)
    places = {node: at for at, node in enumerate(roots)}
    for at, node in enumerate(roots):  # C
        subject = node.first.subject
        other = table.get(subject) if subject else None
        if other is None or other is node:
            continue
        joined[at] = None
        top = _joined(node, other)
        if top is not other:
            places[top] = places[other]
            joined[places[top]] = table[subject] = top
    return [node for node in joined if node is not None]


def _preferred(node: Node, other: Node | None) -> bool:
    """Whether the table should have this one: an absent message, or the one that is no reply. §3 (step 5 B)."""
    if other is None:
        return True
    if other.message is None:
        return False
    return node.message is None or (other.message.is_reply and not node.message.is_reply)


def _joined(node: Node, other: Node) -> Node:
    """Put a tree to the one of its subject that stands in the table; what is on top now. §3 (step 5 C)."""
    if other.message is None:
        other.children += node.children if node.message is None else [node]
        return other
    if node.message is not None and node.message.is_reply and not other.message.is_reply:
        other.children.append(node)
        return other
    return Node(children=[other, node])


Algorithm = Callable[[Sequence[Message]], list[Node]]
ALGORITHMS: Final[dict[str, Algorithm]] = {"ORDEREDSUBJECT": ordered_subject, "REFERENCES": references}
