"""`./dev replay FILE`: a real retailer's invoices through the shop's API, as fast as it goes, and the books
proved.

1. Import the file's catalogue, stocked with what the month sells and every twentieth product with half of it.
2. Place each invoice as one order. What a till writes is not all orders: lines that cannot be ordered are
   left out, invoices of which nothing is left are refused, both counted by reason.
3. Wait until every accepted order has ended, then audit.

A second replay on the same shop finds the catalogue there and fills the shelves up to where the first began.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Any, LiteralString

import orjson
import typer
import uvloop

from bench import shoppers
from bench.cli import Json, command
from bench.display import note
from bench.house import House
from bench.load import Customers, OnAnswer, Purchase, closed_loop, open_loop
from bench.people import COUNTRIES, HOME, buyer
from bench.run import Run
from shop.catalogue.importing import sales, table
from shop.catalogue.importing.drafts import UnusableFile
from shop.catalogue.importing.retail import Invoice, invoices
from stack.program import StackError

Work = Callable[[], Coroutine[Any, Any, None]]

SHORT_EVERY = 20
CUSTOMERS = 16  # orders under way at once
NOT_ON_SALE = "not_on_sale"  # the import could make no product of it

_SOLD_BEFORE: LiteralString = """
SELECT EXISTS (SELECT FROM orders_stockmovement WHERE order_id IS NOT NULL AND sku = ANY(%(skus)s))
"""


class Sift:
    """Makes orders of invoices, and counts what cannot be one: `refused` invoices and `lines` by reason."""

    def __init__(self, key: Callable[[str], str], on_sale: Collection[str]) -> None:
        self._key, self._on_sale = key, set(on_sale)
        self.refused: Counter[str] = Counter()
        self.lines: Counter[str] = Counter()

    def purchases(self, found: Sequence[Invoice]) -> list[Purchase]:
        return [purchase for invoice in found if (purchase := self._purchase(invoice))]

    def _purchase(self, invoice: Invoice) -> Purchase | None:
        self.lines.update(row.reason.value for row in invoice.rows if row.reason)
        items = invoice.items()
        missing = items.keys() - self._on_sale
        self.lines.update(NOT_ON_SALE for row in invoice.rows if row.reason is None and row.sku in missing)
        if reason := self._why_not(invoice, items.keys() - missing):
            self.refused[reason] += 1
            return None
        body = {
            **buyer(invoice.customer or f"till-{invoice.number}", COUNTRIES.get(invoice.country, HOME)),
            "items": [
                {"sku": sku, "quantity": quantity} for sku, quantity in items.items() if sku not in missing
            ],
            "payment": {"method": "card", "token": "pm_card_visa"},
        }
        return Purchase(self._key(invoice.number), orjson.dumps(body))

    @staticmethod
    def _why_not(invoice: Invoice, left: set[str]) -> str | None:
        if invoice.reason is not None:
            return invoice.reason.value
        return None if left else NOT_ON_SALE


async def replay(
    run: Run,
    file: Path,
    *,
    customers: int,
    flush_every: float = 0.0,
    limit: int | None = None,
    per_second: float = 0.0,
    beside: Work | None = None,
    relieve: Work | None = None,
) -> None:
    """Replay the file, or the first `limit` of its orders: as fast as the customers can, or so many a second.

    `beside` is done while they come, again and again until the last has its answer; then `relieve` once.
    """
    note(f"Reading {file.name} and importing its catalogue …")
    try:
        found = await asyncio.to_thread(invoices, file)
    except UnusableFile as error:
        raise StackError(str(error)) from None
    skus = sorted({sku for invoice in found for sku in invoice.items()})
    await _stock(run, file, skus)
    sift = Sift(run.key, await run.books.on_sale(skus))
    purchases = sift.purchases(found)[:limit]
    run.figures.refused.update(sift.refused)
    rows = sum(len(invoice.rows) for invoice in found)
    run.more.update(invoices=len(found), lines=rows, refused_lines=dict(sift.lines.most_common()))
    note(f"{len(purchases):,} of {len(found):,} invoices are orders; placing them …")

    async def order(on_answer: OnAnswer) -> None:
        doing = asyncio.create_task(_again_and_again(beside)) if beside else None
        async with Customers(run.house["SHOP_URL"], customers) as client:
            if per_second:
                await open_loop(client, purchases, per_second, on_answer)
            else:
                await closed_loop(client, purchases, customers, on_answer)
        if doing:
            doing.cancel()
            await asyncio.gather(doing, return_exceptions=True)
        if relieve:
            await relieve()

    await run.carry(len(purchases), order, flush_every=flush_every)
    note("Proving the books …")
    run.audit()


async def _again_and_again(work: Work) -> None:
    while True:
        await work()


async def _stock(run: Run, file: Path, skus: list[str]) -> None:
    """Bring the catalogue in; on shelves that sold before, what the import puts there counts what was sold too."""
    [(sold_before,)] = await run.books.rows(_SOLD_BEFORE, {"skus": skus})
    path = str(file.resolve())
    if not sold_before:
        stocked = ("--stock-from-sales", "--short-every", str(SHORT_EVERY))
        await asyncio.to_thread(run.house.manage, "import_catalogue", path, *stocked)
        return
    await asyncio.to_thread(run.house.manage, "import_catalogue", path)
    await asyncio.to_thread(shoppers.stock, run.house, _levels(file))


def _levels(file: Path) -> dict[str, int]:
    """What the import would stock of each product, were the shelves empty."""
    with table.opened(file) as opened:
        reading = sales.read(opened, decimals=2, stock_from_sales=True, short_every=SHORT_EVERY)
    return {draft.sku: draft.stock or 0 for draft in reading.drafts} if reading else {}


@command
def main(
    file: Annotated[Path, typer.Argument(help="A retailer's sales, such as online-retail-2011-11.csv.gz.")],
    json: Json = None,
    customers: Annotated[int, typer.Option(min=1, help="Orders under way at once.")] = CUSTOMERS,
    flush_every: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0, help="Wipe the broker so often while it runs; 0: never."),
    ] = 0.0,
) -> int:
    """A real retailer's month of orders, through the shop's API; ends with the books proved."""
    run = Run(House.running(), "replay")
    uvloop.run(replay(run, file, customers=customers, flush_every=flush_every))
    return run.finish(json)


if __name__ == "__main__":
    main()
