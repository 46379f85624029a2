"""What an order's page in the admin shows: its rows in words, and its tables."""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.module_loading import import_string

from orders.admin import progress
from orders.admin.columns import link, precisely, table
from orders.cancelling import cancellable, unanswered
from orders.models import Document, Notification, Order, Payment, Reversal, Shipment
from orders.models.delivery import delivered_to
from orders.money import format, percent
from orders.redirecting import redirectable
from orders.refunds import returnable
from orders.settling import owed
from orders.states import OrderStatus

# Unfold's colours of labels; a state that is not here is grey.
STATUS_COLOURS = {
    OrderStatus.PLACED: "info",
    OrderStatus.RESERVED: "info",
    OrderStatus.AWAITING_PAYMENT: "warning",
    OrderStatus.PAID: "primary",
    OrderStatus.COMPLETED: "success",
    OrderStatus.OUT_OF_STOCK: "danger",
    OrderStatus.PAYMENT_DECLINED: "danger",
    OrderStatus.REFUNDED: "warning",
}


def order_page(order: Order) -> dict[str, Any]:
    """The context of orders/admin/order.html; nine statements, however many lines the order has."""
    payment: Payment | None = getattr(order, "payment", None)
    shipment: Shipment | None = getattr(order, "shipment", None)
    return {
        "order": order,
        "original": order,
        "payment": payment,
        "shipment": shipment,
        "status_colour": STATUS_COLOURS.get(OrderStatus(order.status), ""),
        "progress": progress.in_words(order),
        "progress_colour": progress.COLOURS.get(progress.progress_of(order), ""),
        "why": import_string(settings.ORDER_EXPLAINED_BY)(order),
        "tried_again_as": order.succession.order if hasattr(order, "succession") else None,
        "tries_again": order.predecession.failed if hasattr(order, "predecession") else None,
        "cancellable": cancellable(order) or unanswered(order),
        "disputes": [
            f"{format(one.amount_minor, order.currency)}: {one.get_status_display().lower()} ({one.reference})"
            for one in order.reversals.all()
            if one.status in (Reversal.Status.ASKED, Reversal.Status.OPEN)
        ],
        "refundable": returnable(order),
        "redirectable": redirectable(order),
        "delivery": delivered_to(order),
        "owed": owed(order) is not None,
        "may_go_on": order.ended_at is None,
        "open_letters": order.dead_letters.filter(resolved_at=None),
        "open_findings": order.findings.filter(resolved_at=None),
        "lines": _lines(order),
        "refunds": _refunds(order),
        "messages_sent": _notifications(order.notifications.all()),
        "documents": _documents(order, order.documents.all()),
        "timeline": table(
            ("When", "What", "Details"),
            ((precisely(event.at), event.label, event.detail) for event in order.events.all()),
        ),
    }


def _lines(order: Order) -> dict[str, Any]:
    def amount(minor: int) -> str:
        return format(minor, order.currency)

    return table(
        ("SKU", "Article", "Quantity", "Unit price", "Tax rate", "Total"),
        (
            (
                line.sku,
                line.name,
                f"{line.quantity:,}",
                amount(line.unit_price_minor),
                percent(line.tax_rate_bp),
                amount(line.total_minor),
            )
            for line in order.lines.all()
        ),
    )


def _refunds(order: Order) -> dict[str, Any]:
    return table(
        ("When", "Amount", "Status", "Reason", "Who", "Goods"),
        (
            (
                precisely(refund.requested_at),
                format(refund.amount_minor, order.currency),
                refund.get_status_display(),
                refund.reason,
                refund.requested_by,
                "Back on the shelf" if refund.restock else "–",
            )
            for refund in order.refunds.all()
        ),
    )


def _notifications(notifications: QuerySet[Notification]) -> dict[str, Any]:
    return table(
        ("Channel", "Message", "Status", "When", "Failed tries"),
        (
            (
                message.get_channel_display(),
                message.get_kind_display(),
                ": ".join(filter(None, (message.get_status_display(), message.reason))),
                precisely(message.sent_at or message.requested_at),
                message.failures,
            )
            for message in notifications
        ),
    )


def _documents(order: Order, documents: QuerySet[Document]) -> dict[str, Any]:
    def pdf(document: Document) -> str:
        if document.file:
            words = "Open the PDF"
        elif document.due_at is None:
            words = "It could not be made: try again"
        else:
            words = "Not printed yet: make it now"
        address = reverse("admin:orders_order_document", args=[order.pk, document.number])
        return link(address, words)

    return table(
        ("Document", "Number", "Issued", "PDF"),
        (
            (document.get_kind_display(), document.number, precisely(document.issued_at), pdf(document))
            for document in documents
        ),
    )
