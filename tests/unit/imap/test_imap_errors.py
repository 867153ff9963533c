"""Every error of the store and of logging in has a response code. RFC 5530."""

from __future__ import annotations

import pytest

from pymaild import mailstore
from pymaild.imap.answers import line
from pymaild.imap.errors import STORE_CODES, Bad, No, refusal
from pymaild.status import MailError


def test_no_store_error_is_forgotten() -> None:
    kinds = {kind for kind in vars(mailstore).values() if isinstance(kind, type) and issubclass(kind, mailstore.StoreError)}
    assert kinds - {mailstore.StoreError} == STORE_CODES.keys()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (mailstore.NoSpace(), "UNAVAILABLE"),
        (mailstore.StorageFailed(), "UNAVAILABLE"),
        (mailstore.MailboxHasChildren(), "HASCHILDREN"),
        (mailstore.StoreError("5.7.1", "No"), "NOPERM"),
        (MailError("4.7.0", "Later"), "LIMIT"),
        (MailError("4.4.3", "Later"), "UNAVAILABLE"),
        (MailError("5.0.0", "Never"), "CANNOT"),
    ],
)
def test_codes(error: MailError, code: str) -> None:
    assert refusal(error).code == code
    assert isinstance(refusal(error), No)


def test_a_refusal_stays_what_it_is() -> None:
    bad = Bad("Expected a tag")
    assert refusal(bad) is bad


def test_a_text_never_breaks_the_line() -> None:
    assert line(b"a", "NO", "one\r\na OK caf\u00e9\0", "CANNOT") == b"a NO [CANNOT] one??a OK caf??\r\n"
