"""Paths, domains, parameters: what is read, and what is refused with which words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pymaild.envelope import Address, Client, Envelope, Recipient
from pymaild.smtp import Refused, grammar, parameters
from pymaild.smtp.parameters import MAIL_PARAMETERS, RCPT_PARAMETERS


def parse(text: str) -> Address | None:
    address, rest = grammar.path(text, "5.1.3")
    assert rest == ""
    return address


GOOD = {
    "<ann@example.org>": ("ann", "example.org"),
    "<Ann@EXAMPLE.org>": ("Ann", "example.org"),
    '<"ann"@example.org>': ("ann", "example.org"),
    r'<"a\n\n"@example.org>': ("ann", "example.org"),
    '<"a b"@example.org>': ("a b", "example.org"),
    '<"a@b"@example.org>': ("a@b", "example.org"),
    r'<"a\"b"@example.org>': ('a"b', "example.org"),
    r'<"a\\"@example.org>': ("a\\", "example.org"),
    '<"a>b"@example.org>': ("a>b", "example.org"),
    "<!#$%&'*+/=?^_`{|}~-@example.org>": ("!#$%&'*+/=?^_`{|}~-", "example.org"),
    "<a.b.c@example.org>": ("a.b.c", "example.org"),
    "<123@example.org>": ("123", "example.org"),
    "<" + "a" * 64 + "@example.org>": ("a" * 64, "example.org"),
    "<a@localhost>": ("a", "localhost"),
    "<a@1.2.3.4>": ("a", "1.2.3.4"),
    "<a@my_host.example>": ("a", "my_host.example"),
    "<a@xn--bcher-kva.example>": ("a", "xn--bcher-kva.example"),
    "<a@bücher.example>": ("a", "xn--bcher-kva.example"),
    "<a@BÜCHER.example>": ("a", "xn--bcher-kva.example"),
    "<a@bu\u0308cher.example>": ("a", "xn--bcher-kva.example"),
    "<a@\uff45xample\u3002org>": ("a", "example.org"),
    "<a@straße.example>": ("a", "xn--strae-oqa.example"),
    "<ze\u0301@example.org>": ("z\u00e9", "example.org"),
    "<a@[192.0.2.1]>": ("a", "[192.0.2.1]"),
    "<a@[IPv6:2001:DB8:0::1]>": ("a", "[IPv6:2001:db8::1]"),
    "<a@[ipv6:::1]>": ("a", "[IPv6:::1]"),
    "<@a.example:ann@example.org>": ("ann", "example.org"),
    "<@a.example,@b.example:ann@example.org>": ("ann", "example.org"),
    "<@[192.0.2.1]:ann@example.org>": ("ann", "example.org"),
    "<postmaster>": ("postmaster", ""),
    "<a%b@example.org>": ("a%b", "example.org"),
    "<b!a@example.org>": ("b!a", "example.org"),
}


@pytest.mark.parametrize("text", GOOD)
def test_paths_that_are_read(text: str) -> None:
    assert parse(text) == Address(*GOOD[text])


BAD = [
    "",
    "ann@example.org",
    "<ann@example.org",
    "<<ann@example.org>>",
    "<ann@example.org>x",
    "< ann@example.org>",
    "<ann@example.org >",
    "<ann @example.org>",
    "<@>",
    "<@example.org>",
    "<ann@>",
    "<ann@@example.org>",
    "<a@b@example.org>",
    "<.ann@example.org>",
    "<ann.@example.org>",
    "<a..b@example.org>",
    "<a(c)@example.org>",
    "<a,b@example.org>",
    "<a:b@example.org>",
    "<a;b@example.org>",
    "<a[b@example.org>",
    "<a\\b@example.org>",
    '<a"b@example.org>',
    '<""@example.org>',
    '<"ann@example.org>',
    '<"a"b@example.org>',
    '<"a\x01b"@example.org>',
    '<"a\tb"@example.org>',
    '<"a\x00b"@example.org>',
    '<"a\\\r\nb"@example.org>',
    "<a\u202eb@example.org>",
    "<a\u0085b@example.org>",
    "<a\u2028b@example.org>",
    "<" + "a" * 65 + "@example.org>",
    "<" + "ä" * 33 + "@example.org>",
    "<a@" + "b." * 123 + "example.org>",
    "<a@" + "b" * 64 + ".example>",
    "<a@.example.org>",
    "<a@example.org.>",
    "<a@example..org>",
    "<a@-a.example>",
    "<a@a-.example>",
    "<a@a+b.example>",
    "<a@exa mple.org>",
    "<a@[]>",
    "<a@[192.0.2]>",
    "<a@[192.0.2.1>",
    "<a@192.0.2.1]>",
    "<a@[192.0.2.256]>",
    "<a@[192.0.2.01]>",
    "<a@[2001:db8::1]>",
    "<a@[IPv6:192.0.2.1]>",
    "<a@[IPv6:12345::1]>",
    "<a@[IPv6:fe80::1%lo]>",
    "<a@[tag:text]>",
    "<a@a\u200db.example>",
    "<a@\u0301a.example>",
    "<a@" + "ü" * 64 + ".example>",
    "<@a.example>",
    "<a.example:ann@example.org>",
]


@pytest.mark.parametrize("text", BAD, ids=ascii)
def test_paths_that_are_refused(text: str) -> None:
    with pytest.raises(Refused) as caught:
        grammar.path(text, "5.1.3")
    assert (caught.value.code, caught.value.status) == (501, "5.1.3")


def test_the_null_path_and_what_follows_a_path() -> None:
    assert grammar.path("<> SIZE=3", "5.1.7") == (None, " SIZE=3")
    assert grammar.path("<a@b.example> A  B=c ", "5.1.7") == (Address("a", "b.example"), " A  B=c ")


LOCAL = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=64)


@given(LOCAL)
def test_an_address_reads_back_as_it_was_written(local: str) -> None:
    """parse(render(x)) = x."""
    address = Address(local, "example.org")
    assert parse(f"<{address}>") == address


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        address, _rest = grammar.path(text, "5.1.3")
    except Refused:
        return
    if address is not None:
        assert grammar.is_safe(str(address)) and address.domain.isascii()


@pytest.mark.parametrize("name", ["a", "my_pc", "[192.0.2.1]", "[IPv6:2001:db8::1]", "10.0.0.1", "Ann's-Mac.local", "::1"])
def test_helo_names_that_are_taken(name: str) -> None:
    assert grammar.helo_name(name) == name


def test_a_helo_name_that_is_not_ascii() -> None:
    assert grammar.helo_name("Bücher.example") == "xn--bcher-kva.example"


@pytest.mark.parametrize(
    "name", ["", "a b", "(x)", "<x>", "[IPv6:2001:db8::1", "[x]", "a" * 256, "ä" * 70, "a\u202eb", 'x"']
)
def test_helo_names_that_are_refused(name: str) -> None:
    with pytest.raises(Refused):
        grammar.helo_name(name)


def test_parameters_are_read() -> None:
    assert grammar.parameters(" size=3  SMTPUTF8 AUTH=<>") == {"SIZE": "3", "SMTPUTF8": None, "AUTH": "<>"}
    assert grammar.parameters("") == {}


@pytest.mark.parametrize("text", [" =3", " A=", " A=b=c", " A A", " -A", " A_B", " A=b\u00a0C", "\u2003"], ids=ascii)
def test_parameters_that_are_refused(text: str) -> None:
    if text.endswith("C"):  # a space that is not SP parts nothing
        assert grammar.parameters(text) == {"A": "b\u00a0C"}
        return
    with pytest.raises(Refused):
        grammar.parameters(text)


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_xtext_reads_back(text: str) -> None:
    """RFC 3461 §4."""
    written = "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in text)
    assert grammar.xtext(written) == text


@pytest.mark.parametrize("text", ["+", "+4", "+4g", "+3d", "a=b", "a b", "+0A", "+00", "+7F", "+FF", "é"])
def test_xtext_that_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        grammar.xtext(text)


def envelope(account: str = "", **found: str | None) -> Envelope:
    result = Envelope(Client("s", "192.0.2.1", account=account))
    parameters.apply(MAIL_PARAMETERS, found, result)
    return result


def recipient(**found: str | None) -> Recipient:
    result = Recipient(Address("a", "b.example"))
    parameters.apply(RCPT_PARAMETERS, found, result)
    return result


def test_what_parameters_mean_for_the_envelope() -> None:
    e = envelope(SIZE="12", BODY="8bitmime", SMTPUTF8=None, RET="full", ENVID="a+20b", AUTH="sue+40x")
    assert (e.size, e.body, e.smtputf8, e.ret, e.envid, e.auth) == (12, "8BITMIME", True, "FULL", "a b", "<>")
    assert envelope("ann@example.org", AUTH="sue+40x").auth == "sue@x"
    assert envelope("ann@example.org", AUTH="<>").auth == "<>"
    r = recipient(NOTIFY="success,FAILURE", ORCPT="rfc822;a+2Bb@c.example")
    assert (r.notify, r.orcpt) == (frozenset({"SUCCESS", "FAILURE"}), "rfc822;a+b@c.example")


@pytest.mark.parametrize(
    ("value", "decoded"),
    [
        (r"utf-8;j\x{F6}rg@x", "utf-8;jörg@x"),
        ("UTF-8;jörg@x", "UTF-8;jörg@x"),
        ("utf-8;a+2Bb@x", "utf-8;a+b@x"),
        (r"utf-8;\x{1F600}@x", "utf-8;\U0001f600@x"),
    ],
)
def test_original_recipients_in_unicode(value: str, decoded: str) -> None:
    """RFC 6533 §3."""
    assert recipient(ORCPT=value).orcpt == decoded


@pytest.mark.parametrize(
    "value",
    [
        "a@b",
        ";a",
        "rfc822;",
        "r_c;a",
        "rfc822;jörg",
        "rfc822;" + "a" * 500,
        r"utf-8;\x{0A}x",
        r"utf-8;\x{D800}",
        "utf-8;a+0Ab",
        r"utf-8;\x{FFFFFF}",
        "utf-8;a+4",
    ],
)
def test_original_recipients_that_are_refused(value: str) -> None:
    with pytest.raises(Refused):
        recipient(ORCPT=value)
