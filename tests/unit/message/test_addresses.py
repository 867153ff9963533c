"""Address lists, well-formed and not."""

from __future__ import annotations

import time

import pytest

from pymaild.envelope import Address
from pymaild.message.addresses import MAX_ADDRESSES, Mailbox, is_clean, mailbox_address, parse, shown

MARK = Mailbox()


@pytest.mark.parametrize(
    ("body", "entries"),
    [
        (b"ann@example.org", [Mailbox(None, None, b"ann", b"example.org")]),
        (b"<ann@example.org>", [Mailbox(None, None, b"ann", b"example.org")]),
        (b"Ann Example <ann@example.org>", [Mailbox(b"Ann Example", None, b"ann", b"example.org")]),
        (b'"Ann, of \\"X\\"" <ann@example.org>', [Mailbox(b'Ann, of "X"', None, b"ann", b"example.org")]),
        (b"J. Q. Public <j@example.org>", [Mailbox(b"J. Q. Public", None, b"j", b"example.org")]),
        (b"ann@example.org (Ann (and \\( more))", [Mailbox(b"Ann (and ( more)", None, b"ann", b"example.org")]),
        (b'"a b"@example.org', [Mailbox(None, None, b"a b", b"example.org")]),
        (b"a@[192.0.2.1]", [Mailbox(None, None, b"a", b"[192.0.2.1]")]),
        (b"<@a.example,@b.example:c@d.example>", [Mailbox(None, b"@a.example,@b.example", b"c", b"d.example")]),
        (b"a.b @ c . example", [Mailbox(None, None, b"a.b", b"c.example")]),
        (b"g:;", [Mailbox(local_part=b"g"), MARK]),
        (b"g: a@b.example, C <c@d.example>;, e@f.example", [
            Mailbox(local_part=b"g"), Mailbox(None, None, b"a", b"b.example"), Mailbox(b"C", None, b"c", b"d.example"),
            MARK, Mailbox(None, None, b"e", b"f.example"),
        ]),
        (b"", []),
        (b"(only a comment)", []),
    ],
)  # fmt: skip
def test_well_formed(body: bytes, entries: list[Mailbox]) -> None:
    assert parse(body) == entries
    assert is_clean(entries)


@pytest.mark.parametrize(
    ("body", "first"),
    [
        (b"ann", Mailbox(None, None, b"ann", b"MISSING_DOMAIN", True)),
        (b"Ann Example", Mailbox(b"Ann Example", None, b"MISSING_MAILBOX", b"MISSING_DOMAIN", True)),
        (b"@example.org", Mailbox(None, None, b"MISSING_MAILBOX", b"example.org", True)),
        (b"Ann <ann@example.org", Mailbox(b"Ann", None, b"ann", b"SYNTAX_ERROR", True)),
        (b"Ann <>", Mailbox(b"Ann", None, b"MISSING_MAILBOX", b"MISSING_DOMAIN", True)),
        (b"admin@legit.example <any@attack.example>", Mailbox(None, None, b"admin", b"legit.example", True)),
        (b"a@b.example; c@d.example", Mailbox(None, None, b"a", b"b.example", True)),
        (b"<@bad route:a@b.example>", Mailbox(None, b"INVALID_ROUTE", b"route", b"SYNTAX_ERROR", True)),
        (b'"unclosed <a@b.example>', Mailbox(None, None, b"MISSING_MAILBOX", b"MISSING_DOMAIN", True)),
    ],
)
def test_malformed_is_marked(body: bytes, first: Mailbox) -> None:
    entries = parse(body)
    assert entries[0] == first
    assert not is_clean(entries)


def test_dots_where_none_may_be() -> None:
    assert [entry.local_part for entry in parse(b"a..b@example.org, .c@example.org, d.@example.org")] == [
        b"a..b",
        b".c",
        b"d.",
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"(" * 50_000,
        b"((x)" * 10_000,
        b'"' + b"x" * 1_00_000,
        b'a "' * 20_000,
        b"a@b.example, " * 10_000,
        b"g:" * 20_000,
        b"<" * 50_000,
        b"a." * 30_000,
        b"=?utf-8?q?" * 50_000,
        b"a@b (" * 10_000,
        b"\\" * 50_000,
        b"@a," * 20_000,
        b"<@a" + b",@a" * 20_000,
    ],
    ids=lambda body: repr(body[:8]),
)
def test_hostile_lists_take_linear_time(body: bytes) -> None:
    start = time.process_time()
    assert len(parse(body)) <= MAX_ADDRESSES + 2
    assert time.process_time() - start < 2


def test_as_envelope_address() -> None:
    entry = parse("jürgen@BÜCHER.example".encode())[0]
    assert mailbox_address(entry) == Address("jürgen", "xn--bcher-kva.example")
    assert mailbox_address(parse(b"a@EXAMPLE.org")[0]) == Address("a", "example.org")
    assert mailbox_address(Mailbox(None, None, b"a", "\u2488.example".encode())).local_part == "a"


def test_shown() -> None:
    assert [shown(parse(body)[0]) for body in (b"a@b.example", b"a", b"Ann Example")] == ["a@b.example", "a", ""]
