"""`manage.py after-restore`: after a restore from a backup, and before anything but the database is started."""

import json
import sys
from argparse import ArgumentParser
from itertools import groupby
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from orders import money
from orders.models import LostCall
from orders.models.order import number_of
from orders.providers.failures import ProviderError
from workers.restoring import AHEAD, NotNow, Report, after_restore


class Command(BaseCommand):
    help = (
        "After a restore from a backup: move numbers ahead, take over what was done since, list the rest. "
        "Exits 1 when something is for a person."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--ahead",
            type=int,
            default=AHEAD,
            help="How far numbers move beyond the last that a provider knows (default: %(default)s).",
        )
        parser.add_argument("--json", action="store_true", help="As JSON, for programs.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["ahead"] < 1:
            raise CommandError("--ahead must be 1 or more.")
        try:
            report = after_restore(options["ahead"])
        except NotNow as refused:
            raise CommandError(str(refused)) from None
        except ProviderError as error:
            raise CommandError(
                f"The payment provider could not be asked what it did since: {error}\n"
                "Start nothing yet. Run this again when the provider answers.",
                returncode=2,
            ) from error
        self.stdout.write(json.dumps(_as_dict(report), indent=2) if options["json"] else self._text(report))
        if _for_a_person(report):
            sys.exit(1)

    def _text(self, report: Report) -> str:
        restore, raised = report.restore, report.reconciled.raised if report.reconciled else []
        lines = [
            f"The books end at {restore.books_until:%Y-%m-%d %H:%M:%S} UTC."
            if restore.books_until
            else "The books hold no event.",
            "Numbers had moved ahead before." if report.repeated else "Numbers have moved ahead.",
            f"Never given out again: {number_of(restore.first_order)} to {number_of(restore.last_order)}, "
            f"INV-{restore.first_invoice:07d} to INV-{restore.last_invoice:07d}, "
            f"CN-{restore.first_credit_note:07d} to CN-{restore.last_credit_note:07d}.",
            *(f"{self.style.SUCCESS('cancelled')} {number}" for number in report.cancelled),
            *(
                f"{self.style.SUCCESS('mended   ')} {text}"
                for text in getattr(report.reconciled, "mended", ())
            ),
            *(f"{self.style.ERROR('DIFFERS  ')} {found.detail} ({found.reference})" for found in raised),
            *(f"{self.style.ERROR('TOO LATE ')} {text}" for text in report.not_cancelled),
            *(f"{self.style.WARNING('NOT READ ')} {text}" for text in report.unread),
        ]
        for number, calls in groupby(report.lost, lambda call: call.order_number):
            what = ", ".join(_words(call) for call in calls)
            lines.append(f"{self.style.ERROR('LOST     ')} {number or 'no order'}: {what}")
        end = (
            self.style.ERROR(
                "The lines in capitals are for a person: write to these customers, and send the goods or refund them."
            )
            if _for_a_person(report)
            else self.style.SUCCESS("Nothing is left for a person.")
        )
        return "\n".join([*lines, "", end])


def _words(call: LostCall) -> str:
    amount = f" {money.format(call.amount_minor, call.currency)}" if call.amount_minor else ""
    return f"{call.kind}{amount} by {call.provider} ({call.reference})"


def _for_a_person(report: Report) -> bool:
    raised = report.reconciled.raised if report.reconciled else []
    return bool(report.lost or report.not_cancelled or report.unread or raised)


def _as_dict(report: Report) -> dict[str, Any]:
    """What programs read; these names stay."""
    restore, reconciled = report.restore, report.reconciled
    return {
        "books_until": restore.books_until.isoformat() if restore.books_until else None,
        "orders_skipped": [number_of(restore.first_order), number_of(restore.last_order)],
        "invoices_skipped": [restore.first_invoice, restore.last_invoice],
        "credit_notes_skipped": [restore.first_credit_note, restore.last_credit_note],
        "cancelled": report.cancelled,
        "not_cancelled": report.not_cancelled,
        "not_read": report.unread,
        "findings": [found.detail for found in reconciled.raised] if reconciled else [],
        "lost": [
            {name: getattr(call, name) for name in ("order_number", "provider", "kind", "reference", "key")}
            for call in report.lost
        ],
    }
