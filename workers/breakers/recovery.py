"""How orders go on after an outage, which the relay sees to: a probe, a few orders, and then all that are parked.

A parked order has its breaker's `parked_until` as its `due_at`. So there is no table of parked orders, none is touched
while it waits, and those to be woken are found by the index that finds all work.
"""

import logging
from collections.abc import Iterable
from typing import LiteralString

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from orders import scheduling, sql
from orders.workflow import STEPS, Step
from workers.breakers.rules import State, probe, renew_parking
from workers.models import Breaker

log = logging.getLogger(__name__)

_AT_ONCE = 5_000  # orders woken in one statement; more follow in the next round

# No order is parked at a closed breaker any more.
_CLEARED: LiteralString = """
UPDATE workers_breaker b SET parked_until = NULL
WHERE b.provider = %(provider)s AND b.state = 'closed'
  AND NOT EXISTS (SELECT FROM orders_order o WHERE o.due_at = b.parked_until)
"""
# Begin the probes of half-open breakers again.
_BEGIN_AGAIN: LiteralString = """
UPDATE workers_breaker SET next_probe_at = now() WHERE provider = ANY(%(providers)s) AND state = 'half_open'
"""
# Whether there is anything to do: the cheap question while all providers are well.
_ANY: LiteralString = (
    "SELECT EXISTS (SELECT FROM workers_breaker WHERE state <> 'closed' OR parked_until IS NOT NULL)"
)


def run_once() -> None:
    """One round: begin the probes that are due, and wake as many orders as the breakers let through."""
    if not sql.rows(_ANY, {})[0][0]:
        return
    for breaker in Breaker.objects.filter(~Q(state=State.CLOSED) | Q(parked_until__isnull=False)):
        if breaker.state == State.CLOSED:
            _wake_all(breaker)
        else:
            _probe(breaker)


def worker_lost(steps: Iterable[Step]) -> None:
    """A process died over these steps, and a probe may have died with it: it is begun again now.

    Otherwise the parked orders would wait for as long as a probe may take (rules.PATIENCE).
    """
    providers = {provider.value for step in steps if (provider := STEPS[step].provider)}
    if providers:
        sql.count(_BEGIN_AGAIN, {"providers": sorted(providers)})


def _probe(seen: Breaker) -> None:
    with transaction.atomic():
        breaker = Breaker.objects.select_for_update(no_key=True).get(pk=seen.pk)
        if breaker.state == State.CLOSED:
            return
        now = timezone.now()
        changed = [probe(breaker, now), renew_parking(breaker, now), breaker.to_wake > 0]
        wake, breaker.to_wake = breaker.to_wake, 0
        if any(changed):
            breaker.save()
    if wake and breaker.parked_until:
        scheduling.wake(breaker.parked_until, wake)


def _wake_all(breaker: Breaker) -> None:
    woken = scheduling.wake(breaker.parked_until, _AT_ONCE) if breaker.parked_until else 0
    if woken:
        log.warning("%s is back: %d parked orders go on.", breaker.get_provider_display(), woken)
    if woken < _AT_ONCE:
        sql.count(_CLEARED, {"provider": breaker.provider})
