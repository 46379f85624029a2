"""`./dev replay FILE`: a real retailer's invoices through the shop's API, as fast as it goes, and the books proved.

1. Import the file's catalogue, stocked with what the month sells, and every twentieth product with half of it.
2. Place each invoice as one order. Not all that a till writes is an order: lines that cannot be ordered are left out,
   and invoices of which nothing is left are refused. Both are counted by reason.
3. Wait until every accepted order has ended, then audit.

A second replay on the same shop finds the catalogue there and stocks it up to where the first began.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import Annotated, LiteralString

import typer
import uvloop

from bench import buyers, load
from bench.cli import Json, command
from bench.display import note
from bench.load import OnAnswer, Purchase
from bench.run import Run
from bench.running_stack import RunningStack
from orders.csvfile import UnusableFile, opened
from shop.catalogue.importing import sales
from shop.catalogue.importing.retail import Invoice, invoices
from stack.program import StackError

File = Annotated[Path, typer.Argument(help="A retailer's sales, such as online-retail-2011-11.csv.gz.")]

SHORT_EVERY = 20
CUSTOMERS = 16  # orders under way at once
NOT_ON_SALE = "not_on_sale"  # the import could make no product of it

# Whether any of these products was sold before.
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
        wanted = invoice.items()
        items = {sku: quantity for sku, quantity in wanted.items() if sku in self._on_sale}
        missing = wanted.keys() - items.keys()
        self.lines.update(NOT_ON_SALE for row in invoice.rows if row.reason is None and row.sku in missing)
        if invoice.reason is not None or not items:
            self.refused[invoice.reason.value if invoice.reason else NOT_ON_SALE] += 1
            return None
        country = buyers.country_code(invoice.country)
        who = buyers.buyer(invoice.customer or f"till-{invoice.number}", country)
        return buyers.purchase(self._key(invoice.number), who, items, buyers.card())


async def replay(
    run: Run,
    file: Path,
    *,
    customers: int,
    flush_every: float = 0.0,
    limit: int | None = None,
    per_second: float = 0.0,
    during: AbstractAsyncContextManager[None] | None = None,
) -> None:
    """Replay the file, or the first `limit` of its orders: as fast as the customers can, or so many a second.

    `during` is entered before the first order and left after the last answer.
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
        async with during or nullcontext():
            await load.place(run.stack["SHOP_URL"], purchases, customers, on_answer, per_second=per_second)

    await run.carry(len(purchases), order, flush_every=flush_every)
    await asyncio.to_thread(run.audit)


async def _stock(run: Run, file: Path, skus: list[str]) -> None:
    """Import the catalogue. Where products were sold before, the import would count those too: then stock by level."""
    command = ["import_catalogue", str(file.resolve())]
    if await run.books.value(_SOLD_BEFORE, {"skus": skus}):
        await asyncio.to_thread(run.stack.manage, *command)
        await asyncio.to_thread(buyers.stock, run.stack, _levels(file))
    else:
        command += ["--stock-from-sales", "--short-every", str(SHORT_EVERY)]
        await asyncio.to_thread(run.stack.manage, *command)


def _levels(file: Path) -> dict[str, int]:
    """What the import would stock of each product if there were none."""
    reading = sales.read(opened(file), decimals=2, stock_from_sales=True, short_every=SHORT_EVERY)
    return {draft.sku: draft.stock or 0 for draft in reading.drafts} if reading else {}


@command
def main(
    file: File,
    json: Json = None,
    customers: Annotated[int, typer.Option(min=1, help="Orders under way at once.")] = CUSTOMERS,
    flush_every: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0, help="Wipe the broker so often while it runs; 0: never."),
    ] = 0.0,
) -> int:
    """A real retailer's month of orders, through the shop's API; ends with the books proved."""
    run = Run(RunningStack.of_environment(), "replay")
    uvloop.run(replay(run, file, customers=customers, flush_every=flush_every))
    return run.finish(json)


if __name__ == "__main__":
    main()
