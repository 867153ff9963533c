"""A mail server of a kind, started in a fresh folder on a free port of 127.0.0.1, and ended by its own process id."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

DOMAIN, USER, PASSWORD = "example.org", "u", "bench-secret-1"
ADDRESS = f"{USER}@{DOMAIN}"
_TICK = os.sysconf("SC_CLK_TCK")


class Server(Protocol):
    """What a measurement needs of a server."""

    name: str
    port: int

    def stored(self) -> int:
        """How many messages are in the mailbox."""

    def cpu(self) -> float:
        """Seconds of processor time used by all its processes so far."""

    def stop(self) -> None:
        """End it."""


class ImapServer(Protocol):
    """What a measurement of IMAP needs of a server."""

    name: str
    user: str
    password: str
    imap_port: int
    mailbox: Path
    process: subprocess.Popen[bytes]

    def start(self) -> None:
        """Again, after stop()."""

    def own(self) -> None:
        """Make files that were written into its Maildir its own."""

    def stop(self) -> None:
        """End it."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def until(condition: Callable[[], object], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.005)


def listens(port: int, greeting: bytes = b"220") -> bool:
    with socket.socket() as sock:
        if sock.connect_ex(("127.0.0.1", port)):
            return False
        sock.settimeout(5)
        with contextlib.suppress(OSError):
            return sock.recv(100).startswith(greeting)
    return False


def files_in(folder: Path) -> int:
    """Messages of a Maildir."""
    count = 0
    for name in ("new", "cur"):
        with contextlib.suppress(FileNotFoundError):
            count += sum(1 for _ in os.scandir(folder / name))
    return count


class Pymaild:
    """Ours: `pymaild serve` with its defaults, one worker for each core."""

    name, user, password = "pymaild", ADDRESS, PASSWORD

    def __init__(self, folder: Path, workers: str = "auto", more: str = "", also: Sequence[str] = ()) -> None:
        self.port, self.imap_port = free_port(), free_port()
        self.ports = {name: free_port() for name in also}  # listeners that only few measurements need
        self.mailbox = folder / "data" / "mail" / DOMAIN / USER
        self.file = folder / "pymaild.conf"
        names = ("submission", "submissions", "imaps", "lmtp", "http", "https")
        off = "".join(f"{name} = {f'127.0.0.1:{self.ports[name]}' if name in also else ''}\n" for name in names)
        self.file.write_text(
            f"[server]\nhostname = mail.{DOMAIN}\ndata_dir = data\nworkers = {workers}\n[listen]\n{off}"
            f"smtp = 127.0.0.1:{self.port}\nimap = 127.0.0.1:{self.imap_port}\n{more}"
        )
        self.log = folder / "log"
        self._run("init", "--domain", DOMAIN, "--admin", ADDRESS, "--password-stdin", said=PASSWORD)
        self.start()

    def _run(self, *arguments: str, said: str) -> None:
        command = [sys.executable, "-m", "pymaild", "-c", str(self.file), *arguments]
        subprocess.run(command, input=said, text=True, check=True, capture_output=True)

    def start(self) -> None:
        """Also again, after kill()."""
        command = [sys.executable, "-m", "pymaild", "-c", str(self.file), "serve"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log, start_new_session=True)
        until(lambda: listens(self.port), 30, f"pymaild does not listen: see {self.log}")

    def stored(self) -> int:
        return files_in(self.mailbox)

    def own(self) -> None:
        """It runs as whoever measures."""

    def cpu(self) -> float:
        return cpu_of(self.process.pid)

    def kill(self) -> None:
        """The whole process group at once, as a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        until(lambda: not processes_of(self.process.pid), 30, "the killed processes do not end")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(40)


class Postfix:
    """Debian's Postfix with its defaults: smtpd -> cleanup -> queue -> virtual -> Maildir."""

    name = "postfix"

    def __init__(self, folder: Path, more: str = "") -> None:
        self.port = free_port()
        self._conf = folder / "conf"
        for name in ("conf", "spool", "data", "mail"):
            (folder / name).mkdir()
        owner = pwd.getpwnam("nobody")
        shutil.chown(folder / "data", "postfix")
        os.chown(folder / "mail", owner.pw_uid, owner.pw_gid)
        for parent in (folder, *folder.parents[:2]):
            parent.chmod(parent.stat().st_mode | 0o011)
        self.mailbox = folder / "mail" / USER
        (self._conf / "main.cf").write_text(
            f"""compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
myhostname = mail.{DOMAIN}
mydestination =
mynetworks = 127.0.0.0/8
inet_protocols = ipv4
alias_maps =
alias_database =
biff = no
disable_dns_lookups = yes
smtpd_peername_lookup = no
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = inline:{{ {{ {ADDRESS} = {USER}/ }} }}
virtual_uid_maps = static:{owner.pw_uid}
virtual_gid_maps = static:{owner.pw_gid}
virtual_minimum_uid = 100
{more}"""
        )
        (self._conf / "master.cf").write_text(self._services())
        environment = {**os.environ, "MAIL_CONFIG": str(self._conf)}
        self._environment = environment
        self.process = subprocess.Popen(
            ["postfix", "-c", str(self._conf), "start-fg"],
            env=environment,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(lambda: listens(self.port), 30, f"Postfix does not listen: see {folder}/mail.log")

    def _services(self) -> str:
        """Debian's master.cf with our port, and without chroot."""
        lines = []
        for line in Path("/usr/share/postfix/master.cf.dist").read_text().splitlines():
            words = line.split()
            if len(words) >= 8 and not line.startswith(("#", " ")):
                if words[0] == "smtp" and words[1] == "inet":
                    words[0] = f"127.0.0.1:{self.port}"
                words[4] = "n"
            lines.append(" ".join(words) if words and not line.startswith(" ") else line)
        return "\n".join(lines) + "\n"

    def stored(self) -> int:
        return files_in(self.mailbox)

    def cpu(self) -> float:
        master = int((self._conf.parent / "spool" / "pid" / "master.pid").read_text())
        return cpu_of(os.getsid(master))

    def stop(self) -> None:
        command = ["postfix", "-c", str(self._conf), "stop"]
        subprocess.run(command, env=self._environment, check=False, capture_output=True)
        self.process.wait(30)


_DOVECOT = """\
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
default_internal_user = nobody
default_internal_group = {group}
default_login_user = nobody
first_valid_uid = 0
mail_max_userip_connections = 0
mail_location = maildir:{folder}/mail/%u
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid=nobody gid={group} home={folder}/mail/%u
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


class Dovecot:
    """Debian's Dovecot with its defaults, a Maildir, and a password that costs nothing to check."""

    name, user, password = "dovecot", USER, PASSWORD

    def __init__(self, folder: Path) -> None:
        self.imap_port = free_port()
        self.mailbox = folder / "mail" / USER
        for parent in (folder, *folder.parents[:2]):
            parent.chmod(parent.stat().st_mode | 0o011)
        for name in ("cur", "new", "tmp"):
            (self.mailbox / name).mkdir(parents=True)
        self._mail = folder / "mail"
        self.own()
        group = grp.getgrgid(pwd.getpwnam("nobody").pw_gid).gr_name
        self._config = folder / "dovecot.conf"
        self._config.write_text(_DOVECOT.format(folder=folder, group=group, password=PASSWORD, port=self.imap_port))
        self.start()

    def start(self) -> None:
        """Also again, after stop()."""
        self.process = subprocess.Popen(["dovecot", "-F", "-c", str(self._config)], start_new_session=True)
        log = self._config.with_name("dovecot.log")
        until(lambda: listens(self.imap_port, b"* OK"), 30, f"Dovecot does not listen: see {log}")

    def own(self) -> None:
        """Its mail belongs to nobody."""
        owner = pwd.getpwnam("nobody")
        for path in (self._mail, *self._mail.rglob("*")):
            os.chown(path, owner.pw_uid, owner.pw_gid)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


def private_memory(session: int) -> float:
    """KiB that no other process shares, of every process of a session."""
    total = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == session:
                    lines = (entry / "smaps_rollup").read_text().splitlines()
                    total += sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
    return total


def processes_of(session: int) -> list[list[str]]:
    """What /proc/PID/stat says, from the state on, of every process of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == session:
                    found.append(fields)
    return found


def cpu_of(session: int) -> float:
    """Processor time of every process of a session, and of their children that have ended."""
    return sum(int(ticks) for fields in processes_of(session) for ticks in fields[11:15]) / _TICK
