"""A private Dovecot on a free loopback port, to compare answers with: `with dovecot() as server: ...`."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAM = shutil.which("dovecot") or "/usr/sbin/dovecot"
DEADLINE = 20.0

CONFIG = """\
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/dovecot.log
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 0
mail_max_userip_connections = 0
mail_location = maildir:{base}/mail/%u
mailbox_list_index = no
passdb {{
  driver = static
  args = password=pw
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={base}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
"""


def missing() -> str:
    """Why no Dovecot can be started here; empty when one can."""
    if not Path(PROGRAM).exists():
        return "Dovecot is not installed"
    return "" if os.geteuid() == 0 else "Dovecot wants to be started by root"


@dataclass
class Dovecot:
    """A running server. Every user exists and has the password "pw"."""

    base: Path
    port: int
    user: str
    group: str

    def deliver(self, user: str, messages: Iterable[bytes], mailbox: str = "") -> None:
        """Put messages into a Maildir, so that they get the uids 1, 2, 3 ... in this order."""
        folder = self.base / "mail" / user / (f".{mailbox}" if mailbox else "")
        for name in ("cur", "new", "tmp"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for number, message in enumerate(messages):
            name = f"{1000000000 + number}.M{number:06}P1.test,S={len(message)}"
            (folder / "cur" / f"{name}:2,").write_bytes(message)
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", f"{self.user}:{self.group}", str(self.base / "mail")], check=True)

    def connect(self, user: str) -> ImapConnection:
        """A connection that has logged in."""
        connection = ImapConnection(self.port)
        connection.command(b"LOGIN %s pw" % user.encode())
        return connection


class ImapConnection:
    """Just enough of an IMAP client: commands go out as bytes, answers come back as bytes with literals in place."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection((host, port), DEADLINE)
        self.file = self.socket.makefile("rb")
        self.tag = 0
        self.greeting = self.response()

    def response(self) -> bytes:
        """One response: a line, with the literals it announces and the lines that follow them."""
        whole = b""
        while True:
            line = self.file.readline()
            whole += line
            if not line.endswith(b"}\r\n"):
                return whole[:-2]
            whole += self.file.read(int(line[line.rindex(b"{") + 1 : -3]))

    def command(self, command: bytes) -> list[bytes]:
        """Send one command; its untagged responses. Raises AssertionError when the answer is not OK."""
        self.tag += 1
        tag = b"t%d" % self.tag
        self.socket.sendall(tag + b" " + command + b"\r\n")
        untagged: list[bytes] = []
        while True:
            response = self.response()
            if response.startswith(tag + b" "):
                assert response.startswith(tag + b" OK"), response
                return untagged
            assert response, "the server closed the connection"
            untagged.append(response)

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def __enter__(self) -> ImapConnection:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


@contextmanager
def dovecot(extra: str = "") -> Iterator[Dovecot]:
    """Start one, wait until it answers, end it afterwards; `extra` is appended to its configuration."""
    base = Path(tempfile.mkdtemp(prefix="dovecot"))
    base.chmod(0o755)
    user, group = _unprivileged()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    config = base / "dovecot.conf"
    config.write_text(CONFIG.format(base=base, port=port, user=user, group=group) + extra)
    process = subprocess.Popen([PROGRAM, "-F", "-c", str(config)])
    try:
        _wait(process, port, base)
        yield Dovecot(base, port, user, group)
    finally:
        process.terminate()
        process.wait(DEADLINE)
        shutil.rmtree(base, ignore_errors=True)


def _unprivileged() -> tuple[str, str]:
    entry = pwd.getpwnam("nobody")
    import grp  # noqa: PLC0415

    return entry.pw_name, grp.getgrgid(entry.pw_gid).gr_name


def _wait(process: subprocess.Popen[bytes], port: int, base: Path) -> None:
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end and process.poll() is None:
        try:
            ImapConnection(port).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    log = base / "dovecot.log"
    raise AssertionError("Dovecot did not start: " + (log.read_text() if log.exists() else "no log"))
