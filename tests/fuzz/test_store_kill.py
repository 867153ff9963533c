"""kill -9 of one of two processes that work on the same account: the other goes on, and nothing is lost or doubled."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests import powercut
from tests.powercut import Ledger

ROUNDS = 10


class Worker:
    def __init__(self, data_dir: Path, ledger: Ledger) -> None:
        command = [sys.executable, "-m", "tests.powercut", str(data_dir)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        ledger.note(self.process.stdout.readline())  # it works
        self.reader = threading.Thread(target=ledger.read, args=(self.process.stdout,))
        self.reader.start()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.reader.join()


@pytest.mark.slow
def test_one_of_two_is_killed(tmp_path: Path) -> None:
    chance, ledger = random.Random(2), Ledger()
    workers = [Worker(tmp_path, ledger), Worker(tmp_path, ledger)]
    for _ in range(ROUNDS):
        victim = chance.randrange(2)
        time.sleep(chance.uniform(0.02, 0.3))  # when it dies is the point of the test
        workers[victim].kill()
        workers[victim] = Worker(tmp_path, ledger)
    for worker in workers:
        worker.kill()
    powercut.check(tmp_path, ledger)
    assert len(ledger.delivered) > ROUNDS
    assert len(ledger.groups) > ROUNDS
    assert max(ledger.drafts.values()) > 0
