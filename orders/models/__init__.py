"""The tables of an order: itself, its lines and log, and one row of its domain for each step that leaves the house."""

from orders.models.claim import Claim
from orders.models.document import Document, InvoiceCounter
from orders.models.finding import Finding
from orders.models.notification import Notification
from orders.models.order import Order, OrderEvent, OrderLine
from orders.models.payment import Payment
from orders.models.printout import Printout
from orders.models.providerevent import ProviderEvent
from orders.models.refund import Refund, RefundLine
from orders.models.shipment import Shipment
from orders.models.stock import StockItem, StockMovement

__all__ = [
    "Claim",
    "Document",
    "Finding",
    "InvoiceCounter",
    "Notification",
    "Order",
    "OrderEvent",
    "OrderLine",
    "Payment",
    "Printout",
    "ProviderEvent",
    "Refund",
    "RefundLine",
    "Shipment",
    "StockItem",
    "StockMovement",
]
