"""The checks, one module each, in the order of the report."""

from workers.audit.checks import (
    accounted,
    documents,
    events,
    failed_orders,
    money,
    nothing_uncommitted,
    notifications,
    shipments,
    stock,
)

CHECKS = (
    accounted.CHECK,
    money.CHECK,
    stock.CHECK,
    failed_orders.CHECK,
    notifications.CHECK,
    shipments.CHECK,
    documents.CHECK,
    events.CHECK,
    nothing_uncommitted.CHECK,
)

__all__ = ["CHECKS"]
