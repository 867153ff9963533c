"""When it is tried again, and that nobody's mail waits for somebody else's."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from pymaild.outbound.queue import Lane
from pymaild.outbound.schedule import FIRST_RETRY, LONGEST_RETRY, Routes, next_try

NOW = 1000.0


def test_the_wait_doubles_up_to_three_hours() -> None:
    waits = [next_try(attempts, NOW, lambda: 0.5) - NOW for attempts in range(1, 10)]
    assert waits[:4] == [300, 600, 1200, 2400] and waits[-1] == LONGEST_RETRY


def test_what_failed_together_comes_back_apart() -> None:
    early, late = next_try(1, NOW, lambda: 0.0), next_try(1, NOW, lambda: 1.0)
    assert late - early == FIRST_RETRY * 0.2


@given(st.integers(1, 10**6))
@settings(derandomize=True)
def test_no_number_of_attempts_overflows(attempts: int) -> None:
    assert NOW < next_try(attempts, NOW, lambda: 0.999) <= NOW + LONGEST_RETRY * 1.1


def test_a_full_lane_leaves_room_for_a_small_one() -> None:
    routes = Routes(per_route=5, total=8)
    lanes = [Lane("dead.example", "ann", 0), Lane("live.example", "ann", 10)]
    assert dict(routes.pick(lanes, NOW)) == {lanes[0]: 4, lanes[1]: 4}


def test_accounts_take_turns_on_one_route() -> None:
    routes = Routes(per_route=4, total=20)
    lanes = [Lane("x", "mass mailer", 0), Lane("x", "ann", 10)]
    assert dict(routes.pick(lanes, NOW)) == {lanes[0]: 2, lanes[1]: 2}


def test_whoever_has_least_on_the_way_comes_first() -> None:
    routes = Routes(per_route=4, total=4)
    for _ in range(3):
        routes.started(Lane("x", "mass mailer", 0))
    assert routes.pick([Lane("y", "mass mailer", 0), Lane("z", "ann", 10)], NOW) == [(Lane("z", "ann", 10), 1)]


def test_what_is_not_due_is_not_picked() -> None:
    assert not Routes(5, 5).pick([Lane("x", "a", NOW + 1)], NOW)


@given(
    st.lists(st.tuples(st.sampled_from("rstu"), st.sampled_from("abc"), st.floats(0, 2000)), unique_by=lambda x: x[:2]),
    st.lists(st.tuples(st.sampled_from("rstu"), st.sampled_from("abc")), max_size=6),
    st.integers(1, 6),
    st.integers(1, 12),
)
@settings(derandomize=True)
def test_limits_hold_and_no_slot_stays_free(
    due: list[tuple[str, str, float]], running: list[tuple[str, str]], per_route: int, total: int
) -> None:
    routes = Routes(per_route, total)
    for route, account in running:
        routes.started(Lane(route, account, 0))
    before = Counter(routes.busy)
    picked = routes.pick([Lane(*lane) for lane in due], NOW)
    after = before + Counter({route: 0 for route in "rstu"})
    for lane, count in picked:
        assert count > 0 and lane.next_try <= NOW
        after[lane.route] += count
    assert all(after[route] <= max(per_route, before[route]) for route in after)
    assert after.total() <= max(total, before.total())
    if after.total() < total:  # then every due route is full
        assert all(after[route] >= per_route for route, _, at in due if at <= NOW)


def test_a_silent_route_is_left_alone_and_then_probed_by_one() -> None:
    routes = Routes(5, 5)
    routes.failed("x", NOW)
    routes.failed("x", NOW + 1)  # another that was on its way at the same time
    assert routes.is_down("x", NOW + 29) and not routes.is_down("y", NOW)
    assert not routes.is_down("x", NOW + 31)  # this one goes ahead
    assert routes.is_down("x", NOW + 31)  # the others wait for what it finds
    routes.failed("x", NOW + 40)
    assert routes.is_down("x", NOW + 99) and not routes.is_down("x", NOW + 101)
    routes.answered("x")
    assert not routes.is_down("x", NOW + 101) and not routes.is_down("x", NOW + 101)


def test_forgiven_routes_are_tried_at_once() -> None:
    routes = Routes(5, 5)
    routes.failed("x", NOW)
    routes.forgive()
    assert not routes.is_down("x", NOW + 1)
