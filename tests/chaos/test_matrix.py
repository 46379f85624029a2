"""The kill matrix in short: every crash point once, in one house under load, and nothing lost, doubled or oversold.

`./dev chaos` does the same at length, at random moments too (docs/reliability.md).
"""

from collections import Counter

import pytest
import uvloop

from bench.chaos import matrix
from bench.chaos.campaign import campaign
from bench.chaos.house import opened
from bench.chaos.plan import Strike, Way
from orders.crashpoints import Point

ORDERS = 300
SEED = 1
# Longer than a lease (20 s), a restart and the work itself: whatever died, all is done by then.
RECOVERY_SECONDS = 30.0


@pytest.mark.acceptance
def test_whatever_dies_wherever_it_dies_no_order_is_lost_doubled_or_oversold() -> None:
    # Quick ones in the order of the registry, PDFs last: they want a quiet moment.
    plan = [Strike(Way.POINT, point.value, "kill") for point in Point]
    with opened() as house:
        outcome = uvloop.run(campaign(house, plan, ORDERS, SEED))
    assert not outcome.problems
    assert outcome.audit["clean"]
    assert Counter(one.strike.target for one in outcome.struck) == Counter(point.value for point in Point)
    slow = {
        row.struck: row.recovery_max
        for row in matrix.rows(outcome)
        if row.recovery_max is None or row.recovery_max > RECOVERY_SECONDS
    }
    assert not slow
