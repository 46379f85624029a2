"""Taking back the count of a failed try, when it failed because the provider was known to be away.

Each step counts its failures on its row, in the transaction that writes its outcome; that nobody should have been
asked is only known to whoever guards the provider's door.
"""

from collections.abc import Collection
from typing import LiteralString

from orders import sql
from orders.models import Notification

_PAYMENTS: LiteralString = """
UPDATE orders_payment SET failures = failures - 1 WHERE id IN (
    SELECT id FROM orders_payment WHERE order_id = ANY(%(ids)s) AND failures > 0 ORDER BY id FOR NO KEY UPDATE)
"""
_SHIPMENTS: LiteralString = """
UPDATE orders_shipment SET failures = failures - 1 WHERE id IN (
    SELECT id FROM orders_shipment WHERE order_id = ANY(%(ids)s) AND failures > 0 ORDER BY id FOR NO KEY UPDATE)
"""
_MESSAGES: LiteralString = """
UPDATE orders_notification SET failures = failures - 1 WHERE id IN (
    SELECT id FROM orders_notification
    WHERE order_id = ANY(%(ids)s) AND channel = %(channel)s AND status = 'requested' AND failures > 0
    ORDER BY id FOR NO KEY UPDATE)
"""


def forgive_payments(ids: Collection[int]) -> None:
    sql.count(_PAYMENTS, {"ids": list(ids)})


def forgive_shipments(ids: Collection[int]) -> None:
    sql.count(_SHIPMENTS, {"ids": list(ids)})


def forgive_emails(ids: Collection[int]) -> None:
    sql.count(_MESSAGES, {"ids": list(ids), "channel": Notification.Channel.EMAIL.value})


def forgive_texts(ids: Collection[int]) -> None:
    sql.count(_MESSAGES, {"ids": list(ids), "channel": Notification.Channel.SMS.value})
