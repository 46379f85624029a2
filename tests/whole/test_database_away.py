"""The database is killed, stopped or hangs: what was answered 201 is there, everybody else is told to come again, and
the stack recovers without a restart of anything."""

import http.client
import os
import signal
import uuid
from contextlib import closing, suppress
from typing import Any
from urllib.parse import urlsplit

import psutil

from tests.conftest import RunningStack
from tests.freezing import frozen
from tests.waiting import wait_for
from tests.whole.crowding import Answer, all_complete, crowd, page, place, restarted

KILLS = 3
# The limit of a statement, its grace and a new connection's timeout, on a busy machine.
SOON = 12.0


def kill(pid: int) -> None:
    """As a power cut does: the server and all its sessions at once."""
    parent = psutil.Process(pid)
    for process in (parent, *parent.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            os.kill(process.pid, signal.SIGKILL)


def back(running: RunningStack) -> None:
    """Wait until the process manager has started the database again, and it answers."""

    def answers() -> bool | None:
        try:
            return bool(running.sql("SELECT 1"))
        except Exception:
            return None

    wait_for(answers, "the database to be back")


# Whoever sends an order again may meet his first try, which a hanging database still had in hand.
CLEAR = {503: "/api/problems/temporarily-unavailable/", 409: "/api/problems/request-in-progress/"}


def unclear(answers: list[Answer]) -> list[tuple[int, dict[str, Any]]]:
    """Those that are neither an order nor a problem that says when to come again."""
    return [(answer.status, answer.body) for answer in answers if not is_clear(answer)]


def is_clear(answer: Answer) -> bool:
    if answer.status == 201:
        return True
    return (
        answer.status in CLEAR
        and answer.headers["Content-Type"] == "application/problem+json"
        and int(answer.headers["Retry-After"]) > 0
        and answer.body["type"].endswith(CLEAR[answer.status])
    )


def test_a_database_that_is_killed_again_and_again_loses_nothing(stack: RunningStack) -> None:
    before = stack.processes()
    with crowd(stack) as shoppers:
        for _ in range(KILLS):
            shoppers.until_placed(30)
            kill(stack.pid("postgres"))
            back(stack)
        shoppers.until_placed(30)
    assert unclear(shoppers.answers) == []
    all_complete(stack, shoppers.placed())
    # One key, one order, also when the first answer was lost with the database.
    keys = [answer.key for answer in shoppers.placed()]
    [(orders,)] = stack.sql("SELECT count(*) FROM orders_order WHERE idempotency_key = ANY(%s)", keys)
    assert orders == len(keys)
    assert restarted(before, stack) == {"postgres"}
    stack.audit()


def test_while_it_is_stopped_everybody_is_told_and_then_all_goes_on(stack: RunningStack) -> None:
    before = stack.processes()
    with crowd(stack) as shoppers:
        shoppers.until_placed(10)
        with stack.without("postgres"):
            shoppers.until_refused(10)
            status, said = page(stack, f"/?{uuid.uuid4()}")  # nginx has kept pages that somebody has seen
            assert (status, "We are with you in a moment" in said) == (503, True)
            assert page(stack, "/livez")[0] == 200
            assert page(stack, "/healthz")[0] == 503
        shoppers.until_placed(10)
    assert unclear(shoppers.answers) == []
    all_complete(stack, shoppers.placed())
    assert restarted(before, stack) == {"postgres"}


def test_while_it_hangs_nobody_waits_for_long_and_then_all_goes_on(stack: RunningStack) -> None:
    before = stack.processes()
    with crowd(stack) as shoppers:
        shoppers.until_placed(10)
        with frozen(stack.pid("postgres")):
            shoppers.until_refused(50)
            assert page(stack, "/livez")[0] == 200
        shoppers.until_placed(20)
    assert unclear(shoppers.answers) == []
    assert max(answer.seconds for answer in shoppers.answers) < SOON
    all_complete(stack, shoppers.placed())
    assert restarted(before, stack) == set()
    stack.audit()


def test_an_order_whose_answer_was_lost_is_found_by_pressing_again(stack: RunningStack) -> None:
    """The database hangs after the order has left the web process, and carries it out when it goes on."""
    key = str(uuid.uuid4())
    with frozen(stack.pid("postgres")):
        first = place(stack, key)
    assert is_clear(first)
    assert first.status == 503
    again = [place(stack, key) for _ in range(2)]
    assert {answer.status for answer in again} == {201}
    assert len({answer.body["token"] for answer in again}) == 1
    all_complete(stack, again)


def test_the_live_page_goes_on_after_the_database_hung(stack: RunningStack) -> None:
    placed = stack.place(card="pm_card_threeDSecure2Required")
    stream = http.client.HTTPConnection(urlsplit(stack.shop_url).netloc, timeout=60)
    with closing(stream):
        with frozen(stack.pid("postgres")):
            stream.request("GET", f"/live/orders/{placed['token']}")
            with stream.getresponse() as answer:
                assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
                answer.read()
        stream.request("GET", f"/live/orders/{placed['token']}")
        assert stream.getresponse().status == 200


def test_whoever_starts_before_the_database_waits_for_it(stack: RunningStack) -> None:
    """After a power cut everything starts at once, and the database has its crash to recover from."""
    early = ("web", "live", "relay", "inventory")
    with stack.without("postgres"):
        for name in early:
            stack.stop(name)
        for name in early:
            stack.start(name, wait=False)
        wait_for(lambda: page(stack, "/livez")[0] == 200 or None, "the web process to be up")
        assert place(stack, str(uuid.uuid4())).status == 503
        started = stack.processes()
    all_complete(stack, [place(stack, str(uuid.uuid4()))])
    assert restarted(started, stack) == set()
