"""The migration that makes files bring in differences takes over what files had said before."""

from importlib import import_module

import pytest
from django.db import connection

from orders import inventory
from orders.models import Refund, StockItem
from orders.models.refund import RefundLine
from tests.making import place_order, stock

pytestmark = pytest.mark.django_db

FILED = import_module("orders.migrations.0013_stock_said_by_files")._FILED


def test_what_is_stocked_is_what_files_said_but_for_what_came_back() -> None:
    stock(KETTLE=5, MUG=3)
    for restock, quantity in ((True, 2), (True, 1), (False, 1)):
        order = place_order((("KETTLE", 4),))
        line = order.lines.get()
        refund = Refund.objects.create(
            order=order,
            request_key=f"{restock}-{quantity}",
            amount_minor=1,
            whole=False,
            restock=restock,
            reason="",
            requested_by="ada",
        )
        RefundLine.objects.create(refund=refund, line=line, quantity=quantity)
        if restock:
            inventory.take_in({"KETTLE": quantity})
    with connection.cursor() as cursor:
        cursor.execute(FILED)
    assert dict(StockItem.objects.values_list("sku", "filed")) == {"KETTLE": 5, "MUG": 3}
    assert inventory.book_file({"KETTLE": 5, "MUG": 4}) == 1
    assert dict(StockItem.objects.values_list("sku", "stocked")) == {"KETTLE": 8, "MUG": 4}
