"""Twenty power cuts under load: every acknowledged message is there once, as it was, under its uid, with its flags.

What was appended or copied together is there together; of a draft that is replaced there is always a version.
"""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests import powercut

CUTS = 20


@pytest.mark.slow
@pytest.mark.skipif(bool(powercut.why_not()), reason=powercut.why_not() or "can be made")
def test_power_cuts(tmp_path: Path) -> None:
    chance = random.Random(1)
    ledger = powercut.Ledger()
    with powercut.Disk(tmp_path) as disk:
        for _ in range(CUTS):
            before = len(ledger.delivered)
            _load_and_cut(disk, ledger, chance.uniform(0.05, 0.6))
            disk.revive()
            assert len(ledger.delivered) > before
            _verify(disk.path, ledger)
    assert len(ledger.groups) > CUTS
    assert max(ledger.drafts.values()) > 0


def _load_and_cut(disk: powercut.Disk, ledger: powercut.Ledger, seconds: float) -> None:
    command = [sys.executable, "-m", "tests.powercut", str(disk.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as load:
        assert load.stdout
        ledger.note(load.stdout.readline())
        reader = threading.Thread(target=ledger.read, args=(load.stdout,))
        reader.start()
        time.sleep(seconds)  # when the power goes is the point of the test
        disk.cut()
        try:
            load.wait(timeout=10)
        except subprocess.TimeoutExpired:
            load.kill()
        reader.join()


def _verify(data_dir: Path, ledger: powercut.Ledger) -> None:
    there = powercut.check(data_dir, ledger)
    for uid in there.keys() - ledger.delivered.keys():  # delivered, and cut off before we heard of it
        ledger.asked.add(uid)
