"""Base subjects and sort keys. RFC 5256 §2, RFC 5957 §3."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pymaild.message.sections import to_json
from pymaild.message.sorting import NO_KEYS, base_subject, from_json, message_ids, sort_keys

SUBJECTS = [
    ("", "", False),
    ("Plans", "Plans", False),
    ("Re: Plans", "Plans", True),
    ("  RE :\t re: FW: Fwd: Plans  ", "Plans", True),
    ("Re[2]: Plans", "Plans", True),
    ("Re [list] : Plans", "Plans", True),
    ("[list] Re: [other] Plans", "Plans", True),
    ("[list] Plans", "Plans", False),
    ("[list]", "[list]", False),
    ("[a][b]", "[b]", False),
    ("Re: [list]", "[list]", True),
    ("Plans (fwd)(FWD) ", "Plans", True),
    ("(fwd)", "", True),
    ("[fwd: Re: Plans (fwd)]", "Plans", True),
    ("[Fwd: [Fwd: Plans]]", "Plans", True),
    ("Re: Re:", "", True),
    ("Regarding: Plans", "Regarding: Plans", False),
    ("Plans  of \t mice", "Plans of mice", False),
    ("Re", "Re", False),
    ("[a[b] Re: c", "[a[b] Re: c", False),
]


@pytest.mark.parametrize(("subject", "base", "is_reply"), SUBJECTS)
def test_base_subject(subject: str, base: str, is_reply: bool) -> None:
    assert base_subject(subject) == (base, is_reply)


@settings(derandomize=True, max_examples=300)
@given(st.lists(st.sampled_from(["re", "Fwd", ":", "[", "]", " ", "(fwd)", "[fwd:", "x"]), max_size=20).map("".join))
def test_a_base_subject_has_nothing_left_to_take_off(subject: str) -> None:
    base, _ = base_subject(subject)
    assert base_subject(base)[0] == base


@pytest.mark.parametrize("piece", ["Re:", "[a]", "[fwd:", "(fwd)", "[", "re ", "[a] Re"])
def test_hostile_subjects_take_no_time(piece: str) -> None:
    began = time.process_time()
    base_subject(piece * 100_000)
    assert time.process_time() - began < 0.5


def test_keys() -> None:
    keys = sort_keys(
        b"From: =?utf-8?q?J=C3=B6rg?= <Joerg@example.org>, x@y\r\nTo: team: ann@example.org;\r\nCc: postmaster\r\n"
        b"Subject: Re: [l] Caf\xc3\xa9\r\nDate: Thu, 1 Jan 1970 01:00:00 +0100\r\nMessage-ID: <a@b>\r\n"
        b"References: <1@x> junk <2@x>\r\n <3@x>\r\nIn-Reply-To: <4@x>\r\nSubject: second\r\n\r\n"
    )
    assert keys.subject == "CAFE\u0301"
    assert (keys.is_reply, keys.sent, keys.message_id) == (True, 0, "a@b")
    assert (keys.from_, keys.to, keys.cc) == ("JOERG", "TEAM", "POSTMASTER")
    assert (keys.display_from, keys.display_to) == ("JO\u0308RG", "TEAM")
    assert keys.references == ("1@x", "2@x", "3@x")


def test_keys_of_an_empty_header_and_back_from_the_index() -> None:
    assert sort_keys(b"\r\n") == NO_KEYS
    keys = sort_keys(b"In-Reply-To: <1@x> <2@x>\r\nDate: nonsense\r\n\r\n")
    assert (list(keys.references), keys.sent) == (["1@x"], None)
    read = from_json([to_json(keys), b""])
    assert read[0]._replace(references=tuple(read[0].references)) == keys
    assert read[1] == NO_KEYS


def test_message_ids() -> None:
    assert message_ids(b'<a@b><"c"@d> <no-domain> < e@f > <g h@i> <"j k"@l>') == ["a@b", "c@d", "e@f"]


def test_a_thousand_references_keep_the_first_and_the_last() -> None:
    body = b" ".join(b"<%d@x>" % number for number in range(1000))
    references = sort_keys(b"References: " + body + b"\r\n\r\n").references
    assert (len(references), references[0], references[-1]) == (100, "0@x", "999@x")
