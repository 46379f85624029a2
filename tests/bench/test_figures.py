"""The arithmetic of the figures, and the names under which programs read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.figures import Figures, percentile, rate, spread


@pytest.mark.parametrize(
    ("percent", "expected"), [(50, 50.0), (95, 95.0), (99, 99.0), (100, 100.0), (0.1, 1.0)]
)
def test_percentile_of_one_to_a_hundred_is_the_number_itself(percent: float, expected: float) -> None:
    assert percentile([float(number) for number in range(1, 101)], percent) == expected


def test_percentile_of_few_values_is_one_of_them_and_never_between() -> None:
    assert percentile([10.0, 1000.0], 50) == 10.0
    assert percentile([10.0, 1000.0], 99) == 1000.0
    assert percentile([7.0], 99) == 7.0


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 50)
    assert spread([]) == {}


@given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from([50, 95, 99]))
def test_that_share_of_the_values_is_not_above_its_percentile(values: list[float], percent: int) -> None:
    found = percentile(sorted(values), percent)
    assert found in values
    assert sum(value <= found for value in values) >= len(values) * percent / 100


def test_spread_sorts_by_itself_and_names_the_slowest() -> None:
    assert spread([3.0, 1.0, 2.0]) == {"p50": 2.0, "p95": 3.0, "p99": 3.0, "max": 3.0}


def test_a_rate_over_no_time_is_none() -> None:
    assert rate(10, 4.0) == 2.5
    assert rate(10, 0.0) == 0.0
    assert rate(0, 5.0) == 0.0


def test_cpu_is_counted_for_each_order_that_ended_the_most_expensive_first() -> None:
    figures = Figures(cpu={"relay": 0.1, "web": 1.0})
    figures.ended.update({"completed": 400, "out_of_stock": 100})
    assert list(figures.cpu_ms_per_order().items()) == [("web", 2.0), ("relay", 0.2)]


def test_a_run_without_orders_has_figures_too() -> None:
    found = Figures(cpu={"web": 1.0}).as_json()
    assert found["accepted"] == 0
    assert found["completed_per_s"] == 0.0
    assert found["cpu_ms_per_order"] == {}


def test_programs_find_what_they_were_promised() -> None:
    promised = {
        *("accepted", "refused", "ended", "accepted_per_s", "completed_per_s"),
        *("post_ms", "to_completed_ms", "cpu_ms_per_order"),
    }
    found = Figures(post_ms=[1.0], to_completed_ms=[2.0]).as_json()
    assert promised <= found.keys()
    assert {"p50", "p95", "p99"} <= found["post_ms"].keys()
    assert {"p50", "p95", "p99"} <= found["to_completed_ms"].keys()
