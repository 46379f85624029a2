"""Imports one file: reads it, refuses it or writes it, and tells what became of it.

A file goes in whole or not at all, in one transaction: one row that is wrong keeps the others out, unless
`partial` says to take what is right. Which refused rows count as wrong is the format's to say
(`Refused.stops`).
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from orders import money
from orders.inventory import StockTooLow
from shop.catalogue import pictures
from shop.catalogue.importing import house, retail, sales, table, writing
from shop.catalogue.importing.drafts import Reading, Refused, UnusableFile


@dataclass(frozen=True, slots=True)
class Options:
    """How to import. `short_every` goes with `stock_from_sales`, and both with sales data alone."""

    partial: bool = False
    stock_from_sales: bool = False
    short_every: int = 0
    dry_run: bool = False


@dataclass(slots=True)
class Report:
    """What became of a file. Counts are of products, `rows` and `not_a_sale` of rows."""

    file: str
    format: str
    rows: int
    written: bool = False
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    stock_changed: int = 0
    refused: list[Refused] = field(default_factory=list)
    not_a_sale: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "format": self.format,
            "written": self.written,
            "rows": self.rows,
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "stock_changed": self.stock_changed,
            "refused": [
                {"line": refused.line, "sku": refused.sku, "reason": refused.reason, "stops": refused.stops}
                for refused in self.refused
            ],
            "not_a_sale": dict(self.not_a_sale.most_common()),
        }


class FileRefused(Exception):
    """Nothing was written; `report` lists the rows because of which."""

    def __init__(self, report: Report) -> None:
        self.report = report
        super().__init__(f"{report.file} was refused and nothing was written.")


def import_file(path: Path, options: Options) -> Report:
    """Import the file. Raises UnusableFile when it cannot be read at all, FileRefused when a row keeps it
    out."""
    reading = _read(path, options)
    report = Report(
        file=path.name,
        format=reading.format,
        rows=reading.rows,
        refused=reading.refused,  # the list itself, so that what is refused later on is in it too
        not_a_sale=reading.not_a_sale,
    )
    _refuse_categories(reading)
    _stop_if_refused(report, options)
    with transaction.atomic():
        writing.lock()
        report.stock_changed = _write_stock(reading)
        _stop_if_refused(report, options)
        names = list(dict.fromkeys(draft.category for draft in reading.drafts))
        written = writing.write_products(
            reading.drafts,
            writing.write_categories(names),
            currency=settings.CURRENCY,
            updates=reading.updates,
        )
        transaction.set_rollback(options.dry_run)
    report.created, report.updated = written.created, written.updated
    report.unchanged = len(reading.drafts) - written.created - written.updated
    report.refused.sort(key=lambda refused: refused.line)
    report.written = not options.dry_run
    if report.written and (report.created or report.updated or report.stock_changed):
        writing.analyse()
    return report


def _read(path: Path, options: Options) -> Reading:
    decimals = money.decimals(settings.CURRENCY)
    with table.opened(path) as opened:
        reading = house.read(opened, decimals=decimals, picture_exists=pictures.exists)
        if reading is not None and options.stock_from_sales:
            raise UnusableFile(f"{path} holds no sales to take the stock from: it names the stock itself.")
        if reading is None:
            reading = sales.read(
                opened,
                decimals=decimals,
                stock_from_sales=options.stock_from_sales,
                short_every=options.short_every,
            )
        if reading is None:
            raise UnusableFile(
                f"{path} has columns of neither format.\n"
                f"  found:              {', '.join(opened.columns)}\n"
                f"  products expected:  {', '.join(house.COLUMNS)}\n"
                f"  sales expected:     {', '.join(retail.COLUMNS)}"
            )
    return reading


def _refuse_categories(reading: Reading) -> None:
    unusable = writing.unusable_categories({draft.category for draft in reading.drafts})
    _refuse(
        reading,
        {draft.sku for draft in reading.drafts if draft.category in unusable},
        "category: no address can be made of its name, it needs a Latin letter or a digit",
    )


def _write_stock(reading: Reading) -> int:
    """Stock first: a product whose level cannot be is refused before anything else of it is written."""
    try:
        return writing.write_stock(reading.drafts)
    except StockTooLow as problem:
        _refuse(reading, set(problem.skus), "stock: more than that is already reserved or sold")
        return writing.write_stock(reading.drafts)


def _refuse(reading: Reading, skus: set[str], reason: str) -> None:
    reading.refused.extend(
        Refused(draft.line, draft.sku, reason) for draft in reading.drafts if draft.sku in skus
    )
    reading.drafts = [draft for draft in reading.drafts if draft.sku not in skus]


def _stop_if_refused(report: Report, options: Options) -> None:
    if not options.partial and any(refused.stops for refused in report.refused):
        stopping = [refused for refused in report.refused if refused.stops]
        raise FileRefused(replace(report, refused=sorted(stopping, key=lambda refused: refused.line)))
