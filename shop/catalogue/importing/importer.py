"""Imports one file: reads it, refuses it or writes it, and reports what happened.

A file is imported whole or not at all, in one transaction: one wrong row keeps the others out, unless `partial` says to
take those that are right. The format decides which refused rows count as wrong (`Refused.stops`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from django.conf import settings
from django.db import transaction

from orders import csvfile, money
from orders.csvfile import UnusableFile
from orders.inventory import LevelsRefused
from shop.catalogue import pictures
from shop.catalogue.importing import native, retail, sales, writer
from shop.catalogue.importing.drafts import Reading, Refused


@dataclass(frozen=True, slots=True)
class Options:
    """How to import. `short_every` needs `stock_from_sales`, and both need sales data."""

    partial: bool = False
    stock_from_sales: bool = False
    short_every: int = 0
    dry_run: bool = False
    overwrite: bool = False


@dataclass(slots=True)
class Report:
    """What happened to a file. Counts are of products; `rows` and `not_a_sale` count rows, the latter by reason."""

    file: str
    format: str
    rows: int
    written: bool = False
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    stock_changed: int = 0
    refused: list[Refused] = field(default_factory=list)
    not_a_sale: dict[str, int] = field(default_factory=dict)


class FileRefused(Exception):
    """Nothing was written; `report` lists the rows that are the reason."""

    def __init__(self, report: Report) -> None:
        self.report = report
        super().__init__(f"{report.file} was refused and nothing was written.")


def import_file(path: Path, options: Options) -> Report:
    """Import the file. Raises UnusableFile when it cannot be read, FileRefused when a row keeps it out."""
    reading = _read(path, options)
    report = Report(
        file=path.name,
        format=reading.format,
        rows=reading.rows,
        refused=reading.refused,  # the list itself, because more may be refused later
        not_a_sale=dict(reading.not_a_sale.most_common()),
    )
    _refuse_categories(reading)
    _stop_if_refused(report, options)
    with transaction.atomic():
        writer.lock()
        changes = writer.changes(reading, currency=settings.CURRENCY, overwrite=options.overwrite)
        _refuse(reading, changes.refused)
        report.stock_changed = _write_stock(reading)
        _stop_if_refused(report, options)
        taken = {draft.sku for draft in reading.drafts}
        report.created, report.updated = len(taken & changes.created), len(taken & changes.updated)
        new = [
            draft
            for draft in reading.drafts
            if draft.sku in changes.created | changes.updated | changes.noted
        ]
        names = list(dict.fromkeys(draft.category for draft in new))
        categories = writer.write_categories(names)
        writer.write_products(new, categories, currency=settings.CURRENCY, updates=reading.updates)
        transaction.set_rollback(options.dry_run)
    report.unchanged = len(taken) - report.created - report.updated
    report.refused.sort(key=lambda refused: refused.line)
    report.written = not options.dry_run
    if report.written and (report.created or report.updated or report.stock_changed):
        writer.analyse()
    return report


def _read(path: Path, options: Options) -> Reading:
    decimals = money.decimals(settings.CURRENCY)
    opened = csvfile.opened(path)
    reading = native.read(opened, decimals=decimals, picture_exists=pictures.exists)
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
            f"  products expected:  {', '.join(native.COLUMNS)}\n"
            f"  sales expected:     {', '.join(retail.COLUMNS)}"
        )
    return reading


def _refuse_categories(reading: Reading) -> None:
    unusable = writer.unusable_categories({draft.category for draft in reading.drafts})
    reason = "category: no address can be made of its name; it needs a Latin letter or a digit"
    _refuse(reading, {draft.sku: reason for draft in reading.drafts if draft.category in unusable})


def _write_stock(reading: Reading) -> int:
    """Stock first: a product with an impossible level is refused before anything else of it is written."""
    try:
        return writer.write_stock(reading.drafts)
    except LevelsRefused as problem:
        _refuse(reading, {sku: f"stock: {reason}" for sku, reason in problem.reasons.items()})
        return writer.write_stock(reading.drafts)


def _refuse(reading: Reading, reasons: Mapping[str, str]) -> None:
    reading.refused.extend(
        Refused(draft.line, draft.sku, reasons[draft.sku]) for draft in reading.drafts if draft.sku in reasons
    )
    reading.drafts = [draft for draft in reading.drafts if draft.sku not in reasons]


def _stop_if_refused(report: Report, options: Options) -> None:
    stopping = [refused for refused in report.refused if refused.stops]
    if stopping and not options.partial:
        raise FileRefused(replace(report, refused=sorted(stopping, key=lambda refused: refused.line)))
