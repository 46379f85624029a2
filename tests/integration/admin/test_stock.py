"""Stock in the admin: a person says what came in or is gone, the ledger keeps it, the rest follows from orders."""

import pytest
from django.test import Client
from django.urls import reverse

from orders import inventory
from orders.models import StockItem, StockMovement
from tests.making import place_order, stock

pytestmark = pytest.mark.django_db


def page_of(sku: str) -> str:
    return reverse("admin:orders_stockitem_change", args=[sku])


def test_more_pieces_come_in_through_the_ledger(operator: Client) -> None:
    stock(KETTLE=3)
    assert (
        operator.post(
            page_of("KETTLE"), {"came_in": "2", "stocked": "99", "on_hand": "99", "sold": "0"}
        ).status_code
        == 302
    )
    item = StockItem.objects.get(sku="KETTLE")
    assert (item.stocked, item.on_hand, item.reserved, item.sold) == (5, 5, 0, 0)
    assert list(StockMovement.objects.values_list("kind", "quantity")) == [("stocked", 3), ("stocked", 2)]


def test_what_is_reserved_cannot_be_taken_away(operator: Client) -> None:
    stock(KETTLE=3)
    inventory.reserve([place_order((("KETTLE", 2),)).pk])
    page = operator.post(page_of("KETTLE"), {"came_in": "-2"})
    assert page.status_code == 200
    assert "Only 1 are on hand" in page.content.decode()
    assert StockItem.objects.get(sku="KETTLE").stocked == 3


def test_a_new_sku_is_stocked(operator: Client) -> None:
    operator.post(reverse("admin:orders_stockitem_add"), {"sku": "teapot ", "came_in": "7"})
    assert StockItem.objects.get(sku="TEAPOT").on_hand == 7


@pytest.mark.parametrize(
    ("sku", "came_in", "said"),
    [
        ("tea/pot", "7", "is no SKU"),
        ("TEAPOT", "-7", "Only 0 are on hand"),
        ("TEAPOT", "0", "there is nothing to book"),
        ("TEAPOT", "1e9", "Enter a whole number"),
        ("TEAPOT", "1000000001", "less than or equal to 1000000000"),
        ("KETTLE", "7", "already exists"),
    ],
)
def test_what_cannot_be_booked_is_refused(operator: Client, sku: str, came_in: str, said: str) -> None:
    stock(KETTLE=3)
    page = operator.post(reverse("admin:orders_stockitem_add"), {"sku": sku, "came_in": came_in})
    assert said in page.content.decode()
    assert StockItem.objects.get().on_hand == 3


def test_the_ledger_is_read_by_sku_or_order_and_never_written(operator: Client) -> None:
    stock(KETTLE=3, BOOK=3)
    order = place_order((("KETTLE", 1),))
    inventory.reserve([order.pk])
    address = reverse("admin:orders_stockmovement_changelist")
    assert operator.get(address, {"q": "BOOK"}).content.decode().count("Stocked</") >= 1
    assert order.number in operator.get(address, {"q": order.number}).content.decode()
    movement = StockMovement.objects.first()
    assert movement
    assert operator.get(reverse("admin:orders_stockmovement_add")).status_code == 403
    delete = reverse("admin:orders_stockmovement_delete", args=[movement.pk])
    assert operator.post(delete, {"post": "yes"}).status_code == 403
    change = reverse("admin:orders_stockmovement_change", args=[movement.pk])
    assert operator.post(change, {"quantity": "1000"}).status_code == 403


@pytest.mark.parametrize("term", ["KET", "ket", " kettle "])
def test_stock_is_found_by_how_its_sku_begins(operator: Client, term: str) -> None:
    stock(KETTLE=3, TEAPOT=1)
    page = operator.get(reverse("admin:orders_stockitem_changelist"), {"q": term}).content.decode()
    assert page_of("KETTLE") in page
    assert page_of("TEAPOT") not in page
