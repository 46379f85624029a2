"""The first page of the admin: how many orders are where, whether work piles up, and what needs a person.

Every figure is one statement over an index made for it, so that the page stays cheap on a million orders.
"""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.db.models import Count, Min
from django.http import HttpRequest
from django.urls import reverse, reverse_lazy
from django.utils import timezone

from orders.admin.columns import link, table
from orders.admin.page import STATUS_COLOURS
from orders.admin.progress import CONDITIONS, Progress
from orders.models import Document, Order
from orders.states import END_STATES, OrderStatus
from workers.deadletters.choosing import groups, open_letters

_ORDERS = reverse_lazy("admin:orders_order_changelist")


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with what it counts; `href` shows the rows behind it."""

    name: str
    value: str
    href: str = ""
    colour: str = ""
    note: str = ""


def show(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's DASHBOARD_CALLBACK: adds what shop/templates/admin/index.html shows."""
    if not request.user.has_perm("orders.view_order"):
        return context
    return {
        **context,
        "title": "How the shop is doing",
        "work": _work(),
        "statuses": _statuses(),
        "letter_groups": _letter_groups(),
        "flower_url": settings.FLOWER_URL,
        "mailbox_url": settings.MAILBOX_URL,
    }


def _work() -> list[Figure]:
    unprinted = Document.objects.filter(due_at__lte=timezone.now()).count()
    letters = open_letters().count()
    return [
        _orders_that_are(Progress.DUE, "Due now"),
        _orders_that_are(Progress.UNDER_WAY, "Under way", "in a queue or with a worker"),
        _orders_that_are(Progress.WAITING, "Waiting", "for a retry or the buyer's bank"),
        _oldest_open(),
        Figure("Invoices to print", f"{unprinted:,}", note="nobody waits for them"),
        Figure(
            "Open dead letters",
            f"{letters:,}",
            reverse("admin:workers_deadletter_groups"),
            colour="danger" if letters else "",
            note="need a person" if letters else "nothing was given up",
        ),
    ]


def _orders_that_are(progress: Progress, name: str, note: str = "") -> Figure:
    found = Order.objects.filter(CONDITIONS[progress]).aggregate(count=Count("pk"), oldest=Min("due_at"))
    oldest = f"the oldest {naturaltime(found['oldest'])}" if found["oldest"] else "none is due"
    return Figure(name, f"{found['count']:,}", f"{_ORDERS}?stands={progress}", note=note or oldest)


def _oldest_open() -> Figure:
    """By when it was placed: an order in a queue that nobody serves is neither due nor waiting for anything."""
    found = [
        Order.objects.filter(status=status, due_at__isnull=False)
        .order_by("pk")
        .values_list("placed_at", flat=True)
        .first()
        for status in OrderStatus
        if status not in END_STATES
    ]
    oldest = min((placed_at for placed_at in found if placed_at), default=None)
    return Figure(
        "Oldest that has not ended",
        str(naturaltime(oldest)) if oldest else "none",
        note="placed" if oldest else "nothing waits",
    )


def _statuses() -> list[Figure]:
    counts = dict(Order.objects.order_by().values_list("status").annotate(count=Count("pk")))
    return [
        Figure(
            status.label,
            f"{counts.get(status.value, 0):,}",
            f"{_ORDERS}?status__exact={status.value}",
            STATUS_COLOURS.get(status, ""),
        )
        for status in OrderStatus
    ]


def _letter_groups() -> dict[str, Any]:
    rows = (
        (
            group.task,
            link(
                reverse("admin:workers_deadletter_group", args=[group.fingerprint]),
                group.error_class.rpartition(".")[2],
            ),
            group.message[:120],
            f"{group.count:,}",
            naturaltime(group.last),
        )
        for group in groups(open_letters(), limit=10)
    )
    return table(("Step", "Error", "For example", "Letters", "Latest"), rows)
