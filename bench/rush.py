"""`./dev rush`: everybody buys at once, and nobody gets what is not there.

Without --sku the crowd buys all over the demo catalogue, which is stocked up so that nothing runs out. With
--sku all want one piece of one product, of which there are --stock: then exactly so many may be sold, and
every other buyer has to be told, and nobody charged, by the providers' own ledgers.
"""

import asyncio
from typing import Annotated

import typer
import uvloop

from bench import floor, ledgers, shoppers
from bench.cli import Json, command
from bench.display import note
from bench.house import House
from bench.load import Customers, OnAnswer, closed_loop
from bench.run import Run
from stack.program import StackError

ORDERS, BUYERS, STOCK = 5_000, 200, 1_000


async def rush(run: Run, *, orders: int, buyers: int, sku: str | None, stock: int | None) -> None:
    if sku:
        left = STOCK if stock is None else stock
        await asyncio.to_thread(shoppers.stock, run.house, {sku: left})
        purchases = shoppers.queue_for(run, orders, sku)
    else:
        skus = await run.books.on_sale(shoppers.demo_skus())
        if not skus:
            raise StackError(
                "nothing of the demo catalogue is on sale here.\nGive --sku, or begin afresh: ./dev reset"
            )
        plenty = orders * shoppers.MOST_PIECES
        levels = dict.fromkeys(skus, plenty if stock is None else stock)
        await asyncio.to_thread(shoppers.stock, run.house, levels)
        purchases = shoppers.crowd(run, orders, skus)
    before = await ledgers.ends(run.house)
    note(f"{buyers:,} buyers place {orders:,} orders …")

    async def order(on_answer: OnAnswer) -> None:
        async with Customers(run.house["SHOP_URL"], buyers) as client:
            await closed_loop(client, purchases, buyers, on_answer)

    await run.carry(orders, order)
    if sku:
        await _check_sold_out(run, sku, left, before)
    note("Writing the same rows by bare SQL …")
    run.more["floor"] = await floor.of_placing(run, connections=min(buyers, floor.MOST_CONNECTIONS))
    note("Proving the books …")
    await asyncio.to_thread(run.audit)


async def _check_sold_out(run: Run, sku: str, stock: int, before: ledgers.Positions) -> None:
    """Exactly what was there is sold, and by the providers' word the others were told and not charged."""
    sold = await run.books.sold(sku)
    unlucky = [
        ledgers.Unlucky(run.accepted[key], email_key)
        for key, email_key in await run.books.unlucky()
        if key in run.accepted
    ]
    found = await ledgers.of_unlucky(run.house, unlucky, before)
    run.more["sold_out"] = {"sku": sku, "stocked": stock, "sold": sold, **found.as_json()}
    if sold != min(stock, run.figures.accepted):
        run.problems.append(
            f"{sold:,} of {sku} were sold, and {min(stock, run.figures.accepted):,} had to be."
        )
    if found.untold:
        run.problems.append(f"{found.untold:,} buyers who got nothing have no e-mail that says so.")
    if found.charged:
        run.problems.append(f"{found.charged:,} buyers who got nothing were charged.")


@command
def main(
    orders: Annotated[int, typer.Option(min=1, help="How many orders in all.")] = ORDERS,
    buyers: Annotated[int, typer.Option(min=1, help="How many buyers at once.")] = BUYERS,
    sku: Annotated[str | None, typer.Option(help="All want this product; else the demo catalogue.")] = None,
    stock: Annotated[
        int | None,
        typer.Option(
            min=0, help=f"Pieces there are, of each product. Default: {STOCK:,} with --sku, else plenty."
        ),
    ] = None,
    json: Json = None,
) -> int:
    """Everybody buys at once; ends with the books proved, and beside what bare SQL can do."""
    run = Run(House.running(), "rush")
    wanted = sku.strip().upper() if sku else None
    uvloop.run(rush(run, orders=orders, buyers=buyers, sku=wanted, stock=stock))
    return run.finish(json)


if __name__ == "__main__":
    main()
