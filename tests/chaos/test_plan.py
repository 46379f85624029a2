"""The plan of a campaign: the same for the same seed, and fair to every crash point."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bench.chaos.plan import MOMENTS, Way, plan
from orders.crashpoints import Point


@given(seed=st.integers(), strikes=st.integers(0, 400))
def test_a_seed_gives_the_same_plan_again(seed: int, strikes: int) -> None:
    assert plan(strikes, seed) == plan(strikes, seed)
    assert len(plan(strikes, seed)) == strikes


@given(seed=st.integers(), strikes=st.integers(0, 400))
def test_no_point_comes_twice_before_all_have_come_once(seed: int, strikes: int) -> None:
    counts = Counter(strike.target for strike in plan(strikes, seed) if strike.way is Way.POINT)
    often = [counts[point.value] for point in Point]
    assert max(often) - min(often) <= 1


def test_three_hundred_strikes_hit_every_point_five_times_and_every_moment_once() -> None:
    drawn = plan(300, 1)
    at_points = Counter(strike.target for strike in drawn if strike.way is Way.POINT)
    assert min(at_points[point.value] for point in Point) >= 5
    assert set(MOMENTS) <= set(drawn)


def test_only_some_points() -> None:
    drawn = plan(4, 1, [Point.CHARGE_AFTER_CALL, Point.CHARGE_AFTER_ROW])
    assert Counter(strike.target for strike in drawn) == {"charge.after_call": 2, "charge.after_row": 2}
