"""Any bytes are a message: reading one never raises, and its parts lie inside one another."""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pymaild.envelope import Address
from pymaild.imap.describe import describe
from pymaild.imap.values import Run, Value, render
from pymaild.mailstore import Column
from pymaild.message import addresses, dates, parameters, sections
from pymaild.message.compose import Author, people_field
from pymaild.message.html import html_to_text
from pymaild.message.sanitize import safe_html
from pymaild.message.structure import Part, scan, walk
from pymaild.message.text import decode_part, part_text, searchable_body
from pymaild.message.words import decode_words
from tests.imapvalues import Parsed, parse

PIECES = [
    b"\r\n", b"\r\n", b"\n", b"\r", b"\0", b" ", b"--a", b"--a--", b"--ab", b"--b", b"--", b"x", b"\xff", b"\xc3\xa9", b":", b";", b"(", b")", b'"', b"\\",
    b"Content-Type: multipart/mixed; boundary=a\r\n", b"Content-Type: multipart/digest; boundary=ab\r\n", b'content-type: multipart/x; boundary="b"\r\n',
    b"Content-Type: message/rfc822\r\n", b"Content-Type: text/html; charset=utf-16\r\n", b"Content-Type: image/png; name*0*=utf-8''%; name*1=x\r\n",
    b"Content-Transfer-Encoding: base64\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n", b"Content-Transfer-Encoding: x-uuencode\r\n",
    b"Content-Disposition: attachment; filename=", b"Subject: ", b"From: ", b"To: a@b.c, <d@e>, g: ", b"Date: 1 Jan 2020 ", b"=?utf-8?q?=C3?=", b"=?x?b?AA?=",
    b"begin 644 x\r\n", b"=C3=", b"AAAA=", b"<p>", b"<!--",
]  # fmt: skip
mail = st.lists(st.sampled_from(PIECES) | st.binary(max_size=6), max_size=40).map(b"".join)
octets = st.binary(max_size=40) | st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join)


@given(mail)
def test_any_bytes_are_a_message(message: bytes) -> None:
    columns = describe(message)
    assert set(columns) == set(Column)
    for which in (Column.ENVELOPE, Column.BODY, Column.BODYSTRUCTURE):
        values = parse(columns[which])
        assert len(values) == 1 and isinstance(values[0], list)
        assert which is not Column.ENVELOPE or len(values[0]) == 10
    summary = json.loads(columns[Column.SUMMARY])
    assert not any(character in "\r\n" for character in summary["subject"] + summary["preview"])


@given(mail)
def test_parts_lie_inside_one_another(message: bytes) -> None:
    root = scan(message)
    assert (root.header_start, root.body_end) == (0, len(message))
    for part in walk(root):
        assert part.header_start <= part.body_start <= part.body_end <= len(message)
        assert part.lines == message.count(b"\n", part.body_start, part.body_end)
        for child in part.children:
            assert part.body_start <= child.header_start and child.body_end <= part.body_end
        for first, second in pairwise(part.children):
            assert first.body_end <= second.header_start
    assert sections.dump(sections.load_parts(sections.dump(root))) == sections.dump(root)


@given(mail)
def test_every_part_can_be_found_and_read(message: bytes) -> None:
    root = scan(message)
    for number, part in _numbered(root, ""):
        assert sections.find(root, number) is part
        sections.body_bytes(message, part, root)
        decode_part(message, part)
        part_text(message, part)
    list(searchable_body(message))


def _numbered(part: Part, prefix: str) -> list[tuple[str, Part]]:
    """An independent count of RFC 3501 §6.4.5."""
    if not part.is_multipart:
        return [(f"{prefix}1", part), *_inner(part, f"{prefix}1.")]
    found = []
    for index, child in enumerate(part.children, 1):
        found.append((f"{prefix}{index}", child))
        found += _numbered(child, f"{prefix}{index}.") if child.is_multipart else _inner(child, f"{prefix}{index}.")
    return found


def _inner(part: Part, prefix: str) -> list[tuple[str, Part]]:
    return _numbered(part.message, prefix) if part.message is not None else []


@given(octets)
def test_any_bytes_are_a_field(body: bytes) -> None:
    for entry in addresses.parse(body):
        addresses.shown(entry)
        addresses.mailbox_address(entry)
    decoded = decode_words(body)
    assert "\r" not in decoded and "\n" not in decoded
    dates.parse(body)
    main, sub, at = parameters.media_type(body)
    assert isinstance(main + sub, bytes) and 0 <= at <= len(body)
    for name in ("name", "filename"):
        parameters.text_value(parameters.parse(body, 0), name)


@given(st.text(max_size=80) | octets.map(lambda body: body.decode("latin-1")))
def test_any_text_is_html(source: str) -> None:
    html_to_text(source)
    cleaned, blocked = safe_html(source, allow_remote=False, cid=lambda _: None)
    assert "<script" not in cleaned.lower() and blocked >= 0


names = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=30).map(str.strip)
locals_ = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Zs")), min_size=1, max_size=20)


@given(st.lists(st.builds(Author, names, st.builds(Address, locals_, st.just("example.org"))), min_size=1, max_size=5))
def test_people_are_read_as_they_were_written(people: list[Author]) -> None:
    field = people_field("To", people).encode()
    entries = addresses.parse(field[3:].replace(b"\r\n", b""))
    assert addresses.is_clean(entries)
    assert [addresses.mailbox_address(entry) for entry in entries] == [person.address for person in people]
    assert [decode_words(entry.name or b"").split() for entry in entries] == [person.name.split() for person in people]


plain: st.SearchStrategy[Value] = st.recursive(
    st.none() | st.integers(0, 2**32 - 1) | st.binary(max_size=20).map(lambda text: text.replace(b"\0", b"")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.lists(inner.map(lambda value: [value]), max_size=3).map(lambda run: [Run(run)])
    ),
    max_leaves=20,
)


@given(plain)
def test_values_are_read_as_they_were_written(value: Value) -> None:
    assert parse(render(value)) == [_spread(value)]


def _spread(value: Value) -> Parsed:
    """The value with its runs opened, as a reader sees it."""
    if not isinstance(value, list):
        return value
    out: list[Parsed] = []
    for inner in value:
        out += [_spread(one) for one in inner] if isinstance(inner, Run) else [_spread(inner)]
    return out
