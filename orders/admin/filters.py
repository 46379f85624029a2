"""What the list of orders can be narrowed to, besides its columns."""

from django.db.models import Q

from orders.admin.base import ChoiceFilter
from orders.admin.progress import CONDITIONS
from orders.models import Order

# `dead_letters` is the other end of workers.DeadLetter.order: known by its name here, never imported.
_STOPPED = Order.objects.filter(dead_letters__isnull=False, dead_letters__resolved_at=None)


class ProgressFilter(ChoiceFilter):
    title = "progress"
    parameter_name = "stands"
    conditions = {progress.value: (progress.label, condition) for progress, condition in CONDITIONS.items()}


class DeadLetterFilter(ChoiceFilter):
    title = "dead letters"
    parameter_name = "dead"
    conditions = {"open": ("Has an open one", Q(pk__in=_STOPPED.values("pk")))}
