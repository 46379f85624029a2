"""Every order has a way to an end that a person can press: all states × all dead letters × all buttons are walked.

Whatever the letter is about stays broken for ever, so that pressing "Replay" again and again is no way. Two steps are
the exception, since nothing but our own database can stop them: putting stock back and closing are mended by a replay.
"""

import re
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.messages import ERROR, get_messages
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from orders import closing, inventory, scheduling
from orders.cancelling import cancel
from orders.facts import facts_of
from orders.models import Order, Payment, Shipment
from orders.notifications.messages import begin
from orders.payments import charging, taking_over
from orders.providers.failures import Failure, Outcome, Refused
from orders.refunds import refund
from orders.shipping import booking
from orders.states import END_STATES, OrderStatus
from orders.workflow import SIDE_BY_SIDE, STEPS, Step, first, remaining, work_of
from tests.making import place_order, stock
from workers import deadletters
from workers.models import DeadLetter
from workers.steps import perform
from workers.tasks import STEP_TASKS

pytestmark = pytest.mark.django_db

MENDED_BY_A_REPLAY = {Step.RELEASE, Step.CLOSE}
BANK_ASKS = "pm_card_threeDSecure2Required"


def reserved(card: str | None = "pm_card_visa") -> Order:
    stock(KETTLE=1_000, MUG=1_000)
    order = place_order((("KETTLE", 3), ("MUG", 2)), card=card)
    inventory.reserve([order.pk])
    return order


def charged(card: str | None = "pm_card_visa") -> Order:
    """Paid, or cash on delivery and reserved; of other cards whatever becomes of them."""
    order = reserved(card)
    charging.charge([order.pk])
    return order


def charge_unanswered() -> Order:
    order = reserved()
    Payment.objects.update(status="requested", requested_at=timezone.now() - timedelta(hours=1))
    return order


def parcel_unanswered(card: str | None = "pm_card_visa") -> Order:
    order = charged(card)
    Shipment.objects.create(order=order)
    return order


def parcel_refused(card: str | None = "pm_card_visa") -> Order:
    order = charged(card)
    Order.objects.update(city=" ")
    [failure] = booking.book([order.pk]).failed
    assert isinstance(failure.error, Refused)
    return order


def parcel_booked(card: str | None = "pm_card_visa") -> Order:
    order = charged(card)
    booking.book([order.pk])
    return order


def completed(card: str | None = "pm_card_visa") -> Order:
    order = charged(card)
    for step in SIDE_BY_SIDE:
        work_of(step)([order.pk])
    assert closing.complete([order.pk]) == [order.pk]
    return order


def given_back(card: str | None = "pm_card_visa", *, whole: bool = True) -> Order:
    """The money is promised, and not on its way yet."""
    order = completed(card)
    pieces = None if whole else {order.lines.get(sku="KETTLE").pk: 1}
    refund(order.pk, pieces, key=str(uuid.uuid4()), reason="It is broken.", by="ada", restock=False)
    return order


def reported() -> Order:
    """The provider has reported a refund or a dispute, and perhaps does not know the charge any more."""
    order = completed()
    scheduling.close([order.pk])
    with transaction.atomic():
        assert taking_over.look([order.pk]) == [order.pk]
    return order


def cancelled(order: Order) -> Order:
    return cancel(order.token)


def sold_out() -> Order:
    return place_order((("GHOST", 1),))


STATES: dict[str, Callable[[], Order]] = {
    "placed": lambda: place_order((("KETTLE", 1),)),
    "sold out": sold_out,
    "reserved, to be charged": reserved,
    "reserved, a charge without an answer": charge_unanswered,
    "the bank asks": lambda: charged(BANK_ASKS),
    "declined": lambda: charged("pm_card_chargeDeclined"),
    "paid": charged,
    "paid, a parcel without an answer": parcel_unanswered,
    "paid, a parcel refused": parcel_refused,
    "paid, a parcel booked": parcel_booked,
    "cash": lambda: charged(None),
    "cash, a parcel without an answer": lambda: parcel_unanswered(None),
    "cash, a parcel refused": lambda: parcel_refused(None),
    "cash, a parcel booked": lambda: parcel_booked(None),
    "completed": completed,
    "completed, a part to be given back": lambda: given_back(whole=False),
    "completed, cash": lambda: completed(None),
    "cancelled, unpaid": lambda: cancelled(reserved()),
    "cancelled, a charge without an answer": lambda: cancelled(charge_unanswered()),
    "cancelled at the bank": lambda: cancelled(charged(BANK_ASKS)),
    "cancelled, paid": lambda: cancelled(charged()),
    "cancelled, a parcel refused": lambda: cancelled(parcel_refused()),
    "refunded": given_back,
    "completed, a report": reported,
    "returned, cash": lambda: given_back(None),
}


@contextmanager
def undone() -> Iterator[None]:
    """What is done within is undone after it."""
    point = transaction.savepoint()
    try:
        yield
    finally:
        transaction.savepoint_rollback(point)


def refuse(step: Step, ids: Collection[int]) -> Outcome:
    if channel := STEPS[step].channel:
        begin(ids, channel)
    return Outcome([], [Failure(one, Refused("It does not work."), 1) for one in ids])


def drive(order: Order, broken: Collection[Step]) -> None:
    """What relay and workers do until nobody looks at the order any more. A step that is broken is refused."""
    for _ in range(30):
        order.refresh_from_db()
        if order.due_at is None:
            return
        Payment.objects.filter(hold_until__isnull=False).update(
            hold_until=timezone.now()
        )  # the bank's time is over
        [facts] = facts_of([order.pk])
        plan = remaining(facts)
        if not plan:
            scheduling.close([order.pk])
        for step in first(plan):
            work = partial(refuse, step) if step in broken else work_of(step)
            perform(STEP_TASKS[step], step, work, [order.pk])
    pytest.fail(f"{order} goes on and on: {plan}")


class Desk:
    """A person with an order's page, its dead letters and their buttons."""

    def __init__(self, operator: Client, order: Order) -> None:
        self.operator, self.order = operator, order

    def page(self, name: str = "change") -> str:
        return reverse(f"admin:orders_order_{name}", args=[self.order.pk])

    def buttons(self) -> Iterator[str]:
        """What the pages offer that does something about the order, whose own page is read when it comes to it."""
        if self.letters():
            yield "discard with the order"
        shown = self.operator.get(self.page()).content.decode()
        yield from (name for name in ("cancel", "refund", "settle") if f'"{self.page(name)}"' in shown)
        if self.letters():
            yield "replay"

    def letters(self) -> list[DeadLetter]:
        return list(DeadLetter.objects.filter(order=self.order, resolved_at=None))

    def press(self, button: str) -> list[str]:
        """Press it; returns in which words it was refused."""
        forms: dict[str, dict[str, str]] = {
            "cancel": {"carrier_has_nothing": "on"},
            "settle": {"how": "Bank transfer of 3 May.", "provider_shows_nothing": "on"},
            "refund": {"key": str(uuid.uuid4()), "what": "whole", "reason": "It is broken."},
        }
        if button in forms:
            return self._post(self.page(button), forms[button])
        action, _, with_order = button.partition(" ")
        said = {"why": "The customer rang.", **({"cancel_orders": "on"} if with_order else {})}
        pages = [
            reverse("admin:workers_deadletter_act", args=[letter.pk, action]) for letter in self.letters()
        ]
        return [words for page in pages for words in self._post(page, said)]

    def _post(self, address: str, said: dict[str, str]) -> list[str]:
        self.operator.cookies.pop("messages", None)  # of what was pressed before
        answer: Any = self.operator.post(address, said)
        if answer.status_code == 200:  # a page that asks further
            said = dict(
                re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', answer.content.decode())
            )
            answer = self.operator.post(address, said)
        assert answer.status_code == 302, answer.content.decode()
        return [str(one) for one in get_messages(answer.wsgi_request) if one.level == ERROR]


def has_ended(order: Order) -> bool:
    order.refresh_from_db()
    return order.status in END_STATES and order.due_at is None and order.ended_at is not None


def way_out(desk: Desk, broken: Collection[Step], presses: int = 3) -> list[str] | None:
    """Buttons that bring the order to its end, without an open letter left; None if there are none."""
    if has_ended(desk.order) and not desk.letters():
        return []
    for button in desk.buttons() if presses else ():
        still_broken = [step for step in broken if not (button == "replay" and step in MENDED_BY_A_REPLAY)]
        with undone():
            if desk.press(button):
                continue
            drive(desk.order, still_broken)
            further = way_out(desk, still_broken, presses - 1)
        if further is not None:
            return [button, *further]
    return None


def without_a_way_out(operator: Client, order: Order, stop: Callable[[Step], None]) -> list[str]:
    """The steps whose dead letter, once `stop` has brought it about, leaves the order without a way to an end."""
    stuck = []
    for step in Step:
        with undone():
            stop(step)
            if way_out(Desk(operator, order), [step]) is None:
                stuck.append(step.value)
    return stuck


@pytest.mark.parametrize("state", STATES)
def test_every_dead_letter_in_every_state_has_a_way_to_an_end(operator: Client, state: str) -> None:
    """Letters of every step, also of those that are done or would never be: a worker may be late."""
    order = STATES[state]()

    def stop(step: Step) -> None:
        deadletters.bury(step, {order.pk: RuntimeError("boom")}, stops=True)

    assert without_a_way_out(operator, order, stop) == []


@pytest.mark.parametrize("state", STATES)
def test_every_step_that_breaks_on_the_way_leaves_a_way_to_an_end(operator: Client, state: str) -> None:
    order = STATES[state]()
    assert without_a_way_out(operator, order, lambda step: drive(order, [step])) == []


@pytest.mark.parametrize("state", STATES)
def test_a_button_that_is_offered_is_not_refused_and_does_what_it_says(operator: Client, state: str) -> None:
    order = STATES[state]()
    deadletters.bury(Step.SHIP, {order.pk: RuntimeError("boom")})
    order.refresh_from_db()
    desk = Desk(operator, order)
    becomes = {
        "cancel": OrderStatus.CANCELLED,
        "refund": OrderStatus.REFUNDED,
        "settle": OrderStatus(order.status),
    }
    for button in becomes.keys() & {*desk.buttons()}:
        with undone():
            assert desk.press(button) == []
            order.refresh_from_db()
            assert order.status == becomes[button]


def test_without_its_buttons_an_order_would_have_none(operator: Client) -> None:
    """The walk finds a state that has no way out."""
    order = parcel_booked()
    deadletters.bury(Step.COMPLETE, {order.pk: RuntimeError("boom")}, stops=True)
    desk = Desk(operator, order)
    desk.buttons = lambda: iter(["discard with the order", "replay"])  # type: ignore[method-assign]
    assert way_out(desk, [Step.COMPLETE]) is None
