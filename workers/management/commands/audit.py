"""`manage.py audit`: prove the books, at any moment and under any load. Exits 1 when they are not clean."""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError

from workers.audit.books import Report, Result, prove


class Command(BaseCommand):
    help = "Prove the books: nothing forgotten, charged twice or oversold. Exits 1 when something is wrong."
    requires_system_checks: list[str] = []  # they load every view of the shop, and say nothing about orders

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="As JSON, for programs.")
        parser.add_argument(
            "--without-ledgers",
            action="store_true",
            help="Prove our own tables alone: for shops whose providers have no ledger that can be read.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = prove(with_ledgers=not options["without_ledgers"])
        except (OperationalError, InterfaceError) as error:
            raise CommandError(
                f"The database could not be read, so nothing is proved: {str(error).strip()}\n"
                "Start it, or check DATABASE_URL, and run the audit again.",
                returncode=2,
            ) from error
        self.stdout.write(json.dumps(report.as_dict(), indent=2) if options["json"] else self._text(report))
        if not report.clean:
            sys.exit(1)

    def _text(self, report: Report) -> str:
        wrong = sum(not result.ok for result in report.results)
        end = (
            self.style.SUCCESS("The books are clean.")
            if report.clean
            else self.style.ERROR(f"The books are not clean: {wrong} of {len(report.results)} checks failed.")
        )
        return "\n".join([*map(self._check, report.results), "", end])

    def _check(self, result: Result) -> str:
        mark = self.style.SUCCESS("ok   ") if result.ok else self.style.ERROR("WRONG")
        line = f"{mark}  {result.check.name:<20} {result.counted:>11,} {result.check.noun}"
        if result.ok:
            return line
        problems = [f"         {problem}" for problem in result.problems]
        return "\n".join([line, *problems, f"       Next: {result.check.remedy}"])
