"""Where an order stands, read from the columns that drive it (orders.scheduling) and put into words and
filters."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from django.contrib.humanize.templatetags.humanize import naturaltime
from django.db.models import Q
from django.utils import timezone

from orders.models import Order


class Standing(StrEnum):
    DUE = "due"
    UNDER_WAY = "under_way"
    WAITING = "waiting"
    SET_ASIDE = "set_aside"
    ENDED = "ended"


NAMES = {
    Standing.DUE: "Due now",
    Standing.UNDER_WAY: "Under way",
    Standing.WAITING: "Waiting for its next try",
    Standing.SET_ASIDE: "Needs a person",
    Standing.ENDED: "Ended",
}
# Unfold's colours of labels.
COLOURS = {
    Standing.DUE: "info",
    Standing.UNDER_WAY: "primary",
    Standing.WAITING: "warning",
    Standing.SET_ASIDE: "danger",
}

_FILTERS: dict[Standing, Callable[[datetime], Q]] = {
    Standing.DUE: lambda now: Q(due_at__lte=now),
    Standing.UNDER_WAY: lambda now: Q(due_at__gt=now, attempts__gt=0),
    Standing.WAITING: lambda now: Q(due_at__gt=now, attempts=0),
    Standing.SET_ASIDE: lambda _: Q(due_at=None, ended_at=None),
    Standing.ENDED: lambda _: Q(due_at=None, ended_at__isnull=False),
}


def that_stand(standing: Standing) -> Q:
    """The orders that stand so at this moment."""
    return _FILTERS[standing](timezone.now())


def standing_of(order: Order) -> Standing:
    if order.due_at is None:
        return Standing.ENDED if order.ended_at else Standing.SET_ASIDE
    if order.due_at <= timezone.now():
        return Standing.DUE
    return Standing.UNDER_WAY if order.attempts else Standing.WAITING


def told(order: Order) -> str:
    """For people: "Ended 3 minutes ago", "Under way, the lease ends 12 seconds from now"."""
    standing = standing_of(order)
    name = NAMES[standing]
    if standing is Standing.ENDED and order.ended_at:
        return f"{name} {naturaltime(order.ended_at)}"
    if standing is Standing.UNDER_WAY and order.due_at:
        return f"{name}, the lease ends {naturaltime(order.due_at)}"
    if standing is Standing.WAITING and order.due_at:
        return f"{name}, {naturaltime(order.due_at)}"
    return name
