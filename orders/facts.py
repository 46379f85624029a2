"""What an order has and lacks, read from the rows of its steps: all that deciding what is left to do needs."""

from collections.abc import Collection
from typing import LiteralString

from orders import sql
from orders.inventory import HELD
from orders.states import OrderStatus, PaymentMethod
from orders.workflow import STEPS, Facts

# The steps of which a row says that they are done, in the order of the columns of `_FACTS`.
_RECORDED = tuple((step, spec.done) for step, spec in STEPS.items() if spec.done is not None)

# The facts of these orders, a row each. `messages` are those that the orders' present states call for.
_FACTS: LiteralString = sql.compose(
    """
WITH messages AS (
    SELECT n.order_id, n.channel FROM orders_notification n JOIN orders_order o ON o.id = n.order_id
    WHERE n.order_id = ANY(%(ids)s) AND n.status IN ('sent', 'failed')
      AND n.kind = CASE WHEN o.status IN ('reserved', 'paid', 'completed') THEN 'confirmation' ELSE o.status END
), held AS (SELECT DISTINCT order_id FROM ($held) AS pieces)
SELECT o.id, o.status, o.payment_method,
    ARRAY[$done],
    EXISTS (SELECT FROM held WHERE held.order_id = o.id),
    EXISTS (SELECT FROM orders_payment p WHERE p.order_id = o.id
                                           AND p.status NOT IN ('pending', 'declined', 'voided', 'refunded')),
    EXISTS (SELECT FROM orders_refund r WHERE r.order_id = o.id AND r.status = 'requested')
        OR EXISTS (SELECT FROM orders_payment p WHERE p.order_id = o.id AND p.reported_at IS NOT NULL)
FROM orders_order o WHERE o.id = ANY(%(ids)s) ORDER BY o.id
""",
    held=HELD,
    done=", ".join(done for _, done in _RECORDED),
)


def facts_of(ids: Collection[int]) -> list[Facts]:
    """The facts of these orders, by id, in one statement."""
    found = sql.rows(_FACTS, {"ids": list(ids)}) if ids else []
    return [
        Facts(
            order_id,
            OrderStatus(status),
            PaymentMethod(method),
            frozenset(step for (step, _), is_done in zip(_RECORDED, done, strict=True) if is_done),
            *holdings,
        )
        for order_id, status, method, done, *holdings in found
    ]
