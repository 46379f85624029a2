"""Money that the provider will not give back, and that was given back another way: by bank transfer, say.

A refund that is refused for good (the card is gone, the charge too old, the account with another provider) would leave
its order open for ever. Somebody who has seen to the money says so here. What went that way is counted apart from what
the provider gave back: our books and the provider's list still agree, and nothing is given back twice.
"""

from typing import LiteralString

from django.db import transaction

from orders import scheduling, sql
from orders.facts import facts_of
from orders.locking import lock_orders
from orders.models import Order, OrderEvent, Payment, Reversal
from orders.money import format
from orders.states import END_STATES, EventKind
from orders.workflow import Step, remaining, steps

# What is still to be given back, and what the provider has given back. Of a completed order the promises are owed, of
# one without goods all that is captured. What was found to be gone already (orders.payments.taking_over) is not owed: a
# part of a promise that is still open, or of an order that failed and so has no promises.
_OWED: LiteralString = """
SELECT CASE o.status WHEN 'completed' THEN promises.amount - promises.found
       ELSE p.captured_minor - p.outside_minor - gone.amount END,
       CASE o.status WHEN 'completed' THEN p.refunded_minor + promises.found ELSE gone.amount END
FROM orders_order o JOIN orders_payment p ON p.order_id = o.id
CROSS JOIN LATERAL (SELECT coalesce(sum(amount_minor), 0)::bigint AS amount,
                           coalesce(sum(found_minor), 0)::bigint AS found
                    FROM orders_refund WHERE order_id = o.id AND status = 'requested') AS promises
CROSS JOIN LATERAL (SELECT coalesce(sum(amount_minor), 0)::bigint AS amount FROM orders_reversal
                    WHERE order_id = o.id AND status = 'given_back') AS elsewhere
CROSS JOIN LATERAL (SELECT least(greatest(p.refunded_minor + promises.found, elsewhere.amount),
                                 p.captured_minor - p.outside_minor) AS amount) AS gone
WHERE o.id = %(order_id)s
"""
# The promises are kept.
_KEPT: LiteralString = """
UPDATE orders_refund SET status = 'made', made_at = clock_timestamp()
WHERE order_id = %(order_id)s AND status = 'requested'
"""
# So much was given back another way; of a charge that never came to anything, nothing is held any more.
_OUTSIDE: LiteralString = """
UPDATE orders_payment
SET outside_minor = outside_minor + %(amount)s, refunded_minor = %(gone)s,
    hold_until = NULL, failures = 0, updated_at = now(),
    status = CASE WHEN captured_minor = 0 THEN 'voided'
                  WHEN %(gone)s + outside_minor + %(amount)s = captured_minor THEN 'refunded' ELSE status END
WHERE order_id = %(order_id)s AND status NOT IN ('pending', 'declined', 'voided', 'refunded')
"""


class NotSettleable(Exception):
    """There is nothing to settle; the message says why, for people."""


def owed(order: Order) -> int | None:
    """What is still to be given back, in minor units, of an order that stands still over it; None of any other.

    0: a charge of which nobody knows whether it holds money.
    """
    if order.status not in END_STATES or order.due_at is not None or order.ended_at is not None:
        return None
    [facts] = facts_of([order.pk])
    return _owed(order)[0] if Step.REFUND in steps(remaining(facts)) else None


def reported(order: Order) -> bool:
    """Has the provider reported a refund or a dispute that our books do not have yet?"""
    return Payment.objects.filter(order=order, reported_at__isnull=False).exists()


def settleable(order: Order, *, provider_shows_nothing: bool = False) -> int:
    """What can be settled now, as `owed` has it; raises NotSettleable. `settle` itself decides.

    What the provider may have given back without us comes first: settled before it is taken over, it would count twice.
    But a provider may report something and then not know the charge any more, when the shop has changed its account,
    say. Then only a person can find out that there is nothing, and says so.
    """
    amount = owed(order)
    if amount is None:
        raise NotSettleable(
            f"Order {order.number} does not stand still over money that is to be given back. Nothing was written."
        )
    if dispute := order.reversals.filter(status=Reversal.Status.OPEN).first():
        raise NotSettleable(
            f"The buyer's bank disputes {format(dispute.amount_minor, order.currency)} of order {order.number} and "
            f"holds that money ({dispute.reference}): given back another way as well, it would be paid twice if the "
            "dispute is lost. Answer the dispute at the payment provider, and replay the order's dead letter when it "
            "is closed."
        )
    if reported(order) and not provider_shows_nothing:
        raise NotSettleable(
            f"The payment provider has reported a refund or a dispute of order {order.number} that our books do not "
            "have yet. Replay the order's dead letter: that takes it over, and pays only what is left. If that fails "
            "again, look at the provider's own page, and say here if it shows neither."
        )
    return amount


def settle(order_id: int, *, provider_shows_nothing: bool = False) -> int:
    """What is still to be given back was given back another way: write that, and let the order go on.

    Returns how much, in minor units. `provider_shows_nothing`: what the provider has reported is set aside, because its
    own page shows neither a refund nor a dispute. Raises NotSettleable.
    """
    with transaction.atomic():
        lock_orders([order_id], tuple(END_STATES))
        order = Order.objects.get(pk=order_id)
        settleable(order, provider_shows_nothing=provider_shows_nothing)
        if provider_shows_nothing:
            Payment.objects.filter(order=order).update(reported_at=None)
        amount, gone = _owed(order)
        detail = format(amount, order.currency)
        if owed(order) is None:  # the report was all that it stood still over
            detail = "what the provider reported is set aside"
        else:
            sql.count(_KEPT, {"order_id": order_id})
            if not sql.count(_OUTSIDE, {"order_id": order_id, "amount": amount, "gone": gone}):
                raise RuntimeError(f"Order {order.number} owes money, but its payment holds none.")
        OrderEvent.objects.create(order=order, kind=EventKind.SETTLED, detail=detail)
        scheduling.make_due([order_id])
    return amount


def _owed(order: Order) -> tuple[int, int]:
    [(amount, gone)] = sql.rows(_OWED, {"order_id": order.pk})
    return amount, gone
