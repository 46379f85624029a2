"""Each test card does what its name says."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.sandbox.peers import Peer, intent, until

INTENTS = "/v1/payment_intents"


def test_visa_pays_at_once(payments: Peer) -> None:
    answer = payments.post(INTENTS, intent(), "k")
    paid = answer.json
    assert answer.status == 200
    assert (paid["status"], paid["amount_received"], paid["next_action"]) == ("succeeded", 2599, None)
    (entry,) = payments.entries()
    assert (entry["kind"], entry["key"], entry["ref"], entry["order"]) == ("captured", "k", paid["id"], "S-1")
    assert (entry["amount"], entry["currency"]) == (2599, "GBP")


def test_visa_authorises_then_captures(payments: Peer) -> None:
    held = payments.post(INTENTS, intent(capture_method="manual"), "k1").json
    assert (held["status"], held["amount_received"], held["amount_capturable"]) == (
        "requires_capture",
        0,
        2599,
    )
    taken = payments.post(f"{INTENTS}/{held['id']}/capture", key="k2").json
    assert (taken["status"], taken["amount_received"], taken["amount_capturable"]) == ("succeeded", 2599, 0)
    assert [entry["kind"] for entry in payments.entries()] == ["authorised", "captured"]


def test_cancelling_releases_what_is_held(payments: Peer) -> None:
    held = payments.post(INTENTS, intent(capture_method="manual"), "k1").json
    cancelled = payments.post(f"{INTENTS}/{held['id']}/cancel", key="k2").json
    assert cancelled["status"] == "canceled"
    assert [entry["kind"] for entry in payments.entries()] == ["authorised", "voided"]
    refused = payments.post(f"{INTENTS}/{held['id']}/capture", key="k3")
    assert (refused.status, refused.json["error"]["code"]) == (400, "payment_intent_unexpected_state")


def test_refunds_give_back_no_more_than_was_taken(payments: Peer) -> None:
    paid = payments.post(INTENTS, intent(), "k1").json["id"]
    refund = payments.post("/v1/refunds", {"payment_intent": paid, "amount": 599}, "k2").json
    assert (refund["status"], refund["amount"], refund["payment_intent"]) == ("succeeded", 599, paid)
    too_much = payments.post("/v1/refunds", {"payment_intent": paid, "amount": 2001}, "k3")
    assert (too_much.status, too_much.json["error"]["code"]) == (400, "amount_too_large")
    assert payments.post("/v1/refunds", {"payment_intent": paid}, "k4").json["amount"] == 2000
    nothing_left = payments.post("/v1/refunds", {"payment_intent": paid}, "k5")
    assert nothing_left.json["error"]["code"] == "charge_already_refunded"
    assert payments.get(f"{INTENTS}/{paid}").json["amount_refunded"] == 2599
    entries = payments.entries("refunded")
    assert [(entry["amount"], entry["ref"]) for entry in entries] == [(599, paid), (2000, paid)]
    assert entries[0]["object"] == refund["id"]


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("pm_card_chargeDeclined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
    ],
)
def test_declined_cards_take_nothing(payments: Peer, token: str, code: str) -> None:
    answer = payments.post(INTENTS, intent(token), "k")
    error = answer.json["error"]
    assert answer.status == 402
    assert (error["type"], error["code"], error["decline_code"]) == ("card_error", "card_declined", code)
    assert error["payment_intent"]["status"] == "requires_payment_method"
    assert error["payment_intent"]["last_payment_error"]["decline_code"] == code
    assert [entry["kind"] for entry in payments.entries()] == ["declined"]
    again = payments.post(INTENTS, intent(token), "k")
    assert (again.status, again.body, again.replayed) == (402, answer.body, True)


@pytest.mark.parametrize(
    ("capture", "outcome", "status", "kind"),
    [
        ("automatic", "complete", "succeeded", "captured"),
        ("manual", "complete", "requires_capture", "authorised"),
        ("automatic", "fail", "requires_payment_method", "declined"),
    ],
)
def test_three_d_secure_is_settled_on_the_banks_page(
    payments: Peer, capture: str, outcome: str, status: str, kind: str
) -> None:
    back = "http://shop.example/orders/abc?tab=live"
    params = intent("pm_card_threeDSecure2Required", capture_method=capture, return_url=back)
    waiting = payments.post(INTENTS, params, "k").json
    assert (waiting["status"], payments.entries()) == ("requires_action", [])
    url = waiting["next_action"]["redirect_to_url"]["url"]
    path = url.removeprefix(payments.url)
    page = payments.get(path)
    assert (page.status, b"25.99" in page.body, b"S-1" in page.body) == (200, True, True)
    assert "http://shop.example" in page.headers["content-security-policy"]
    pressed = payments.press(path, outcome=outcome)
    result = "succeeded" if outcome == "complete" else "failed"
    assert pressed.status == 303
    assert pressed.headers["location"] == f"{back}&payment_intent={waiting['id']}&redirect_status={result}"
    assert payments.get(f"{INTENTS}/{waiting['id']}").json["status"] == status
    payments.press(path, outcome="complete" if outcome == "fail" else "fail")
    assert [(entry["kind"], entry["key"]) for entry in payments.entries()] == [(kind, "k")]


def test_an_unconfirmed_payment_can_be_cancelled(payments: Peer) -> None:
    waiting = payments.post(INTENTS, intent("pm_card_threeDSecure2Required"), "k1").json
    assert payments.post(f"{INTENTS}/{waiting['id']}/cancel", key="k2").json["status"] == "canceled"
    payments.press(f"/3ds/{waiting['id']}", outcome="complete")
    assert payments.entries() == []


def test_timeout_does_the_work_and_leaves_the_caller_waiting(payments: Peer) -> None:
    payments.faults(timeout_s=3)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(payments.post, INTENTS, intent("pm_sandbox_timeout"), "k")
        (found,) = until(
            lambda: payments.get(INTENTS, key="k").json["data"], "the work to be found by its key"
        )
        repeat = payments.post(INTENTS, intent("pm_sandbox_timeout"), "k")
        assert not first.done()
        assert (found["status"], repeat.json["id"], repeat.replayed) == ("succeeded", found["id"], True)
        assert first.result().body == repeat.body
    assert len(payments.entries("captured")) == 1


def test_flaky_turns_two_calls_away_and_then_pays(payments: Peer) -> None:
    for _ in range(2):
        answer = payments.post(INTENTS, intent("pm_sandbox_flaky"), "k")
        assert (answer.status, answer.headers["retry-after"], payments.entries()) == (503, "1", [])
    assert payments.post(INTENTS, intent("pm_sandbox_flaky"), "k").json["status"] == "succeeded"
    assert payments.post(INTENTS, intent("pm_sandbox_flaky"), "k").replayed
    assert len(payments.entries()) == 1


def test_slow_pays_after_a_while_and_replays_at_once(payments: Peer) -> None:
    payments.faults(slow_s=0.5)
    began = time.monotonic()
    assert payments.post(INTENTS, intent("pm_sandbox_slow"), "k").json["status"] == "succeeded"
    assert time.monotonic() - began >= 0.5
    payments.faults(slow_s=60)
    assert payments.post(INTENTS, intent("pm_sandbox_slow"), "k").replayed


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"payment_method": "pm_card_unheard_of"}, "payment_method"),
        ({"amount": 0}, "amount"),
        ({"amount": 25.99}, "amount"),
        ({"amount": True}, "amount"),
        ({"currency": "pounds"}, "currency"),
        ({"capture_method": "later"}, "capture_method"),
        ({"metadata": {"order": 17}}, "metadata"),
        ({"return_url": "javascript:alert(1)"}, "return_url"),
        ({"return_url": "//shop.example"}, "return_url"),
    ],
)
def test_what_is_wrong_is_named_and_costs_no_key(
    payments: Peer, changes: dict[str, object], param: str
) -> None:
    answer = payments.post(INTENTS, {**intent(), **changes}, "k")
    assert (answer.status, answer.json["error"]["param"]) == (400, param)
    if param == "payment_method":
        assert answer.json["error"]["message"].startswith("No such payment_method")
    assert payments.post(INTENTS, intent(), "k").status == 200


def test_intents_are_listed_newest_first(payments: Peer) -> None:
    made = [payments.post(INTENTS, intent(order=f"S-{i}")).json["id"] for i in range(5)]
    first = payments.get(INTENTS, limit=3).json
    rest = payments.get(INTENTS, limit=3, starting_after=first["data"][-1]["id"]).json
    assert [one["id"] for one in first["data"] + rest["data"]] == made[::-1]
    assert (first["has_more"], rest["has_more"]) == (True, False)
    assert payments.get(f"{INTENTS}/pi_nothing").status == 404
