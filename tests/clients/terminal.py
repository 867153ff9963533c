"""A program in a terminal, used as a person does: keys go in, the screen is read."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.clients.server import needs, run, wait_for


class Terminal:
    """One program in a tmux of its own."""

    def __init__(self, folder: Path, *command: str) -> None:
        self._tmux = [needs("tmux"), "-S", str(folder / "tmux.sock"), "-f", "/dev/null"]
        size = ["-x", "110", "-y", "30"]
        env = ["-e", "LANG=C.UTF-8", "-e", "LC_ALL=C.UTF-8", "-e", f"HOME={folder}", "-e", "TERM=screen"]
        run(*self._tmux, "-u", "new-session", "-d", *size, *env, *command)
        run(*self._tmux, "set-option", "-g", "remain-on-exit", "on")

    def screen(self) -> str:
        done = subprocess.run([*self._tmux, "capture-pane", "-p"], capture_output=True, check=False)
        return done.stdout.decode("utf-8", "replace")

    def keys(self, *keys: str) -> None:
        run(*self._tmux, "send-keys", *keys)

    def see(self, text: str, patience: float = 30) -> None:
        try:
            wait_for(f"{text!r} on the screen", lambda: text in self.screen(), patience)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.screen()}") from None

    def ended(self) -> bool:
        done = subprocess.run([*self._tmux, "list-panes", "-F", "#{pane_dead}"], capture_output=True, check=False)
        return done.stdout.strip() != b"0"

    def close(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, check=False)
