"""Valkey hangs: its sockets stay open and it says nothing. Clicks never touch it, and all else waits and goes on."""

from typing import Any

from tests.conftest import House, get
from tests.freezing import frozen
from tests.waiting import wait_for
from tests.whole.crowding import all_complete, crowd, page, restarted

SOON = 5.0  # seconds for a click on a busy machine; whoever waited for Valkey would take longer


def live(house: House) -> dict[str, Any]:
    found: dict[str, Any] = get(f"{house.stack.url('live')}/healthz")
    return found


def test_clicks_go_on_and_so_does_the_rest_when_it_is_back(stack: House) -> None:
    before = stack.processes()
    with crowd(stack) as shoppers:
        shoppers.until_placed(20)
        with frozen(stack.pid("valkey")):
            shoppers.until_placed(20)
            # Longer than any timeout of those who talk to it: each has noticed.
            wait_for(lambda: not live(stack)["subscribed"] or None, "the live pages to fall back to asking")
            shoppers.until_placed(20)
            order = stack.order(shoppers.placed()[-1].body["token"])
            assert page(stack, f"/orders/{shoppers.placed()[-1].body['token']}/")[0] == 200
            assert order["status"] == "placed"
        wait_for(lambda: live(stack)["subscribed"] or None, "the live pages to listen again")
    assert not shoppers.refused()
    assert max(answer.seconds for answer in shoppers.answers) < SOON
    all_complete(stack, shoppers.placed())
    assert restarted(before, stack) == set()
    stack.audit()
