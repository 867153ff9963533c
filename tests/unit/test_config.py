"""pymaild.conf: what is read, what is refused and in which words, and that the shipped file is the printed one."""

from __future__ import annotations

from pathlib import Path

import pytest

from pymaild import units
from pymaild.config import Config, ConfigError, Endpoint, load, parse, render

ROOT = Path(__file__).parents[2]


def test_the_shipped_file_is_what_pymaild_config_prints() -> None:
    assert (ROOT / "pymaild.conf").read_text("utf-8") == render()


def test_the_printed_file_says_nothing_but_defaults() -> None:
    assert parse(render()) == Config()


def test_every_default_can_be_written_out() -> None:
    switched_on = "\n".join(line[1:] if line.startswith("#") and line[1] != " " else line for line in render().splitlines())
    assert parse(switched_on) == Config()


def test_values() -> None:
    config = parse(
        "[server]\nhostname = Mail.Example.ORG\nworkers = 3\n"
        "[listen]\nsmtp = 127.0.0.1:2525, [::1]:0 *:25\nlmtp = unix:/run/lmtp\nimap =\n"
        "[auth]\nplaintext = NEVER\n[dns]\ntimeout = 1m 30s\n[web]\nregistration = open\n[limits]\nmessage_size = 25 MiB\n"
    )
    assert config.server.hostname == "mail.example.org"
    assert config.server.workers == 3
    assert config.listen.smtp == (Endpoint("127.0.0.1", 2525), Endpoint("::1", 0), Endpoint("*", 25))
    assert [str(endpoint) for endpoint in config.listen.smtp] == ["127.0.0.1:2525", "[::1]:0", "*:25"]
    assert config.listen.lmtp == (Endpoint(path=Path("/run/lmtp")),)
    assert config.listen.imap == ()
    assert config.auth.plaintext == "never"
    assert config.dns.timeout == 90
    assert config.limits.message_size == 25 << 20
    assert config.unused == ("[web] registration",)


def test_mechanisms_come_in_the_order_in_which_they_are_announced() -> None:
    assert Config().auth.mechanisms == ("PLAIN", "LOGIN") and not Config().auth.scram
    config = parse("[auth]\nmechanisms = scram-sha-256, login PLAIN\n")
    assert config.auth.mechanisms == ("PLAIN", "LOGIN", "SCRAM-SHA-256") and config.auth.scram


def test_paths_start_at_the_folder_of_the_file(tmp_path: Path) -> None:
    config = parse("[server]\ndata_dir = data\n[listen]\nlmtp = unix:lmtp\n", tmp_path / "pymaild.conf")
    assert config.server.data_dir == tmp_path / "data"
    assert config.listen.lmtp[0].path == tmp_path / "lmtp"
    assert config.certificate == tmp_path / "data/tls/certificate.pem"
    assert config.database == tmp_path / "data/pymaild.sqlite3"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[servr]\n", "the.conf: [servr] is no section; did you mean [server]?"),
        ("[server]\nhostnam = x\n", "the.conf: [server] hostnam is no key; did you mean hostname?"),
        ("[server]\nzzz = x\n", "the.conf: [server] zzz is no key; known are hostname, data_dir, workers, user"),
        (
            "[auth]\nmechanisms = PLAIN SCRAM-SHA256\n",
            "the.conf: [auth] mechanisms expects some of PLAIN, LOGIN, SCRAM-SHA-256, SCRAM-SHA-256-PLUS,"
            " but SCRAM-SHA256 is none of them; did you mean SCRAM-SHA-256?",
        ),
        (
            "[auth]\nmechanisms = LOGIN\n",
            "the.conf: [auth] mechanisms expects PLAIN among the mechanisms: it is the one that every mail program knows",
        ),
        ("[server]\nworkers = 0\n", "the.conf: [server] workers expects auto, or a whole number, 1 or more"),
        ("[server]\nhostname = a b\n", "expects a host name of letters, digits, hyphens and dots"),
        (
            "[listen]\nsmtp = 25\n",
            "the.conf: [listen] smtp expects 1.2.3.4:25, [::1]:25, *:25 (every address) or unix:/path",
        ),
        ("[listen]\nsmtp = 1.2.3.400:25\n", "[listen] smtp expects an IP address before the port"),
        ("[listen]\nsmtp = *:70000\n", "[listen] smtp expects"),
        ("[listen]\nsmtp = [::g]:25\n", "[listen] smtp expects"),
        ("[auth]\nplaintext = yes\n", "[auth] plaintext expects one of never, loopback, always"),
        ("[limits]\nmessage_size = much\n", "[limits] message_size expects a size such as 500K, 25 MiB or 5G"),
        ("[limits]\nrecipients = -1\n", "[limits] recipients expects a whole number"),
        ("[dns]\ntimeout = soon\n", "[dns] timeout expects a duration such as 30s"),
        ("[spam]\njunk_score = x\n", "[spam] junk_score expects a number"),
        ("[server]\nworkers = 1\nworkers = 2\n", "[server] workers is there twice"),
        ("[server]\n[server]\n", "[server] is there twice"),
        ("[server]\nwhat\n", "line 2 is neither a [section] nor key = value nor a # comment"),
        ("workers = 1\n", "line 1 is neither a [section] nor key = value"),
        ("[DEFAULT]\nworkers = 1\n", "[DEFAULT] is no section"),
    ],
)
def test_mistakes_are_named(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(text, Path("the.conf"))
    assert says in str(raised.value)


def test_the_file_in_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, workers in (("given.conf", 1), ("environment.conf", 2), ("pymaild.conf", 3)):
        (tmp_path / name).write_text(f"[server]\nworkers = {workers}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYMAILD_CONF", str(tmp_path / "environment.conf"))
    assert load(tmp_path / "given.conf").server.workers == 1
    assert load().server.workers == 2
    monkeypatch.delenv("PYMAILD_CONF")
    assert load().server.workers == 3


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file; make one: pymaild config >"):
        load(tmp_path / "none.conf")
    (tmp_path / "latin.conf").write_bytes(b"# \xe9\n")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        load(tmp_path / "latin.conf")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize(("text", "octets"), [("0", 0), ("50M", 50 << 20), ("5G", 5 << 30), ("1.5 KiB", 1536), ("7b", 7)])
def test_sizes(text: str, octets: int) -> None:
    assert units.size(text) == octets


@pytest.mark.parametrize("text", ["", "M", "5X", "-1", "5 5M"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="a size such as"):
        units.size(text)


def test_sizes_for_people() -> None:
    assert [units.show_size(n) for n in (5, 1024, 5 << 30, 1_500_000)] == ["5 octets", "1 KiB", "5 GiB", "1.4 MiB"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("5d", 432000), ("1h 30m", 5400), ("500ms", 0.5), ("1w", 604800)]
)
def test_durations(text: str, seconds: float) -> None:
    assert units.duration(text) == seconds


def test_capabilities_to_hide() -> None:
    assert parse("[imap]\nhide = utf8=accept, Literal+").imap.hide == ("UTF8=ACCEPT", "LITERAL+")
    with pytest.raises(ConfigError, match=r"\[imap\] hide .*QRESINC is none; did you mean QRESYNC\?"):
        parse("[imap]\nhide = QRESINC")
    with pytest.raises(ConfigError, match="STARTTLS is none"):
        parse("[imap]\nhide = STARTTLS")
