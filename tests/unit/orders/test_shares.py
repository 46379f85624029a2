"""What an amount is that was found to be given back: a refund of its own, or promises that need not be paid again."""

from hypothesis import given
from hypothesis import strategies as st

from orders.payments.taking_over import share

AMOUNTS = st.integers(1, 10_000)
PROMISES = st.dictionaries(st.integers(1, 9), AMOUNTS, max_size=4).map(
    lambda found: dict(sorted(found.items()))
)


def test_just_the_amount_of_a_promise_is_that_promise() -> None:
    assert share(6_800, 20_400, {1: 500, 2: 6_800, 3: 6_800}) == (0, {2: 6_800})


def test_another_amount_is_a_refund_of_its_own() -> None:
    assert share(500, 13_600, {1: 6_800}) == (500, {})


def test_what_there_is_no_room_for_keeps_promises_the_eldest_first() -> None:
    assert share(500, 0, {1: 20_400}) == (0, {1: 500})
    assert share(15_000, 10_000, {1: 3_000, 2: 7_400}) == (10_000, {1: 3_000, 2: 2_000})


@given(AMOUNTS, st.integers(0, 10_000), PROMISES)
def test_no_penny_counts_twice_and_none_is_lost_while_there_is_room(
    amount: int, room: int, unpaid: dict[int, int]
) -> None:
    own, parts = share(amount, room, unpaid)
    assert 0 <= own <= room
    assert all(0 < part <= unpaid[promise] for promise, part in parts.items())
    assert own + sum(parts.values()) == min(amount, room + sum(unpaid.values())) or parts == dict.fromkeys(
        parts, amount
    )
    assert own + sum(parts.values()) <= amount
