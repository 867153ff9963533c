"""The mailbox that scripts/bench imap measures: N messages of about 10 KB, the same on every server and in every run."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

RARE, COMMON = "quicksilver", "meeting"
NAMES = ("Ada", "Bruno", "Chiara", "Dmitri", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas")
TOPICS = ("invoice", "meeting", "holiday plans", "release notes", "minutes", "lunch", "question about the tour", "report")
WORDS = ("the", "house", "of", "mail", "stands", "on", "two", "legs", "and", "a", "table", "with", "letters", "from", "all")
_LETTERS_OF_FLAGS = ("", "S", "S", "S", "RS", "FS", "S", "")
DAY = 86_400


def messages(count: int) -> Iterator[tuple[bytes, int, str]]:
    """Each message, when it came, and its flags as a Maildir writes them; the newest last, the last one of today."""
    choose = random.Random(count)
    started = int(time.time()) - count * 900
    for number in range(count):
        at = started + number * 900
        yield _message(number, at, choose), at, choose.choice(_LETTERS_OF_FLAGS)


def _message(number: int, at: int, choose: random.Random) -> bytes:
    """Every third one answers an earlier one, every fourth has an attachment."""
    sender, receiver = choose.choice(NAMES), choose.choice(NAMES)
    head = [
        f"Return-Path: <{sender.lower()}@example.net>",
        f"Received: from mx.example.net (mx.example.net [192.0.2.{number % 250}])",
        f"\tby mail.example.org with ESMTPS id {number:08x}; {formatdate(at)}",
        f"From: {sender} Example <{sender.lower()}{number % 997}@example.net>",
        f"To: {receiver} <{receiver.lower()}@example.org>, Team <team@example.org>",
        f"Subject: {choose.choice(TOPICS)} {number}",
        f"Date: {formatdate(at - choose.randrange(600))}",
        f"Message-ID: <{number}.bench@example.net>",
        "MIME-Version: 1.0",
    ]
    if number % 3 == 2:
        parent = number - choose.randrange(1, min(number, 30) + 1)
        head += [f"In-Reply-To: <{parent}.bench@example.net>", f"References: <{parent}.bench@example.net>"]
    rare = f"{RARE}\r\n" if number % 1000 == 500 else ""
    return ("\r\n".join(head) + "\r\n" + _body(number, rare, choose)).encode("ascii")


def _body(number: int, rare: str, choose: random.Random) -> str:
    def text(size: int) -> str:
        line = " ".join(choose.choices(WORDS, k=13))
        return "".join(f"{line} {count}\r\n" for count in range(size // (len(line) + 4)))

    if number % 4:
        return f"Content-Type: text/plain; charset=utf-8\r\n\r\n{rare}{text(9500)}"
    octets = f"{'QUJD' * 19}\r\n" * 90
    return (
        'Content-Type: multipart/mixed; boundary="=_b"\r\n\r\n--=_b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n'
        f"{rare}{text(2500)}\r\n--=_b\r\nContent-Type: image/png; name=a.png\r\nContent-Transfer-Encoding: base64\r\n"
        f"Content-Disposition: attachment; filename=a.png\r\n\r\n{octets}\r\n--=_b--\r\n"
    )


def fill(folders: list[Path], count: int) -> None:
    """Write them as another program would, in names whose order is that of their arrival."""
    for number, (message, at, letters) in enumerate(messages(count)):
        name = f"{at}.M{number:07}P1.bench,S={len(message)}:2,{letters}"
        for folder in folders:
            path = folder / "cur" / name
            path.write_bytes(message)
            os.utime(path, (at, at))
