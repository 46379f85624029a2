"""What an order has and lacks, read from the rows of its steps: all that deciding what is left to do needs."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import LiteralString

from orders import sql
from orders.states import OrderStatus, PaymentMethod


@dataclass(frozen=True, slots=True)
class Facts:
    """How one order stands. `emailed` and `texted` speak of the message that its present state calls for."""

    order_id: int
    status: OrderStatus
    payment_method: PaymentMethod
    emailed: bool = False
    texted: bool = False
    invoiced: bool = False
    shipped: bool = False
    holds_stock: bool = False
    holds_money: bool = False
    owes_refund: bool = False


_FACTS: LiteralString = """
WITH told AS (
    SELECT n.order_id, n.channel FROM orders_notification n JOIN orders_order o ON o.id = n.order_id
    WHERE n.order_id = ANY(%(ids)s) AND n.status IN ('sent', 'failed')
      AND n.kind = CASE WHEN o.status IN ('reserved', 'paid', 'completed') THEN 'confirmation' ELSE o.status END
), held AS (
    SELECT DISTINCT m.order_id FROM orders_stockmovement m
    WHERE m.order_id = ANY(%(ids)s) AND m.kind = 'reserved' AND NOT EXISTS (
        SELECT FROM orders_stockmovement later WHERE later.order_id = m.order_id AND later.sku = m.sku
                                                 AND later.kind IN ('released', 'sold'))
)
SELECT o.id, o.status, o.payment_method,
    EXISTS (SELECT FROM told WHERE told.order_id = o.id AND told.channel = 'email'),
    EXISTS (SELECT FROM told WHERE told.order_id = o.id AND told.channel = 'sms'),
    EXISTS (SELECT FROM orders_document d WHERE d.order_id = o.id AND d.kind = 'invoice'),
    EXISTS (SELECT FROM orders_shipment s WHERE s.order_id = o.id AND s.status = 'booked'),
    EXISTS (SELECT FROM held WHERE held.order_id = o.id),
    EXISTS (SELECT FROM orders_payment p WHERE p.order_id = o.id
                                           AND p.status NOT IN ('pending', 'declined', 'voided', 'refunded')),
    EXISTS (SELECT FROM orders_refund r WHERE r.order_id = o.id AND r.status = 'requested')
FROM orders_order o WHERE o.id = ANY(%(ids)s) ORDER BY o.id
"""


def facts_of(ids: Collection[int]) -> list[Facts]:
    """The facts of these orders, by id, in one statement."""
    found = sql.rows(_FACTS, {"ids": list(ids)})
    return [Facts(row[0], OrderStatus(row[1]), PaymentMethod(row[2]), *row[3:]) for row in found]
