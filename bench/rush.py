"""`./dev rush`: everybody buys at once, and nobody gets what is not there.

Without --sku the crowd buys all over the demo catalogue, which is stocked up so that nothing runs out. With --sku all
want one piece of one product, of which there are --stock: then exactly so many may be sold, and every other buyer has
to be told, and nobody of them charged, by the providers' own ledgers.
"""

import asyncio
from typing import Annotated, LiteralString

import typer
import uvloop

from bench import buyers, floor, ledgers
from bench.cli import Json, command
from bench.display import note
from bench.run import Run
from bench.running_stack import RunningStack

ORDERS, BUYERS, STOCK = 5_000, 200, 1_000

# Pieces of a product that went to the run's orders.
_SOLD: LiteralString = """
SELECT coalesce(sum(m.quantity), 0)::int FROM orders_stockmovement m JOIN orders_order o ON o.id = m.order_id
WHERE m.kind = 'sold' AND m.sku = %(sku)s AND o.idempotency_key LIKE %(keys)s
"""
# Orders that ended out of stock, and the key of the e-mail about each ("" if there is none).
_UNLUCKY: LiteralString = """
SELECT o.idempotency_key, coalesce(n.key::text, '') FROM orders_order o
LEFT JOIN orders_notification n ON n.order_id = o.id AND n.channel = 'email' AND n.kind = 'out_of_stock'
WHERE o.status = 'out_of_stock' AND o.idempotency_key LIKE %(keys)s
"""


async def rush(run: Run, orders: int, at_once: int, sku: str | None, stock: int | None) -> None:
    if sku:
        left = STOCK if stock is None else stock
        buyers.stock(run.stack, {sku: left})
        purchases = buyers.queue_for(run, orders, sku)
    else:
        plenty = orders * buyers.MOST_PIECES
        purchases = buyers.crowd(
            run, orders, await buyers.demo_catalogue(run, plenty if stock is None else stock)
        )
    before = [await ledgers.end(run.stack, provider) for provider in ("mailbox", "payments")]
    note(f"{at_once:,} buyers place {orders:,} orders …")
    await run.place(orders, purchases, at_once)
    if sku:
        await _check_sold_out(run, sku, left, *before)
    note("Writing the same rows by bare SQL …")
    run.more["floor"] = await floor.of_placing(run, connections=min(at_once, floor.MOST_CONNECTIONS))
    await asyncio.to_thread(run.audit)


async def _check_sold_out(run: Run, sku: str, stock: int, mailbox_after: int, payments_after: int) -> None:
    """Exactly what was there is sold, and by the providers' word the others were told and not charged."""
    sold = await run.books.value(_SOLD, {"sku": sku})
    rows = await run.books.rows(_UNLUCKY)
    unlucky = [(run.accepted[key], email_key) for key, email_key in rows if key in run.accepted]
    found = await ledgers.of_unlucky(run.stack, unlucky, mailbox_after, payments_after)
    run.more["sold_out"] = {"sku": sku, "stocked": stock, "sold": sold, **found}
    if sold != (wanted := min(stock, run.figures.accepted)):
        run.problems.append(f"{sold:,} of {sku} were sold, and {wanted:,} had to be.")
    if untold := found["untold"]:
        run.problems.append(f"{untold:,} buyers who got nothing have no e-mail that says so.")
    if charged := found["charged"]:
        run.problems.append(f"{charged:,} buyers who got nothing were charged.")


@command
def main(
    orders: Annotated[int, typer.Option(min=1, help="How many orders in all.")] = ORDERS,
    at_once: Annotated[int, typer.Option("--buyers", min=1, help="How many buyers at once.")] = BUYERS,
    sku: Annotated[
        str | None, typer.Option(help="All want this product; default: the demo catalogue.")
    ] = None,
    stock: Annotated[
        int | None,
        typer.Option(min=0, help=f"Pieces of each product. Default: {STOCK:,} with --sku, else plenty."),
    ] = None,
    json: Json = None,
) -> int:
    """Everybody buys at once; ends with the books proved, and beside what bare SQL can do."""
    run = Run(RunningStack.of_environment(), "rush")
    uvloop.run(rush(run, orders, at_once, sku.strip().upper() if sku else None, stock))
    return run.finish(json)


if __name__ == "__main__":
    main()
