"""How long it took to recover: from the fault to the end of the last order in hand, each order counted once."""

from bench.chaos.campaign import recoveries
from bench.chaos.injector import Injected
from bench.chaos.plan import Fault, Kind
from bench.chaos.verdict import Ended, Verdict


def fault(at: float, *orders: int) -> Injected:
    return Injected(Fault(Kind.POINT, "charge.after_call", "kill"), at, "payment", list(orders))


def books(*orders: tuple[int, float, float | None]) -> Verdict:
    return Verdict({str(order): Ended(order, "completed", placed, ended) for order, placed, ended in orders})


def test_it_has_recovered_when_the_last_order_in_hand_has_ended() -> None:
    assert recoveries([fault(10, 1, 2)], books((1, 9, 12), (2, 9, 15))) == {0: 5}


def test_an_order_hit_again_counts_for_the_later_fault() -> None:
    verdict = books((1, 9, 12), (2, 9, 30))
    assert recoveries([fault(10, 1, 2), fault(20, 2)], verdict) == {0: 2, 1: 10}


def test_without_orders_in_hand_the_next_that_comes_must_end() -> None:
    assert recoveries([fault(10)], books((1, 9, 11), (2, 12, 14))) == {0: 4}


def test_what_had_ended_before_does_not_count() -> None:
    assert recoveries([fault(10, 1)], books((1, 5, 9), (2, 12, 13))) == {0: 3}


def test_who_was_set_apart_counts_until_then() -> None:
    hit_three_times = Ended(1, "completed", placed_at=9, ended_at=90, set_apart_at=18)
    assert recoveries([fault(10, 1)], Verdict({"1": hit_three_times})) == {0: 8}
    assert recoveries([fault(20, 1)], Verdict({"1": hit_three_times})) == {0: 70}


def test_who_never_ended_never_recovered() -> None:
    assert recoveries([fault(10, 1)], books((1, 9, None))) == {0: None}
    assert recoveries([fault(10)], books((1, 9, 10))) == {0: None}
