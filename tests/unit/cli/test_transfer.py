"""Import and export: bytes, flags, keywords and dates go out and come back; an interruption costs nothing."""

from __future__ import annotations

import io
import json
import mailbox
import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pymaild.assembly import assemble
from pymaild.cli import mailfiles
from pymaild.cli.progress import Progress
from pymaild.cli.transfer import Ledger
from pymaild.config import load
from pymaild.mailstore import Flag
from tests.unit.cli.conftest import Run

# ---- what lies in an account, in a form that can be compared

Content = dict[str, list[tuple[bytes, int, frozenset[str], int]]]


def content(folder: Path, address: str) -> Content:
    services = assemble(load(folder / "pymaild.conf"))
    try:
        store = services.stores(address)
        found: Content = {}
        for info in store.mailboxes():
            box = store.open(info.name)
            rows = [(box.read(row.uid), row.flags, row.keywords, row.internal_date) for row in box.rows()]
            if rows:
                found[info.name] = rows
        return found
    finally:
        services.close()


MESSAGES: list[tuple[str, bytes, int, tuple[str, ...], int]] = [
    (
        "INBOX",
        b"Subject: one\r\n\r\nFrom the start\r\n>From quoted\r\n>>From twice\r\n\r\nFrom after an empty line\r\n",
        0,
        (),
        10**9,
    ),
    ("INBOX", b"Subject: two\r\n\r\n", Flag.SEEN | Flag.FLAGGED, (), 10**9 + 1),
    (
        "INBOX",
        b"Subject: three\r\n\r\n\r\n\r\nFrom x Mon Jan  1 10:00:00 2024\r\n\r\n",
        Flag.ANSWERED,
        ("$Junk", "work"),
        10**9 + 2,
    ),
    (
        "Sent",
        b"Subject: \xc3\xbc\r\n\r\n8bit \xff\xfe\x00 octets\r\n",
        Flag.SEEN | Flag.DRAFT | Flag.DELETED,
        ("work",),
        10**9 + 3,
    ),
    ("Reisen/S\u00fcden & Co.", b"Subject: deep\r\n\r\nx\r\n", 0, (), 10**9 + 4),
]


@pytest.fixture
def filled(house: Run, tmp_path: Path) -> Run:
    services = assemble(load(tmp_path / "pymaild.conf"))
    store = services.stores("ann@example.org")
    store.create("Reisen/S\u00fcden & Co.")
    for name, message, flags, keywords, date in MESSAGES:
        store.open(name).append(message, flags, keywords, date)
    services.close()
    return house


@pytest.mark.parametrize("kind", ["maildir", "mbox", "eml"])
def test_out_and_in_again(filled: Run, tmp_path: Path, kind: str) -> None:
    out = filled("export", "ann@example.org", tmp_path / "out", "--format", kind)
    assert out.out == f"Wrote 5 messages of 8 mailboxes to {tmp_path}/out.\n"
    assert filled("import", "bob@example.org", tmp_path / "out").code == 0
    ann, bob = content(tmp_path, "ann@example.org"), content(tmp_path, "bob@example.org")
    if kind == "eml":  # which has no place for flags
        ann = {name: [(message, 0, frozenset(), date) for message, _, _, date in rows] for name, rows in ann.items()}
    assert bob == ann


def test_other_programs_read_the_exports(filled: Run, tmp_path: Path) -> None:
    filled("export", "ann@example.org", tmp_path / "out")
    filled("export", "ann@example.org", tmp_path / "in.mbox", "--mailbox", "INBOX")
    maildir = mailbox.Maildir(tmp_path / "out", create=False)
    flags = {message["Subject"]: message.get_flags() for message in maildir}
    assert flags == {"one": "", "two": "FS", "three": "Rab"}
    assert ".Sent" in os.listdir(tmp_path / "out")
    mbox = mailbox.mbox(tmp_path / "in.mbox", create=False)
    assert [(message["Subject"], message.get_flags()) for message in mbox] == [
        ("one", "O"),
        ("two", "ROF"),
        ("three", "OA"),
    ]


def test_an_export_to_a_maildir_adds_what_is_new(filled: Run, tmp_path: Path) -> None:
    filled("export", "ann@example.org", tmp_path / "out")
    (tmp_path / "new.eml").write_bytes(b"Subject: new\n\nnew\n")
    filled("import", "ann@example.org", tmp_path / "new.eml")
    assert filled("export", "ann@example.org", tmp_path / "out").out.startswith("Wrote 1 messages")


def test_exports_never_overwrite(filled: Run, tmp_path: Path) -> None:
    (tmp_path / "x.mbox").write_text("mine")
    result = filled("export", "ann@example.org", tmp_path / "x.mbox", "--mailbox", "INBOX")
    assert (result.code, (tmp_path / "x.mbox").read_text()) == (73, "mine")
    assert filled("export", "ann@example.org", tmp_path / "all.mbox").code == 64


# ---- what others wrote


def test_a_folder_of_everything(house: Run, tmp_path: Path) -> None:
    top = tmp_path / "Mail"
    for folder in (top / "Maildir", top / "Maildir/.Arbeit.Alt", top / "Maildir/.&AOQ-"):
        for part in ("cur", "new", "tmp"):
            (folder / part).mkdir(parents=True)
    (top / "Maildir/cur/1000000000.x:2,FS").write_bytes(b"Subject: a\n\na\n")
    (top / "Maildir/dovecot-keywords").write_text("0 $Forwarded\n1 todo\n")
    (top / "Maildir/new/1000000001.y").write_bytes(b"Subject: b\n\nb\n")
    (top / "Maildir/.Arbeit.Alt/cur/1.z:2,Rb").write_bytes(b"Subject: c\n\nc\n")
    (top / "Maildir/.Arbeit.Alt/dovecot-keywords").write_text("0 x\n1 todo\n")
    (top / "Maildir/.&AOQ-/cur/1.z:2,").write_bytes(b"Subject: d\r\n\r\nd\r\n")
    (top / "letters").mkdir()
    (top / "letters/e.eml").write_bytes(b"Subject: e\n\ne\n")
    (top / "old.mbox").write_bytes(b"From x@y Thu Jan  1 00:00:05 1970\nSubject: f\n\nf\n")
    (top / "notes.txt").write_text("no mail")
    assert house("import", "ann@example.org", top, "--json").json() == {"messages": 6, "left_out": 0, "mailboxes": 5}
    found = {
        name: [(m.split(b"\r\n")[0][9:], f, k) for m, f, k, _ in rows]
        for name, rows in content(tmp_path, "ann@example.org").items()
    }
    none: frozenset[str] = frozenset()
    assert found == {
        "Maildir": [(b"a", Flag.SEEN | Flag.FLAGGED, none), (b"b", 0, none)],
        "Maildir/Arbeit/Alt": [(b"c", Flag.ANSWERED, frozenset({"todo"}))],
        "Maildir/\u00e4": [(b"d", 0, none)],
        "letters": [(b"e", 0, none)],
        "old": [(b"f", 0, none)],
    }


MBOX = b"""From - Mon Jan 01 10:00:00 2024
X-Mozilla-Status: 0001
X-Mozilla-Keys: $label1 work
Subject: read

a line

From here on it is still the first message
>From the archive
From - Mon Jan 01 10:00:01 2024
in the middle of a paragraph

From - Mon Jan 01 10:00:02 2024
X-Mozilla-Status: 0009
Subject: deleted, not compacted

gone

From ann@example.org Sat Jan  6 12:00:00 +0200 2024
Subject: no body
Status: RO
X-Status: F
X-Keywords: a b
  c

From 123@xxx Sun Jan 07 12:00:00 +0000 2024
Subject: last
Content-Type: text/plain

no newline at the end"""


def test_mbox_as_thunderbird_mutt_and_others_write_it(tmp_path: Path) -> None:
    (tmp_path / "x.mbox").write_bytes(MBOX)
    found = list(mailfiles.messages("x", tmp_path / "x.mbox"))
    assert [message.message.read() for message in found] == [
        b"Subject: read\r\n\r\na line\r\n\r\nFrom here on it is still the first message\r\nFrom the archive\r\n"
        b"From - Mon Jan 01 10:00:01 2024\r\nin the middle of a paragraph\r\n",
        b"Subject: no body\r\n\r\n",
        b"Subject: last\r\nContent-Type: text/plain\r\n\r\nno newline at the end",
    ]
    assert [message.flags for message in found] == [Flag.SEEN, Flag.SEEN | Flag.FLAGGED, 0]
    assert [message.keywords for message in found] == [("$label1", "work"), ("a", "b"), ()]
    assert [message.internal_date for message in found] == [1704103200, 1704535200, 1704628800]


line = st.sampled_from(
    [b"", b"From x Mon Jan  1 10:00:00 2024", b">From y", b">>From ", b"From", b"text", b"\xff\x00", b" "]
)


@given(st.lists(st.tuples(st.lists(line, max_size=8), st.integers(0, 31)), max_size=5))
def test_an_mbox_of_any_messages_comes_back_exact(texts: list[tuple[list[bytes], int]]) -> None:
    messages = [(b"Subject: x\r\n\r\n" + b"".join(part + b"\r\n" for part in lines), flags) for lines, flags in texts]
    written = b"".join(mailfiles.mbox_entry(message, flags, ("k",), 10**9) for message, flags in messages)
    found = []
    opened = io.BytesIO(written)
    from_line = opened.readline()
    while from_line:
        message, from_line = mailfiles._one_message("", from_line, opened)
        assert message
        found.append((message.message.read(), message.flags))
    assert found == messages


def test_line_ends(tmp_path: Path) -> None:
    assert mailfiles.with_crlf(io.BytesIO(b"a: b\n\nx\ny")).read() == b"a: b\r\n\r\nx\r\ny"
    assert mailfiles.with_crlf(io.BytesIO(b"a: b\r\n\r\nx\ny\rz\r\n")).read() == b"a: b\r\n\r\nx\ny\rz\r\n"
    assert mailfiles.with_lf(b"a: b\r\n\r\nx\r\n") == b"a: b\n\nx\n"
    assert mailfiles.with_lf(b"a: b\r\n\r\nx\n") == b"a: b\r\n\r\nx\n"  # could not be undone


# ---- once, whatever happens


def test_a_second_import_takes_in_only_what_is_new(house: Run, tmp_path: Path) -> None:
    source = tmp_path / "s.mbox"
    same = b"From x Mon Jan  1 10:00:00 2024\nSubject: same\n\nsame\n\n"
    source.write_bytes(same * 2)
    assert house("import", "ann@example.org", source).out == "Took in 2 messages into 1 mailboxes.\n"
    source.write_bytes(same * 2 + same.replace(b"same", b"new"))
    second = house("import", "ann@example.org", source)
    assert second.out == "Took in 1 messages into 1 mailboxes. 2 were taken in before (--again takes them once more).\n"
    assert house("import", "ann@example.org", source, "--again", "--json").json()["messages"] == 3


def test_an_interrupted_import_goes_on(house: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "s.mbox"
    source.write_bytes(b"".join(b"From x Mon Jan  1 10:00:00 2024\nSubject: %d\n\nx\n\n" % n for n in range(10)))

    class Cut(KeyboardInterrupt):
        pass

    noted = 0

    def cut(self: object, mailbox: str, uid: int, digest: str) -> None:
        nonlocal noted
        if noted == 4:
            raise Cut  # stored, and not noted
        noted += 1
        note(self, mailbox, uid, digest)  # type: ignore[arg-type]

    note = Ledger.note
    monkeypatch.setattr(Ledger, "note", cut)
    assert house("import", "ann@example.org", source).code == 130
    monkeypatch.setattr(Ledger, "note", note)
    assert house("import", "ann@example.org", source, "--json").json() == {"messages": 5, "left_out": 5, "mailboxes": 1}
    subjects = [message.split(b"\r\n")[0] for message, _, _, _ in content(tmp_path, "ann@example.org")["INBOX"]]
    assert subjects == [b"Subject: %d" % number for number in range(10)]


@pytest.mark.parametrize(
    ("path", "code", "says"),
    [("missing", 66, "there is no such file or folder"), ("empty", 65, "neither a Maildir nor an mbox nor an .eml file")],
)
def test_nothing_to_import(house: Run, tmp_path: Path, path: str, code: int, says: str) -> None:
    (tmp_path / "empty").mkdir()
    result = house("import", "ann@example.org", tmp_path / path)
    assert result.code == code
    assert says in result.err
    assert house("import", "zoe@example.org", tmp_path / "empty").code == 65


def test_a_large_mbox_needs_little_memory(tmp_path: Path) -> None:
    with (tmp_path / "big.mbox").open("wb") as opened:
        for number in range(40):
            opened.write(
                b"From x Mon Jan  1 10:00:00 2024\nSubject: %d\n\n" % number
                + b"x" * 75 * 20_000
                + b"\n"
                + b"y\n" * 1000
                + b"\n"
            )
    tracemalloc.start()
    count = 0
    for found in mailfiles.messages("x", tmp_path / "big.mbox"):
        with found.message:
            count += 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 40
    assert peak < 8 << 20


# ---- the index


def test_index(filled: Run, tmp_path: Path) -> None:
    before = content(tmp_path, "ann@example.org")
    assert filled("index", "check", "ann@example.org").out == "ann@example.org: index, Maildir and checksums agree.\n"
    (tmp_path / "pymaild-data/mail/example.org/ann/index.sqlite3").unlink()
    assert (
        filled("index", "rebuild", "--all").out
        == "ann@example.org: the index is new.\nbob@example.org: the index is new.\n"
    )
    assert content(tmp_path, "ann@example.org") == before
    stored = next(
        file for file in (tmp_path / "pymaild-data/mail/example.org/ann/cur").iterdir() if b"three" in file.read_bytes()
    )
    stored.write_bytes(stored.read_bytes().replace(b"three", b"eerht"))
    result = filled("index", "check", "--all", "--json")
    assert result.code == 65
    assert [bool(report["problems"]) for report in json.loads(result.out)] == [True, False]


# ---- progress


class Screen(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


def test_progress_is_a_bar_on_a_terminal_and_lines_elsewhere() -> None:
    now = [0.0]
    for terminal, step in ((True, 0.2), (False, 6.0)):
        screen = Screen(terminal)
        with Progress("import", 4, stream=screen, clock=lambda: now[0]) as progress:
            for _ in range(4):
                now[0] += step
                progress.advance()
        if terminal:
            assert "[##########" in screen.getvalue()
            assert screen.getvalue().endswith("\r\x1b[K")
        else:
            assert screen.getvalue() == "import: 2 of 4 (50%)\nimport: 4 of 4 (100%)\n"
