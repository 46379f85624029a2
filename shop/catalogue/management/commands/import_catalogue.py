"""`manage.py import_catalogue FILE`: imports products; shop.catalogue.importing describes the formats."""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orders.csvfile import UnusableFile
from shop.catalogue.importing.importer import FileRefused, Options, Report, import_file
from shop.catalogue.importing.retail import Reason

LISTED = 20  # refused rows shown in a terminal; --json has them all


class Command(BaseCommand):
    help = (
        "Import products from a CSV file, plain or gzipped: our own (sku, name, description, category, "
        "price, tax_rate, stock, picture) or a retailer's sales (InvoiceNo, StockCode, Description, "
        "Quantity, InvoiceDate, UnitPrice, CustomerID, Country). A file is imported whole or not at all."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--partial", action="store_true", help="take the rows that are right")
        over = "take the file's row also where a person has changed the product since"
        parser.add_argument("--overwrite", action="store_true", help=over)
        parser.add_argument("--stock-from-sales", action="store_true", help="stock what the sales data sells")
        half = "of every Nth product, by SKU, stock only half of that"
        parser.add_argument("--short-every", type=int, default=0, metavar="N", help=half)
        parser.add_argument("--dry-run", action="store_true", help="say what would happen and write nothing")
        parser.add_argument("--json", type=Path, metavar="FILE", help="write the whole report there as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["short_every"] < 0 or (options["short_every"] and not options["stock_from_sales"]):
            raise CommandError("--short-every takes a number of 1 or more, together with --stock-from-sales.")
        chosen = Options(**{field.name: options[field.name] for field in fields(Options)})
        try:
            report = import_file(options["file"], chosen)
        except UnusableFile as problem:
            raise CommandError(str(problem)) from None
        except FileRefused as refused:
            self._save(refused.report, options["json"])
            self._list_refused(refused.report)
            rows = len(refused.report.refused)
            raise CommandError(
                f"{refused} {rows:,} {'row is' if rows == 1 else 'rows are'} wrong: put them right, or take "
                "the others with --partial."
            ) from None
        self._save(report, options["json"])
        self._tell(report)

    def _tell(self, report: Report) -> None:
        would = "" if report.written else "dry run, nothing written: "
        self.stdout.write(
            f"{report.file}: {would}{report.created:,} created, {report.updated:,} updated, "
            f"{report.unchanged:,} unchanged; stock changed for {report.stock_changed:,}; "
            f"{report.rows:,} rows read, {len(report.refused):,} refused."
        )
        for reason, count in report.not_a_sale.items():
            self.stdout.write(f"  not a sale: {count:,} × {Reason(reason).label}")
        self._list_refused(report)

    def _list_refused(self, report: Report) -> None:
        for refused in report.refused[:LISTED]:
            self.stdout.write(f"  line {refused.line} ({refused.sku or 'no SKU'}) refused: {refused.reason}")
        more = len(report.refused) - LISTED
        if more > 0:
            self.stdout.write(f"  … and {more:,} more; --json FILE lists them all")

    def _save(self, report: Report, path: Path | None) -> None:
        if path is None:
            return
        try:
            path.write_text(json.dumps(asdict(report), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as problem:
            raise CommandError(f"The report cannot be written to {path}: {problem.strerror}.") from problem
