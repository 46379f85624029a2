"""What came of it, by two witnesses that know nothing of the workers: what the customers were answered, and what the
providers say they did.

    lost        a customer was answered 201, and the order is not in the books, or has not ended
    doubled     captured twice, a parcel sent twice, or a message delivered twice
    oversold    pieces of a product that were sold or promised beyond what ever came in
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import LiteralString

from bench.books import Books
from bench.ledgers import entries
from bench.load import Answer
from bench.running_stack import RunningStack

# When each order was placed, ended, and was first set apart.
_ORDERS: LiteralString = """
SELECT o.idempotency_key, o.id, o.status, extract(epoch FROM o.placed_at)::float8,
       extract(epoch FROM o.ended_at)::float8,
       (SELECT extract(epoch FROM min(e.at))::float8 FROM orders_orderevent e
        WHERE e.order_id = o.id AND e.kind = 'order.dead_lettered')
FROM orders_order o WHERE o.idempotency_key LIKE %(keys)s
"""
# Pieces that were sold or promised beyond what came in.
_OVERSOLD: LiteralString = """
SELECT coalesce(sum(gone.quantity - s.stocked), 0)::int FROM orders_stockitem s JOIN (
    SELECT sku, sum(CASE kind WHEN 'reserved' THEN quantity WHEN 'released' THEN -quantity ELSE 0 END) AS quantity
    FROM orders_stockmovement GROUP BY sku) AS gone ON gone.sku = s.sku
WHERE gone.quantity > s.stocked
"""
# How the shop writes an order's number, as everybody outside has to know it who reads one.
_NUMBERS_BEGIN = 100_000


@dataclass(frozen=True, slots=True)
class Ended:
    """An order in the books: when it was placed, when it ended, and when it was first set apart, by the database's
    clock."""

    order_id: int
    status: str
    placed_at: float
    ended_at: float | None
    set_apart_at: float | None = None

    @property
    def number(self) -> str:
        return f"S-{self.order_id + _NUMBERS_BEGIN}"


@dataclass
class Verdict:
    orders: dict[str, Ended]  # by idempotency key
    lost: dict[int, str] = field(default_factory=dict)  # order id, or a negative number where there is none
    doubled: dict[int, str] = field(default_factory=dict)
    oversold: int = 0

    @property
    def by_id(self) -> dict[int, Ended]:
        return {order.order_id: order for order in self.orders.values()}


async def judge(stack: RunningStack, books: Books, answers: Mapping[str, Answer]) -> Verdict:
    """Compare what was answered with what is there; to be called when nothing is under way any more."""
    rows = await books.rows(_ORDERS)
    verdict = Verdict({key: Ended(*rest) for key, *rest in rows})
    for missing, (key, answer) in enumerate(answers.items(), start=1):
        if not answer.accepted:
            continue
        order = verdict.orders.get(key)
        if order is None:
            verdict.lost[-missing] = f"{answer.number} was accepted and is not in the books"
        elif order.ended_at is None:
            verdict.lost[order.order_id] = (
                f"{answer.number} was accepted, is {order.status} and has not ended"
            )
    ids = {order.number: order.order_id for order in verdict.orders.values()}

    def doubled(facts: Counter[tuple[str, str]], what: str) -> None:
        for (number, _), count in facts.items():
            if count > 1 and number in ids:
                verdict.doubled[ids[number]] = f"{number} {what}: {count} times"

    payments = await entries(stack, "payments")
    doubled(Counter((one["order"], "") for one in payments if one["kind"] == "captured"), "was captured")
    doubled(Counter((one["order"], "") for one in await entries(stack, "carrier")), "was sent as a parcel")
    for provider in ("sms", "mailbox"):
        sent = [one for one in await entries(stack, provider) if one["key"]]
        doubled(Counter((one["order"], one["key"]) for one in sent), f"got the same message by {provider}")
    verdict.oversold = await books.value(_OVERSOLD)
    return verdict
