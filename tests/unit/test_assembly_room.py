"""Whether MAIL may be accepted at all: the room left on the disk."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from pymaild import assembly, config


@pytest.mark.parametrize(("blocks", "room"), [(149, False), (150, True)])
def test_one_and_a_half_messages_must_fit(blocks: int, room: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = config.parse(f"[server]\nhostname = mx.example.org\ndata_dir = {tmp_path}\n[limits]\nmessage_size = 100K\n")
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=blocks, f_frsize=1024))
    assert assembly.has_room(conf) is room


def test_a_disk_that_cannot_be_asked_does_not_stop_the_mail(tmp_path: Path) -> None:
    conf = config.parse(f"[server]\nhostname = mx.example.org\ndata_dir = {tmp_path / 'gone'}\n")
    assert assembly.has_room(conf)
