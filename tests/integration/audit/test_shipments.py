"""Every completed order is with the carrier, once."""

from uuid import uuid4

from orders.models import Shipment
from tests.integration.audit.conftest import Shop, ask, corrupt
from tests.integration.audit.lying import Lying

PARCEL = {"address": {"name": "Ada", "city": "London", "postcode": "SW1Y 4JH", "country": "GB"}, "lines": 1}


def test_a_parcel_that_the_carrier_never_had(shop: Shop, lying: Lying) -> None:
    number = shop.number("cod")
    with lying("carrier", lambda entries: [entry for entry in entries if entry["order"] != number]):
        problem = shop.only_problem("shipments")
    assert problem.startswith(f"Order {number} is with the carrier, say our books (PS")


def test_a_completed_order_without_a_shipment(shop: Shop) -> None:
    corrupt("DELETE FROM orders_shipment WHERE order_id = %s", shop["completed"])
    problems = shop.problems()["shipments"]
    assert problems == [f"Order {shop.number('completed')} is completed, but its shipment is missing."]


def test_an_order_booked_twice(shop: Shop) -> None:
    ask("carrier", "/v1/shipments", f"{uuid4()}-shipment", {"order": shop.number("completed"), **PARCEL})
    found = shop.problems()
    assert set(found) == {"shipments", "nothing_uncommitted"}
    assert found["shipments"] == [f"Order {shop.number('completed')} was booked 2 times at the carrier."]


def test_a_parcel_that_our_books_do_not_have(shop: Shop) -> None:
    shipment = Shipment.objects.create(order_id=shop["placed"])
    ask("carrier", "/v1/shipments", f"{shipment.key}-shipment", {"order": shop.number("placed"), **PARCEL})
    assert shop.problems() == {}  # its answer may be on its way to our books
    corrupt("UPDATE orders_order SET due_at = NULL WHERE id = %s", shop["placed"])
    problems = shop.problems()["shipments"]
    assert len(problems) == 1
    assert problems[0].startswith(f"Order {shop.number('placed')} is with the carrier (shp_")
