"""`manage.py breakers`: which providers are away, since when, and how many orders wait for them."""

from typing import Any

from django.contrib.humanize.templatetags.humanize import naturaltime

from workers.breakers.rules import State
from workers.breakers.status import BreakerStatus, statuses
from workers.management.reporting import ReportCommand


class Command(ReportCommand):
    help = (
        "Show the circuit breaker of every provider: its state, its next probe, and the orders parked for it."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        self.show(
            options["json"], statuses, self._text, lambda found: [breaker.as_dict() for breaker in found]
        )

    def _text(self, found: list[BreakerStatus]) -> str:
        header = f"{'provider':<18}{'breaker':<11}{'parked':>8}  {'opened':>6}  "
        return "\n".join([header, *map(self._line, found)])

    def _line(self, one: BreakerStatus) -> str:
        state = one.state.value.replace("_", " ")
        line = f"{one.name:<18}{state:<11}{one.parked:>8,}  {one.times_opened:>6,}× "
        if one.state == State.CLOSED:
            return line + (f"{one.failures} failures in a row" if one.failures else "")
        since, probe = (naturaltime(moment) if moment else "?" for moment in (one.since, one.next_probe_at))
        return f"{line}since {since}, next probe {probe}: {one.last_error}"
