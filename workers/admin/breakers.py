"""The circuit breakers at the operator's desk: who outside is away, since when, and how many orders wait for it.

There is nothing to press: a breaker tries its provider again by itself, at the latest after a quarter of a minute or
when the provider said so.
"""

# Unfold has no types.
# mypy: disable-error-code="misc, untyped-decorator"

from datetime import datetime

from django.contrib import admin
from django.contrib.humanize.templatetags.humanize import naturaltime
from unfold.decorators import display

from orders.admin.desk import ReadOnlyAdmin, precisely
from orders.models import Order
from workers.breakers.rules import State
from workers.models import Breaker

_NAMES = {State.CLOSED: "Closed", State.OPEN: "Open", State.HALF_OPEN: "Half open"}


@admin.register(Breaker)
class BreakerAdmin(ReadOnlyAdmin):
    list_display = ("name", "standing", "parked", "since_when", "next_trial", "last_words")
    list_display_links = ("name",)
    fields = (
        "name",
        "standing",
        "parked",
        "since_when",
        "times_opened",
        "failures",
        "failed_trials",
        "next_trial",
        "last_failure",
    )
    readonly_fields = fields

    @display(description="Provider", ordering="provider")
    def name(self, breaker: Breaker) -> str:
        return breaker.get_provider_display()

    @display(
        description="Breaker",
        label={State.CLOSED.value: "success", State.OPEN.value: "danger", State.HALF_OPEN.value: "warning"},
    )
    def standing(self, breaker: Breaker) -> tuple[str, str]:
        return breaker.state, _NAMES[State(breaker.state)]

    @display(description="Orders parked")
    def parked(self, breaker: Breaker) -> str:
        until = breaker.parked_until
        return f"{Order.objects.filter(due_at=until).count():,}" if until else "0"

    @display(description="Since")
    def since_when(self, breaker: Breaker) -> str:
        return _told(breaker.since) if breaker.times_opened else "It was never away"

    @display(description="Next trial")
    def next_trial(self, breaker: Breaker) -> str:
        return _told(breaker.next_trial_at) if breaker.next_trial_at else "None is needed"

    @display(description="Last failure")
    def last_words(self, breaker: Breaker) -> str:
        error = breaker.last_error
        return error if len(error) <= 90 else f"{error[:89]}…"

    @display(description="Last failure")
    def last_failure(self, breaker: Breaker) -> str:
        return breaker.last_error or "None"


def _told(moment: datetime) -> str:
    return f"{naturaltime(moment)} ({precisely(moment)})"
