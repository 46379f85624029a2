"""`manage.py stock`: says how many pieces are free to sell or came in, of one product or of many in a file."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from orders import csvfile
from orders.inventory import MOST, StockTooLow, change_by
from orders.locking import lock_stock
from orders.models import StockItem
from orders.skus import NO_SKU, SKU, sku_of

_COUNTED = ("sku", "on_hand")
_COMPARED = ("sku", "was", "on_hand")
_CAME_IN = ("sku", "add")
_NUMBER = re.compile(r"-?[0-9]{1,12}")
_LISTED = 20  # wrong lines that are shown


class Command(BaseCommand):
    help = (
        "Set how many pieces of a product are free to sell, or add what came in; what is reserved and sold stays as it "
        "is. SKU with --on-hand or --add for one product, --file for many: CSV with the columns sku and add; sku and "
        "on_hand, a count of the shelves; or sku, was and on_hand, a count that is refused when something was sold or "
        "came in since it was begun. A file is taken whole or not at all."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("sku", nargs="?", help="the product's SKU")
        parser.add_argument(
            "--on-hand", type=int, metavar="N", help="how many of it are free to sell from now on"
        )
        parser.add_argument("--add", type=int, metavar="N", help="how many more there are; -2 when two broke")
        parser.add_argument("--file", metavar="FILE", help="a CSV file; - for standard input")
        parser.add_argument("--new", action="store_true", help="take SKUs that were never stocked before")

    def handle(self, **options: Any) -> None:
        single = {name: options[name] for name in ("on_hand", "add") if options[name] is not None}
        if (options["file"] is None) == (options["sku"] is None):
            raise CommandError("Give either a SKU with --on-hand N or --add N, or --file FILE.")
        if options["file"] is not None:
            if single:
                raise CommandError("--on-hand and --add are for one SKU; in a file they are columns.")
            rows, problems = _read(options["file"])
        elif len(single) != 1:
            raise CommandError(
                "Give one of --on-hand N (so many are free to sell) and --add N (so many more)."
            )
        else:
            values = {name: str(number) for name, number in single.items()}
            rows, problems = {sku_of(options["sku"]): csvfile.Record(0, values)}, []
        known = set(StockItem.objects.filter(sku__in=rows).values_list("sku", flat=True))
        for sku, row in rows.items():
            wrong = _wrong(row.values)
            if not SKU.fullmatch(sku):
                wrong.append(f'"{sku}" {NO_SKU}.')
            elif sku not in known and not options["new"]:
                wrong.append("it was never stocked: is it a typing mistake? If not, say --new.")
            problems += [_at(row.line, sku, problem) for problem in wrong]
        _refuse_if(problems)
        _book(rows)
        new = len(rows.keys() - known)
        remark = f", {new:,} of them for the first time" if new else ""
        self.stdout.write(f"{len(rows):,} {'product' if len(rows) == 1 else 'products'} stocked{remark}.")


def _book(rows: Mapping[str, csvfile.Record]) -> None:
    """The rows stay locked until it is booked, so nothing is sold between the look and the change."""
    with transaction.atomic():
        lock_stock(rows)
        on_hand = dict(StockItem.objects.filter(sku__in=rows).values_list("sku", "on_hand"))
        changes: dict[str, int] = {}
        since: list[str] = []
        for sku, row in rows.items():
            said, now = row.values, on_hand.get(sku, 0)
            changes[sku] = int(said["add"]) if "add" in said else int(said["on_hand"]) - now
            if "was" in said and int(said["was"]) != now:
                problem = f"{said['was']} were free to sell when this was counted, and now {now:,} are: count again."
                since.append(_at(row.line, sku, problem))
        _refuse_if(since)
        try:
            change_by(changes)
        except StockTooLow as problem:
            raise CommandError(str(problem)) from None


def _wrong(row: Mapping[str, str]) -> list[str]:
    problems = []
    for name, text in row.items():
        if not _NUMBER.fullmatch(text):
            problems.append(f'{name} "{text}" is not a whole number.')
        elif abs(int(text)) > MOST:
            problems.append(f"{name} {text} is more than {MOST:,}.")
        elif name == "on_hand" and int(text) < 0:
            problems.append(f"{text} are fewer than none, which cannot be on a shelf.")
    return problems


def _at(line: int, sku: str, problem: str) -> str:
    return f"line {line}: {sku}: {problem}" if line else f"{sku}: {problem}"


def _refuse_if(problems: list[str]) -> None:
    if problems:
        more = len(problems) - _LISTED
        listed = problems[:_LISTED] + ([f"… and {more:,} more"] if more > 0 else [])
        raise CommandError("Nothing was changed.\n" + "\n".join(f"  {problem}" for problem in listed))


def _read(name: str) -> tuple[dict[str, csvfile.Record], list[str]]:
    """What the file says of each SKU, and which of its lines cannot be read. Raises CommandError."""
    try:
        content = sys.stdin.buffer.read() if name == "-" else None
        table = csvfile.opened(Path(name)) if content is None else csvfile.table(content, "standard input")
    except csvfile.UnusableFile as problem:
        raise CommandError(f"Nothing was changed: {problem}") from None
    for columns in (_COUNTED, _COMPARED, _CAME_IN):
        if (records := table.records(columns)) is not None:
            break
    else:
        raise CommandError(
            f"Nothing was changed: {name} has the columns {', '.join(table.columns)}; expected are sku and add, "
            "sku and on_hand, or sku, was and on_hand."
        )
    rows: dict[str, csvfile.Record] = {}
    problems = []
    for record in records:
        sku = sku_of(record.values.pop("sku"))
        if record.problem:
            problems.append(f"line {record.line}: {record.problem}.")
        elif sku in rows:
            problems.append(_at(record.line, sku, f"it stands in line {rows[sku].line} already."))
        else:
            rows[sku] = record
    return rows, problems
