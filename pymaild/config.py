"""pymaild.conf: every section a frozen dataclass, every key one `option(default, help, parse)`. This file documents it.

The file is INI. It is looked for at -c/--config, then $PYMAILD_CONF, ./pymaild.conf, /etc/pymaild.conf; without any, the
defaults hold. `pymaild config` prints the defaults with their comments, and the shipped pymaild.conf is that text.
Domains, accounts, aliases and keys are data, not configuration: they live in data_dir.
"""

from __future__ import annotations

import configparser
import os
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pymaild.sasl import MECHANISMS
from pymaild.units import duration, size

ENVIRONMENT = "PYMAILD_CONF"
PLACES = (Path("pymaild.conf"), Path("/etc/pymaild.conf"))


class ConfigError(Exception):
    """What is wrong in which file, section and key, and what to write instead."""

    def __init__(self, file: Path | None, section: str, key: str, problem: str) -> None:
        where = str(file) if file else "the configuration"
        named = (f" [{section}]" if section else "") + (f" {key}" if key else "")
        super().__init__(f"{where}:{named} {problem}")
        self.file, self.section, self.key = file, section, key


# ---- values: a parser takes the text and raises ValueError with what it expects


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a listener waits: an address and port, or the path of a unix socket."""

    host: str = ""  # "192.0.2.1", "::1", or "*": every address, both families
    port: int = 0  # 0: any free port
    path: Path | None = None

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


_ENDPOINT = re.compile(r"(\*|\[[0-9A-Fa-f:.]+\]|[0-9.]+|[A-Za-z0-9.-]+):(\d{1,5})")


def endpoint(text: str) -> Endpoint:
    """One address:port, or unix:/path."""
    if text.startswith("unix:") and len(text) > len("unix:"):
        return Endpoint(path=Path(text.removeprefix("unix:")))
    match = _ENDPOINT.fullmatch(text)
    if not match or int(match[2]) > 65535:
        raise ValueError("1.2.3.4:25, [::1]:25, *:25 (every address) or unix:/path, several with commas between")
    host = match[1].strip("[]")
    if match[1].startswith("["):
        _valid_ip(socket.AF_INET6, host)
    elif host.replace(".", "").isdigit():
        _valid_ip(socket.AF_INET, host)
    return Endpoint(host, int(match[2]))


def _valid_ip(family: socket.AddressFamily, host: str) -> None:
    try:
        socket.inet_pton(family, host)
    except OSError:
        raise ValueError("an IP address before the port, such as 1.2.3.4:25 or [::1]:25") from None


def words(text: str) -> tuple[str, ...]:
    """Words with commas or spaces between; empty: none."""
    return tuple(text.replace(",", " ").split())


def endpoints(text: str) -> tuple[Endpoint, ...]:
    """Several endpoints; empty: off."""
    return tuple(map(endpoint, words(text)))


def choice(*allowed: str) -> Callable[[str], str]:
    """One of the words."""

    def parse(text: str) -> str:
        if text.lower() not in allowed:
            raise ValueError("one of " + ", ".join(allowed))
        return text.lower()

    return parse


def number(text: str) -> int:
    """A whole number, 0 or more."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError("a whole number, 0 or more")
    return int(text)


def positive(text: str) -> int:
    """A whole number, 1 or more."""
    if not (text.isascii() and text.isdigit() and int(text)):
        raise ValueError("a whole number, 1 or more")
    return int(text)


def points(text: str) -> float:
    """A number of points, with or without decimals."""
    try:
        return float(text)
    except ValueError:
        raise ValueError("a number such as 5 or 7.5") from None


def workers(text: str) -> int:
    """How many processes; auto: one for each processor core."""
    if text.lower() == "auto":
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        return positive(text)
    except ValueError:
        raise ValueError("auto, or a whole number, 1 or more") from None


@dataclass(frozen=True, slots=True)
class HostPort:
    """A server by name or address, and its port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def host_port(text: str) -> HostPort | None:
    """host:port; empty: none."""
    if not text:
        return None
    host, colon, port = text.rpartition(":")
    if not (colon and host.strip("[]") and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError("host:port, such as smtp.example.net:587")
    return HostPort(host.strip("[]").lower().rstrip("."), int(port))


def routes(text: str) -> tuple[tuple[str, HostPort], ...]:
    """domain=host:port, several with commas between."""
    found = []
    for word in words(text):
        domain, equals, server = word.partition("=")
        target = host_port(server) if equals and domain.strip(".") else None
        if target is None:
            raise ValueError("domain=host:port, such as example.net=10.0.0.5:25, several with commas between")
        found.append((domain.lower().rstrip("."), target))
    return tuple(found)


_HOSTNAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


def hostname(text: str) -> str:
    """A host name in lower case; empty: the machine's own."""
    name = (text or socket.gethostname()).lower().rstrip(".")
    if not _HOSTNAME.fullmatch(name):
        raise ValueError("a host name of letters, digits, hyphens and dots, such as mail.example.org")
    return name


def optional_path(text: str) -> Path | None:
    """A path; empty: none. Relative ones start at the folder of the configuration file."""
    return Path(text).expanduser() if text else None


# ---- sections


def option(default: str, help: str, parse: Callable[[str], object] = str, used: bool = True) -> Any:
    """One key: its default as it would stand in the file, what it does, how it is read.

    `used` is False for the keys of the public contract that this version checks and keeps but does not act on.
    """
    metadata = {"default": default, "help": help, "parse": parse, "used": used}
    return field(default_factory=lambda: parse(default), metadata=metadata)


@dataclass(frozen=True, slots=True)
class Server:
    """The machine and its processes."""

    hostname: str = option("", "The name this server gives itself (greeting, Received). Empty: the machine's.", hostname)
    data_dir: Path = option("/var/lib/pymaild", "Where accounts, mail, keys and certificates are kept.", Path)
    workers: int = option("auto", "Processes that serve connections. auto: one for each processor core.", workers)
    user: str = option("", "Who serve becomes when root starts it. Empty: the owner of data_dir.")


@dataclass(frozen=True, slots=True)
class Listen:
    """Who is listened to, and where: address:port with commas between, or unix:/path. Empty: off."""

    smtp: tuple[Endpoint, ...] = option("*:25", "Mail from other servers (RFC 5321).", endpoints)
    submission: tuple[Endpoint, ...] = option("*:587", "Mail of your own people, STARTTLS (RFC 6409).", endpoints)
    submissions: tuple[Endpoint, ...] = option("*:465", "The same, TLS from the first octet (RFC 8314).", endpoints)
    imap: tuple[Endpoint, ...] = option("*:143", "Reading mail, STARTTLS (RFC 9051).", endpoints)
    imaps: tuple[Endpoint, ...] = option("*:993", "The same, TLS from the first octet.", endpoints)
    lmtp: tuple[Endpoint, ...] = option("", "Delivery by another mail server on this machine (RFC 2033).", endpoints)
    managesieve: tuple[Endpoint, ...] = option("", "Filter scripts (RFC 5804).", endpoints, used=False)
    http: tuple[Endpoint, ...] = option("127.0.0.1:8080", "Webmail without TLS, for this machine.", endpoints)
    https: tuple[Endpoint, ...] = option("*:443", "Webmail with TLS.", endpoints)
    metrics: tuple[Endpoint, ...] = option("", "Figures for Prometheus.", endpoints, used=False)


def mechanisms(text: str) -> tuple[str, ...]:
    """SASL mechanisms in the order of the table, PLAIN among them."""
    chosen = {word.upper() for word in words(text)}
    for word in sorted(chosen - set(MECHANISMS)):
        raise ValueError(f"some of {', '.join(MECHANISMS)}, but {word} is none of them{_nearest(word, list(MECHANISMS))}")
    if "PLAIN" not in chosen:
        raise ValueError("PLAIN among the mechanisms: it is the one that every mail program knows")
    return tuple(name for name in MECHANISMS if name in chosen)


@dataclass(frozen=True, slots=True)
class Auth:
    """Logging in."""

    plaintext: str = option(
        "loopback",
        "Whether passwords may come without TLS: never, loopback (from this machine only) or always.",
        choice("never", "loopback", "always"),
    )
    mechanisms: tuple[str, ...] = option(
        "PLAIN LOGIN",
        "How IMAP and submission let people log in: PLAIN, and of LOGIN, SCRAM-SHA-256, SCRAM-SHA-256-PLUS those you want.",
        mechanisms,
    )

    @property
    def scram(self) -> bool:
        """Whether a mechanism is among them that needs verifiers."""
        return any(MECHANISMS[name].scram for name in self.mechanisms)


@dataclass(frozen=True, slots=True)
class Tls:
    """Encryption. SIGHUP reads the files again."""

    certificate: Path | None = option("", "PEM file with the chain. Empty: data_dir/tls/certificate.pem.", optional_path)
    key: Path | None = option("", "PEM file with the private key. Empty: data_dir/tls/key.pem.", optional_path)
    acme: str = option("off", "Directory URL of a certificate authority (RFC 8555), or off.", used=False)
    acme_email: str = option("", "Where that authority may write to.", used=False)
    minimum: str = option("1.2", "The oldest version of TLS that is spoken: 1.2 or 1.3.", choice("1.2", "1.3"))


@dataclass(frozen=True, slots=True)
class Dns:
    """Questions to the domain name system."""

    nameservers: tuple[Endpoint, ...] = option("", "address:port, ... Empty: the system's.", endpoints)
    timeout: float = option("5s", "How long to wait for an answer.", duration)


@dataclass(frozen=True, slots=True)
class Outbound:
    """Mail to other servers."""

    port: int = option("25", "The port of other servers.", positive)
    smarthost: HostPort | None = option(
        "", "host:port of the server that takes all outgoing mail. Empty: each by its MX.", host_port
    )
    smarthost_user: str = option("", "The name to log in there. The password is shown to it over checked TLS only.")
    smarthost_password_file: Path | None = option("", "A file with the password, for it alone.", optional_path)
    routes: tuple[tuple[str, HostPort], ...] = option(
        "", "Servers of single domains: example.net=host:port, ... (.example.net=host:port: all below it).", routes
    )
    authorities: Path | None = option(
        "", "PEM file of authorities that other servers' certificates may lead to, besides the system's.", optional_path
    )
    concurrency: int = option("20", "Connections to other servers at a time.", positive)
    per_destination: int = option("10", "Of them, to one destination.", positive)
    give_up_after: float = option("5d", "When a message that cannot be sent goes back (RFC 5321 §4.5.4.1).", duration)
    tell_delay_after: float = option("4h", "When its author is told that it takes long.", duration)
    private_addresses: str = option(
        "no",
        "Whether a domain's MX may lead to loopback or a private network: no, or yes (a LAN with its own DNS).",
        choice("no", "yes"),
    )


@dataclass(frozen=True, slots=True)
class Spam:
    """The filter."""

    junk_score: float = option("5", "Points from which a message is filed in Junk.", points, used=False)
    refuse_score: float = option("15", "Points from which a message is refused.", points, used=False)
    blocklists: tuple[str, ...] = option("", "Names of DNS blocklists to ask.", words, used=False)


@dataclass(frozen=True, slots=True)
class Web:
    """Webmail."""

    registration: str = option(
        "closed",
        "Who may open an account in the browser: closed (nobody), invite or open.",
        choice("closed", "invite", "open"),
        used=False,
    )


def capabilities(text: str) -> tuple[str, ...]:
    """IMAP capabilities that can be hidden; empty: none."""
    if not text:
        return ()
    from pymaild.imap.capability import spelt  # noqa: PLC0415 - few say it

    return spelt(words(text))


@dataclass(frozen=True, slots=True)
class Imap:
    """Reading mail with IMAP."""

    hide: tuple[str, ...] = option(
        "",
        "Capabilities that are announced to nobody, such as UTF8=ACCEPT. One account: pymaild account mask.",
        capabilities,
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is enough."""

    message_size: int = option("50M", "Largest message taken (RFC 1870).", size)
    quota: int = option("0", "What an account may keep unless it has its own quota. 0: as much as the disk.", size)
    connections: int = option("2000", "Connections at a time, all listeners together.", positive)
    connections_per_ip: int = option("100", "Connections at a time from one address; loopback is not counted.", positive)
    connections_per_account: int = option("50", "IMAP connections at a time that are logged in as one account.", positive)
    recipients: int = option("1000", "Recipients of one message (RFC 5321 §4.5.3.1.8).", positive)
    messages_per_day: int = option("1000", "Messages an account may send to other servers in 24 hours. 0: any.", number)
    new_recipients_per_day: int = option("300", "People it may write to for the first time in 24 hours. 0: any.", number)
    send_later: float = option("30d", "How far ahead a message may be told to be sent (RFC 4865).", duration)
    errors: int = option("20", "Commands in error before a connection is closed.", positive)


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration, as it is in force."""

    path: Path | None = None  # the file it came from
    server: Server = field(default_factory=Server)
    listen: Listen = field(default_factory=Listen)
    auth: Auth = field(default_factory=Auth)
    tls: Tls = field(default_factory=Tls)
    dns: Dns = field(default_factory=Dns)
    outbound: Outbound = field(default_factory=Outbound)
    spam: Spam = field(default_factory=Spam)
    web: Web = field(default_factory=Web)
    imap: Imap = field(default_factory=Imap)
    limits: Limits = field(default_factory=Limits)
    unused: tuple[str, ...] = ()  # "[listen] metrics": set, but this version does not act on it

    @property
    def database(self) -> Path:
        """Domains, accounts, aliases, sessions and events."""
        return self.server.data_dir / "pymaild.sqlite3"

    @property
    def run_dir(self) -> Path:
        """Sockets between the processes."""
        return self.server.data_dir / "run"

    @property
    def certificate(self) -> Path:
        """The certificate chain in force."""
        return self.tls.certificate or self.server.data_dir / "tls" / "certificate.pem"

    @property
    def key(self) -> Path:
        """Its private key."""
        return self.tls.key or self.server.data_dir / "tls" / "key.pem"


SECTIONS: dict[str, type] = {
    "server": Server,
    "listen": Listen,
    "auth": Auth,
    "tls": Tls,
    "dns": Dns,
    "outbound": Outbound,
    "spam": Spam,
    "web": Web,
    "imap": Imap,
    "limits": Limits,
}


# ---- reading


def find(path: Path | None = None) -> Path | None:
    """The file in force: the given one, $PYMAILD_CONF, ./pymaild.conf, /etc/pymaild.conf; None: there is none."""
    if path:
        return path
    if named := os.environ.get(ENVIRONMENT):
        return Path(named)
    return next((place for place in PLACES if place.is_file()), None)


def load(path: Path | None = None) -> Config:
    """Read and check the configuration. Raises ConfigError."""
    file = find(path)
    if file is None:
        return Config()
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        raise ConfigError(file, "", "", f"there is no such file; make one: pymaild config > {file}") from None
    except OSError as error:
        raise ConfigError(file, "", "", f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(file, "", "", "is not UTF-8 text") from None
    return parse(text, file)


def parse(text: str, file: Path | None = None) -> Config:
    """The configuration that a text says; relative paths start at the folder of `file`."""
    ini = configparser.ConfigParser(interpolation=None, delimiters=("=",), default_section="\0")
    try:
        ini.read_string(text, str(file))
    except configparser.DuplicateOptionError as error:
        raise ConfigError(file, error.section, error.option, "is there twice; remove one of them") from None
    except configparser.DuplicateSectionError as error:
        raise ConfigError(file, error.section, "", "is there twice; put the keys of both together") from None
    except configparser.Error as error:
        lines = [number for number, _ in getattr(error, "errors", ())] or [getattr(error, "lineno", 0)]
        problem = f"line {lines[0]} is neither a [section] nor key = value nor a # comment"
        raise ConfigError(file, "", "", problem) from None
    sections: dict[str, Any] = {}
    unused: list[str] = []
    for name in ini.sections():
        if name not in SECTIONS:
            raise ConfigError(file, name, "", "is no section" + _nearest(f"[{name}]", [f"[{s}]" for s in SECTIONS]))
        sections[name] = _section(file, name, ini[name], unused)
    return Config(file, **sections, unused=tuple(unused))


def _section(file: Path | None, name: str, values: Mapping[str, str], unused: list[str]) -> object:
    """One section's dataclass from the keys that are set."""
    known = {f.name: f.metadata for f in fields(SECTIONS[name])}
    settings: dict[str, object] = {}
    for key, text in values.items():
        if key not in known:
            raise ConfigError(file, name, key, "is no key" + _nearest(key, list(known)))
        try:
            value = known[key]["parse"](text.strip())
        except ValueError as error:
            raise ConfigError(file, name, key, f"expects {error}") from None
        settings[key] = _absolute(file, value)
        if not known[key]["used"] and text.strip() != known[key]["default"]:
            unused.append(f"[{name}] {key}")
    return SECTIONS[name](**settings)


def _absolute(file: Path | None, value: object) -> object:
    """Paths are relative to the file that says them, whatever folder a command is started in."""
    if isinstance(value, Path):
        return ((file.parent if file else Path()) / value.expanduser()).absolute()
    if isinstance(value, tuple):
        return tuple(_absolute(file, item) for item in value)
    if isinstance(value, Endpoint) and value.path:
        path = _absolute(file, value.path)
        return Endpoint(path=path) if isinstance(path, Path) else value
    return value


def _nearest(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, 1, 0.6)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"


# ---- writing

_HEAD = """\
# The configuration of pymaild. Every key is here with its default, switched off by the # before it: take that away to
# change one. Sizes: 500K, 25 MiB, 5G. Durations: 30s, 5m, 12h, 5d. Relative paths start at the folder of this file.
# Domains, accounts and aliases are not here: see pymaild domain, pymaild account, pymaild alias.
"""


def render(settings: Mapping[tuple[str, str], str] | None = None) -> str:
    """The commented default; the keys of `settings` stand in it switched on, with these values."""
    lines = [_HEAD]
    for name, section in SECTIONS.items():
        lines.append(f"\n[{name}]\n# {section.__doc__}\n")
        for item in fields(section):
            note = "" if item.metadata["used"] else " (Checked and kept; this version does not act on it.)"
            lines.append(f"\n# {item.metadata['help']}{note}\n")
            value = (settings or {}).get((name, item.name))
            line = f"#{item.name} = {item.metadata['default']}" if value is None else f"{item.name} = {value}"
            lines.append(line.rstrip() + "\n")
    return "".join(lines)
