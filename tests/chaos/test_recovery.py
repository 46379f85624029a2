"""How long it took to recover: from the strike to the end of the last order in hand, each order counted once."""

from bench.chaos.campaign import recoveries
from bench.chaos.plan import Strike, Way
from bench.chaos.strikes import Struck
from bench.chaos.verdict import Ended, Verdict


def struck(at: float, *orders: int) -> Struck:
    return Struck(Strike(Way.POINT, "charge.after_call", "kill"), at, "payment", list(orders))


def books(*orders: tuple[int, float, float | None]) -> Verdict:
    return Verdict({str(order): Ended(order, "completed", placed, ended) for order, placed, ended in orders})


def test_it_has_recovered_when_the_last_order_in_hand_has_ended() -> None:
    assert recoveries([struck(10, 1, 2)], books((1, 9, 12), (2, 9, 15))) == {0: 5}


def test_an_order_struck_again_counts_for_the_later_strike() -> None:
    verdict = books((1, 9, 12), (2, 9, 30))
    assert recoveries([struck(10, 1, 2), struck(20, 2)], verdict) == {0: 2, 1: 10}


def test_without_orders_in_hand_the_next_that_comes_must_end() -> None:
    assert recoveries([struck(10)], books((1, 9, 11), (2, 12, 14))) == {0: 4}


def test_what_had_ended_before_does_not_count() -> None:
    assert recoveries([struck(10, 1)], books((1, 5, 9), (2, 12, 13))) == {0: 3}


def test_who_was_set_apart_counts_until_then() -> None:
    struck_thrice = Ended(1, "completed", placed_at=9, ended_at=90, set_apart_at=18)
    assert recoveries([struck(10, 1)], Verdict({"1": struck_thrice})) == {0: 8}
    assert recoveries([struck(20, 1)], Verdict({"1": struck_thrice})) == {0: 70}


def test_who_never_ended_never_recovered() -> None:
    assert recoveries([struck(10, 1)], books((1, 9, None))) == {0: None}
    assert recoveries([struck(10)], books((1, 9, 10))) == {0: None}
