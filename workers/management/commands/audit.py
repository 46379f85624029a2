"""`manage.py audit`: prove the books, at any moment and under any load. Exits 1 when they are not clean."""

import sys
from argparse import ArgumentParser
from typing import Any

from workers.audit.books import Report, Result, prove
from workers.management.reporting import ReportCommand


class Command(ReportCommand):
    help = "Prove the books: nothing forgotten, charged twice or oversold. Exits 1 when something is wrong."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--without-ledgers",
            action="store_true",
            help="Prove our own tables alone: for shops whose providers have no ledger that can be read.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with_ledgers = not options["without_ledgers"]
        report = self.show(
            options["json"], lambda: prove(with_ledgers=with_ledgers), self._text, Report.as_dict
        )
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
