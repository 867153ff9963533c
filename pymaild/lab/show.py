"""What the demo says on the screen: plain when it is read by a program, with a little colour on a terminal."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from pymaild.lab.cast import ANNA, JONAS, LEA, MIRA, RESIDENTS, THEO

if TYPE_CHECKING:
    from pymaild.lab.demo import Running

WHO = {
    ANNA: "teaches geography, class 7b",
    JONAS: "caretaker, computers, lost property",
    MIRA: "builds and mends boats",
    THEO: "harbour master, conducts the choir",
    LEA: "keeps the books, sings alto",
}


class Style:
    """Escape sequences, or none."""

    def __init__(self, on: bool) -> None:
        self.on = on

    def bold(self, text: str) -> str:
        """Headings and addresses to open."""
        return f"\033[1m{text}\033[0m" if self.on else text

    def soft(self, text: str) -> str:
        """Remarks."""
        return f"\033[2m{text}\033[0m" if self.on else text

    def colour(self, text: str) -> str:
        """What is to be typed."""
        return f"\033[36m{text}\033[0m" if self.on else text


class Screen:
    """Where the demo speaks; safe to use from several threads. A reader who has gone is no reason to stop."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lock = threading.Lock()
        self.style = Style(out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb")

    def say(self, text: str) -> None:
        """One or more lines, at once."""
        encoding = self._out.encoding or "ascii"
        with self._lock:
            try:
                self._out.write(text.encode(encoding, "replace").decode(encoding) + "\n")
                self._out.flush()
            except (OSError, ValueError):
                return


def welcome(running: Running, style: Style, kept: Path | None) -> str:
    """Where everything is, who lives here, and three things to try."""
    ports, host = running.ports, "127.0.0.1"
    web = f"http://{host}:{ports['http']}/"
    lines = [
        "",
        style.bold("pymaild demo")
        + f": two domains, five people, {running.letters} letters in their mailboxes, in {running.seconds:.1f} s.",
        "",
        f"  Webmail     {style.bold(web)}",
        f"  IMAP        {host}:{ports['imap']} (STARTTLS)   {host}:{ports['imaps']} (TLS)",
        f"  Submission  {host}:{ports['submission']} (STARTTLS)   {host}:{ports['submissions']} (TLS)",
        f"  SMTP        {host}:{ports['smtp']}",
        "",
        f"  {'Address':24}  {'Password':16}  Who",
    ]
    for person in RESIDENTS:
        secret = running.passwords[person.address]
        lines.append(f"  {person.address:24}  {style.colour(f'{secret:16}')}  {style.soft(WHO[person])}")
    lines += ["", style.bold("Three things to try"), *three_things(running, style), ""]
    folder = running.config.server.data_dir.parent
    lines.append(style.soft(f"Log: {folder}/demo.log"))
    lines.append(style.soft(f"Other commands: pymaild -c {folder}/pymaild.conf account list"))
    end = f"keeps the data in {kept}" if kept else "removes the data"
    lines += [style.soft(f"The certificate is its own: programs warn of it. Ctrl-C ends everything and {end}."), ""]
    lines.append("Mail goes on arriving:")
    return "\n".join(lines)


def three_things(running: Running, style: Style) -> list[str]:
    """Read in the browser, send with swaks, read over IMAP with curl."""
    ports, secret = running.ports, running.passwords[MIRA.address]
    swaks = f"swaks --server 127.0.0.1:{ports['smtp']} --from you@elsewhere.example --to {MIRA.address} --h-Subject Ahoy"
    curl = f"curl -s 'imap://127.0.0.1:{ports['imap']}/INBOX;MAILINDEX=*' --user '{MIRA.address}:{secret}'"
    return [
        f"  1. Open http://127.0.0.1:{ports['http']}/ and log in as {MIRA.address} with {secret}",
        "  2. Send Mira a message from outside, and watch it appear there:",
        "     " + style.colour(swaks),
        "  3. Read the newest message of her inbox over IMAP:",
        "     " + style.colour(curl),
    ]
