"""A reader of IMAP values, written without a look at imap/values.py: it proves what that writes. RFC 9051 §9."""

from __future__ import annotations

import re

Parsed = None | bytes | int | str | list["Parsed"]
_TOKEN = re.compile(rb'[()]| |"((?:[^"\\\r\n]|\\["\\])*)"|\{(\d+)\}\r\n|([^\s()"{%*\\]+)', re.DOTALL)


def parse(data: bytes) -> list[Parsed]:
    """All values in a line; quoted strings and literals as bytes, numbers as int, other atoms as str."""
    stack: list[list[Parsed]] = [[]]
    at = 0
    while at < len(data):
        found = _TOKEN.match(data, at)
        assert found, f"not IMAP: {data[at : at + 40]!r}"
        at = found.end()
        if found.group() == b"(":
            stack.append([])
        elif found.group() == b")":
            done = stack.pop()
            stack[-1].append(done)
        elif found[1] is not None:
            assert not re.search(rb"[\0\x80-\xff]", found[1]), "8-bit or NUL in a quoted string"
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", found[1]))
        elif found[2] is not None:
            size = int(found[2])
            literal = data[at : at + size]
            assert len(literal) == size and b"\0" not in literal
            stack[-1].append(literal)
            at += size
        elif found[3] is not None:
            stack[-1].append(_atom(found[3]))
    assert len(stack) == 1, "brackets do not match"
    return stack[0]


def _atom(word: bytes) -> Parsed:
    if word.upper() == b"NIL":
        return None
    return int(word) if word.isdigit() else word.decode("ascii")
