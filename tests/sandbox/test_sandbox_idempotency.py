"""A key means one effect, whoever repeats it, however often, and whatever was killed in between."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.sandbox.conftest import StartPeer
from tests.sandbox.peers import Answer, Peer, intent, until

INTENTS = "/v1/payment_intents"
ADDRESS = {"name": "Ann", "line1": "1 High St", "city": "Leeds", "postcode": "LS1 1AA", "country": "GB"}
CALLS = [
    pytest.param("payments", INTENTS, intent(), id="payments"),
    pytest.param("sms", "/v1/messages", {"to": "+447700900123", "body": "Hi", "order": "S-1"}, id="sms"),
    pytest.param(
        "carrier",
        "/v1/shipments",
        {"order": "S-1", "address": ADDRESS, "lines": 2, "weight_g": 700},
        id="carrier",
    ),
]


@pytest.mark.parametrize(("module", "path", "params"), CALLS)
def test_same_key_and_parameters_give_the_first_answer(
    start: StartPeer, module: str, path: str, params: dict[str, object]
) -> None:
    peer = start(module)
    first = peer.post(path, params, "k")
    reordered = dict(reversed(params.items()))
    again = peer.post(path, reordered, "k")
    assert (first.replayed, again.replayed) == (False, True)
    assert (again.status, again.body) == (first.status, first.body)
    assert len(peer.entries()) == 1
    assert peer.get(path, key="k").json["data"][0]["id"] == first.json["id"]
    assert peer.get(path, key="other").json["data"] == []


@pytest.mark.parametrize(("module", "path", "params"), CALLS)
def test_same_key_with_other_parameters_is_refused(
    start: StartPeer, module: str, path: str, params: dict[str, object]
) -> None:
    peer = start(module)
    peer.post(path, params, "k")
    other = peer.post(path, {**params, "note": "other"}, "k")
    assert (other.status, other.json["error"]["type"]) == (400, "idempotency_error")
    assert len(peer.entries()) == 1
    assert peer.post(path, params, "k").replayed


@pytest.mark.parametrize(("module", "path", "params"), CALLS)
def test_without_a_key_every_call_counts(
    start: StartPeer, module: str, path: str, params: dict[str, object]
) -> None:
    peer = start(module)
    assert peer.post(path, params).json["id"] != peer.post(path, params).json["id"]
    assert len(peer.entries()) == 2


def test_a_key_belongs_to_one_call(payments: Peer) -> None:
    held = payments.post(INTENTS, intent(capture_method="manual"), "k1").json["id"]
    other = payments.post(f"{INTENTS}/{held}/capture", key="k1")
    assert (other.status, other.json["error"]["type"]) == (400, "idempotency_error")
    first = payments.post(f"{INTENTS}/{held}/capture", key="k2")
    assert payments.post(f"{INTENTS}/{held}/capture", key="k2").body == first.body
    assert len(payments.entries("captured")) == 1


def test_a_repeat_meets_409_while_the_first_still_runs(payments: Peer) -> None:
    payments.faults(slow_s=1)
    both = threading.Barrier(2)

    def pay(_: int) -> Answer:
        both.wait()
        return payments.post(INTENTS, intent("pm_sandbox_slow"), "k")

    with ThreadPoolExecutor(2) as pool:
        paid, conflict = sorted(pool.map(pay, range(2)), key=lambda answer: answer.status)
    assert (paid.status, conflict.status) == (200, 409)
    assert conflict.json["error"]["code"] == "idempotency_key_in_use"
    again = payments.post(INTENTS, intent("pm_sandbox_slow"), "k")
    assert (again.body, again.replayed) == (paid.body, True)
    assert len(payments.entries()) == 1


def test_twenty_at_once_make_one_payment(payments: Peer) -> None:
    together = threading.Barrier(20)

    def pay(_: int) -> tuple[int, bytes]:
        together.wait()
        answer = payments.post(INTENTS, intent(), "k")
        return answer.status, answer.body

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(pay, range(20)))
    assert {status for status, _ in answers} <= {200, 409}
    assert len({body for status, body in answers if status == 200}) == 1
    assert len(payments.entries()) == 1


def test_faults_before_the_work_keep_no_key(payments: Peer) -> None:
    payments.faults(error_rate=1)
    assert payments.post(INTENTS, intent(), "k").status == 500
    payments.faults(error_rate=0, throttle_rate=1)
    turned_away = payments.post(INTENTS, intent(), "k")
    assert (turned_away.status, turned_away.headers["retry-after"]) == (429, "1")
    payments.faults(throttle_rate=0)
    assert payments.entries() == []
    answer = payments.post(INTENTS, intent(), "k")
    assert (answer.status, answer.replayed) == (200, False)


def test_a_lost_answer_is_found_again_by_its_key(payments: Peer) -> None:
    payments.faults(lose_answer_rate=1)
    with pytest.raises(ConnectionError):
        payments.post(INTENTS, intent(), "k")
    payments.faults(lose_answer_rate=0)
    assert payments.post(INTENTS, intent(), "k").replayed
    assert len(payments.entries()) == 1


def test_a_late_answer_has_done_its_work_and_leaves_the_key_free(payments: Peer) -> None:
    payments.faults(late_answer_rate=1, late_answer_s=3)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(payments.post, INTENTS, intent(), "k")
        until(lambda: payments.entries(), "the work to be done")
        assert not waiting.done()
        payments.faults(late_answer_rate=0)
        assert payments.post(INTENTS, intent(), "k").replayed
        assert not waiting.done()
        assert waiting.result().status == 200
    assert len(payments.entries()) == 1


def test_bad_keys_and_bodies_are_refused(sms: Peer) -> None:
    assert sms.post("/v1/messages", {"to": "+447700900123", "body": "Hi"}, "k" * 256).status == 400
    for body in (b"{", b"[]", b"17"):
        assert sms.request("POST", "/v1/messages", body, {"Idempotency-Key": "k"}).status == 400
    assert sms.entries() == []


def test_every_answered_payment_survives_kill_9_exactly_once(payments: Peer) -> None:
    """Eight clients pay and repeat until answered, while the provider is killed five times under them."""
    answered: dict[str, str] = {}
    done = threading.Event()

    def keep_paying(client: int) -> None:
        number = 0
        while not done.is_set():
            number += 1
            key = uuid.uuid4().hex
            while True:  # as a shop does: the same call under the same key until there is an answer
                try:
                    answer = payments.post(INTENTS, intent(order=f"S-{client}-{number}"), key)
                except OSError:
                    if done.is_set():
                        break
                    continue
                assert answer.status == 200, answer.body
                answered[key] = answer.json["id"]
                break

    with ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(keep_paying, client) for client in range(8)]
        try:
            for _ in range(5):
                until(partial(_has, answered, len(answered) + 150), "150 more payments")
                payments.kill()
                payments.start()
        finally:
            done.set()
        for client in clients:
            client.result()

    entries = payments.entries("captured")
    refs = {entry["key"]: entry["ref"] for entry in entries}
    assert len(refs) == len(entries), "a key was charged twice"
    assert {key: refs.get(key) for key in answered} == answered
    assert len({entry["order"] for entry in entries}) == len(entries)
    sample = next(iter(answered))
    assert payments.get(INTENTS, key=sample).json["data"][0]["id"] == answered[sample]


def _has(answered: dict[str, str], count: int) -> bool:
    return len(answered) >= count
