"""THREADID: what belongs together has one id, whatever else is there. RFC 8474 §5.2."""

from __future__ import annotations

from hashlib import sha256

import pytest

from pymaild.imap.cells import email_id, thread_id
from pymaild.imap.describe import describe
from pymaild.mailstore import Column
from pymaild.message.sorting import from_json


def ids(header: str) -> tuple[str, str]:
    """EMAILID and THREADID of a message with this header."""
    message = header.encode() + b"\r\n\r\ntext\r\n"
    digest = sha256(message).digest()
    (keys,) = from_json([describe(message)[Column.SORTING]])
    return email_id(digest), thread_id(keys, digest)


ROOT = ids("Message-ID: <a@x>")[1]


@pytest.mark.parametrize(
    "header",
    [
        "Message-ID: <b@x>\r\nIn-Reply-To: <a@x>",
        "Message-ID: <b@x>\r\nReferences: <a@x>",
        "Message-ID: <c@x>\r\nIn-Reply-To: <b@x>\r\nReferences: <a@x> <b@x>",
        'Message-ID: <d@x>\r\nReferences: <"a"@x>\r\n <b@x>\r\n <c@x>',
        "References: <a@x>",
        "Message-ID: <e@x>\r\nReferences: <a@x>" + "".join(f" <{number}@x>" for number in range(500)),
    ],
)
def test_who_names_the_same_first_message_is_in_its_thread(header: str) -> None:
    assert ids(header)[1] == ROOT


def test_others_are_not() -> None:
    headers = ["Message-ID: <b@x>", "References: <b@x> <a@x>", "Subject: a@x", "Subject: another", "Message-ID: no id", ""]
    found = [ids(header)[1] for header in headers]
    assert ROOT not in found
    assert found[0] == found[1]
    assert len(set(found)) == len(found) - 1


@pytest.mark.parametrize("header", ["", "Message-ID: <a@x>", "Message-ID: <\xff@\u2028>", "References: <a@x>"])
def test_both_ids_are_objectids(header: str) -> None:
    """1 to 255 letters, digits, _ and -. RFC 8474 §7."""
    for each in ids(header):
        assert each.isascii()
        assert each.isalnum()
        assert len(each) <= 255
