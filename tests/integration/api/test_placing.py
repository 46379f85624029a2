"""POST /api/orders/: what is accepted and kept, and what is refused and why."""

import json
from typing import Any

import pytest
from pytest_django import Settings

from orders.models import Order, OrderEvent, Payment
from shop.catalogue.models import Product
from tests.integration.api.conftest import BOOK, KETTLE, MUG, Api, problem

pytestmark = pytest.mark.usefixtures("shop")
MISSING = object()


def test_an_order_is_kept_as_it_was_asked_for(api: Api, body: dict[str, Any]) -> None:
    response = api.order(body, key="my-first-order")

    assert response.status_code == 201
    answer = json.loads(response.content)
    order = Order.objects.get(token=answer["token"])
    assert answer == {
        "number": order.number,
        "token": order.token,
        "status": "placed",
        "total": KETTLE + 2 * MUG,
        "currency": "GBP",
        "url": order.url,
    }
    assert response["Location"] == f"/api/orders/{order.token}/"
    assert response["Cache-Control"] == "no-store"
    assert "Idempotent-Replayed" not in response
    assert api.get(response["Location"]).status_code == 200
    assert order.idempotency_key == "my-first-order"
    assert (order.email, order.phone) == ("ada@example.com", "+442079460958")
    assert (order.name, order.line1, order.line2) == ("Ada Lovelace", "12 St James's Square", "")
    assert (order.city, order.postcode, order.country) == ("London", "SW1Y 4JH", "GB")
    assert order.due_at is not None
    lines = list(order.lines.values_list("sku", "name", "quantity", "unit_price_minor", "tax_rate_bp"))
    assert lines == [("KETTLE", "Cast iron kettle", 1, KETTLE, 2000), ("MUG", "Enamel mug", 2, MUG, 2000)]
    assert order.tax_minor == 833 + 417  # 49.99 / 6 and 25.00 / 6, each rounded
    payment = Payment.objects.get(order=order)
    assert (payment.token, payment.amount_minor, payment.currency) == (
        "pm_card_visa",
        order.total_minor,
        "GBP",
    )
    assert list(OrderEvent.objects.values_list("kind", flat=True)) == ["order.placed"]


def test_cash_on_delivery_needs_no_payment(api: Api, body: dict[str, Any]) -> None:
    body["payment"] = {"method": "cod"}
    assert api.order(body).status_code == 201
    assert not Payment.objects.exists()


def test_the_same_product_twice_makes_one_line(api: Api, body: dict[str, Any]) -> None:
    body["items"] = [
        {"sku": "MUG", "quantity": 2},
        {"sku": "BOOK", "quantity": 1},
        {"sku": "mug", "quantity": 3},
    ]
    assert json.loads(api.order(body).content)["total"] == 5 * MUG + BOOK
    assert list(Order.objects.get().lines.values_list("sku", "quantity")) == [("MUG", 5), ("BOOK", 1)]


def test_a_second_address_line_may_be_left_out(api: Api, body: dict[str, Any]) -> None:
    del body["shipping_address"]["line2"]
    assert api.order(body).status_code == 201
    body["shipping_address"]["line2"] = None
    assert api.order(body).status_code == 201


@pytest.mark.parametrize("postcode", [MISSING, None, ""])
def test_no_postcode_is_asked_for_where_there_is_none(
    api: Api, body: dict[str, Any], postcode: str | None
) -> None:
    body["shipping_address"] |= {"city": "Kowloon", "country": "HK", "postcode": postcode}
    if postcode is MISSING:
        del body["shipping_address"]["postcode"]
    assert api.order(body).status_code == 201
    assert Order.objects.get().postcode == ""


def test_a_phone_number_may_be_written_as_in_the_country_of_the_address(
    api: Api, body: dict[str, Any]
) -> None:
    body["phone"] = "020 7946 0958"
    assert api.order(body).status_code == 201
    assert Order.objects.get().phone == "+442079460958"
    # What is wrong with the address makes the number no worse, as long as it says its country.
    body["shipping_address"]["name"] = " "
    assert list(problem(api.order(body), 400)["errors"]) == ["shipping_address.name"]


def test_an_order_takes_a_thousand_lines_and_no_more(api: Api, body: dict[str, Any]) -> None:
    category_id = Product.objects.values_list("category_id", flat=True)[0]
    Product.objects.bulk_create(
        Product(sku=f"P{n}", name=f"P{n}", category_id=category_id, price_minor=1 + n, currency="GBP")
        for n in range(1_000)
    )
    body["items"] = [{"sku": f"P{n}", "quantity": 1} for n in range(1_000)]
    assert json.loads(api.order(body).content)["total"] == sum(range(1, 1_001))
    assert Order.objects.get().lines.count() == 1_000

    body["items"].append({"sku": "MUG", "quantity": 1})
    assert problem(api.order(body), 400)["errors"] == {
        "items": ["An order takes 1 to 1,000 items; these are 1,001."]
    }


def test_placing_asks_the_database_twice(
    api: Api, body: dict[str, Any], django_assert_num_queries: Any
) -> None:
    # Both statements go past Django's cursor (orders.sql), so anything that it counts is a third.
    with django_assert_num_queries(0):
        assert api.order(body).status_code == 201


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("email", MISSING, "This field is required."),
        ("email", None, "This field is required."),
        ("email", 7, "This has to be a text."),
        ("email", "ada", "not an e-mail address"),
        ("email", "jörg@example.com", "“ö” before the @"),
        ("email", "a" * 250 + "@example.com", "up to 254"),
        ("email", "ada@example.com\nBcc: all@example.com", "control character"),
        ("phone", MISSING, "This field is required."),
        ("phone", "123", "not a phone number of United Kingdom, nor one with its country code"),
        ("phone", "+44 20 7946 0958" + " " * 30, "up to 40"),
        ("phone", "+44 20 call me", "not a phone number"),
        ("phone", "+1234567890123456", "not a phone number"),
        ("items", MISSING, "This field is required."),
        ("items", [], "An order takes 1 to 1,000 items"),
        ("items", {"sku": "MUG", "quantity": 1}, "This has to be a list"),
        ("items.0", "MUG", "This has to be a JSON object."),
        ("items.0", None, "This field is required."),
        ("items.1.sku", MISSING, "This field is required."),
        ("items.1.sku", "", "This is empty."),
        ("items.1.sku", "x" * 41, "up to 40"),
        ("items.1.sku", "MUG" + " " * 38, "up to 40"),
        ("items.1.sku", "MU\x00G", "control character"),
        ("items.1.sku", "MU\u200bG", "cannot be printed"),
        ("items.1.quantity", MISSING, "This field is required."),
        ("items.1.quantity", 0, "a whole number from 1 to 10,000"),
        ("items.1.quantity", -3, "a whole number from 1 to 10,000"),
        ("items.1.quantity", 10_001, "a whole number from 1 to 10,000"),
        ("items.1.quantity", 1.5, "a whole number"),
        ("items.1.quantity", "2", "a whole number"),
        ("items.1.quantity", True, "a whole number"),
        ("items.1.quantity", 10**30, "a whole number"),
        ("items.1.price", 1, "There is no such field; the fields here are sku, quantity."),
        ("shipping_address", MISSING, "This field is required."),
        ("shipping_address", "London", "This has to be a JSON object."),
        ("shipping_address.name", "   ", "This is empty."),
        ("shipping_address.line1", "x" * 201, "up to 200"),
        ("shipping_address.line2", 4, "This has to be a text."),
        ("shipping_address.city", "Lon\x1bdon", "control character"),
        ("shipping_address.postcode", MISSING, "This field is required."),
        ("shipping_address.postcode", "!!!", "not a postcode of United Kingdom"),
        ("shipping_address.name", "\u3164", "This is empty."),
        ("shipping_address.name", "Ada \u202edrol", "U+202E"),
        ("shipping_address.name", "WIN http://prize.example/x", "web address"),
        ("shipping_address.country", "gb", "not an ISO 3166-1 country code"),
        ("shipping_address.country", "XX", "not an ISO 3166-1 country code"),
        ("shipping_address.county", "Kent", "There is no such field"),
        ("payment", MISSING, "This field is required."),
        ("payment.method", "cheque", "This has to be one of card, cod."),
        ("payment.token", MISSING, "This field is required."),
        ("payment.token", "", "not a card token"),
        ("payment.token", "4242 4242 4242 4242", "looks like a card number"),
        ("payment.token", "pm card", "not a card token"),
        ("total", 1, "There is no such field; the fields here are email, phone, items"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(
    api: Api, body: dict[str, Any], path: str, value: Any, reason: str
) -> None:
    *parents, name = [int(step) if step.isdigit() else step for step in path.split(".")]
    place: Any = body
    for step in parents:
        place = place[step]
    if value is MISSING:
        del place[name]
    else:
        place[name] = value

    found = problem(api.order(body), 400)

    assert found["type"].endswith("/api/problems/invalid-request/")
    assert list(found["errors"]) == [path]
    assert reason in found["errors"][path][0]
    assert not Order.objects.exists()


def test_everything_that_is_wrong_is_said_at_once(api: Api) -> None:
    body = {"email": "x", "items": [{"sku": "MUG"}, 1], "shipping_address": {}, "payment": {}, "note": "!"}
    assert set(problem(api.order(body), 400)["errors"]) == {
        "note",
        "email",
        "phone",
        "items.0.quantity",
        "items.1",
        *(f"shipping_address.{name}" for name in ("name", "line1", "city", "postcode", "country")),
        "payment.method",
    }


def test_cash_on_delivery_has_no_token(api: Api, body: dict[str, Any]) -> None:
    body["payment"]["method"] = "cod"
    assert problem(api.order(body), 400)["errors"] == {
        "payment.token": ["Only a payment by card has a token."]
    }


def test_a_product_that_was_taken_off_sale_is_refused(api: Api, body: dict[str, Any]) -> None:
    Product.objects.filter(sku="MUG").update(active=False)
    Product.objects.filter(sku="KETTLE").update(currency="EUR")
    assert problem(api.order(body), 400)["errors"] == {
        "items.0": ["This product is not sold in GBP."],
        "items.1": ["There is no such product on sale."],
    }


def test_quantities_of_one_product_have_one_limit(api: Api, body: dict[str, Any]) -> None:
    body["items"] = [{"sku": "MUG", "quantity": 6_000}, {"sku": "MUG", "quantity": 4_001}]
    assert problem(api.order(body), 400)["errors"] == {
        "items.1": ["One order takes 1 to 10,000 pieces of a product."]
    }


def test_a_total_beyond_what_can_be_charged_is_refused(api: Api, body: dict[str, Any]) -> None:
    Product.objects.filter(sku="MUG").update(price_minor=10**15)
    assert problem(api.order(body), 400)["errors"] == {
        "items": ["The total is more than one payment can be; split the order."]
    }


@pytest.mark.parametrize(
    ("currency", "price", "reason"),
    [
        ("GBP", 10, "£0.20 is too little for a card: £0.30 is the least."),
        ("KWD", 1_255, "it has to be a multiple of KWD\N{NO-BREAK SPACE}0.010."),
        ("ISK", 5 * 10**9, "more than one payment can be"),
    ],
)
def test_what_a_card_cannot_be_charged_with_is_refused_in_words(
    api: Api, body: dict[str, Any], settings: Settings, currency: str, price: int, reason: str
) -> None:
    settings.PAYMENT_GATEWAY, settings.CURRENCY = "stripe", currency
    Product.objects.update(currency=currency, price_minor=price)
    body["items"] = [{"sku": "MUG", "quantity": 1 if currency == "KWD" else 2}]
    [said] = problem(api.order(body), 400)["errors"]["items"]
    assert reason in said
    # Who pays at the door may pay any amount.
    body["payment"] = {"method": "cod"}
    assert api.order(body).status_code == 201


@pytest.mark.parametrize("gateway", ["sandbox", "stripe"])
def test_a_million_rupiah_is_no_fortune(
    api: Api, body: dict[str, Any], settings: Settings, gateway: str
) -> None:
    settings.PAYMENT_GATEWAY, settings.CURRENCY = gateway, "IDR"
    Product.objects.update(currency="IDR", price_minor=150_000_000)
    body["items"] = [{"sku": "MUG", "quantity": 1}]
    assert json.loads(api.order(body).content)["total"] == 150_000_000


@pytest.mark.parametrize("value", [[], "order", 7, None, True])
def test_a_body_that_is_no_object_is_refused(api: Api, value: Any) -> None:
    data = json.dumps(value).encode()
    response = api.raw("POST", "/api/orders/", data, "application/json", **{"Idempotency-Key": "k"})
    assert problem(response, 400)["type"].endswith("/api/problems/malformed-json/")


@pytest.mark.parametrize(
    ("written", "twice", "named"),
    [
        ('"quantity": 1', '"quantity": 1, "quantity": 5', "quantity"),
        ('"quantity": 1', '"quantity": 1, "\\u0071uantity": 1', "quantity"),
        ('"email"', '"email": "bob@example.com", "email"', "email"),
        ('"method"', '"token": "pm_card_chargeDeclined", "method"', "token"),
        ('"email"', '"\\ud83c\\udf38": {"a": 1, "a": []}, "email"', "a"),
    ],
)
def test_a_field_that_is_named_twice_is_refused(
    api: Api, body: dict[str, Any], written: str, twice: str, named: str
) -> None:
    data = json.dumps(body)
    assert written in data
    data = data.replace(written, twice, 1)
    response = api.raw("POST", "/api/orders/", data.encode(), "application/json", **{"Idempotency-Key": "k"})
    assert list(problem(response, 400)["errors"]) == [named]
    assert Order.objects.count() == 0


def test_what_is_nested_too_deeply_is_refused(api: Api) -> None:
    for depth in (900, 1_020, 5_000):
        data = b"[" * depth + b"]" * depth
        response = api.raw("POST", "/api/orders/", data, "application/json", **{"Idempotency-Key": "k"})
        problem(response, 400)
