"""A message as it goes over the wire, whatever was stored: lines end in CRLF, dots are stuffed. RFC 5321 §2.3.8, §4.5.2.

smtp/data.py is the home of the question where a message ends for us as a server; this is its other side. A lone CR or LF
that left us could end the message for the next server and turn the text behind it into commands (SMTP smuggling,
CVE-2023-51764), so none leaves:

    LF alone       CRLF        a text file of Unix
    CR ... CR LF   CRLF        a line end that was converted once too often
    CR alone       CRLF        a text file of an old Mac

Blocks may be cut anywhere, the outcome is the same; each is worked on as a whole, and a block that is right already,
as nearly every one is, is only counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_LINE_END = re.compile(rb"\r+\n?|\n")
END = b".\r\n"  # of DATA's text, on a line of its own


def canonical(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same text with CRLF for every line end, at its very end too."""
    returns = 0  # CRs at the end of what came so far: an LF may follow
    ended = True  # what was given out ends in CRLF, or is empty
    for block in blocks:
        whole = block.rstrip(b"\r")
        if not whole:
            returns += len(block)
            continue
        text = canonical_block(b"\r" * returns + whole if returns else whole)
        returns = len(block) - len(whole)
        ended = text.endswith(b"\n")
        yield text
    if returns or not ended:
        yield b"\r\n" * max(returns, 1)


def canonical_block(block: bytes) -> bytes:
    """A block that does not end in CR."""
    pairs = block.count(b"\r\n")
    if pairs == block.count(b"\n") == block.count(b"\r"):
        return block
    return _LINE_END.sub(_line_end, block)


def _line_end(match: re.Match[bytes]) -> bytes:
    found = match[0]
    return b"\r\n" if found.endswith(b"\n") else b"\r\n" * len(found)


def stuffed(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Canonical text for DATA: one more dot where a line begins with one, and the line that ends it. §4.5.2."""
    at_line_start = True
    last = b""
    for block in blocks:
        if last:
            yield last
        if at_line_start and block.startswith(b"."):
            last = b"." + block.replace(b"\r\n.", b"\r\n..")
        else:
            # A CR LF that was cut between two blocks cannot be: canonical() never ends a block in CR.
            last = block.replace(b"\r\n.", b"\r\n..") if b"\n." in block else block
        at_line_start = block.endswith(b"\n")
    yield last + END


def chunks(blocks: Iterable[bytes], size: int) -> Iterator[tuple[bytes, bool]]:
    """Canonical text for BDAT, in chunks of `size` octets; whether each is the last. RFC 3030 §2."""
    waiting: list[bytes] = []
    length = 0
    for block in blocks:
        waiting.append(block)
        length += len(block)
        if length > size:  # never all of it: the last chunk must not be empty, or be known as the last too late
            joined = b"".join(waiting)
            while len(joined) > size:
                yield joined[:size], False
                joined = joined[size:]
            waiting, length = [joined], len(joined)
    yield b"".join(waiting), True
