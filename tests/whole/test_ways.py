"""Every way that an order can go, through the running stack and over HTTP, and what the world outside saw of it."""

import http.client
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from orders.states import STATE_AFTER, EventKind
from tests.conftest import RunningStack, get, order_body, post
from tests.waiting import wait_for

CAPTURED = ["captured"]


def happened(order: dict[str, Any]) -> list[str]:
    """The states that it went through and its parcel, in order."""
    kinds = [event["kind"] for event in order["timeline"]]
    return [kind for kind in kinds if kind in STATE_AFTER or kind == EventKind.SHIPPED]


def money(running: RunningStack, number: str) -> list[str]:
    return [entry["kind"] for entry in running.ledger("payments", number)]


def mails(running: RunningStack, number: str) -> list[dict[str, str]]:
    """Every e-mail about the order, with its text."""
    found = get(f"{running.mailbox_url}/api/messages?order={number}&kind=email")["messages"]
    return [get(f"{running.mailbox_url}/api/messages/{message['id']}") for message in found]


def test_an_order_is_completed_and_everybody_did_their_part_once(stack: RunningStack) -> None:
    placed = stack.place()
    assert placed["status_code"] == 201
    order = stack.ended(placed["token"], "completed")
    number = order["number"]
    assert happened(order) == [
        "order.placed",
        "order.reserved",
        "order.paid",
        "order.shipped",
        "order.completed",
    ]
    assert money(stack, number) == CAPTURED
    assert [entry["amount"] for entry in stack.ledger("payments", number)] == [order["total"]]
    assert len(stack.ledger("sms", number)) == len(stack.ledger("carrier", number)) == 1
    [mail] = mails(stack, number)
    assert order["documents"][0]["url"] in mail["text"]
    assert order["url"] in mail["text"]


def test_the_invoice_is_a_pdf_at_the_first_request(stack: RunningStack) -> None:
    order = stack.ended(stack.place()["token"], "completed")
    answer = requests.get(order["documents"][0]["url"], timeout=60)
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")


def test_twenty_identical_posts_at_once_make_one_order(stack: RunningStack) -> None:
    body, key = order_body(), "twenty-at-once"
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: post(f"{stack.shop_url}/api/orders/", body, key=key), range(20)))
    assert {answer["status_code"] for answer in answers} <= {201, 409}
    again = post(f"{stack.shop_url}/api/orders/", body, key=key)
    assert {answer["token"] for answer in answers if answer["status_code"] == 201} == {again["token"]}
    stack.ended(again["token"], "completed")
    assert money(stack, again["number"]) == CAPTURED
    assert stack.sql("SELECT count(*) FROM orders_order WHERE idempotency_key = %s", key) == [(1,)]


def test_sold_out_costs_nothing_and_the_customer_is_told(stack: RunningStack) -> None:
    order = stack.ended(stack.place(sku="SO-1020")["token"], "out_of_stock")
    assert money(stack, order["number"]) == []
    assert stack.ledger("carrier", order["number"]) == []
    [mail] = mails(stack, order["number"])
    assert "not charged" in mail["text"]


def test_a_declined_card_gives_its_stock_back(stack: RunningStack) -> None:
    before = stack.sql("SELECT on_hand, reserved FROM orders_stockitem WHERE sku = 'HO-1010'")
    order = stack.ended(
        stack.place(sku="HO-1010", card="pm_card_chargeDeclined")["token"], "payment_declined"
    )
    assert happened(order) == ["order.placed", "order.reserved", "order.payment_declined"]
    assert money(stack, order["number"]) == ["declined"]
    assert stack.ledger("carrier", order["number"]) == []
    assert stack.sql("SELECT on_hand, reserved FROM orders_stockitem WHERE sku = 'HO-1010'") == before
    assert len(mails(stack, order["number"])) == 1


def test_cash_on_delivery_is_completed_without_a_charge(stack: RunningStack) -> None:
    order = stack.ended(stack.place(card=None)["token"], "completed")
    assert happened(order) == ["order.placed", "order.reserved", "order.shipped", "order.completed"]
    assert money(stack, order["number"]) == []
    assert len(stack.ledger("carrier", order["number"])) == 1


def answer_the_bank(url: str, outcome: str) -> None:
    page = urlsplit(url)
    assert page.hostname
    bank = http.client.HTTPConnection(page.hostname, page.port)
    bank.request(
        "POST", page.path, f"outcome={outcome}", {"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert bank.getresponse().status == 303
    bank.close()


@pytest.mark.parametrize(
    ("outcome", "end", "moved"),
    [("complete", "completed", CAPTURED), ("fail", "payment_declined", ["declined"])],
)
def test_3d_secure_goes_on_with_the_webhook(
    stack: RunningStack, outcome: str, end: str, moved: list[str]
) -> None:
    """The order is next asked about a minute later: if it goes on sooner, the provider's webhook rang."""
    token = stack.place(card="pm_card_threeDSecure2Required")["token"]
    order = wait_for(
        lambda: found if (found := stack.order(token))["status"] == "awaiting_payment" else None,
        "the bank to ask",
    )
    answer_the_bank(order["payment"]["action_url"], outcome)
    order = wait_for(
        lambda: found if (found := stack.order(token))["status"] == end else None, end, seconds=30
    )
    assert money(stack, order["number"]) == moved


def test_a_cancelled_order_gets_its_stock_and_money_back(stack: RunningStack) -> None:
    """Cancelled while the carrier is away, so that it surely is paid and not shipped."""
    before = stack.sql("SELECT on_hand, reserved FROM orders_stockitem WHERE sku = 'HO-1020'")
    with stack.without("relay"):
        token = stack.place(sku="HO-1020", card="pm_card_threeDSecure2Required")["token"]
    order = wait_for(
        lambda: found if (found := stack.order(token))["status"] == "awaiting_payment" else None,
        "the bank to ask",
    )
    assert order["cancellable"]
    assert post(f"{stack.shop_url}/api/orders/{token}/cancel/", {})["status"] == "cancelled"
    order = stack.ended(token, "cancelled")
    assert "captured" not in money(stack, order["number"])
    assert stack.ledger("carrier", order["number"]) == []
    assert stack.sql("SELECT on_hand, reserved FROM orders_stockitem WHERE sku = 'HO-1020'") == before
    [mail] = mails(stack, order["number"])
    assert re.search("cancelled", mail["text"])


def test_a_completed_order_cannot_be_cancelled(stack: RunningStack) -> None:
    token = stack.place()["token"]
    stack.ended(token, "completed")
    answer = post(f"{stack.shop_url}/api/orders/{token}/cancel/", {})
    assert answer["status_code"] == 409
    assert "carrier" in answer["detail"]


def test_a_thousand_lines_are_one_order(stack: RunningStack) -> None:
    skus = [
        sku for (sku,) in stack.sql("SELECT sku FROM catalogue_product WHERE sku <> 'SO-1020' ORDER BY sku")
    ]
    items = [{"sku": skus[number % len(skus)], "quantity": 1} for number in range(1_000)]
    placed = stack.place(items=items)
    assert placed["status_code"] == 201
    order = stack.ended(placed["token"], "completed")
    assert sum(line["quantity"] for line in order["lines"]) == 1_000


def test_one_line_more_is_refused_with_its_reason(stack: RunningStack) -> None:
    answer = stack.place(items=[{"sku": "KI-1010", "quantity": 1}] * 1_001)
    assert answer["status_code"] == 422 or answer["status_code"] == 400
    assert "items" in answer["errors"]
