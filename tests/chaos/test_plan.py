"""The plan of a campaign: the same for the same seed, and fair to every crash point."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bench.chaos.plan import AT_RANDOM, NO_TASKS, WHOLE, Kind, plan
from orders.crashpoints import Point


@given(seed=st.integers(), faults=st.integers(0, 400))
def test_a_seed_gives_the_same_plan_again(seed: int, faults: int) -> None:
    assert plan(faults, seed) == plan(faults, seed)
    assert len(plan(faults, seed)) == faults


@given(seed=st.integers(), faults=st.integers(0, 400))
def test_no_point_comes_twice_before_all_have_come_once(seed: int, faults: int) -> None:
    counts = Counter(fault.target for fault in plan(faults, seed) if fault.kind is Kind.POINT)
    often = [counts[point.value] for point in Point]
    assert max(often) - min(often) <= 1


def test_a_whole_campaign_hits_every_point_five_times_and_every_random_one_once() -> None:
    drawn = plan(WHOLE, 1)
    at_points = Counter(fault.target for fault in drawn if fault.kind is Kind.POINT)
    assert min(at_points[point.value] for point in Point) >= 5
    assert set(AT_RANDOM) <= set(drawn)


def test_only_some_points() -> None:
    drawn = plan(4, 1, [Point.CHARGE_AFTER_CALL, Point.CHARGE_AFTER_ROW])
    assert Counter(fault.target for fault in drawn) == {"charge.after_call": 2, "charge.after_row": 2}


def test_the_process_manager_is_never_the_parent_that_is_killed() -> None:
    """The relay's parent is the process manager. A point that was renamed must be renamed in the plan too."""
    assert {point.value.partition(".")[0] for point in Point} >= NO_TASKS
    killed = {fault.target for fault in plan(5_000, 1) if fault.action == "kill-parent"}
    assert killed
    assert not {name for name in killed if name.partition(".")[0] in NO_TASKS}
