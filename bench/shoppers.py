"""Who comes and what they want, drawn by dice with a seed, so that every run's crowd is the same; and full shelves."""

import csv
import io
import random
from collections.abc import Iterator, Mapping, Sequence

import orjson

from bench.house import House
from bench.load import Purchase
from bench.people import buyer
from bench.run import Run
from stack.layout import ROOT

DEMO_CATALOGUE = ROOT / "shop" / "catalogue" / "demo" / "catalogue.csv"
MOST_PRODUCTS, MOST_PIECES = 3, 2  # of one order, and of one product in it
SEED = 2011
_VISA = {"method": "card", "token": "pm_card_visa"}
# How the crowd pays: mostly with a card that is good.
_WAYS: tuple[tuple[dict[str, str], int], ...] = (
    (_VISA, 95),
    ({"method": "cod"}, 3),
    ({"method": "card", "token": "pm_card_chargeDeclined"}, 1),
    ({"method": "card", "token": "pm_card_chargeDeclinedInsufficientFunds"}, 1),
)


def demo_skus() -> list[str]:
    """The products that every new shop is filled with."""
    with DEMO_CATALOGUE.open(encoding="utf-8", newline="") as file:
        return [row["sku"] for row in csv.DictReader(file)]


def stock(house: House, levels: Mapping[str, int]) -> None:
    """Have so many pieces of each product free to sell."""
    text = io.StringIO()
    csv.writer(text).writerows([("sku", "on_hand"), *levels.items()])
    house.manage("stock", "--file", "-", text=text.getvalue())


def crowd(run: Run, orders: int, skus: Sequence[str]) -> Iterator[Purchase]:
    """One to three products of the catalogue each, one or two pieces of each."""
    dice = random.Random(SEED)
    ways, weights = [way for way, _ in _WAYS], [weight for _, weight in _WAYS]
    for number in range(orders):
        chosen = dice.sample(skus, min(len(skus), dice.randint(1, MOST_PRODUCTS)))
        items = [{"sku": sku, "quantity": dice.randint(1, MOST_PIECES)} for sku in chosen]
        [payment] = dice.choices(ways, weights)
        yield _purchase(run, number, items, payment)


def queue_for(run: Run, orders: int, sku: str) -> Iterator[Purchase]:
    """Everybody wants one piece of the same, and has a card that is good."""
    for number in range(orders):
        yield _purchase(run, number, [{"sku": sku, "quantity": 1}], _VISA)


def _purchase(run: Run, number: int, items: list[dict[str, object]], payment: dict[str, str]) -> Purchase:
    body = {**buyer(f"{run.name}-{number}"), "items": items, "payment": payment}
    return Purchase(run.key(number), orjson.dumps(body))
