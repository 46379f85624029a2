"""Invoices and credit notes: none is missing, and their numbers have no gap."""

import uuid

from orders.models import Document, InvoiceCounter
from orders.money import format
from orders.refunds import refund
from tests.integration.audit.conftest import Shop, corrupt


def test_a_completed_order_without_an_invoice(shop: Shop) -> None:
    last = Document.objects.order_by("-serial")[0]
    corrupt("DELETE FROM orders_document WHERE id = %s", last.pk)
    found = shop.problems_of("documents")
    assert found[0] == f"Order {last.order.number} is completed, but has no invoice."
    assert found[1].startswith(f"The last invoice has the number {last.serial - 1}, but its counter says")


def test_a_gap_in_the_numbers(shop: Shop) -> None:
    last = Document.objects.order_by("-serial")[0]
    corrupt("UPDATE orders_document SET serial = serial + 1 WHERE id = %s", last.pk)
    corrupt("UPDATE orders_invoicecounter SET last = %s", last.serial + 1)
    problem = shop.only_problem("documents")
    assert problem == f"The invoices have a gap: after number {last.serial - 1} comes {last.serial + 1}."


def test_a_refund_and_a_cancellation_without_a_credit_note(shop: Shop) -> None:
    made = refund(shop["completed"], None, key=str(uuid.uuid4()), reason="Broken", by="ada", restock=False)
    assert shop.problems() == {}
    corrupt("DELETE FROM orders_document WHERE refund_id = %s", made.pk)
    problem = shop.problems()["documents"][0]
    amount = format(made.amount_minor, made.order.currency)
    assert problem == f"Order {made.order.number} was refunded {amount}, but has no credit note for it."
    corrupt(
        "UPDATE orders_document SET order_id = %s WHERE order_id = %s", shop["cancelled"], shop["completed"]
    )
    said = [problem for problem in shop.problems()["documents"] if "which no credit note credits" in problem]
    assert len(said) == 1
    assert said[0].startswith(f"Order {shop.number('cancelled')} was cancelled after its invoice INV-")


def test_the_counter_of_credit_notes_is_its_own(shop: Shop) -> None:
    refund(shop["completed"], None, key=str(uuid.uuid4()), reason="Broken", by="ada", restock=False)
    assert InvoiceCounter.objects.get(pk=2).last == Document.objects.filter(kind="credit_note").count() == 1
