"""Nobody pays twice, and the books agree with the provider to the penny."""

from django.db import transaction

from orders import closing, inventory
from orders.cancelling import cancel
from orders.models import Order
from orders.money import format as written
from orders.payments import charging, refunding, taking_over
from orders.refunds import refund
from tests.integration.audit.conftest import Shop, ask, charge, clear_up, corrupt, tell


def total(shop: Shop, name: str = "completed") -> str:
    return written(shop.order(name).total_minor, "GBP")


def test_an_order_captured_twice(shop: Shop) -> None:
    order = shop.order("completed")
    charge(order.number, f"{order.payment.key}-capture", order.total_minor)
    problems = shop.problems_of("money")
    assert f"Order {order.number} was captured 2 times at the payment provider." in problems
    assert all(problem.startswith(f"Order {order.number} ") for problem in problems)


def test_orders_captured_twice_while_they_are_worked_on(shop: Shop) -> None:
    order = shop.order("completed")
    corrupt("UPDATE orders_order SET due_at = now() WHERE id = %s", order.pk)
    charge(order.number, f"{order.payment.key}-capture", order.total_minor)
    assert f"Order {order.number} was captured 2 times at the payment provider." in shop.problems_of("money")


def test_money_that_only_our_books_have(shop: Shop) -> None:
    corrupt(
        "UPDATE orders_payment SET status = 'captured', captured_minor = amount_minor WHERE order_id = %s",
        shop["placed"],
    )
    assert shop.only_problem("money") == (
        f"Order {shop.number('placed')} is captured {total(shop)} in our books, and £0.00 at the payment provider."
    )


def test_a_refund_that_our_books_do_not_have(shop: Shop) -> None:
    payment = shop.order("completed").payment
    ask(
        "payments", "/v1/refunds", f"{payment.key}-refund", {"payment_intent": payment.reference, "amount": 1}
    )
    assert shop.only_problem("money") == (
        f"Order {shop.number('completed')} is refunded £0.00 in our books, and £0.01 at the payment provider."
    )


def test_an_answer_that_is_still_to_be_written_down(shop: Shop) -> None:
    order = shop.order("placed")
    charge(order.number, f"{order.payment.key}-charge", order.total_minor)
    assert shop.problems() == {}


def test_a_penny_too_little(shop: Shop) -> None:
    corrupt(
        "UPDATE orders_payment SET captured_minor = captured_minor - 1 WHERE order_id = %s", shop["completed"]
    )
    problems = shop.problems_of("money")
    assert any(problem.endswith(f"and {total(shop)} at the payment provider.") for problem in problems)
    assert any("its payment is captured with" in problem for problem in problems)
    assert all(shop.number("completed") in problem for problem in problems)


def test_a_completed_order_whose_payment_is_gone(shop: Shop) -> None:
    corrupt("DELETE FROM orders_payment WHERE order_id = %s", shop["completed"])
    found = shop.problems()
    assert set(found) == {"money", "nothing_uncommitted"}
    [problem] = found["money"]
    assert (
        f"Order {shop.number('completed')} is completed and comes to {total(shop)}, but its payment is missing"
        in problem
    )


def test_lines_that_do_not_make_the_total(shop: Shop) -> None:
    corrupt(
        "UPDATE orders_orderline SET unit_price_minor = 1 WHERE order_id = %s AND sku = 'BOOK'", shop["cod"]
    )
    assert shop.only_problem("money").startswith(f"Order {shop.number('cod')} comes to {total(shop)} with ")


def test_tax_that_is_not_its_lines(shop: Shop) -> None:
    corrupt("UPDATE orders_order SET tax_minor = tax_minor + 1 WHERE id = %s", shop["cod"])
    assert shop.only_problem("money").startswith(f"Order {shop.number('cod')} comes to {total(shop)} with ")


def test_a_card_payment_of_an_order_paid_at_the_door(shop: Shop) -> None:
    corrupt(
        "INSERT INTO orders_payment (order_id, token, amount_minor, currency) VALUES (%s, 'pm_card_visa', 3750, 'GBP')",
        shop["cod"],
    )
    assert shop.only_problem("money").startswith(
        f"Order {shop.number('cod')} is paid at the door, but has a card"
    )


def test_a_payment_in_another_currency(shop: Shop) -> None:
    corrupt("UPDATE orders_payment SET currency = 'EUR' WHERE order_id = %s", shop["completed"])
    assert shop.only_problem("money").endswith("(EUR) for a total of £37.50 (GBP).")


def test_a_charge_in_another_currency(shop: Shop) -> None:
    corrupt("UPDATE orders_payment SET currency = 'EUR' WHERE order_id = %s", shop["completed"])
    corrupt("UPDATE orders_order SET currency = 'EUR' WHERE id = %s", shop["completed"])
    assert (
        shop.only_problem("money") == f"Order {shop.number('completed')} is in EUR, but was captured in GBP."
    )


def test_a_refunded_order_that_got_nothing_back(shop: Shop) -> None:
    order_id = shop["completed"]
    corrupt("UPDATE orders_order SET status = 'refunded' WHERE id = %s", order_id)
    corrupt("INSERT INTO orders_orderevent (order_id, kind) VALUES (%s, 'order.refunded')", order_id)
    tell([order_id])
    assert shop.only_problem("money") == (
        f"Order {shop.number('completed')} is refunded, but of {total(shop)} captured only £0.00 was given back."
    )


def refunded(shop: Shop, sku: str | None = None) -> Order:
    """The completed order, with a piece of this article refunded, or the whole of it."""
    order = shop.order("completed")
    pieces = None if sku is None else {order.lines.get(sku=sku).pk: 1}
    refund(order.pk, pieces, key="form", reason="", by="ada", restock=True)
    refunding.refund([order.pk])
    tell([order.pk])
    assert closing.close([order.pk]) == [order.pk]
    return order


def test_refunds_in_part_and_whole_balance(shop: Shop) -> None:
    refunded(shop, "MUG")
    assert shop.problems() == {}
    order = shop.order("completed")
    refund(order.pk, None, key="rest", reason="", by="ada", restock=False)
    refunding.refund([order.pk])
    tell([order.pk])
    closing.close([order.pk])
    assert shop.problems() == {}


def test_a_refund_in_part_that_our_books_forgot(shop: Shop) -> None:
    order = refunded(shop, "MUG")
    corrupt("UPDATE orders_payment SET refunded_minor = 0 WHERE order_id = %s", order.pk)
    problems = shop.problems_of("money")
    assert any(
        "is refunded £0.00 in our books, and £12.50 at the payment provider" in one for one in problems
    )
    assert any("is completed and comes to" in one for one in problems)


def test_a_promise_that_nobody_keeps(shop: Shop) -> None:
    order = shop.order("completed")
    refund(order.pk, {order.lines.get(sku="MUG").pk: 1}, key="form", reason="", by="ada", restock=False)
    assert shop.problems() == {}  # it is due
    corrupt("UPDATE orders_order SET due_at = NULL, ended_at = now() WHERE id = %s", order.pk)
    assert shop.only_problem("money") == (
        f"Order {order.number} was promised £12.50 back, and nobody is making that refund."
    )


def test_promises_that_do_not_add_up(shop: Shop) -> None:
    order = refunded(shop, "MUG")
    corrupt("UPDATE orders_payment SET promised_minor = 0 WHERE order_id = %s", order.pk)
    assert "has £12.50 in its refunds" in shop.only_problem("money")


def test_more_pieces_refunded_than_bought(shop: Shop) -> None:
    order = refunded(shop, "MUG")
    corrupt("UPDATE orders_refundline SET quantity = 3 WHERE line_id = %s", order.lines.get(sku="MUG").pk)
    assert shop.only_problem("money") == (f"Order {order.number} had 2 of MUG, but 3 of it were refunded.")


def test_a_refund_by_hand_is_wrong_until_it_is_taken_over(shop: Shop) -> None:
    order = shop.order("completed")
    ask("payments", "/v1/refunds", "", {"payment_intent": order.payment.reference, "amount": 500})
    problems = shop.problems_of("money")
    assert any(
        f"Order {order.number} was given back £5.00 at the payment provider (re_" in one for one in problems
    )
    assert any("is refunded £0.00 in our books, and £5.00" in one for one in problems)
    look(order)
    assert shop.problems() == {}


def test_one_of_a_cancelled_order_is_wrong_until_it_is_taken_over(shop: Shop) -> None:
    order_id = shop.place("given up")
    inventory.reserve([order_id])
    charging.charge([order_id])
    order = shop.order("given up")
    cancel(order.token)
    ask("payments", "/v1/refunds", "", {"payment_intent": order.payment.reference, "amount": 500})
    clear_up([order_id])
    assert shop.problems() == {}
    corrupt("DELETE FROM orders_reversal WHERE order_id = %s", order_id)
    assert "was given back £5.00 at the payment provider (re_" in shop.only_problem("money")


def test_a_credit_note_over_money_that_never_moved(shop: Shop) -> None:
    order = refunded(shop, "MUG")
    corrupt("UPDATE orders_refund SET amount_minor = amount_minor + 5 WHERE order_id = %s", order.pk)
    assert (
        f"Order {order.number} has credit notes over £12.55, but £12.50 of it was given back."
        in shop.problems_of("money")
    )


def test_money_back_without_a_credit_note(shop: Shop) -> None:
    order = refunded(shop, "MUG")
    corrupt("DELETE FROM orders_document WHERE order_id = %s AND kind = 'credit_note'", order.pk)
    assert (
        f"Order {order.number} has credit notes over £0.00, but £12.50 of it was given back."
        in shop.problems()["money"]
    )


def look(order: Order) -> None:
    """The provider has reported that something was given back."""
    with transaction.atomic():
        taking_over.look([order.pk])
    refunding.refund([order.pk])
    closing.close([order.pk])
