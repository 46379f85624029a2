"""The tables of an order: itself, its lines and log, and a row for each call of a step to a provider."""

from orders.models.claim import Claim as Claim
from orders.models.delivery import Delivery as Delivery
from orders.models.document import Document as Document
from orders.models.document import InvoiceCounter as InvoiceCounter
from orders.models.finding import Finding as Finding
from orders.models.notification import Notification as Notification
from orders.models.order import Order as Order
from orders.models.order import OrderEvent as OrderEvent
from orders.models.order import OrderLine as OrderLine
from orders.models.payment import Payment as Payment
from orders.models.printout import Printout as Printout
from orders.models.providerevent import ProviderEvent as ProviderEvent
from orders.models.refund import Refund as Refund
from orders.models.refund import RefundLine as RefundLine
from orders.models.restore import LostCall as LostCall
from orders.models.restore import Restore as Restore
from orders.models.reversal import Reversal as Reversal
from orders.models.shipment import Shipment as Shipment
from orders.models.stock import StockItem as StockItem
from orders.models.stock import StockMovement as StockMovement
from orders.models.successor import Successor as Successor
