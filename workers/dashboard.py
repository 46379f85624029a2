"""The first page of the admin: how the orders stand, whether work piles up, and what needs a person.

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
from django.utils.html import format_html

from orders.admin.page import STATUS_COLOURS
from orders.admin.standing import Standing, that_stand
from orders.models import Document, Order
from orders.states import OrderStatus
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
    letters, groups = _dead_letters()
    return {
        **context,
        "title": "How the shop is doing",
        "work": [*_work(), letters],
        "statuses": _statuses(),
        "letter_groups": groups,
        "flower_url": settings.FLOWER_URL,
        "mailbox_url": settings.MAILBOX_URL,
    }


def _work() -> list[Figure]:
    orders = reverse("admin:orders_order_changelist")
    due = Order.objects.filter(that_stand(Standing.DUE)).aggregate(count=Count("pk"), oldest=Min("due_at"))
    under_way = Order.objects.filter(that_stand(Standing.UNDER_WAY)).count()
    waiting = Order.objects.filter(that_stand(Standing.WAITING)).count()
    unprinted = Document.objects.filter(due_at__lte=timezone.now()).count()
    oldest = f"the oldest {naturaltime(due['oldest'])}" if due["oldest"] else "nothing waits"
    return [
        Figure("Due now", f"{due['count']:,}", f"{orders}?stands=due", note=oldest),
        Figure("Under way", f"{under_way:,}", f"{orders}?stands=under_way", note="with a worker"),
        Figure("Waiting", f"{waiting:,}", f"{orders}?stands=waiting", note="for a retry or the buyer's bank"),
        Figure("Invoices to print", f"{unprinted:,}", note="nobody waits for them"),
    ]


def _statuses() -> list[Figure]:
    orders = reverse("admin:orders_order_changelist")
    counts = dict(Order.objects.order_by().values_list("status").annotate(count=Count("pk")))
    return [
        Figure(
            status.label,
            f"{counts.get(status.value, 0):,}",
            f"{orders}?status__exact={status.value}",
            STATUS_COLOURS.get(status, ""),
        )
        for status in OrderStatus
    ]


def _dead_letters() -> tuple[Figure, dict[str, Any]]:
    count = open_letters().count()
    rows = [
        (
            group.task,
            format_html(
                '<a class="text-link" href="{}">{}</a>',
                reverse("admin:workers_deadletter_group", args=[group.fingerprint]),
                group.error_class.rpartition(".")[2],
            ),
            group.message[:120],
            f"{group.count:,}",
            naturaltime(group.last),
        )
        for group in groups(open_letters(), limit=10)
    ]
    figure = Figure(
        "Open dead letters",
        f"{count:,}",
        reverse("admin:workers_deadletter_groups"),
        colour="danger" if count else "",
        note="need a person" if count else "nothing was given up",
    )
    return figure, {"headers": ("Step", "Error", "For example", "Letters", "Latest"), "rows": rows}
