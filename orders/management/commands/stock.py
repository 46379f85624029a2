"""`manage.py stock`: sets how many pieces are free to sell, of one product or by a count of the shelves."""

import csv
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from orders.inventory import stock_to
from orders.locking import lock_stock
from orders.models import StockItem

_COLUMNS = ["sku", "on_hand"]


class Command(BaseCommand):
    help = (
        "Set how many pieces of a product are free to sell; what is reserved and sold stays as it is. "
        "SKU with --on-hand for one product, --file for many (CSV with the columns sku and on_hand)."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("sku", nargs="?", help="the product's SKU")
        parser.add_argument(
            "--on-hand", type=int, metavar="N", help="how many of it are free to sell from now on"
        )
        parser.add_argument("--file", metavar="FILE", help="a count of the shelves; - for standard input")

    def handle(self, **options: Any) -> None:
        if (options["file"] is None) == (options["sku"] is None):
            raise CommandError("Give either a SKU with --on-hand N, or --file FILE.")
        if options["file"] is not None:
            levels = _read(options["file"])
        elif options["on_hand"] is None:
            raise CommandError("--on-hand N is missing: how many are free to sell?")
        else:
            levels = {options["sku"].strip().upper(): options["on_hand"]}
        if below := [sku for sku, level in levels.items() if level < 0]:
            raise CommandError(f"Fewer than none cannot be on a shelf: {', '.join(below[:20])}.")
        new = _stock(levels)
        remark = f", {new:,} of them for the first time" if new else ""
        self.stdout.write(f"{len(levels):,} {'product' if len(levels) == 1 else 'products'} stocked{remark}.")


def _stock(levels: dict[str, int]) -> int:
    """Set what is free to sell, with the rows locked so that nothing is sold meanwhile; returns how many are new."""
    with transaction.atomic():
        lock_stock(levels)
        items = StockItem.objects.in_bulk(levels)
        stock_to(
            {
                sku: level + (items[sku].reserved + items[sku].sold if sku in items else 0)
                for sku, level in levels.items()
            }
        )
    return len(levels) - len(items)


def _read(name: str) -> dict[str, int]:
    try:
        lines: Iterable[str] = sys.stdin if name == "-" else Path(name).read_text("utf-8-sig").splitlines()
        rows = csv.reader(lines)
        if (header := next(rows, [])) != _COLUMNS:
            raise CommandError(
                f"{name}: expected the columns {', '.join(_COLUMNS)}; found {', '.join(header)}."
            )
        return {sku.strip().upper(): int(on_hand) for sku, on_hand in rows}
    except (OSError, ValueError) as problem:
        raise CommandError(f"{name} cannot be read as a count of shelves: {problem}") from problem
