"""Orders that nobody has paid for: cash on delivery holds goods and sends parcels for nothing but a name.

So within a day only so many are taken for one e-mail address, for one phone and for one postal address; the setting
CASH_ORDERS_A_DAY says how many, 0 any number. What was cancelled or sold out holds nothing and does not count. Twenty
that come at once are counted one after the other: whoever shares any of the three waits for the lock of it.
"""

from datetime import datetime, timedelta
from hashlib import blake2b
from typing import LiteralString

from django.conf import settings
from django.db import transaction

from orders import placing, sql
from orders.placing import OrderDraft, Placed
from orders.states import PaymentMethod

PERIOD = timedelta(days=1)

# One order after the other that has any of these in common; the locks end with the transaction.
_LOCK: LiteralString = "SELECT pg_advisory_xact_lock(key) FROM unnest(%(keys)s::bigint[]) AS key"
# How many orders that nobody has paid for have each in common with this one, and when the first of them was placed.
_COUNT: LiteralString = """
WITH unpaid AS NOT MATERIALIZED (
    SELECT * FROM orders_order
    WHERE payment_method = 'cod' AND placed_at > now() - %(period)s AND status NOT IN ('cancelled', 'out_of_stock')
)
SELECT 'e-mail address', count(*), min(placed_at) FROM unpaid WHERE lower(email) = lower(%(email)s)
UNION ALL
SELECT 'phone number', count(*), min(placed_at) FROM unpaid WHERE phone = %(phone)s
UNION ALL
SELECT 'postal address', count(*), min(placed_at) FROM unpaid
WHERE postcode = %(postcode)s AND country = %(country)s AND lower(line1) = lower(%(line1)s)
      AND lower(city) = lower(%(city)s)
"""


class TooManyUnpaid(Exception):
    """No further order that is paid at the door; the message says why, for people. One is possible again at `at`."""

    def __init__(self, shared: str, count: int, at: datetime) -> None:
        super().__init__(
            f"{count} orders with this {shared} are to be paid at the door already, and no more are taken within a "
            "day. Nothing was ordered: please pay this one by card, or order again tomorrow."
        )
        self.at = at


def place(draft: OrderDraft, *, wait: bool) -> Placed:
    """As orders.placing.place; raises TooManyUnpaid besides."""
    most = settings.CASH_ORDERS_A_DAY
    if draft.payment_method != PaymentMethod.COD or not most:
        return placing.place(draft, wait=wait)
    with transaction.atomic():
        sql.rows(_LOCK, {"keys": sorted(_keys(draft))})
        shared = {
            **{name: getattr(draft.address, name) for name in ("postcode", "country", "line1", "city")},
            "email": draft.email,
            "phone": draft.phone,
            "period": PERIOD,
        }
        for what, count, first in sql.rows(_COUNT, shared):
            if count >= most and placing.placed_under(draft.key, draft.email) is None:
                raise TooManyUnpaid(what, count, first + PERIOD)
        return placing.place(draft, wait=wait)


def _keys(draft: OrderDraft) -> list[int]:
    address = draft.address
    shared = (
        ("email", draft.email),
        ("phone", draft.phone),
        ("address", address.postcode, address.country, address.line1, address.city),
    )
    texts = ("unpaid\n" + "\n".join(parts).lower() for parts in shared)
    return [int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), signed=True) for text in texts]
