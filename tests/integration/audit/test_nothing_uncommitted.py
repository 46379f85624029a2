"""Whatever was done outside names an order of ours and a key of one of its rows."""

from uuid import uuid4

from django.core.mail import EmailMessage

from tests.integration.audit.conftest import Shop, ask, charge

NOBODY = "S-999999"
PARCEL = {"address": {"name": "Ada", "city": "London", "postcode": "SW1Y 4JH", "country": "GB"}, "lines": 1}


def test_a_charge_for_nobody(shop: Shop) -> None:
    charge(NOBODY, f"{uuid4()}-charge", 100)
    problem = shop.only_problem("nothing_uncommitted")
    assert f"was captured for order {NOBODY}, which does not exist (key " in problem


def test_a_text_for_nobody(shop: Shop) -> None:
    ask("sms", "/v1/messages", f"{uuid4()}-sms", {"to": "+441632960001", "body": "Hello", "order": NOBODY})
    assert f"was sent for order {NOBODY}, which does not exist" in shop.only_problem("nothing_uncommitted")


def test_a_parcel_for_nobody(shop: Shop) -> None:
    ask("carrier", "/v1/shipments", f"{uuid4()}-shipment", {"order": NOBODY, **PARCEL})
    assert f"was booked for order {NOBODY}, which does not exist" in shop.only_problem("nothing_uncommitted")


def test_a_mail_for_nobody(shop: Shop) -> None:
    headers = {"Message-ID": f"<{uuid4()}@shop.example>", "X-Order": NOBODY}
    EmailMessage("Hello", "Hello", to=["ada@example.com"], headers=headers).send()
    assert f"was delivered for order {NOBODY}, which does not exist" in shop.only_problem(
        "nothing_uncommitted"
    )


def test_a_mail_that_names_no_order(shop: Shop) -> None:
    EmailMessage("Hello", "Hello", to=["ada@example.com"]).send()
    assert "was delivered for no order, which does not exist" in shop.only_problem("nothing_uncommitted")


def test_a_call_that_no_row_of_the_order_has_made(shop: Shop) -> None:
    number = shop.number("completed")
    ask("sms", "/v1/messages", f"{uuid4()}-sms", {"to": "+441632960001", "body": "Hello", "order": number})
    problem = shop.only_problem("nothing_uncommitted")
    assert f"was sent for order {number}, but no row of that order has made this call" in problem


def test_the_key_of_another_order(shop: Shop) -> None:
    number, key = shop.number("completed"), shop.order("placed").payment.key
    charge(number, f"{key}-charge", 100, card="pm_card_chargeDeclined")
    problem = shop.only_problem("nothing_uncommitted")
    assert f"was declined for order {number}, but no row of that order has made this call" in problem


def test_a_call_that_is_none_of_our_kinds(shop: Shop) -> None:
    order = shop.order("completed")
    charge(order.number, f"{order.payment.key}-tip", 100, card="pm_card_chargeDeclined")
    problem = shop.only_problem("nothing_uncommitted")
    assert f"for order {order.number}, which nothing of ours does under such a key" in problem


def test_a_call_without_a_key(shop: Shop) -> None:
    order = shop.order("completed")
    charge(order.number, "", 100, card="pm_card_chargeDeclined")
    assert shop.only_problem("nothing_uncommitted").endswith("has made this call (it came without a key).")


def test_what_others_charge_on_the_same_account_is_none_of_ours(shop: Shop) -> None:
    digits = shop.number("completed").removeprefix("S-")
    for number in (digits, f"W-{digits}", ""):
        charge(number, f"others-{uuid4()}", 100)
    assert shop.problems() == {}
