"""What was issued is never changed: the database itself refuses, whoever asks."""

from typing import LiteralString

import pytest
from django.db import IntegrityError, connection, transaction

from orders.models import Document, InvoiceCounter, Order
from tests.integration.invoices.test_printing import invoices
from tests.making import place_order

pytestmark = pytest.mark.django_db


def refused(statement: LiteralString) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    except IntegrityError:
        return True
    return False


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE orders_document SET id = id + 1",
        "UPDATE orders_document SET order_id = order_id + 1",
        "UPDATE orders_document SET kind = 'credit_note'",
        "UPDATE orders_document SET serial = serial + 1",
        "UPDATE orders_document SET seller = 'Somebody else'",
        "UPDATE orders_document SET seller_vat_id = 'GB1'",
        "UPDATE orders_document SET seller_country = 'DE'",
        "UPDATE orders_document SET issued_at = issued_at - interval '1 day'",
    ],
)
def test_an_issued_document_stays_as_it_is(statement: LiteralString) -> None:
    invoices()
    assert refused(statement)


def test_an_issued_document_is_not_deleted() -> None:
    invoices()
    assert refused("DELETE FROM orders_document")


def test_its_pdf_may_be_made_and_lost() -> None:
    invoices()
    assert not refused("UPDATE orders_document SET file = 'x', due_at = NULL, attempts = 0")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE orders_orderline SET quantity = 2",
        "UPDATE orders_orderline SET name = 'Something else'",
        "DELETE FROM orders_orderline",
        "UPDATE orders_order SET name = 'Somebody else'",
        "UPDATE orders_order SET email = 'else@example.com'",
        "UPDATE orders_order SET line1 = 'Elsewhere'",
        "UPDATE orders_order SET country = 'DE'",
        "UPDATE orders_order SET currency = 'EUR'",
        "UPDATE orders_order SET total_minor = total_minor + 1",
        "UPDATE orders_order SET tax_minor = 0",
        "UPDATE orders_order SET placed_at = now() - interval '1 year'",
        "UPDATE orders_order SET payment_method = 'card'",
    ],
)
def test_what_it_says_of_its_order_stays_as_it_is(statement: LiteralString) -> None:
    invoices()
    assert refused(statement)


def test_the_order_itself_goes_on() -> None:
    invoices()
    order = Order.objects.get()
    order.status, order.attempts = "completed", 1
    order.save()
    assert not refused("UPDATE orders_order SET phone = '+44', name = name")


def test_an_order_without_an_invoice_may_be_put_right() -> None:
    place_order()
    assert not refused("UPDATE orders_order SET name = 'Ada King'")


def test_the_counter_never_goes_back() -> None:
    invoices(3)
    assert refused("UPDATE orders_invoicecounter SET last = last - 1")
    assert refused("UPDATE orders_invoicecounter SET id = 9")
    assert refused("DELETE FROM orders_invoicecounter")
    counter = InvoiceCounter.objects.get(pk=1)
    assert counter.last == Document.objects.order_by("-serial")[0].serial
