"""The circuit breakers in the admin: which provider is away, since when, and how many orders are parked.

There is no button: a breaker makes its probes by itself, 15 seconds apart at most, or when the provider
asked to be tried again.
"""

from datetime import datetime

from django.contrib import admin
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.utils.text import Truncator

from orders.admin.base import ReadOnlyAdmin
from orders.admin.columns import column, display, precisely
from orders.models import Order
from workers.breakers.rules import State
from workers.models import Breaker

_NAMES = {State.CLOSED: "Closed", State.OPEN: "Open", State.HALF_OPEN: "Half open"}
_COLOURS = {State.CLOSED.value: "success", State.OPEN.value: "danger", State.HALF_OPEN.value: "warning"}


@admin.register(Breaker)
class BreakerAdmin(ReadOnlyAdmin):
    list_display = ("name", "status", "parked", "since_when", "next_probe", "failure_begins")
    list_display_links = ("name",)
    fields = (
        *("name", "state", "parked", "since_when", "times_opened", "failures", "failed_probes"),
        *("next_probe", "last_failure"),
    )
    readonly_fields = fields
    name = column("Provider", lambda breaker: breaker.get_provider_display(), ordering="provider")
    status = column("Breaker", lambda breaker: (breaker.state, _NAMES[State(breaker.state)]), label=_COLOURS)
    failure_begins = column("Last failure", lambda breaker: Truncator(breaker.last_error).chars(90))
    last_failure = column("Last failure", lambda breaker: breaker.last_error or "There was none")

    @display("Orders parked")
    def parked(self, breaker: Breaker) -> str:
        until = breaker.parked_until
        return f"{Order.objects.filter(due_at=until).count():,}" if until else "0"

    @display("Since")
    def since_when(self, breaker: Breaker) -> str:
        return _in_words(breaker.since) if breaker.times_opened else "It was never away"

    @display("Next probe")
    def next_probe(self, breaker: Breaker) -> str:
        return _in_words(breaker.next_probe_at) if breaker.next_probe_at else "None is needed"


def _in_words(moment: datetime) -> str:
    return f"{naturaltime(moment)} ({precisely(moment)})"
