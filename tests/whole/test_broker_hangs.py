"""Valkey hangs: its sockets stay open and it says nothing. Clicks never touch it, and all else waits and goes on."""

import uuid
from typing import Any

from tests.conftest import RunningStack, get
from tests.freezing import frozen
from tests.waiting import wait_for
from tests.whole.crowding import all_complete, page, place, restarted

SOON = 5.0  # seconds for a click on a busy machine; whoever waited for Valkey would take longer


def live(running: RunningStack) -> dict[str, Any]:
    found: dict[str, Any] = get(f"{running.stack.url('live')}/healthz")
    return found


def test_clicks_go_on_and_so_does_the_rest_when_it_is_back(stack: RunningStack) -> None:
    before = stack.processes()
    placed = [place(stack, str(uuid.uuid4())) for _ in range(20)]
    with frozen(stack.pid("valkey")):
        placed += [place(stack, str(uuid.uuid4())) for _ in range(10)]
        # As long as the timeouts of those who talk to it: each has noticed by then.
        wait_for(lambda: not live(stack)["subscribed"] or None, "the live pages to fall back to asking")
        placed += [place(stack, str(uuid.uuid4())) for _ in range(10)]
        token = placed[-1].body["token"]
        assert stack.order(token)["status"] == "placed"
        assert page(stack, f"/orders/{token}/")[0] == 200
    assert {answer.status for answer in placed} == {201}
    assert max(answer.seconds for answer in placed) < SOON
    all_complete(stack, placed)
    wait_for(lambda: live(stack)["subscribed"] or None, "the live pages to listen again")
    assert restarted(before, stack) == set()
    stack.audit()
