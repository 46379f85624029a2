"""What a person did to end an order is right in the books: refused parcels, goods that came back, money given back."""

import uuid

import pytest

from orders import scheduling
from orders.cancelling import cancel
from orders.models import Order
from orders.placing import Address
from orders.redirecting import redirect
from orders.refunds import refund
from orders.settling import settle
from tests.integration.audit.conftest import Shop, carry, clear_up, corrupt

HOME = Address("Ada Lovelace", "1 New Street", "", "Leeds", "LS1 1AA", "GB")


def refused(shop: Shop, name: str) -> int:
    """Paid, and the carrier will not have its address."""
    order_id = shop.place(name)
    Order.objects.filter(pk=order_id).update(city=" ")
    assert carry([order_id]) == []
    return order_id


def take_back(shop: Shop, name: str) -> None:
    refund(shop[name], None, key=str(uuid.uuid4()), reason="Refused.", by="ada", restock=True)


def test_a_parcel_that_was_refused_is_no_parcel_of_a_cancelled_order(shop: Shop) -> None:
    order_id = refused(shop, "refused")
    cancel(shop.order("refused").token)
    clear_up([order_id])
    assert shop.problems() == {}


def test_a_parcel_that_was_booked_after_a_refusal_is_explained(shop: Shop) -> None:
    order_id = refused(shop, "corrected")
    redirect(order_id, HOME)
    assert carry([order_id]) == [order_id]
    assert shop.problems() == {}


def test_cash_on_delivery_that_came_back(shop: Shop) -> None:
    take_back(shop, "cod")
    clear_up([shop["cod"]])
    assert shop.problems() == {}


@pytest.mark.parametrize("credited", [1, 5_000])
def test_cash_on_delivery_that_was_credited_for_more_or_less_than_it_came_to(
    shop: Shop, credited: int
) -> None:
    take_back(shop, "cod")
    clear_up([shop["cod"]])
    corrupt("UPDATE orders_refund SET amount_minor = %s WHERE order_id = %s", credited, shop["cod"])
    problem = shop.only_problem("money")
    assert problem.startswith(
        f"Order {shop.number('cod')} is refunded and comes to £37.50, but £{credited / 100:.2f}"
    )


def test_money_that_was_given_back_another_way(shop: Shop) -> None:
    order_id = shop.place("settled")
    carry([order_id])
    take_back(shop, "settled")
    scheduling.set_aside([order_id], "payment.refund: the account is closed")
    settle(order_id)
    clear_up([order_id])
    assert shop.problems() == {}
    corrupt("UPDATE orders_payment SET outside_minor = 3749 WHERE order_id = %s", order_id)
    kept, credited = sorted(shop.problems_of("money"), key=len, reverse=True)
    assert kept.endswith("of £37.50 captured only £37.49 was given back.")
    assert credited.endswith("has credit notes over £37.50, but £37.49 of it was given back.")
