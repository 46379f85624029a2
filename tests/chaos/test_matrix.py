"""The kill matrix in short: every crash point once, in one stack under load, and nothing lost, doubled or oversold.

`./dev chaos` does the same at length, at random moments too, and says how long each recovery took
(docs/reliability.md): that all recover is tested here, how fast is measured there.
"""

from collections import Counter

import pytest
import uvloop

from bench.chaos.campaign import campaign
from bench.chaos.faulty_stack import faulty_stack
from bench.chaos.plan import Fault, Kind
from orders.crashpoints import Point

ORDERS = 300
SEED = 1


@pytest.mark.acceptance
def test_whatever_dies_wherever_it_dies_no_order_is_lost_doubled_or_oversold() -> None:
    # Quick ones in the order of the registry, PDFs last: they want a quiet moment.
    plan = [Fault(Kind.POINT, point.value, "kill") for point in Point]
    with faulty_stack() as stack:
        found = uvloop.run(campaign(stack, plan, ORDERS, SEED))
    assert not found["problems"]
    assert found["books_clean"]
    runs: Counter[str] = Counter()
    for row in found["matrix"]:
        runs[row["struck"]] += row["runs"]
        assert row["recovery_max"] is not None
    assert runs == Counter(point.value for point in Point)
