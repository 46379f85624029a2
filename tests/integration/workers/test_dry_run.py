"""A dry run tells what a replay would do, and does nothing of it."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection, transaction

from orders import inventory
from orders.invoices import issuing
from orders.models import Order, Payment, StockItem
from orders.payments import charging
from orders.payments.gateway import gateway
from orders.providers.failures import Failure, Outcome, Refused
from orders.workflow import STEPS, Step, work_of
from tests.making import ledger, place_order, stock
from workers import deadletters
from workers.deadletters.dry_run import DryRun, NotNow, dry_run
from workers.models import DeadLetter
from workers.steps import perform
from workers.tasks import STEP_TASKS

reserve = STEP_TASKS[Step.RESERVE]

pytestmark = pytest.mark.django_db(transaction=True)
PROVIDERS = ("payments", "sms", "carrier", "mailbox")


def everything() -> dict[str, list[dict[str, Any]]]:
    """Every row of orders and workers, and all that was done outside."""
    rows = {
        model._meta.label: list(model._default_manager.order_by("pk").values())
        for name in ("orders", "workers")
        for model in apps.get_app_config(name).get_models()
    }
    return {**rows, **{provider: ledger(provider) for provider in PROVIDERS}}


def dry_run_of(order: Order, step: Step, error: Exception | None = None) -> DryRun:
    """Bury the order's step and try it out; nothing may have changed by that."""
    deadletters.bury(step, {order.pk: error or RuntimeError("boom")})
    return run_dry(DeadLetter.objects.latest("id"))


def run_dry(letter: DeadLetter) -> DryRun:
    before = everything()
    result = dry_run(letter)
    assert everything() == before
    assert not connection.in_atomic_block
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype IN ('tuple', 'relation')"
        )
        assert cursor.fetchone()[0] <= 1  # pg_locks itself
    return result


@pytest.fixture
def order() -> Order:
    stock(KETTLE=10)
    return place_order()


@pytest.fixture
def paid(order: Order) -> Order:
    inventory.reserve([order.pk])
    charging.charge([order.pk])
    return order


def told(result: DryRun) -> str:
    return "\n".join([*result.calls, *map(str, result.changes)])


def test_every_step_has_a_row_and_a_function() -> None:
    assert set(STEPS) == set(Step)
    assert all(callable(work_of(step)) for step in Step)


def test_reserving(order: Order) -> None:
    result = dry_run_of(order, Step.RESERVE)
    assert "status from placed to reserved" in told(result)
    assert "reserved from 0 to 1" in told(result)
    assert result.calls == []
    assert result.verdict.startswith("It would succeed")


def test_charging(order: Order) -> None:
    inventory.reserve([order.pk])
    result = dry_run_of(order, Step.CHARGE)
    [call] = result.calls
    assert call.startswith("payments: charge £12.50 from the card under the key")
    assert "status from pending to captured" in told(result)
    assert "kind order.paid" in told(result)


def test_telling(paid: Order) -> None:
    mail, text = dry_run_of(paid, Step.EMAIL), dry_run_of(paid, Step.SMS)
    assert mail.calls == [f"e-mail: “Your order {paid.number}” to ada@example.com"]
    assert paid.url in text.calls[0]
    assert "+441632960001" in text.calls[0]


def test_a_message_that_was_given_up(paid: Order) -> None:
    """It counts as sent until the letter is replayed; the dry run begins as the replay would."""
    paid.notifications.create(channel="sms", kind="confirmation")
    outcome = Outcome([], [Failure(paid.pk, Refused("no such number"), 1)])
    perform(reserve, Step.SMS, lambda _: outcome, [paid.pk])
    result = run_dry(DeadLetter.objects.get())
    assert not result.done_already
    assert "status from requested to sent" in told(result)


def test_shipping(paid: Order) -> None:
    result = dry_run_of(paid, Step.SHIP)
    assert "carrier: book 1 pieces to Ada Lovelace" in told(result)
    assert "kind order.shipped" in told(result)


def test_giving_back(paid: Order) -> None:
    Order.objects.filter(pk=paid.pk).update(status="cancelled")
    result = dry_run_of(paid, Step.REFUND)
    assert "list the refunds and disputes" in result.calls[0]
    assert "answered: captured, as our books have it" in result.calls[1]
    assert "refund £12.50" in told(result)
    assert Payment.objects.get().refunded_minor == 0


@pytest.mark.parametrize("step", [Step.INVOICE, Step.COMPLETE, Step.RELEASE, Step.CLOSE])
def test_the_others_run_too(paid: Order, step: Step) -> None:
    assert not dry_run_of(paid, step).failed


def test_what_is_done_by_now_says_so(paid: Order) -> None:
    issuing.issue([paid.pk])
    result = dry_run_of(paid, Step.INVOICE)
    assert result.done_already
    assert result.changes == []
    assert "done by now" in result.verdict


@pytest.fixture
def bug() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE orders_stockitem ADD CONSTRAINT too_narrow CHECK (reserved = 0)")
    yield
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE orders_stockitem DROP CONSTRAINT IF EXISTS too_narrow")


@pytest.mark.usefixtures("bug")
def test_a_bug_that_is_still_there_is_recognised(order: Order) -> None:
    reserve([order.pk])
    result = run_dry(DeadLetter.objects.get())
    assert "too_narrow" in result.failed
    assert result.same
    assert "fail again in the same way" in result.verdict


@pytest.mark.usefixtures("bug")
def test_another_bug_is_told_apart(order: Order) -> None:
    result = dry_run_of(order, Step.RESERVE, KeyError("KETTLE"))
    assert "too_narrow" in result.failed
    assert not result.same
    assert "another way" in result.verdict


def test_it_does_not_wait_for_a_worker_that_holds_the_order(order: Order) -> None:
    deadletters.bury(Step.RESERVE, {order.pk: RuntimeError("boom")})
    other = connection.copy()
    try:
        with transaction.atomic(), other.cursor() as cursor:
            other.set_autocommit(False)
            cursor.execute("SELECT FROM orders_order FOR UPDATE")
        with pytest.raises(NotNow, match="worked on at this moment"):
            dry_run(DeadLetter.objects.get())
    finally:
        other.close()


@pytest.mark.parametrize("task", ["documents.render", "sms.sing"])
def test_what_is_no_step_says_so(order: Order, task: str) -> None:
    DeadLetter.objects.create(order=order, task=task, stops_order=False, fingerprint="f", error_class="E")
    with pytest.raises(NotNow, match=task):
        dry_run(DeadLetter.objects.get())


def test_afterwards_the_providers_are_the_real_ones(order: Order) -> None:
    before = settings.EMAIL_BACKEND, settings.PAYMENT_GATEWAY, type(gateway())
    dry_run_of(order, Step.RESERVE)
    assert (settings.EMAIL_BACKEND, settings.PAYMENT_GATEWAY, type(gateway())) == before
    assert StockItem.objects.get().reserved == 0
