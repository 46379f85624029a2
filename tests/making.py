"""Makes what tests need: orders placed as the shop places them, stock, and threads that start at the same moment."""

import json
import threading
import urllib.request
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.conf import settings
from django.db import connection

from orders import inventory
from orders.models import Order, StockItem
from orders.placing import Address, LineDraft, OrderDraft, place
from orders.providers.http import close_client

T = TypeVar("T")

ADDRESS = Address("Ada Lovelace", "12 St James's Square", "", "London", "SW1Y 4JH", "GB")


def draft(
    lines: Sequence[tuple[str, int]] = (("KETTLE", 1),),
    *,
    card: str | None = "pm_card_visa",
    key: str | None = None,
    fingerprint: str = "f" * 64,
    price: int = 1_250,
) -> OrderDraft:
    """An order for (SKU, quantity) lines; `card` None is cash on delivery."""
    return OrderDraft(
        key=key or str(uuid.uuid4()),
        fingerprint=fingerprint,
        email="ada@example.com",
        phone="+441632960001",
        address=ADDRESS,
        currency="GBP",
        lines=[LineDraft(sku, f"A {sku.lower()}", quantity, price, 2_000) for sku, quantity in lines],
        payment_method="card" if card else "cod",
        payment_token=card or "",
    )


def place_order(
    lines: Sequence[tuple[str, int]] = (("KETTLE", 1),), *, card: str | None = "pm_card_visa"
) -> Order:
    return Order.objects.get(pk=place(draft(lines, card=card), wait=False).id)


def stock_to(levels: Mapping[str, int]) -> None:
    """Let so many pieces of each SKU have ever come in."""
    before = dict(StockItem.objects.filter(sku__in=levels).values_list("sku", "stocked"))
    inventory.change_by({sku: level - before.get(sku, 0) for sku, level in levels.items()})


def stock(**levels: int) -> None:
    """Stock each SKU up to so many pieces: stock(KETTLE=3)."""
    stock_to(levels)


def at_once(work: Callable[[int], T], times: int, *, connected: bool = True) -> list[T | Exception]:
    """Run `work(number)` in so many threads that all start together; returns results or errors in their order.

    `connected`: each thread has its connection to the database before it starts.
    """
    start = threading.Barrier(times)

    def one(number: int) -> T | Exception:
        if connected:
            connection.ensure_connection()
        start.wait(timeout=30)
        try:
            return work(number)
        except Exception as error:
            return error
        finally:
            connection.close()
            close_client()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))


def last_detail(order: Order) -> str:
    """What the newest event of an order says."""
    event = order.events.order_by("id").last()
    assert event
    return event.detail


def kinds(order: Order) -> list[str]:
    """The kinds of an order's events, oldest first."""
    return list(order.events.order_by("id").values_list("kind", flat=True))


def unlocked(statement: str) -> Any:
    """The same statement with its row locks taken out: what a race test removes to see the race."""
    for clause in ("FOR NO KEY UPDATE SKIP LOCKED", "FOR NO KEY UPDATE"):
        statement = statement.replace(clause, "")
    return statement


def ledger(provider: str) -> list[dict[str, Any]]:
    """Every entry of a provider's own ledger: "payments", "sms", "carrier" or "mailbox"."""
    url = getattr(settings, f"{provider.upper()}_URL")
    entries: list[dict[str, Any]] = []
    after = 0
    while True:
        with urllib.request.urlopen(f"{url}/ledger?after={after}&limit=1000") as answer:  # noqa: S310 (our own URL)
            page = json.load(answer)
        if not page["entries"]:
            return entries
        entries += page["entries"]
        after = page["next"]
