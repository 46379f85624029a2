"""Opening the doors again, which the relay does: a trial, a few, and then everybody who is parked.

A parked order has its breaker's `parked_until` as its `due_at`: no table of who is parked, no order that is touched
while it waits, and those who are to be woken are found by the index that finds all work.
"""

import logging
from collections.abc import Iterable
from typing import LiteralString

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from orders import scheduling, sql
from orders.workflow import STEPS, Step
from workers.breakers.rules import State, renew_parking, try_again
from workers.models import Breaker

log = logging.getLogger(__name__)

# Woken in one statement; more follow at the next look.
_AT_ONCE = 5_000

# Nobody is parked at a closed breaker any more.
_CLEARED: LiteralString = """
UPDATE workers_breaker b SET parked_until = NULL
WHERE b.provider = %(provider)s AND b.state = 'closed'
  AND NOT EXISTS (SELECT FROM orders_order o WHERE o.due_at = b.parked_until)
"""
_BEGIN_AGAIN: LiteralString = """
UPDATE workers_breaker SET next_trial_at = now() WHERE provider = ANY(%(providers)s) AND state = 'half_open'
"""
_ANY: LiteralString = (
    "SELECT EXISTS (SELECT FROM workers_breaker WHERE state <> 'closed' OR parked_until IS NOT NULL)"
)


def run_once() -> None:
    """One look: begin the trials whose time has come, and wake whom the open doors let through."""
    if not sql.rows(_ANY, {})[0][0]:
        return
    for breaker in Breaker.objects.filter(~Q(state=State.CLOSED) | Q(parked_until__isnull=False)):
        if breaker.state == State.CLOSED:
            _wake_all(breaker)
        else:
            _try(breaker)


def worker_lost(steps: Iterable[Step]) -> None:
    """A process died over these steps, and a trial may have died with it: whoever is being tried is tried again now.

    Otherwise the orders behind that door would stand still for as long as a trial may take (rules.PATIENCE).
    """
    providers = {provider.value for step in steps if (provider := STEPS[step].provider)}
    if providers:
        sql.count(_BEGIN_AGAIN, {"providers": sorted(providers)})


def _try(seen: Breaker) -> None:
    with transaction.atomic():
        breaker = Breaker.objects.select_for_update(no_key=True).get(pk=seen.pk)
        if breaker.state == State.CLOSED:
            return
        now = timezone.now()
        changed = [try_again(breaker, now), renew_parking(breaker, now), breaker.to_wake > 0]
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
