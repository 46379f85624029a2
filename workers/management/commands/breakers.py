"""`manage.py breakers`: which providers are away, since when, and how many orders wait for them."""

import json
from argparse import ArgumentParser
from typing import Any

from django.contrib.humanize.templatetags.humanize import naturaltime
from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError

from workers.breakers.rules import State
from workers.breakers.status import BreakerStatus, statuses

_STATES = {State.CLOSED: "closed", State.OPEN: "open", State.HALF_OPEN: "half open"}


class Command(BaseCommand):
    help = (
        "Show the circuit breaker of every provider: its state, its next trial, and the orders parked for it."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="As JSON, for programs.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = statuses()
        except (OperationalError, InterfaceError) as error:
            raise CommandError(
                f"The database could not be read: {str(error).strip()}\n"
                "Start it, or check DATABASE_URL, and ask again.",
                returncode=2,
            ) from error
        if options["json"]:
            self.stdout.write(json.dumps([one.as_dict() for one in found], indent=2))
        else:
            self.stdout.write(f"{'provider':<18}{'breaker':<11}{'parked':>8}  {'opened':>6}  ")
            self.stdout.write("\n".join(map(self._line, found)))

    def _line(self, one: BreakerStatus) -> str:
        line = f"{one.name:<18}{_STATES[one.state]:<11}{one.parked:>8,}  {one.times_opened:>6,}× "
        if one.state == State.CLOSED:
            return line + (f"{one.failures} failures in a row" if one.failures else "")
        since, trial = (naturaltime(moment) if moment else "?" for moment in (one.since, one.next_trial_at))
        return f"{line}since {since}, next trial {trial}: {one.last_error}"
