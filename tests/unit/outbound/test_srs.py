"""Rewritten senders: there and back, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pymaild.envelope import Address
from pymaild.outbound.srs import VALID, Srs, secret_of

NOW = [1_790_000_000.0]
OURS = Srs(b"secret", lambda: NOW[0])
THEIRS = Srs(b"other", lambda: NOW[0])
SUE = Address("sue", "example.net")


def test_there_and_back() -> None:
    sent = OURS.forward(SUE, "example.org")
    assert sent.domain == "example.org" and sent.local_part.startswith("SRS0=") and "=example.net=sue" in sent.local_part
    assert OURS.reverse(sent) == SUE
    assert OURS.reverse(Address(sent.local_part.lower(), "example.org")) == SUE


def test_forwarded_twice_comes_back_by_the_first_forwarder() -> None:
    first = THEIRS.forward(SUE, "example.com")
    second = OURS.forward(first, "example.org")
    assert second.local_part.startswith("SRS1=") and OURS.reverse(second) == first
    third = THEIRS.forward(second, "example.edu")
    assert THEIRS.reverse(third) == first and THEIRS.reverse(first) == SUE


@pytest.mark.parametrize("change", ["sue", "example.net", "SRS0="])
def test_nobody_else_can_make_one(change: str) -> None:
    sent = OURS.forward(SUE, "example.org")
    assert THEIRS.reverse(sent) is None
    assert OURS.reverse(Address(sent.local_part.replace(change, change + "x"), "example.org")) is None


def test_one_that_is_too_old() -> None:
    sent = OURS.forward(SUE, "example.org")
    for days, back in ((VALID, SUE), (VALID + 1, None), (1023, None)):
        NOW[0] += days * 86400
        assert OURS.reverse(sent) == back
        NOW[0] -= days * 86400


def test_the_count_of_days_begins_anew() -> None:
    NOW[0] = 1024 * 86400 * 20 - 1.0
    sent = OURS.forward(SUE, "example.org")
    NOW[0] += 2 * 86400
    assert OURS.reverse(sent) == SUE
    NOW[0] = 1_790_000_000.0


@given(st.text('ab=+-."äS0R1', min_size=1, max_size=20))
@settings(derandomize=True)
def test_any_local_part(local: str) -> None:
    sender = Address(local, "example.net")
    sent = OURS.forward(sender, "example.org")
    assert OURS.reverse(sent) == sender
    OURS.reverse(sender)


def test_the_secret_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    assert secret_of(tmp_path) == secret_of(tmp_path) and len(secret_of(tmp_path)) == 32
    assert (tmp_path / "srs.key").stat().st_mode & 0o77 == 0
