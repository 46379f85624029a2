"""How far the pipeline is with an order, read from the columns of orders.scheduling, in words and as filters."""

from django.contrib.humanize.templatetags.humanize import naturaltime
from django.db.models import Q, TextChoices
from django.db.models.functions import Now
from django.utils import timezone

from orders.models import Order


class Progress(TextChoices):
    DUE = "due", "Due now"
    UNDER_WAY = "under_way", "Under way"
    WAITING = "waiting", "Waiting for its next try"
    SET_ASIDE = "set_aside", "Needs a person"
    ENDED = "ended", "Ended"


# Unfold's colours of labels; a state that is not here is grey.
COLOURS = {
    Progress.DUE: "info",
    Progress.UNDER_WAY: "primary",
    Progress.WAITING: "warning",
    Progress.SET_ASIDE: "danger",
}
CONDITIONS = {
    Progress.DUE: Q(due_at__lte=Now()),
    Progress.UNDER_WAY: Q(due_at__gt=Now(), attempts__gt=0),
    Progress.WAITING: Q(due_at__gt=Now(), attempts=0),
    Progress.SET_ASIDE: Q(due_at=None, ended_at=None),
    Progress.ENDED: Q(due_at=None, ended_at__isnull=False),
}


def progress_of(order: Order) -> Progress:
    if order.due_at is None:
        return Progress.ENDED if order.ended_at else Progress.SET_ASIDE
    if order.due_at <= timezone.now():
        return Progress.DUE
    return Progress.UNDER_WAY if order.attempts else Progress.WAITING


def in_words(order: Order) -> str:
    """ "Ended 3 minutes ago", "Under way, the lease ends 12 seconds from now"."""
    progress = progress_of(order)
    moment = order.due_at or order.ended_at
    when = naturaltime(moment) if moment else ""
    details = {
        Progress.ENDED: f" {when}",
        Progress.UNDER_WAY: f", the lease ends {when}",
        Progress.WAITING: f", {when}",
    }
    return f"{progress.label}{details.get(progress, '')}"
