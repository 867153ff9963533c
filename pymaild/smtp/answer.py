"""The replies of another server, as a client reads them: bounded, safe to show, with a status. RFC 5321 §4.2, RFC 2034.

    250-mx.example.net          Answer(code=250, status="2.0.0", lines=("mx.example.net", "PIPELINING"))
    250 PIPELINING

The other server may be broken or hostile: it gets MAX_LINE octets a line, MAX_LINES lines and MAX_OCTETS octets for one
reply, far more than any honest one needs. What passes the limits, and what is no reply at all, is Garbled: the
connection is then worth nothing, and the mail waits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pymaild.smtp.grammar import is_safe

MAX_LINE: Final = 4096  # octets; 512 is the standard's limit. RFC 5321 §4.5.3.1.5
MAX_LINES: Final = 256
MAX_OCTETS: Final = 65536

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.S)
_STATUS = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |$)")
_NOT_PLAIN = re.compile(rb"[^\x20-\x7e]")

# What a code means where its server gives no status of RFC 3463; any other is class.0.0. RFC 5248.
_STATUS_OF: Final = {
    421: "4.3.2",
    450: "4.2.0",
    451: "4.3.0",
    452: "4.3.1",
    454: "4.7.0",
    455: "4.5.4",
    500: "5.5.2",
    501: "5.5.4",
    502: "5.5.1",
    503: "5.5.1",
    504: "5.5.4",
    521: "5.3.2",
    530: "5.7.0",
    534: "5.7.9",
    535: "5.7.8",
    538: "5.7.11",
    551: "5.1.6",
    552: "5.2.2",
    553: "5.1.3",
    555: "5.5.4",
    556: "5.1.10",
}


class Garbled(Exception):
    """What came is no SMTP reply, or is too much of one. The text says which."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply. `lines` are the server's words without code and status, each of them printable."""

    code: int
    status: str = ""  # RFC 3463; made from the code where the server gave none
    lines: tuple[str, ...] = ("",)
    said_status: bool = False  # the server gave one

    @property
    def ok(self) -> bool:
        """2yz. RFC 5321 §4.2.1."""
        return self.code < 300

    @property
    def temporary(self) -> bool:
        """4yz."""
        return 400 <= self.code < 500

    @property
    def final(self) -> bool:
        """5yz."""
        return self.code >= 500

    @property
    def text(self) -> str:
        """All lines; those without a word are left out."""
        return "\n".join(line for line in self.lines if line)


class Answers:
    """Cuts what arrives into answers."""

    def __init__(self) -> None:
        self._input = b""
        self._lines: list[str] = []  # of the answer that is under way
        self._code = 0
        self._octets = 0

    @property
    def pending(self) -> bool:
        """Whether octets are here that no answer was made of yet."""
        return bool(self._input or self._lines)

    def feed(self, block: bytes) -> None:
        """Take what arrived."""
        self._input = self._input + block if self._input else block

    def next(self) -> Answer | None:
        """The next answer; None: it is not complete. Raises Garbled."""
        start, end = 0, self._input.find(b"\n")
        answer = None
        while end >= 0 and answer is None:
            answer = self._line(self._input[start:end])
            start, end = end + 1, self._input.find(b"\n", end + 1)
        self._input = self._input[start:]
        if answer is None and len(self._input) > MAX_LINE:
            raise Garbled("A line of its reply does not end")
        return answer

    def drop(self) -> None:
        """Forget everything that has come."""
        self.__init__()  # type: ignore[misc]

    def _line(self, line: bytes) -> Answer | None:
        """One line without its LF; a lone LF is taken for a line end, a lone CR for an odd character. §4.2."""
        self._octets += len(line)
        if len(line) > MAX_LINE or len(self._lines) >= MAX_LINES or self._octets > MAX_OCTETS:
            raise Garbled("Its reply is too long")
        match = _LINE.fullmatch(line.removesuffix(b"\r"))
        if match is None:
            raise Garbled("What it says is no SMTP reply")
        code = int(match[1])
        if self._lines and code // 100 != self._code // 100:
            raise Garbled("The lines of its reply contradict each other")
        self._code = code
        self._lines.append(safe(match[3] or b""))
        return None if match[2] == b"-" else self._complete()

    def _complete(self) -> Answer:
        lines, self._lines, self._octets = self._lines, [], 0
        said = _status(lines[-1], self._code)
        if not said:
            return Answer(self._code, derived(self._code), tuple(lines))
        return Answer(self._code, said, tuple(_without_status(line, self._code) for line in lines), True)


def _status(line: str, code: int) -> str:
    """The enhanced status at the start of a line; one of another class than the code is none. RFC 2034 §4."""
    match = _STATUS.match(line)
    return match[1] if match and match[1][0] == str(code)[0] else ""


def _without_status(line: str, code: int) -> str:
    status = _status(line, code)
    return line[len(status) :].lstrip(" ") if status else line


def derived(code: int) -> str:
    """The status that goes with a code alone. RFC 5248, RFC 3463 §2."""
    return _STATUS_OF.get(code) or f"{code // 100}.0.0"


def safe(octets: bytes) -> str:
    """Printable text: UTF-8 where it is that (RFC 6531 §3.7.4.2), a question mark for every odd octet."""
    if not _NOT_PLAIN.search(octets):
        return octets.decode("ascii")
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        return _NOT_PLAIN.sub(b"?", octets).decode("ascii")
    return "".join(c if is_safe(c) else "?" for c in text)
