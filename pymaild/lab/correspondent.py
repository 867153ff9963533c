"""Keeps the mail flowing: a thread that sends a letter through real SMTP now and then, as stranger or resident."""

from __future__ import annotations

import random
import smtplib
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pymaild.lab.cast import RESIDENTS
from pymaild.lab.letters import Letter, Post
from pymaild.lab.stories import live

MOST = 200  # letters in one run: a demo left running over a weekend does not fill the disk
PAUSE = (20.0, 60.0)  # seconds between letters
FIRST_PAUSE = 6.0


@dataclass(frozen=True, slots=True)
class Doors:
    """Where the demo takes mail."""

    host: str
    smtp: int
    submission: int


class Correspondent:
    """Sends the live letters one after another; `report` is told of each."""

    def __init__(
        self, doors: Doors, passwords: Mapping[str, str], report: Callable[[Letter, str], None], seed: int = 1
    ) -> None:
        self.doors = doors
        self.passwords = passwords
        self.report = report
        self._seed = seed
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="correspondent", daemon=True)

    def start(self) -> None:
        """Begin writing."""
        self._thread.start()

    def stop(self) -> None:
        """End, within the time of one letter."""
        self._stopped.set()
        self._thread.join(10)

    def _run(self) -> None:
        for letter, pause in zip(live.letters(self._seed), self._pauses(), strict=False):
            if self._stopped.wait(pause):
                return
            self.report(letter, self.send(letter))

    def _pauses(self) -> Iterator[float]:
        rng = random.Random(self._seed)
        yield FIRST_PAUSE
        for _ in range(MOST - 1):
            yield rng.uniform(*PAUSE)

    def send(self, letter: Letter) -> str:
        """Through the door that its sender would use; what the server said, in a word or two."""
        now = datetime.now(UTC)
        message = Post([letter], now, int(now.timestamp())).render(letter)
        recipients = [person.address for person in (*letter.to, *letter.cc) if person.is_resident]
        try:
            if letter.sender in RESIDENTS:
                self._submit(letter.sender.address, recipients, message)
                return "submission, 250"
            with smtplib.SMTP(self.doors.host, self.doors.smtp, f"mail.{letter.sender.domain}", timeout=10) as client:
                client.sendmail(letter.sender.address, recipients, message)
            return "SMTP, 250"
        except (OSError, smtplib.SMTPException) as error:
            return f"not sent: {error}"

    def _submit(self, sender: str, recipients: list[str], message: bytes) -> None:
        """As a mail program does it: STARTTLS, log in, send. RFC 6409."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the demo's own certificate, on loopback
        with smtplib.SMTP(self.doors.host, self.doors.submission, "desk.example", timeout=10) as client:
            client.starttls(context=context)
            client.login(sender, self.passwords[sender])
            client.sendmail(sender, recipients, message)
