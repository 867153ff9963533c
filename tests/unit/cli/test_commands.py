"""The commands from end to end, in one process: what they do, say and exit with."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pymaild.accounts.directory import Directory
from pymaild.cli.parser import build
from pymaild.cli.records import text
from pymaild.cli.table import COMMANDS
from pymaild.envelope import Address
from tests.unit.cli.conftest import PASSWORD, Run

# ---- init


def test_init_makes_everything_that_serving_needs(house: Run, tmp_path: Path) -> None:
    data = tmp_path / "pymaild-data"
    assert data.stat().st_mode & 0o777 == 0o700
    for name in (
        "tls/key.pem",
        "pymaild.sqlite3",
        *(f"dkim/example.org/{f.name}" for f in (data / "dkim/example.org").iterdir()),
    ):
        assert (data / name).stat().st_mode & 0o777 == 0o600, name
    certificate = x509.load_pem_x509_certificate((data / "tls/certificate.pem").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["mail.example.org", "example.org", "localhost"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    key = load_pem_private_key((data / "tls/key.pem").read_bytes(), None)
    assert key.public_key() == certificate.public_key()
    assert {folder.name for folder in (data / "mail/example.org/ann").iterdir()} >= {".Sent", ".Junk", ".Trash", "cur"}
    directory = Directory(data / "pymaild.sqlite3", "mail.example.org")
    assert directory.login("ann", PASSWORD, "") == "ann@example.org"
    assert directory.resolve(Address("postmaster", "example.org")) == ["ann@example.org"]
    directory.close()


def test_init_prints_records_as_zone_lines(pymaild: Run) -> None:
    result = pymaild(
        "init", "--domain", "Bücher.example", "--admin", "ann@bücher.example", "--password-stdin", stdin=PASSWORD
    )
    lines = result.out.splitlines()
    zone = lines[
        lines.index("; DNS records for bücher.example. Put them into its zone; a web form has a field for each part.") :
    ]
    records = [line.split(maxsplit=4) for line in zone[: zone.index("What is next:")] if line and not line.startswith(";")]
    assert {(record[2], record[3]) for record in records} == {("IN", kind) for kind in ("MX", "TXT", "SRV")}
    found = {(name, kind): data for name, _, _, kind, data in records}
    domain = "xn--bcher-kva.example."
    assert found[domain, "MX"] == "10 mail.xn--bcher-kva.example."
    assert found[domain, "TXT"] == '"v=spf1 mx -all"'
    assert found["_dmarc." + domain, "TXT"].startswith('"v=DMARC1; p=quarantine; rua=mailto:postmaster@')
    keys = [data for (name, _), data in found.items() if "._domainkey." in name]
    assert sorted(key.split(";")[1].strip() for key in keys) == ["k=ed25519", "k=rsa"]
    assert all(len(part) <= 255 for key in keys for part in key.strip('"').split('" "'))
    assert "0 1 993" in found[f"_imaps._tcp.{domain}", "SRV"] or "0 1 2993" in found[f"_imaps._tcp.{domain}", "SRV"]


def test_init_again_changes_nothing(house: Run, tmp_path: Path) -> None:
    def content() -> dict[str, bytes]:
        kept = ("pymaild.conf", "pymaild-data/tls", "pymaild-data/dkim")
        files = [file for name in kept for file in [tmp_path / name, *(tmp_path / name).rglob("*")] if file.is_file()]
        return {str(file): file.read_bytes() for file in files}

    before = content()
    again = house("init", "--domain", "example.org", "--admin", "ann@example.org")  # no password is asked for
    assert again.code == 0
    assert content() == before
    assert Directory(tmp_path / "pymaild-data/pymaild.sqlite3").login("ann", PASSWORD, "") == "ann@example.org"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--domain", "example.org"], 64, "--admin is missing"),
        (["--admin", "ann@example.org"], 64, "--domain is missing"),
        (["--domain", "exa mple", "--admin", "ann@example.org"], 65, "is no domain name; one looks like example.org"),
        (["--domain", "example.org", "--admin", "ann"], 65, "is no address; one looks like ann@example.org"),
        (["--domain", "example.org", "--admin", "ann@example.net"], 65, "has to be in the first domain, example.org"),
        (["--domain", "example.org", "--admin", "ann@example.org"], 64, "give it on standard input, with --password-stdin"),
        (["--domain", "example.org", "--admin", "ann@example.org", "--password-stdin"], 65, "has to be a password"),
    ],
)
def test_init_says_what_it_misses(pymaild: Run, arguments: list[str], code: int, says: str) -> None:
    result = pymaild("init", *arguments)
    assert result.code == code
    assert says in result.err
    assert result.err.count("\n") == 1


def test_init_where_nothing_can_be_made(pymaild: Run, tmp_path: Path) -> None:
    (tmp_path / "pymaild.conf").write_text("[server]\ndata_dir = /proc/nowhere\n")
    result = pymaild("init", "--domain", "example.org", "--admin", "ann@example.org", "--password-stdin", stdin="x")
    assert result.code in (66, 73, 74)
    assert result.err.startswith("pymaild: /proc/nowhere")


def test_before_init_every_command_says_init(pymaild: Run, tmp_path: Path) -> None:
    (tmp_path / "pymaild.conf").write_text("[server]\ndata_dir = data\n")
    for command in (["account", "list"], ["index", "check", "--all"], ["export", "ann@example.org", tmp_path / "x"]):
        result = pymaild(*command)
        assert result.code == 78
        assert "pymaild init --domain" in result.err


# ---- accounts, domains, aliases


def test_accounts(house: Run, tmp_path: Path) -> None:
    house("account", "add", "cy@example.org", "--password-stdin", "--quota", "5G", "--admin", stdin="a\n")
    listed = {account["address"]: account for account in house("account", "list", "--json").json()}
    assert listed["cy@example.org"]["quota"] == 5 << 30
    assert listed["cy@example.org"]["admin"]
    house("account", "quota", "cy@example.org", "default")
    house("account", "admin", "cy@example.org", "no")
    house("account", "disable", "cy@example.org")
    assert house("account", "list").out.splitlines() == [
        "ADDRESS                    QUOTA",
        "ann@example.org  admin     default",
        "bob@example.org            default",
        "cy@example.org   disabled  default",
    ]
    house("account", "enable", "cy@example.org")
    house("account", "passwd", "cy@example.org", "--password-stdin", stdin="b\nmore\n")
    assert Directory(tmp_path / "pymaild-data/pymaild.sqlite3").login("cy", "b", "") == "cy@example.org"


def test_capabilities_hidden_from_an_account(house: Run) -> None:
    assert house("account", "mask", "bob@example.org").out == "Hidden from bob@example.org: nothing.\n"
    house("account", "mask", "bob@example.org", "qresync", "COMPRESS=DEFLATE")
    assert house("account", "mask", "bob@example.org", "--json").json() == ["QRESYNC", "COMPRESS=DEFLATE"]
    wrong = house("account", "mask", "bob@example.org", "UTF8=ACEPT")
    assert wrong.code == 65
    assert "did you mean UTF8=ACCEPT?" in wrong.err
    assert "IMAP4rev1 is none" in house("account", "mask", "bob@example.org", "IMAP4rev1").err  # KMail wants it
    listed = {account["address"]: account for account in house("account", "list", "--json").json()}
    assert listed["bob@example.org"]["hidden"] == ["QRESYNC", "COMPRESS=DEFLATE"]
    assert house("account", "mask", "bob@example.org", "none").out == "Hidden from bob@example.org: nothing.\n"


def test_a_quota_of_messages(house: Run) -> None:
    house("account", "quota", "bob@example.org", "5M", "--messages", "3")
    assert "5 MiB, 3 messages" in house("account", "list").out
    house("account", "quota", "bob@example.org", "default")
    assert "default, 3 messages" in house("account", "list").out
    assert "--messages is a whole number" in house("account", "quota", "bob@example.org", "5M", "--messages", "x").err


def test_a_removed_account_leaves_its_mail_aside_and_nothing_to_its_successor(house: Run, tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(b"Subject: a\n\na\n")
    house("import", "bob@example.org", tmp_path / "a.eml")
    assert house("account", "remove", "bob@example.org").code == 64  # nobody to ask
    removed = house("account", "remove", "bob@example.org", "--yes")
    assert removed.code == 0
    folder = next((tmp_path / "pymaild-data/removed").iterdir())
    assert str(folder) in removed.out
    assert len(list((folder / "cur").iterdir())) == 1
    house("account", "add", "bob@example.org", "--password-stdin", stdin="x")
    assert house("export", "bob@example.org", tmp_path / "out", "--json").json()["messages"] == 0
    house("account", "remove", "bob@example.org", "--yes", "--delete-mail")
    assert not (tmp_path / "pymaild-data/mail/example.org/bob").exists()


def test_what_is_said_names_what_it_is_about(house: Run) -> None:
    house("account", "add", "bob@example.org", "--password-stdin", stdin=PASSWORD)
    assert "--quota is a size such as" in house("account", "add", "x@example.org", "--quota", "5X").err
    assert "SIZE is a size such as" in house("account", "quota", "bob@example.org", "5X").err
    assert "there is no domain nix.example" in house("account", "list", "nix.example").err
    house("domain", "add", "bücher.example")
    house("account", "add", "käthe@bücher.example", "--password-stdin", stdin=PASSWORD)
    assert house("index", "check", "käthe@bücher.example").out.startswith("käthe@bücher.example: ")
    forwarded = house("alias", "add", "bob@example.org", "ann@example.org").out
    assert "gets no mail now; to keep a copy there: pymaild alias add bob@example.org bob@example.org" in forwarded
    assert "gets no mail" not in house("alias", "add", "bob@example.org", "bob@example.org").out


def test_domains_and_aliases(house: Run) -> None:
    added = house("domain", "add", "bücher.example")
    assert "_domainkey.xn--bcher-kva.example. 3600 IN TXT" in added.out
    assert house("alias", "add", "@bücher.example", "ann@example.org", "bob@example.org").out.startswith(
        "@bücher.example stands for"
    )
    assert house("domain", "list", "--json").json()[1] == {"name": "xn--bcher-kva.example", "accounts": 0, "aliases": 1}
    assert "bücher.example  0         1" in house("domain", "list").out
    assert house("alias", "list", "--json").json()[0]["targets"] == ["ann@example.org", "bob@example.org"]
    assert house("alias", "remove", "@bücher.example", "bob@example.org").code == 0
    assert "ann@example.org\n" in house("alias", "list").out
    assert house("domain", "remove", "bücher.example", "--yes").code == 0
    assert house("alias", "list").out.startswith("There are no aliases")
    assert house("domain", "remove", "example.org", "--yes").code == 65


# ---- the shape of it all


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.words)
def test_every_command_has_a_function_help_and_an_example(command: object, capsys: pytest.CaptureFixture[str]) -> None:
    row = next(found for found in COMMANDS if found is command)
    module, _, function = row.function.rpartition(".")
    assert callable(getattr(__import__(f"pymaild.cli.{module}", fromlist=[function]), function))
    assert row.examples
    with pytest.raises(SystemExit) as raised:
        build().parse_args([*row.words.split(), "--help"])
    assert raised.value.code == 0
    shown = capsys.readouterr().out
    assert row.examples[0] in shown
    for argument in row.arguments:
        assert argument.names[0].startswith("-") is False or argument.names[0] in shown


@pytest.mark.parametrize("command", ["account list", "domain list", "alias list", "index check"])
def test_every_listing_takes_json(command: str) -> None:
    row = next(found for found in COMMANDS if found.words == command)
    assert any("--json" in argument.names for argument in row.arguments)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "pymaild: the following arguments are required: COMMAND; see pymaild --help"),
        (["acount"], "invalid choice: 'acount'"),
        (["account"], "see pymaild account --help"),
        (["account", "add"], "required: ADDRESS; see pymaild account add --help"),
        (["account", "add", "a@b", "--password", "secret"], "see pymaild"),
        (["index", "check"], "name one account, or say --all for every one"),
    ],
)
def test_usage_errors_are_one_line_and_64(house: Run, arguments: list[str], says: str) -> None:
    result = house(*arguments)
    assert result.code == 64
    assert says in result.err
    assert result.err.count("\n") == 1


def test_a_configuration_that_is_wrong_is_78(house: Run, tmp_path: Path) -> None:
    (tmp_path / "pymaild.conf").write_text("[servr]\n")
    result = house("account", "list")
    assert (result.code, result.err) == (
        78,
        f"pymaild: {tmp_path}/pymaild.conf: [servr] is no section; did you mean [server]?\n",
    )


def test_config(house: Run, tmp_path: Path) -> None:
    assert house("config").out == Path(__file__).parents[3].joinpath("pymaild.conf").read_text("utf-8")
    in_force = house("config", "--in-force").json()
    assert in_force["file"] == str(tmp_path / "pymaild.conf")
    assert in_force["server"]["hostname"] == "mail.example.org"
    assert in_force["listen"]["imaps"] in (["*:993"], ["*:2993"])


def test_long_txt_records_are_cut() -> None:
    assert text("x" * 300) == f'"{"x" * 255}" "{"x" * 45}"'


# ---- as a program of its own


def program(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pymaild", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, input=stdin)


def test_a_defect_is_one_line_and_70_and_debug_shows_where(tmp_path: Path) -> None:
    code = "import pymaild.cli, pymaild.cli.serve as s; s.config = lambda o: 1 / 0; pymaild.cli.main(%r)"
    run = [sys.executable, "-c"]
    short = subprocess.run([*run, code % (["config"],)], capture_output=True, text=True, check=False)
    assert short.returncode == 70
    assert short.stderr == (
        "pymaild: this is a defect of pymaild: ZeroDivisionError: division by zero; run the command again with --debug to see where\n"
    )
    long = subprocess.run([*run, code % (["--debug", "config"],)], capture_output=True, text=True, check=False)
    assert "Traceback" in long.stderr


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    shell = subprocess.run(
        f"{sys.executable} -m pymaild config | head -1; echo ${{PIPESTATUS[0]}}",
        shell=True, executable="/bin/bash", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert shell.stdout.splitlines()[-1] == "0"
    assert shell.stderr == ""


def test_it_starts_fast_and_without_what_serving_needs() -> None:
    heavy = ("dns", "cryptography", "waitress", "email", "sqlite3", "ssl", "PIL", "nh3", "idna", "pymaild.flow")
    code = f"import sys; from pymaild.cli import main; main(['config']); print([n for n in {heavy} if n in sys.modules], file=sys.stderr)"
    assert program_code(code).stderr.strip() == "[]"
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        program("--version")
        taken.append(time.perf_counter() - start)
    assert min(taken) < 0.5  # measured at 0.08; room for a busy machine


def program_code(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_a_password_typed_at_a_terminal_is_asked_twice_and_not_shown(house: Run, tmp_path: Path) -> None:
    arguments = [
        sys.executable,
        "-m",
        "pymaild",
        "-c",
        str(tmp_path / "pymaild.conf"),
        "account",
        "passwd",
        "bob@example.org",
    ]
    pid, terminal = pty.fork()
    if not pid:
        os.execv(sys.executable, arguments)
    seen = b""
    for answer in (b"different\n", b"not the same\n", b"typed twice\n", b"typed twice\n"):
        seen += read_until(terminal, b": ")
        os.write(terminal, answer)
    seen += read_until(terminal, b"new password.")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert b"They are not the same" in seen
    assert b"typed twice" not in seen
    assert b"different" not in seen
    assert (
        Directory(tmp_path / "pymaild-data/pymaild.sqlite3").login("bob@example.org", "typed twice", "")
        == "bob@example.org"
    )


def read_until(terminal: int, end: bytes) -> bytes:
    seen = b""
    while end not in seen:
        seen += os.read(terminal, 1000)
    return seen


def test_no_command_takes_a_password_as_an_argument() -> None:
    for command in COMMANDS:
        for argument in command.arguments:
            if "password" in argument.names[0]:
                assert argument.settings.get("action") == "store_true"


def others_can_run_this_python() -> bool:
    if os.geteuid() != 0:
        return False
    command = [sys.executable, "-c", "import ssl, cryptography, pymaild"]
    try:
        return subprocess.run(command, capture_output=True, check=False, user=65534).returncode == 0
    except PermissionError:
        return False


@pytest.mark.skipif(not others_can_run_this_python(), reason="needs root, and a Python that other users can read, too")
def test_root_becomes_the_owner_of_the_mail(tmp_path: Path) -> None:
    config = tmp_path / "pymaild.conf"
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == 0 and parent != Path("/") and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    (tmp_path / "data").mkdir(mode=0o700)
    os.chown(tmp_path / "data", 65534, 65534)
    config.write_text("[server]\ndata_dir = data\nhostname = mail.example.org\n")
    first = ["-c", str(config)]
    made = program(*first, "init", "--domain", "example.org", "--admin", "ann@example.org", "--password-stdin", stdin="x\n")
    assert made.returncode == 0, made.stderr
    assert program(*first, "account", "add", "bob@example.org", "--password-stdin", stdin="x\n").returncode == 0
    assert {file.stat().st_uid for file in (tmp_path / "data").rglob("*")} == {65534}
