"""What people in the provider's dashboard and banks do to a charge: refunds by hand and disputes, told by webhook."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.sandbox.conftest import StartPeer
from tests.sandbox.peers import Peer, Receiver, intent

INTENTS, DISPUTES = "/v1/payment_intents", "/dashboard/disputes"
SECRET = "whsec_test"
WITHIN = 15


def paid(payments: Peer) -> str:
    return str(payments.post(INTENTS, intent()).json["id"])


def entered(payments: Peer, charge: str) -> list[tuple[str, int]]:
    """What the ledger has of a charge."""
    entries = payments.get("/ledger").json["entries"]
    return [(entry["kind"], entry["amount"]) for entry in entries if entry["ref"] == charge]


@pytest.mark.parametrize(("status", "left"), [("won", 2599), ("lost", 1599)])
def test_what_is_disputed_is_gone_until_it_is_won(payments: Peer, status: str, left: int) -> None:
    charge = paid(payments)
    dispute = payments.post(DISPUTES, {"payment_intent": charge, "amount": 1000}).json
    assert (dispute["status"], dispute["amount"], dispute["payment_intent"]) == (
        "needs_response",
        1000,
        charge,
    )
    refused = payments.post("/v1/refunds", {"payment_intent": charge, "amount": 1600})
    assert refused.status == 400
    assert "1000 is disputed" in refused.json["error"]["message"]

    assert payments.post(f"{DISPUTES}/{dispute['id']}", {"status": status}).json["status"] == status
    assert payments.post("/v1/refunds", {"payment_intent": charge}).json["amount"] == left
    assert entered(payments, charge)[1:3] == [("disputed", 1000), (f"dispute_{status}", 1000)]
    assert payments.post(f"{DISPUTES}/{dispute['id']}", {"status": "won"}).status == 400


def test_an_inquiry_moves_no_money_until_it_is_a_dispute(payments: Peer) -> None:
    charge = paid(payments)
    asked = payments.post(DISPUTES, {"payment_intent": charge, "inquiry": True}).json
    assert asked["status"] == "warning_needs_response"
    assert len(entered(payments, charge)) == 1
    payments.post(f"{DISPUTES}/{asked['id']}", {"status": "needs_response"})
    assert entered(payments, charge)[1] == ("disputed", 2599)


def test_they_are_listed_newest_first_by_charge_and_all_together(payments: Peer) -> None:
    charges = [paid(payments) for _ in range(2)]
    for path, listed in ((DISPUTES, "/v1/disputes"), ("/dashboard/refunds", "/v1/refunds")):
        made = [
            payments.post(path, {"payment_intent": charge, "amount": 5}).json["id"] for charge in charges * 2
        ]
        assert [one["id"] for one in payments.get(listed).json["data"]] == made[::-1]
        of_one = payments.get(listed, payment_intent=charges[0]).json["data"]
        assert [one["id"] for one in of_one] == [made[2], made[0]]
        page = payments.get(listed, limit="3", starting_after=made[3]).json
        assert ([one["id"] for one in page["data"]], page["has_more"]) == (made[2::-1], False)


def test_nothing_is_disputed_that_is_not_there(payments: Peer) -> None:
    charge = paid(payments)
    assert payments.post(DISPUTES, {"payment_intent": "pi_never"}).status == 404
    assert payments.post(DISPUTES, {"payment_intent": charge, "amount": 2600}).status == 400
    assert payments.post(f"{DISPUTES}/dp_never", {"status": "won"}).status == 404


def test_the_merchant_is_told_of_it(start: StartPeer, receiver: Callable[..., Receiver]) -> None:
    door = receiver(SECRET)
    payments = start("payments", "--webhook-url", door.url, "--webhook-secret", SECRET)
    charge = paid(payments)
    dispute = payments.post(DISPUTES, {"payment_intent": charge, "amount": 5}).json["id"]
    payments.post(f"{DISPUTES}/{dispute}", {"status": "lost"})
    payments.post("/dashboard/refunds", {"payment_intent": charge, "amount": 5})
    events = [door.events.get(timeout=WITHIN) for _ in range(3)]
    assert sorted(event["type"] for event in events) == [
        "charge.dispute.closed",
        "charge.dispute.created",
        "charge.refunded",
    ]
    assert all(
        charge in (event["data"]["object"].get("payment_intent"), event["data"]["object"]["id"])
        for event in events
    )
