"""When a message is tried again, and whose turn it is. No clock, no disk: times and numbers in, decisions out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pymaild.outbound.queue import Lane

FIRST_RETRY = 300.0  # seconds: greylisting is over by then
LONGEST_RETRY = 3 * 3600.0
_DOWN_FIRST, _DOWN_LONGEST = 30.0, 900.0  # seconds in which a route that nobody answers on is left alone


def next_try(attempts: int, now: float, random: Callable[[], float]) -> float:
    """When the next attempt is due, after so many that came to nothing. RFC 5321 §4.5.4.1.

    5, 10, 20 ... minutes, then every three hours; a tenth more or less, so that what failed together does not come back
    together. The first hour has three attempts: most that fail at first (greylisting, a restart) succeed then.
    """
    wait = min(FIRST_RETRY * 2.0 ** min(attempts - 1, 20), LONGEST_RETRY)
    return now + wait * (0.9 + 0.2 * random())


@dataclass(slots=True)
class _Down:
    """A route on which nobody answered."""

    until: float
    times: int
    probing: bool = False


MOST_READY = 200  # messages of a route taken ahead of their turn


@dataclass(slots=True)
class _Pace:
    """How many messages a route took within the last full second."""

    second: int = 0
    now: int = 0
    last: int = 0

    def count(self, second: int) -> None:
        self.at(second)
        self.now += 1

    def at(self, second: int) -> int:
        if second != self.second:
            self.last = self.now if second == self.second + 1 else 0
            self.second, self.now = second, 0
        return max(self.last, self.now)


@dataclass(slots=True)
class Routes:
    """How many messages are in hand for each route, and which routes are down."""

    per_route: int  # carried at a time
    total: int
    busy: Counter[str] = field(default_factory=Counter)
    accounts: Counter[str] = field(default_factory=Counter)
    _down: dict[str, _Down] = field(default_factory=dict)
    _paces: dict[str, _Pace] = field(default_factory=dict)

    def started(self, lane: Lane) -> None:
        """A message was taken."""
        self.busy[lane.route] += 1
        self.accounts[lane.account] += 1

    def carried(self, route: str, now: float) -> None:
        """A server there has answered about one."""
        if route not in self._paces and len(self._paces) > 1000:
            self._paces.clear()
        self._paces.setdefault(route, _Pace()).count(int(now))

    def _ahead(self, route: str, now: float) -> int:
        """How many may be ready besides those that are carried: what the route takes in a second."""
        pace = self._paces.get(route)
        return min(pace.at(int(now)), MOST_READY) if pace else 0

    def ended(self, lane: Lane) -> None:
        """It is out of hand again."""
        for counter, key in ((self.busy, lane.route), (self.accounts, lane.account)):
            counter[key] -= 1
            if not counter[key]:
                del counter[key]

    def is_down(self, route: str, now: float) -> bool:
        """Whether nobody answered there a moment ago. When that is over, one message goes ahead and finds out."""
        down = self._down.get(route)
        if down is None:
            return False
        if now < down.until or down.probing:
            return True
        down.probing = True
        return False

    def failed(self, route: str, now: float) -> None:
        """Nobody answered."""
        down = self._down.setdefault(route, _Down(0.0, 0))
        if now >= down.until:  # those that were on their way together count once
            down.times += 1
            down.until = now + min(_DOWN_FIRST * 2.0 ** min(down.times - 1, 20), _DOWN_LONGEST)
        down.probing = False

    def answered(self, route: str) -> None:
        """Somebody did."""
        self._down.pop(route, None)

    def forgive(self) -> None:
        """Somebody wants it tried now: no route counts as down."""
        self._down.clear()

    def pick(self, lanes: Sequence[Lane], now: float) -> list[tuple[Lane, int]]:
        """How many messages to take of which lanes.

        Turn by turn, one message each, those first who have least on their way: so neither a route with a hundred
        thousand messages nor an account that sends to everybody makes the others wait.
        """
        ahead = {lane.route: self._ahead(lane.route, now) for lane in lanes}
        free = self.total + sum(ahead.values()) - self.busy.total()
        room = {lane.route: self.per_route + ahead[lane.route] - self.busy[lane.route] for lane in lanes}
        due = [lane for lane in lanes if lane.next_try <= now]
        due.sort(key=lambda lane: (self.busy[lane.route], self.accounts[lane.account], lane.next_try))
        picked: Counter[Lane] = Counter()
        while free > 0:
            turn = [lane for lane in due if room[lane.route] > 0]
            if not turn:
                break
            for lane in turn[:free]:
                if room[lane.route] > 0:
                    picked[lane] += 1
                    room[lane.route] -= 1
                    free -= 1
        return list(picked.items())
