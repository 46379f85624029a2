"""The first page of the admin: how many orders are where, whether work piles up, and what needs a person.

Every figure is one statement over an index made for it, so that the page stays cheap on a million orders.
"""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.db.models import Count, Min
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from orders.admin.base import link, table
from orders.admin.page import STATUS_COLOURS
from orders.admin.progress import CONDITIONS, Progress
from orders.models import Document, Order
from orders.states import OrderStatus
from workers.admin.pages import group_address, short
from workers.deadletters.choosing import groups, open_letters


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
    def figure(progress: Progress, name: str, note: str) -> Figure:
        count = Order.objects.filter(CONDITIONS[progress]).count()
        return Figure(name, f"{count:,}", f"{_orders()}?stands={progress}", note=note)

    oldest = Order.objects.filter(CONDITIONS[Progress.DUE]).aggregate(at=Min("due_at"))["at"]
    unprinted = Document.objects.filter(due_at__lte=timezone.now()).count()
    letters = open_letters().count()
    return [
        figure(Progress.DUE, "Due now", f"the oldest {naturaltime(oldest)}" if oldest else "nothing waits"),
        figure(Progress.UNDER_WAY, "Under way", "with a worker"),
        figure(Progress.WAITING, "Waiting", "for a retry or the buyer's bank"),
        Figure("Invoices to print", f"{unprinted:,}", note="nobody waits for them"),
        Figure(
            "Open dead letters",
            f"{letters:,}",
            reverse("admin:workers_deadletter_groups"),
            colour="danger" if letters else "",
            note="need a person" if letters else "nothing was given up",
        ),
    ]


def _statuses() -> list[Figure]:
    counts = dict(Order.objects.order_by().values_list("status").annotate(count=Count("pk")))
    return [
        Figure(
            status.label,
            f"{counts.get(status.value, 0):,}",
            f"{_orders()}?status__exact={status.value}",
            STATUS_COLOURS.get(status, ""),
        )
        for status in OrderStatus
    ]


def _letter_groups() -> dict[str, Any]:
    rows = (
        (
            group.task,
            link(group_address(group.fingerprint), short(group.error_class)),
            group.message[:120],
            f"{group.count:,}",
            naturaltime(group.last),
        )
        for group in groups(open_letters(), limit=10)
    )
    return table(("Step", "Error", "For example", "Letters", "Latest"), rows)


def _orders() -> str:
    return reverse("admin:orders_order_changelist")
