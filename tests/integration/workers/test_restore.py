"""A backup is made under load, the shop sells on, and the backup is restored: no second parcel, message or charge, no
number twice, and what the books lost is listed.

The backup is a real one (`pg_dump`, `pg_restore`), the providers remember, and the audit is the witness.
"""

import json
import os
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from orders import inventory
from orders.cancelling import cancel
from orders.facts import facts_of
from orders.models import (
    Document,
    LostCall,
    Notification,
    Order,
    OrderEvent,
    Payment,
    Refund,
    Restore,
    Shipment,
)
from orders.models.order import number_of
from orders.notifications import email, sms
from orders.payments import charging, comparing, reconciling
from orders.payments.gateway import gateway
from orders.providers.http import close_client
from orders.refunds import NotRefundable, refund
from orders.shipping import booking
from orders.states import OrderStatus
from orders.workflow import Step, first, remaining, work_of
from stack.postgres import binary
from tests.integration.audit.conftest import Shop
from tests.integration.audit.conftest import empty_shop as empty_shop
from tests.integration.payments.test_reconciling import FromNow
from tests.making import ledger, place_order
from tests.waiting import wait_until
from workers import restoring
from workers.restoring import after_restore

pytestmark = pytest.mark.django_db(transaction=True)

AFTER = 300  # orders that are sold after the backup
UNDER_LOAD = 120  # orders that are under way while it is made


@pytest.fixture(autouse=True)
def provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what the provider charged for other tests."""
    fresh = FromNow()
    monkeypatch.setattr(restoring, "gateway", lambda: fresh)
    monkeypatch.setattr(reconciling, "gateway", lambda: fresh)


@pytest.fixture
def shop(empty_shop: Shop) -> Shop:
    return empty_shop


class Backup:
    def __init__(self, folder: Path) -> None:
        self.file = folder / "stampede.dump"

    def make(self) -> None:
        self._run("pg_dump", "-Fc", "--file", str(self.file))

    def restore(self) -> None:
        connection.close()
        self._run("pg_restore", "--clean", "--if-exists", "--exit-on-error", str(self.file))

    def _run(self, program: str, *arguments: str) -> None:
        told = connection.settings_dict
        where = {"PGHOST": told["HOST"], "PGPORT": str(told["PORT"]), "PGUSER": told["USER"]}
        done = subprocess.run(
            [binary(program), "--dbname", told["NAME"], *arguments],
            env={**os.environ, **where, "PGPASSWORD": told["PASSWORD"]},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr


@pytest.fixture
def backup(tmp_path: Path) -> Backup:
    return Backup(tmp_path)


def drive(ids: Collection[int]) -> None:
    """What relay and workers do for these orders, until nothing is left."""
    for _ in range(20):
        plans: dict[Any, list[int]] = {}
        for facts in facts_of(
            Order.objects.filter(pk__in=ids).exclude(due_at=None).values_list("pk", flat=True)
        ):
            plans.setdefault(first(remaining(facts)), []).append(facts.order_id)
        if not plans:
            return
        for steps, some in plans.items():
            for step in steps or (Step.CLOSE,):
                work_of(step)(some)
    pytest.fail(f"they do not come to an end: {plans}")


def place(number: int, card: str | None = "pm_card_visa") -> list[int]:
    return [place_order([("MUG", 1)], card=card).pk for _ in range(number)]


class Load:
    """Orders that are placed and driven, all the time."""

    def __init__(self) -> None:
        self.placed: list[int] = []
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._sell)

    def __enter__(self) -> "Load":
        self._thread.start()
        wait_until(lambda: len(self.placed) > 20, "orders to be under way")
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()

    def _sell(self) -> None:
        try:
            while not self._enough.is_set() and len(self.placed) < UNDER_LOAD:
                some = place(5)
                self.placed += some
                drive(some)
        finally:
            connection.close()
            close_client()


def outside() -> Counter[tuple[str, str, str]]:
    """How often each provider did each kind of thing for each order."""
    return Counter(
        (provider, entry["kind"], entry["order"])
        for provider in ("payments", "carrier", "sms", "mailbox")
        for entry in ledger(provider)
    )


def given() -> tuple[set[int], set[tuple[str, int]], set[int]]:
    """The numbers in people's hands: of orders, of documents, and of events, which subscribers know."""
    return (
        set(Order.objects.values_list("pk", flat=True)),
        set(Document.objects.values_list("kind", "serial")),
        set(OrderEvent.objects.values_list("pk", flat=True)),
    )


def test_after_a_restore_everything_is_right_or_listed(shop: Shop, backup: Backup) -> None:
    ended = place(5)
    drive(ended)
    stages = {stage: place(3) for stage in ("placed", "reserved", "paid", "told", "with_the_carrier")}
    started = [pk for stage in list(stages)[1:] for pk in stages[stage]]
    inventory.reserve(started)
    charging.charge([pk for pk in started if pk not in stages["reserved"]])
    email.mail(stages["told"])
    sms.text(stages["told"])
    booking.book(stages["with_the_carrier"])
    to_cancel = [*place(2), *place(2, card=None)]
    inventory.reserve(to_cancel)
    with Load() as load:
        backup.make()
    in_backup = max([*ended, *to_cancel])

    # The shop goes on: all that is under way ends, four are cancelled, and more is sold.
    charging.charge(to_cancel[:1])
    for order in Order.objects.filter(pk__in=to_cancel):
        cancel(order.token)
    everything = list(Order.objects.values_list("pk", flat=True))
    drive(everything)
    sold_after = place(AFTER) + place(5, card=None)
    drive(sold_after)
    before, numbers = outside(), given()
    assert Shipment.objects.count() == len(set(Order.objects.filter(status="completed")))

    backup.restore()
    kept = set(Order.objects.values_list("pk", flat=True))
    assert in_backup in kept
    assert not kept & set(sold_after)
    report = after_restore(ledgers_since=shop.since)
    assert set(report.cancelled) == {number_of(pk) for pk in to_cancel}
    assert report.not_cancelled == report.unread == []

    # Everything of the backup ends, and nobody outside hears of it a second time.
    drive(kept)
    assert set(Order.objects.filter(pk__in=kept).values_list("status", flat=True)) == {
        "completed",
        "cancelled",
    }
    again = {what: times - before[what] for what, times in outside().items() if times != before[what]}
    assert again == {}
    # What is not in the books is listed, each order of it.
    lost = numbers[0] - kept
    assert set(load.placed) | set(sold_after) >= lost
    assert {call.order_number for call in report.lost} == {number_of(pk) for pk in lost}

    # No number is given out twice.
    new = place(5)
    drive(new)
    orders, documents, events = given()
    assert not set(new) & numbers[0]
    fresh = set(Document.objects.filter(order_id__in=new).values_list("kind", "serial"))
    assert not fresh & numbers[1]
    assert not set(OrderEvent.objects.filter(order_id__in=new).values_list("pk", flat=True)) & numbers[2]
    assert (len(orders), len(documents) > len(fresh), len(events) > 0) == (len(kept) + 5, True, True)

    assert shop.audit().clean, shop.problems()


def restored(shop: Shop, backup: Backup, work: Callable[[], object]) -> None:
    """What is done after the backup is lost to the books, and not to the providers."""
    backup.make()
    work()
    backup.restore()


@pytest.mark.parametrize("work", [booking.book, email.mail, sms.text])
def test_a_row_that_was_lost_comes_back_under_the_same_key(
    shop: Shop, backup: Backup, work: Callable[[list[int]], object]
) -> None:
    """A parcel, an e-mail, a text: each is known again by who did it."""
    [order] = place(1)
    inventory.reserve([order])
    charging.charge([order])
    restored(shop, backup, lambda: work([order]))
    assert not Shipment.objects.exists()
    assert not Notification.objects.exists()
    before = outside()
    work([order])
    assert outside() == before


@pytest.mark.parametrize("pieces", [2, 1], ids=["whole", "in part"])
def test_a_refund_that_was_lost_is_taken_over_and_not_paid_again(
    shop: Shop, backup: Backup, monkeypatch: pytest.MonkeyPatch, pieces: int
) -> None:
    """Made at the desk after the backup, under a key of our own: the provider's list has it."""
    monkeypatch.setattr(comparing, "SETTLE", timedelta(seconds=-2))  # minutes have passed since
    order = place_order([("MUG", 2)])
    drive([order.pk])
    line = order.lines.get()

    def at_the_desk() -> None:
        refund(order.pk, {line.pk: pieces}, key="desk", reason="", by="ada", restock=False)
        drive([order.pk])

    restored(shop, backup, at_the_desk)
    assert not Refund.objects.exists()
    before = outside()
    report = after_restore(ledgers_since=shop.since)
    assert report.reconciled is not None
    [mended] = report.reconciled.mended
    assert f"order {order.number}" in mended
    drive([order.pk])
    assert refunded(before) == {}
    taken_over = Refund.objects.get()
    assert taken_over.amount_minor == pieces * 1_250
    assert Document.objects.filter(kind="credit_note", order=order).count() == 1
    order.refresh_from_db()
    assert order.status == (OrderStatus.REFUNDED if pieces == 2 else OrderStatus.COMPLETED)

    # What is left is given back at the desk, and no more than that.
    if pieces == 1:
        refund(order.pk, {line.pk: 1}, key="the rest", reason="", by="ada", restock=False)
        drive([order.pk])
        assert refunded(before) == {order.number: 1}
    with pytest.raises(NotRefundable):
        refund(order.pk, None, key="again", reason="", by="ada", restock=False)
    payment = Payment.objects.get()
    assert (payment.refunded_minor, payment.captured_minor) == (2_500, 2_500)
    assert reconciling.reconcile(timezone.now() - timedelta(hours=1)).raised == []
    assert shop.audit().clean, shop.problems()


def refunded(before: Mapping[tuple[str, str, str], int]) -> dict[str, int]:
    """How often the provider has given money back since, by order."""
    return {
        order: times - before.get((provider, kind, order), 0)
        for (provider, kind, order), times in outside().items()
        if kind == "refunded" and times != before.get((provider, kind, order), 0)
    }


@pytest.mark.parametrize("card", ["pm_card_visa", None], ids=["card", "at the door"])
def test_the_last_piece_goes_to_whom_it_was_sent(shop: Shop, backup: Backup, card: str | None) -> None:
    """Both are under way in the backup, and the other one was placed first."""
    late = place_order([("RARE", 1)]).pk
    served = place_order([("RARE", 1)], card=card).pk

    def serve() -> None:
        drive([served])
        drive([late])

    restored(shop, backup, serve)
    before = outside()
    after_restore(ledgers_since=shop.since)
    drive([late, served])
    assert dict(Order.objects.values_list("pk", "status")) == {
        late: OrderStatus.OUT_OF_STOCK,
        served: OrderStatus.COMPLETED,
    }
    assert outside() == before
    assert shop.audit().clean, shop.problems()


@pytest.mark.parametrize("told", ["told", "not told"])
def test_a_cancellation_of_an_order_to_be_paid_at_the_door(shop: Shop, backup: Backup, told: str) -> None:
    """No money says that it was cancelled, only the message about it. Its goods stay here."""
    [order] = place(1, card=None)
    inventory.reserve([order])

    def cancelled() -> None:
        cancel(Order.objects.get().token)
        if told == "told":
            drive([order])

    restored(shop, backup, cancelled)
    before = outside()
    report = after_restore(ledgers_since=shop.since)
    assert report.cancelled == ([number_of(order)] if told == "told" else [])
    drive([order])
    gone = {(provider, kind) for provider, kind, _ in outside() - before}
    if told == "told":
        assert Order.objects.get().status == OrderStatus.CANCELLED
        assert gone == set(), "neither a parcel nor a second message"
    else:  # nobody had heard of it, and it goes on as it was
        assert Order.objects.get().status == OrderStatus.COMPLETED
    assert report.lost == []
    assert shop.audit().clean, shop.problems()


def test_keys_of_other_orders_and_of_other_things_are_others(shop: Shop) -> None:
    orders = place(2)
    drive(orders)
    keys = [
        *Shipment.objects.values_list("key", flat=True),
        *Notification.objects.values_list("key", flat=True),
    ]
    assert len(keys) == len(set(keys)) == 6


def test_a_charge_whose_key_the_provider_has_forgotten_is_not_made_again(
    shop: Shop, backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys live for a day, and a backup may be older: what was charged since is looked up."""
    [order] = place(1)
    inventory.reserve([order])
    restored(shop, backup, lambda: charging.charge([order]))
    after_restore(ledgers_since=shop.since)
    asked: list[str] = []
    original = gateway().authorise

    async def authorise(charge: Any, *, capture: bool) -> Any:
        asked.append(charge.key)
        return await original(charge, capture=capture)

    monkeypatch.setattr(gateway(), "authorise", authorise)
    drive([order])
    assert asked == []
    assert Order.objects.get().status == OrderStatus.COMPLETED
    assert shop.audit().clean, shop.problems()


def test_done_again_it_moves_nothing_and_lists_the_same(shop: Shop, backup: Backup) -> None:
    restored(shop, backup, lambda: drive(place(2)))
    first_time = after_restore(ledgers_since=shop.since)
    again = after_restore(ledgers_since=shop.since)
    assert (first_time.repeated, again.repeated) == (False, True)
    assert Restore.objects.count() == 1
    assert [str(call) for call in again.lost] == [str(call) for call in first_time.lost] != []
    drive(place(1))
    assert shop.audit().clean, shop.problems()


def test_numbers_that_are_missing_for_another_reason_are_still_found(shop: Shop, backup: Backup) -> None:
    restored(shop, backup, lambda: drive(place(2)))
    restore = after_restore(ledgers_since=shop.since).restore
    drive(place(1))
    Restore.objects.filter(pk=restore.pk).update(last_invoice=restore.last_invoice - 1)
    [gap] = shop.problems_of("documents")
    assert "invoices have a gap" in gap


def test_a_payment_provider_without_a_ledger_is_asked_for_its_list(
    shop: Shop, backup: Backup, settings: Settings
) -> None:
    restored(shop, backup, lambda: drive(place(2)))
    settings.PAYMENTS_URL = ""  # of the ledger alone: the adapter was made before
    report = after_restore(ledgers_since=shop.since)
    assert "PAYMENTS_URL is not set" in report.unread[0]
    charged = [call for call in report.lost if call.provider == "payments"]
    assert [(call.kind, call.amount_minor, call.currency) for call in charged] == [
        ("captured", 1_250, "GBP")
    ] * 2


def run(*arguments: str) -> tuple[int, str]:
    said = StringIO()
    try:
        call_command("after_restore", *arguments, stdout=said)
    except SystemExit as ended:
        return int(str(ended.code)), said.getvalue()
    return 0, said.getvalue()


def test_the_command_says_what_is_for_a_person(shop: Shop, backup: Backup) -> None:
    [sold] = place(1)
    restored(shop, backup, lambda: drive([sold, *place(1)]))
    code, said = run("--ahead", "500")
    assert code == 1
    assert "Never given out again" in said
    assert f"LOST      {number_of(sold + 1)}: " in said
    assert "captured £12.50 by payments" in said
    assert f"LOST      {number_of(sold)}" not in said, "it is under way, and its parcel is known by its key"
    code, text = run("--json")
    assert code == 1
    plain = json.loads(text)
    assert plain["orders_skipped"][0] == number_of(sold + 1)
    assert {call["provider"] for call in plain["lost"]} == {"payments", "carrier", "sms", "mailbox"}
    assert LostCall.objects.count() == len(plain["lost"])


@pytest.mark.parametrize("who", ["relay", "web"])
def test_it_refuses_while_the_shop_is_open(shop: Shop, who: str) -> None:
    with (
        psycopg.connect(**{**connection.get_connection_params(), "application_name": who}),
        pytest.raises(CommandError, match="Stop all but the database"),
    ):
        run()
    assert not Restore.objects.exists()
