"""Stock: whole or not at all, never oversold, and every movement in the ledger."""

from collections import Counter

import pytest
from django.db import IntegrityError
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from orders import inventory, locking
from orders.cancelling import cancel
from orders.models import Order, StockItem, StockMovement
from orders.states import OrderStatus
from tests.making import at_once, kinds, last_detail, place_order, stock, unlocked

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_short_order_never_fails_its_batch() -> None:
    stock(KETTLE=3, MUG=1)
    first, short, third = (
        place_order([("KETTLE", 2)]),
        place_order([("KETTLE", 1), ("MUG", 2)]),
        place_order([("KETTLE", 1), ("MUG", 1)]),
    )
    made = inventory.reserve([third.pk, short.pk, first.pk])
    assert (made.done, made.out_of_stock) == ([first.pk, third.pk], [short.pk])
    short.refresh_from_db()
    assert short.status == OrderStatus.OUT_OF_STOCK
    assert "MUG" in last_detail(short)
    assert inventory.on_hand(["KETTLE", "MUG"]) == {"KETTLE": 0, "MUG": 0}


def test_reserving_twice_reserves_once() -> None:
    stock(KETTLE=3)
    order = place_order()
    assert inventory.reserve([order.pk]).done == [order.pk]
    assert inventory.reserve([order.pk]).done == []
    assert StockItem.objects.get().reserved == 1
    assert kinds(order) == ["order.placed", "order.reserved"]


def test_what_was_never_stocked_is_out_of_stock() -> None:
    assert inventory.reserve([place_order([("GHOST", 1)]).pk]).out_of_stock


def test_the_last_pieces_go_to_as_many_as_there_are() -> None:
    stock(KETTLE=7)
    orders = [place_order() for _ in range(20)]
    at_once(lambda number: inventory.reserve([orders[number].pk]), 20)
    states = Counter(Order.objects.values_list("status", flat=True))
    assert states == {OrderStatus.RESERVED: 7, OrderStatus.OUT_OF_STOCK: 13}
    item = StockItem.objects.get()
    assert (item.on_hand, item.reserved) == (0, 7)


def test_without_the_row_lock_the_race_is_real(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above proves something only if it fails without its guard: then the CHECK behind it has to step in."""
    monkeypatch.setattr(locking, "_LOCK_STOCK", unlocked(locking._LOCK_STOCK))
    stock(KETTLE=1)
    raced: list[object] = []
    while not raced:
        orders = [place_order() for _ in range(8)]
        answers = at_once(lambda number, orders=orders: inventory.reserve([orders[number].pk]), 8)  # type: ignore[misc]
        raced = [answer for answer in answers if isinstance(answer, IntegrityError)]
        stock(KETTLE=StockItem.objects.get().stocked + 1)
    assert "stock_never_negative" in str(raced[0])


def test_overlapping_batches_wait_and_never_deadlock() -> None:
    stock(**{f"SKU{number}": 1_000 for number in range(10)})
    lines = [(f"SKU{number}", 1) for number in range(10)]
    orders = [place_order(lines if number % 2 else lines[::-1]) for number in range(40)]
    ids = [order.pk for order in orders]
    batches = [ids, ids[::-1], ids[::2], ids[::-2], ids[5:], ids[:30], ids, ids[::-1]]
    answers = at_once(lambda number: inventory.reserve(batches[number]), len(batches))
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert Order.objects.filter(status=OrderStatus.RESERVED).count() == 40
    assert StockMovement.objects.filter(kind="reserved").count() == 400


def test_what_a_cancelled_order_held_goes_back_once() -> None:
    stock(KETTLE=1)
    order = place_order()
    inventory.reserve([order.pk])
    cancel(order.token)
    for _ in range(2):
        assert inventory.release([order.pk]) == [order.pk]
    assert inventory.on_hand(["KETTLE"]) == {"KETTLE": 1}


def test_an_order_that_still_runs_releases_nothing() -> None:
    stock(KETTLE=1)
    order = place_order()
    inventory.reserve([order.pk])
    assert inventory.release([order.pk]) == []
    assert inventory.on_hand(["KETTLE"]) == {"KETTLE": 0}


def test_stocking_up_twice_is_once_and_never_below_what_is_promised() -> None:
    stock(KETTLE=5)
    stock(KETTLE=5)
    inventory.reserve([place_order([("KETTLE", 4)]).pk])
    with pytest.raises(inventory.StockTooLow, match="KETTLE"):
        stock(KETTLE=3)
    stock(KETTLE=4)
    item = StockItem.objects.get()
    assert (item.stocked, item.on_hand, item.reserved) == (4, 0, 4)
    assert list(StockMovement.objects.filter(kind="stocked").values_list("quantity", flat=True)) == [5, -1]


class AnyTraffic(TestCase):
    """Whatever is ordered, cancelled and stocked in whatever sequence, the ledger adds up to the columns."""

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("order"), st.integers(1, 4), st.booleans()),
                st.tuples(st.just("cancel"), st.integers(0, 30), st.booleans()),
                st.tuples(st.just("stock"), st.integers(1, 5), st.booleans()),
            ),
            max_size=30,
        )
    )
    def test_the_ledger_adds_up(self, traffic: list[tuple[str, int, bool]]) -> None:
        stock(KETTLE=3, MUG=3)
        orders: list[Order] = []
        for action, amount, both in traffic:
            skus = ("KETTLE", "MUG") if both else ("KETTLE",)
            if action == "order":
                orders.append(place_order([(sku, amount) for sku in skus]))
                inventory.reserve([orders[-1].pk])
            elif action == "cancel" and orders:
                victim = orders[amount % len(orders)]
                victim.refresh_from_db()
                if victim.status == OrderStatus.RESERVED:
                    cancel(victim.token)
                inventory.release([victim.pk])
            elif action == "stock":
                stock(**{sku: StockItem.objects.get(sku=sku).stocked + amount for sku in skus})
        for item in StockItem.objects.all():
            moved = dict(
                StockMovement.objects.filter(sku=item.sku)
                .values_list("kind")
                .annotate(pieces=Sum("quantity"))
            )
            assert item.stocked == moved.get("stocked", 0)
            assert item.reserved == moved.get("reserved", 0) - moved.get("released", 0)
            assert item.on_hand == item.stocked - item.reserved >= 0
