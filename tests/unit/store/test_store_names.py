"""Mailbox names: what may name a mailbox, and that no name leaves the account's directory (THREATS T144)."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pymaild.mailstore import InvalidName
from pymaild.store import names


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("INBOX", "."),
        ("inbox", "."),
        ("inbox/Inbox", ".INBOX.Inbox"),
        ("Sent", ".Sent"),
        ("A/B", ".A.B"),
        ("Entwürfe", ".Entw&APw-rfe"),
        ("日本語", ".&ZeVnLIqe-"),
        ("a&b", ".a&-b"),
        ("v1.0", ".v1&AC4-0"),
        ("~root", ".~root"),
        ("cur", ".cur"),
        ("😀", ".&2D3eAA-"),
        ("&AC4ALg-/x", ".&-AC4ALg-.x"),
    ],
)
def test_a_name_has_one_folder_and_back(name: str, folder: str) -> None:
    canonical = names.canonical(name)
    assert names.folder_of(canonical) == folder
    assert names.name_of(folder) == canonical


@pytest.mark.parametrize(
    "name",
    ["", "/", "a//b", "/etc/x", "INBOX/", "../x", ".", "..", "a/../b", "a\rb", "a\nb", "a\0b", "\x7f", "\x85", "\u2028", "\ud800",
     " a", "a ", "x" * 255, "é" * 100, "/".join("a" * 40)],
)  # fmt: skip
def test_what_cannot_be_a_mailbox(name: str) -> None:
    with pytest.raises(InvalidName):
        names.canonical(name)


def test_composed_and_decomposed_are_one_name() -> None:
    assert names.canonical(unicodedata.normalize("NFD", "Entwürfe")) == names.canonical("Entwürfe")


@pytest.mark.parametrize("folder", ["..", ".&AC4ALg-", ".&AC8-", ".a..b", ".&AAA-", ".&2D0-", ".INBOX", "Sent", ".\udcff"])
def test_folders_that_are_no_mailbox(folder: str) -> None:
    assert names.name_of(folder) is None


def test_raw_utf8_of_other_programs_is_read() -> None:
    assert names.name_of(".Entwürfe") == "Entwürfe"


@settings(derandomize=True, max_examples=300)
@given(st.text(max_size=40))
def test_any_text_is_refused_or_stays_inside(text: str) -> None:
    try:
        name = names.canonical(text)
    except InvalidName:
        return
    folder = names.folder_of(name)
    assert "/" not in folder and folder not in {"", ".."} and len(folder.encode()) <= 255
    assert folder == "." or (folder.startswith(".") and not folder.startswith(".."))
    assert names.name_of(folder) == name == names.canonical(name)
