"""`manage.py reconcile`: compare the payment provider's list with our books. Exits 1 while anything differs."""

import json
import re
import sys
from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from orders.models import Finding
from orders.payments.reconciling import Report, reconcile
from orders.providers.failures import ProviderError

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def since(text: str) -> datetime:
    """ "12h", "3d", or a time in ISO 8601, in the shop's time zone if it names none."""
    if found := re.fullmatch(r"(\d{1,5})([mhd])", text):
        return timezone.now() - timedelta(**{_UNITS[found[2]]: int(found[1])})
    try:
        moment = parse_datetime(text) or parse_datetime(f"{text}T00:00")
    except ValueError:
        moment = None
    if moment is None:
        raise ArgumentTypeError(f"{text!r} is no time: write 12h, 3d, 2026-11-21 or 2026-11-21T08:00.")
    return moment if moment.tzinfo else timezone.make_aware(moment)


class Command(BaseCommand):
    help = "Compare the payment provider's list with our books, mend what is safe, raise the rest. Exits 1 if any."
    requires_system_checks: list[str] = []  # they load every view of the shop, and check no payment

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--since", type=since, default="2d", help="12h, 3d or a time in ISO 8601 (default: %(default)s)."
        )
        parser.add_argument("--json", action="store_true", help="As JSON, for programs.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = reconcile(options["since"])
        except ProviderError as error:
            raise CommandError(
                f"The provider's list could not be read to its end, so nothing is proved: {error}\n"
                "Run it again when the provider answers.",
                returncode=2,
            ) from error
        self.stdout.write(json.dumps(_as_dict(report), indent=2) if options["json"] else self._text(report))
        if report.raised:
            sys.exit(1)

    def _text(self, report: Report) -> str:
        lines = [
            f"{report.charges:,} charges of the provider and {report.payments:,} payments of ours, "
            f"since {timezone.localtime(report.since):%Y-%m-%d %H:%M %Z}"
        ]
        lines += [f"{self.style.SUCCESS('mended   ')} {text}" for text in report.mended]
        lines += [f"{self.style.SUCCESS('resolved ')} {text}" for text in report.resolved]
        lines += [
            f"{self.style.ERROR('DIFFERS  ')} {found.detail} ({found.reference})" for found in report.raised
        ]
        end = (
            self.style.ERROR(f"{len(report.raised)} findings are open; the admin shows them too.")
            if report.raised
            else self.style.SUCCESS("The provider and our books agree.")
        )
        return "\n".join([*lines, "", end])


def _as_dict(report: Report) -> dict[str, Any]:
    """What programs read; these names stay."""
    return {
        "clean": not report.raised,
        "since": report.since.isoformat(),
        "charges": report.charges,
        "payments": report.payments,
        "mended": report.mended,
        "resolved": report.resolved,
        "findings": [_finding(finding) for finding in report.raised],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    names = ("kind", "reference", "currency", "ours_minor", "theirs_minor", "detail", "times")
    return {
        **{name: getattr(finding, name) for name in names},
        "order": str(finding.order) if finding.order else None,
        "first_seen_at": finding.first_seen_at.isoformat(),
    }
