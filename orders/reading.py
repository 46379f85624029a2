"""An order with all that its page shows of it, in one statement.

Whoever has ordered looks on: the page asks with each change, and every five seconds besides. By the ORM that is four
queries, and to compose them costs several times what it costs to answer them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, LiteralString, TypeVar

from django.db.models import Model

from orders import sql
from orders.models import Document, Order, OrderEvent, Payment, Shipment
from orders.models.delivery import Delivery

M = TypeVar("M", bound=Model)

# One order by its token, with what there is one of, and lists of its events and documents in the order they came.
_READ: LiteralString = """
SELECT $order, $payment, $shipment, $delivery, events.ids, events.kinds, events.times, events.details,
       documents.ids, documents.kinds, documents.serials
FROM orders_order o
LEFT JOIN orders_payment p ON p.order_id = o.id
LEFT JOIN orders_shipment s ON s.order_id = o.id
LEFT JOIN orders_delivery d ON d.order_id = o.id
CROSS JOIN LATERAL (
    SELECT array_agg(id ORDER BY id) AS ids, array_agg(kind ORDER BY id) AS kinds, array_agg(at ORDER BY id) AS times,
           array_agg(detail ORDER BY id) AS details
    FROM orders_orderevent WHERE order_id = o.id) AS events
CROSS JOIN LATERAL (
    SELECT array_agg(id ORDER BY id) AS ids, array_agg(kind ORDER BY id) AS kinds,
           array_agg(serial ORDER BY id) AS serials
    FROM orders_document WHERE order_id = o.id) AS documents
WHERE o.token = %(token)s
"""
_ONE_OF = {
    "order": (Order, "o"),
    "payment": (Payment, "p"),
    "shipment": (Shipment, "s"),
    "delivery": (Delivery, "d"),
}


@dataclass(frozen=True, slots=True)
class Read:
    """The order's own `payment`, `shipment` and `delivery` are known, and cost no query."""

    order: Order
    payment: Payment | None
    shipment: Shipment | None
    events: list[OrderEvent]
    documents: list[Document]


def read(token: str) -> Read:
    """Raises Order.DoesNotExist."""
    found = sql.rows(_statement(), {"token": token})
    if not found:
        raise Order.DoesNotExist(f"There is no order with the token {token}.")
    row: Sequence[Any] = found[0]
    order, row = _taken(Order, row)
    payment, row = _taken(Payment, row)
    shipment, row = _taken(Shipment, row)
    delivery, row = _taken(Delivery, row)
    if order is None:
        raise TypeError("an order has an id")
    for name, one in (("payment", payment), ("shipment", shipment), ("delivery", delivery)):
        order._state.fields_cache[name] = one
    *events, document_ids, document_kinds, serials = row
    return Read(
        order,
        payment,
        shipment,
        [
            OrderEvent(id=pk, order_id=order.pk, kind=kind, at=at, detail=detail)
            for pk, kind, at, detail in zip(*(values or [] for values in events), strict=True)
        ],
        [
            Document(id=pk, order_id=order.pk, kind=kind, serial=serial)
            for pk, kind, serial in zip(document_ids or [], document_kinds or [], serials or [], strict=True)
        ],
    )


@cache
def _statement() -> LiteralString:
    columns = {
        name: ", ".join(f"{alias}.{field.column}" for field in model._meta.concrete_fields)
        for name, (model, alias) in _ONE_OF.items()
    }
    return sql.compose(_READ, **columns)


def _taken(model: type[M], row: Sequence[Any]) -> tuple[M | None, Sequence[Any]]:
    """The first columns of the row as what they are of, None if there is none, and the rest of the row."""
    fields = model._meta.concrete_fields
    names, values = [field.attname for field in fields], row[: len(fields)]
    known = values[names.index(model._meta.pk.attname)] is not None
    return (model.from_db("default", names, values) if known else None), row[len(fields) :]
