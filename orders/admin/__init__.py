"""Orders and stock at the operator's desk. Facts are read here, never edited: what changes an order or a
stock level goes through the same functions as everything else, after a page that asks and by a POST."""

from orders.admin.order import OrderAdmin
from orders.admin.payments import FindingAdmin, ProviderEventAdmin, ReversalAdmin
from orders.admin.printouts import PrintoutAdmin
from orders.admin.stock import StockItemAdmin, StockMovementAdmin

__all__ = [
    "FindingAdmin",
    "OrderAdmin",
    "PrintoutAdmin",
    "ProviderEventAdmin",
    "ReversalAdmin",
    "StockItemAdmin",
    "StockMovementAdmin",
]
