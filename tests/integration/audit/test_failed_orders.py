"""An order that failed or was cancelled holds nothing."""

from orders import closing, inventory, scheduling
from orders.cancelling import cancel
from orders.inventory import reserve
from orders.payments import charging
from tests.integration.audit.conftest import Shop, charge, corrupt, tell


def test_stock_that_was_not_given_back(shop: Shop) -> None:
    corrupt("DELETE FROM orders_stockmovement WHERE order_id = %s AND kind = 'released'", shop["cancelled"])
    corrupt("UPDATE orders_stockitem SET reserved = reserved + 2, on_hand = on_hand - 2 WHERE sku = 'MUG'")
    corrupt("UPDATE orders_stockitem SET reserved = reserved + 1, on_hand = on_hand - 1 WHERE sku = 'BOOK'")
    problem = shop.only_problem("failed_orders")
    assert problem == f"Order {shop.number('cancelled')} is cancelled, but still holds 1 of BOOK, 2 of MUG."


def test_money_that_was_not_given_back(shop: Shop) -> None:
    """A cancelled order is closed without the step that gives the money back, which `close` itself refuses."""
    ids = [shop.place("hasty")]
    reserve(ids)
    charging.charge(ids)
    cancel(shop.order("hasty").token)
    inventory.release(ids)
    tell(ids)
    assert closing.close(ids) == []
    scheduling.close(ids)
    number = shop.number("hasty")
    assert shop.problems_of("failed_orders") == [
        f"Order {number} is cancelled, but its payment is captured: £37.50 captured, £0.00 refunded.",
        f"Order {number} is cancelled, but the payment provider captured £37.50 and refunded £0.00.",
    ]


def test_a_card_that_is_still_held(shop: Shop) -> None:
    order = shop.order("sold_out")
    charge(order.number, f"{order.payment.key}-charge", order.total_minor, capture="manual")
    problem = shop.only_problem("failed_orders")
    assert problem.startswith(f"Order {order.number} is out_of_stock, but £37.50 is still authorised")


def test_a_charge_that_came_through_after_all(shop: Shop) -> None:
    order = shop.order("sold_out")
    charge(order.number, f"{order.payment.key}-charge", order.total_minor)
    found = shop.problems()
    assert set(found) == {"failed_orders", "money"}
    assert found["failed_orders"] == [
        f"Order {order.number} is out_of_stock, but the payment provider captured £37.50 and refunded £0.00."
    ]


def test_a_shipment(shop: Shop) -> None:
    corrupt("INSERT INTO orders_shipment (order_id) VALUES (%s)", shop["declined"])
    problem = shop.only_problem("failed_orders")
    assert (
        problem
        == f"Order {shop.number('declined')} is payment_declined, but has a shipment that is requested."
    )


def test_an_order_that_is_being_cleared_up_may_still_hold(shop: Shop) -> None:
    ids = [shop.place("slow")]
    reserve(ids)
    charging.charge(ids)
    cancel(shop.order("slow").token)
    assert shop.problems() == {}
