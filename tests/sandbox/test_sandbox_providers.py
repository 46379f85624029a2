"""The SMS gateway, the carrier, and what all providers share: ledger pages, faults, start and stop."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.sandbox.conftest import StartPeer
from tests.sandbox.peers import ROOT, Peer, intent, until

ADDRESS = {"name": "Ann <b>", "line1": "1 High St", "city": "Leeds", "postcode": "LS1 1AA", "country": "GB"}
SHIPMENT = {"order": "S-1", "address": ADDRESS, "lines": 2, "weight_g": 700}


def test_a_message_is_sent_and_found(sms: Peer) -> None:
    sent = sms.post(
        "/v1/messages", {"to": "+44 7700 900123", "body": "Your order is on its way", "order": "S-1"}, "k"
    )
    assert (sent.status, sent.json["status"]) == (201, "sent")
    (entry,) = sms.entries()
    assert [entry[name] for name in ("kind", "key", "ref", "order", "to")] == [
        "sent", "k", sent.json["id"], "S-1", "+44 7700 900123",
    ]  # fmt: skip
    hits: list[dict[str, object]] = [
        {"order": "S-1"},
        {"q": "on its WAY"},
        {"to": "+44 7700 900123"},
        {"before": time.time() + 1},
    ]
    for query in hits:
        assert [one["id"] for one in sms.get("/v1/messages", **query).json["data"]] == [sent.json["id"]]
    misses: list[dict[str, object]] = [{"order": "S-2"}, {"q": "nothing"}, {"before": 1}]
    for query in misses:
        assert sms.get("/v1/messages", **query).json["data"] == []
    assert sms.get(f"/v1/messages/{sent.json['id']}").json["body"] == "Your order is on its way"


@pytest.mark.parametrize("number", ["", "no number", "12", "+15005550001", 447700900123])
def test_a_bad_number_is_refused(sms: Peer, number: object) -> None:
    answer = sms.post("/v1/messages", {"to": number, "body": "Hi", "order": "S-1"}, "k")
    assert (answer.status, answer.json["error"]["param"], sms.entries()) == (400, "to", [])


def test_a_parcel_is_booked_and_can_be_followed(carrier: Peer) -> None:
    booked = carrier.post("/v1/shipments", SHIPMENT, "k")
    parcel = booked.json
    assert booked.status == 201
    assert (carrier.entries()[0]["kind"], carrier.entries()[0]["ref"]) == ("booked", parcel["id"])
    page = carrier.get(parcel["tracking_url"].removeprefix(carrier.url))
    assert page.status == 200
    assert parcel["tracking_number"].encode() in page.body
    assert b"Ann" not in page.body, "whoever has the number need not learn who gets the parcel"
    assert carrier.get("/track/PS0").status == 404


@pytest.mark.parametrize("missing", ["name", "city", "postcode", "country"])
def test_a_parcel_needs_an_address(carrier: Peer, missing: str) -> None:
    params = {**SHIPMENT, "address": {**ADDRESS, missing: " "}}
    answer = carrier.post("/v1/shipments", params, "k")
    assert (answer.status, answer.json["error"]["param"]) == (400, missing)


def test_a_parcel_goes_to_countries_without_postcodes(carrier: Peer) -> None:
    params = {**SHIPMENT, "address": {**ADDRESS, "postcode": "", "country": "HK"}}
    assert carrier.post("/v1/shipments", params, "k").status == 201


def test_the_ledger_is_read_page_by_page(sms: Peer) -> None:
    for number in range(5):
        sms.post("/v1/messages", {"to": "+447700900123", "body": "Hi", "order": f"S-{number}"})
    first = sms.get("/ledger", limit=3).json
    rest = sms.get("/ledger", limit=3, after=first["next"]).json
    assert [entry["order"] for entry in first["entries"] + rest["entries"]] == [f"S-{i}" for i in range(5)]
    assert sms.get("/ledger", after=rest["next"]).json == {"entries": [], "next": rest["next"]}
    assert sms.get("/ledger", after="x").status == 400
    assert sms.get("/ledger", limit=0).status == 400


def test_faults_are_read_from_the_environment_and_set_at_run_time(start: StartPeer) -> None:
    sms = start("sms", SANDBOX_LATENCY_MS="200", SANDBOX_ERROR_RATE="0.5")
    shown = sms.get("/faults").json
    assert (shown["latency_ms"], shown["error_rate"], shown["down"]) == (200, 0.5, False)
    assert sms.faults(error_rate=0)["error_rate"] == 0
    began = time.monotonic()
    assert sms.post("/v1/messages", {"to": "+447700900123", "body": "Hi", "order": "S-1"}).status == 201
    assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize(
    "wrong",
    [{"error_rate": 2}, {"latency_ms": -1}, {"down": 1}, {"unheard_of": 1}, {"jitter_ms": "much"}, []],
)
def test_a_wrong_fault_changes_nothing(sms: Peer, wrong: object) -> None:
    before = sms.get("/faults").json
    changes = (
        {"latency_ms": 5000, **wrong} if isinstance(wrong, dict) and "latency_ms" not in wrong else wrong
    )
    body = [] if wrong == [] else changes
    assert sms.post("/faults", body or [1]).status == 400
    assert sms.get("/faults").json == before


def test_down_cuts_every_call_and_leaves_the_laboratory_open(payments: Peer) -> None:
    payments.faults(down=True)
    with pytest.raises(ConnectionError):
        payments.post("/v1/payment_intents", intent(), "k")
    assert payments.get("/health").json == {"ok": True}
    payments.faults(down=False)
    assert payments.post("/v1/payment_intents", intent(), "k").status == 200


def test_it_stops_when_told_with_a_call_under_way(payments: Peer) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(payments.post, "/v1/payment_intents", intent("pm_sandbox_timeout"), "k")
        until(payments.entries, "the payment to be made and its caller to wait")
        began = time.monotonic()
        assert payments.stop() == 0
        assert time.monotonic() - began < 5
        with pytest.raises(ConnectionError):
            waiting.result()
    payments.start()
    assert payments.post("/v1/payment_intents", intent("pm_sandbox_timeout"), "k").replayed


def test_a_ledger_has_one_owner(sms: Peer) -> None:
    command = [sys.executable, "-m", "sandbox.sms", "--port", "0", "--ledger", str(sms.ledger)]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 1
    assert "held by another process" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_busy_port_is_named(sms: Peer) -> None:
    command = [sys.executable, "-m", "sandbox.carrier", "--port", str(sms.port)]
    command += ["--ledger", str(sms.ledger.with_name("other.db"))]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 1
    assert f"127.0.0.1:{sms.port}" in second.stderr
    assert "Traceback" not in second.stderr


def test_webhooks_need_a_secret(sms: Peer) -> None:
    command = [sys.executable, "-m", "sandbox.payments", "--port", "0", "--ledger", str(sms.ledger)]
    command += ["--webhook-url", "http://127.0.0.1:1/"]
    refused = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False, env={"PATH": ""}
    )
    assert refused.returncode == 2
    assert "--webhook-secret" in refused.stderr
