"""PLAIN and LOGIN without a protocol around them, and one spelling for every name and password."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pymaild import sasl
from pymaild.sasl import Credentials, SaslCancelled, SaslError


def run(mechanism: str, *responses: bytes) -> tuple[list[bytes], Credentials]:
    steps = sasl.MECHANISMS[mechanism].start(None)
    challenges = [next(steps)]
    for response in responses:
        try:
            challenges.append(steps.send(response))
        except StopIteration as done:
            return challenges, done.value
    raise AssertionError("the dialogue has not ended")


def test_plain() -> None:
    assert run("PLAIN", b"\0ann\0secret") == ([b""], Credentials("ann", "secret"))
    assert run("PLAIN", b"ann\0ann\0secret") == ([b""], Credentials("ann", "secret"))


def test_login() -> None:
    assert run("LOGIN", b"ann", b"secret") == ([b"Username:", b"Password:"], Credentials("ann", "secret"))


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"ann",
        b"ann\0secret",
        b"\0ann\0sec\0ret",
        b"\0\0\0\0",
        b"bob\0ann\0secret",
        b"\0ann\0",
        b"\0\0secret",
        b"\0ann\0\xff",
        b"\0ann\0\xc3",
        b"\0\xed\xa0\x80\0secret",
        b"\0a\nnn\0secret",
        b"\0ann\0" + b"x" * 1025,
        b"\0" + b"a" * 321 + b"\0secret",
        "\0ann\0se\u00adcret\u0007".encode(),
        "\0ann\0\ue000".encode(),
        "\0ann\0\u0627a".encode(),
        "\0\u00ad\0secret".encode(),
    ],
)
def test_plain_responses_that_cannot_be_read(response: bytes) -> None:
    with pytest.raises(SaslError) as caught:
        run("PLAIN", response)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("plain", "plain"),
        ("I\u00adX", "IX"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("e\u0301", "\u00e9"),
        ("\u0627\u0628", "\u0627\u0628"),
        ("\U0001f600\U0001fae0", "\U0001f600\U0001fae0"),
    ],
)
def test_one_spelling(text: str, prepared: str) -> None:
    """The examples of RFC 4013 §3, and characters newer than it."""
    assert sasl.saslprep(text) == prepared


@pytest.mark.parametrize(
    "text", ["\x07", "é\x07", "\u06271", "\u0627a\u0628", "a\u0627", "\u200eé", "\ufffd", "\U000e0041"]
)
def test_texts_that_are_no_names(text: str) -> None:
    with pytest.raises(SaslError):
        sasl.saslprep(text)


def test_lines() -> None:
    assert sasl.decode(b"YQ==") == b"a" and sasl.encode(b"a") == "YQ==" and sasl.decode_initial(b"=") == b""
    with pytest.raises(SaslCancelled):
        sasl.decode(b"*")
    for line in (b"YQ=", b"YQ", b"Y Q==", b"YQ==\x00", b"\xff", b"=", b"YQ==YQ==", b"a" * 12289):
        with pytest.raises(SaslError):
            sasl.decode(line)


def test_a_password_is_not_shown() -> None:
    assert "hush" not in repr(Credentials("ann", "hush"))


@given(st.sampled_from(list(sasl.BY_DEFAULT)), st.lists(st.binary(max_size=60), min_size=2, max_size=2))
def test_any_responses_end_in_credentials_or_a_reason(mechanism: str, responses: list[bytes]) -> None:
    try:
        _challenges, credentials = run(mechanism, *responses)
    except SaslError:
        return
    assert credentials.username and credentials.password
