"""Who listens is told how much is done; what is counted inside of something else is part of it."""

from __future__ import annotations

from pymaild.imap.progress import Progress
from pymaild.progress import counted, listening


def test_one_count_at_a_time() -> None:
    told: list[tuple[int, int]] = []
    with listening(lambda done, goal: told.append((done, goal))):
        for _ in counted("ab"):
            assert list(counted("xyz")) == ["x", "y", "z"]
        assert list(counted("c")) == ["c"]
    assert list(counted("d")) == ["d"]
    assert told == [(0, 2), (1, 2), (0, 1)]


def test_whoever_stops_early_leaves_the_listener_in_place() -> None:
    told: list[tuple[int, int]] = []
    with listening(lambda done, goal: told.append((done, goal))):
        for _ in counted("ab"):
            break
        list(counted("c"))
    assert told == [(0, 2), (0, 1)]


def test_every_ten_seconds_and_never_backwards() -> None:
    seconds, said = [0.0], list[bytes]()
    progress = Progress(b'a"1', lambda: seconds[0], said.append)
    for at, done in ((9, 1), (10, 2), (19, 3), (21, 4), (40, 1), (60, 9)):
        seconds[0] = at
        progress(done, 10)
    assert said == [
        b'* OK [INPROGRESS ("a\\"1" 2 10)] Still at work\r\n',
        b'* OK [INPROGRESS ("a\\"1" 4 10)] Still at work\r\n',
        b'* OK [INPROGRESS ("a\\"1" NIL NIL)] Still at work\r\n',
        b'* OK [INPROGRESS ("a\\"1" 9 10)] Still at work\r\n',
    ]
