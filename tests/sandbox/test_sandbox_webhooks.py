"""What happens outside a call is told by webhook: signed, repeated until heard, never lost."""

from __future__ import annotations

from collections.abc import Callable

from tests.sandbox.conftest import StartPeer
from tests.sandbox.peers import Peer, Receiver, intent

INTENTS = "/v1/payment_intents"
SECRET = "whsec_test"
WITHIN = 15


def authenticate(payments: Peer, outcome: str, capture: str = "automatic") -> str:
    params = intent("pm_card_threeDSecure2Required", capture_method=capture)
    ident = str(payments.post(INTENTS, params).json["id"])
    payments.press(f"/3ds/{ident}", outcome=outcome)
    return ident


def test_the_banks_page_is_told_of(start: StartPeer, receiver: Callable[..., Receiver]) -> None:
    door = receiver(SECRET)
    payments = start("payments", "--webhook-url", door.url, "--webhook-secret", SECRET)
    expected = {}
    for outcome, capture, kind in (
        ("complete", "automatic", "payment_intent.succeeded"),
        ("complete", "manual", "payment_intent.amount_capturable_updated"),
        ("fail", "automatic", "payment_intent.payment_failed"),
    ):
        expected[authenticate(payments, outcome, capture)] = kind
    events = [door.events.get(timeout=WITHIN) for _ in expected]
    assert {event["data"]["object"]["id"]: event["type"] for event in events} == expected
    for event in events:
        assert event["id"].startswith("evt_")
        assert event["data"]["object"]["metadata"] == {"order": "S-1"}


def test_calls_are_not_told_of_unless_wanted(start: StartPeer, receiver: Callable[..., Receiver]) -> None:
    door = receiver(SECRET)
    payments = start("payments", "--webhook-url", door.url, PAYMENTS_WEBHOOK_SECRET=SECRET)
    payments.post(INTENTS, intent())
    ident = authenticate(payments, "complete")
    assert door.events.get(timeout=WITHIN)["data"]["object"]["id"] == ident
    assert door.events.empty()


def test_every_event_is_told_of_when_wanted(start: StartPeer, receiver: Callable[..., Receiver]) -> None:
    door = receiver(SECRET)
    payments = start("payments", "--webhook-url", door.url, "--webhook-secret", SECRET, "--webhook-all")
    paid = payments.post(INTENTS, intent()).json["id"]
    payments.post("/v1/refunds", {"payment_intent": paid})
    payments.post(INTENTS, intent("pm_card_chargeDeclined"))
    held = payments.post(INTENTS, intent(capture_method="manual")).json["id"]
    payments.post(f"{INTENTS}/{held}/cancel")
    assert sorted(door.events.get(timeout=WITHIN)["type"] for _ in range(5)) == [
        "charge.refunded",
        "payment_intent.amount_capturable_updated",
        "payment_intent.canceled",
        "payment_intent.payment_failed",
        "payment_intent.succeeded",
    ]


def test_an_event_is_repeated_until_it_is_heard(start: StartPeer, receiver: Callable[..., Receiver]) -> None:
    door = receiver(SECRET, 500, 404)
    payments = start("payments", "--webhook-url", door.url, "--webhook-secret", SECRET)
    ident = authenticate(payments, "complete")
    assert door.events.get(timeout=WITHIN)["data"]["object"]["id"] == ident
    assert door.attempts == 3


def test_an_event_outlives_the_process(start: StartPeer, receiver: Callable[..., Receiver]) -> None:
    door = receiver(SECRET)
    payments = start("payments", "--webhook-url", "http://127.0.0.1:9/nobody", "--webhook-secret", SECRET)
    ident = authenticate(payments, "complete")
    payments.kill()
    payments.options = ("--webhook-url", door.url, "--webhook-secret", SECRET)
    payments.start()
    assert door.events.get(timeout=WITHIN)["data"]["object"]["id"] == ident


def test_an_event_may_be_sent_twice_and_late(start: StartPeer, receiver: Callable[..., Receiver]) -> None:
    door = receiver(SECRET)
    payments = start("payments", "--webhook-url", door.url, "--webhook-secret", SECRET)
    payments.faults(webhook_repeat_rate=1, webhook_delay_s=0.3)
    authenticate(payments, "complete")
    first, second = (door.events.get(timeout=WITHIN) for _ in range(2))
    assert first == second
