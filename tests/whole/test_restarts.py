"""Every program of ours is restarted, one after the other, while people order: nobody has to ask twice.

`./dev troubles FILE --trouble restarts` does the same for longer (docs/reliability.md).
"""

import asyncio

import pytest
import uvloop

from bench import buyers
from bench.chaos.visitors import PATHS, Visitors
from bench.load import Answer, ShopClient
from stack import rolling
from stack.program import StackError
from tests.conftest import RunningStack
from tests.whole.crowding import restarted

PER_SECOND = 20.0


async def order_during(running: RunningStack, names: list[str]) -> tuple[list[Answer], Visitors]:
    """Orders at that rate while these are restarted; all answers, and what visitors saw."""
    answers: list[Answer] = []

    def restart() -> None:
        assert list(rolling.restart(running.supervisor(), names)) == names

    async with (
        Visitors(running.shop_url) as visitors,
        ShopClient(running.shop_url, 64) as client,
        asyncio.TaskGroup() as group,
    ):

        async def one(number: int) -> None:
            who = buyers.buyer(f"restart-{number}")
            key = f"restart-{id(answers)}-{number}"
            answers.append(await client.buy(buyers.purchase(key, who, {"KI-1010": 1}, buyers.card())))

        restarting = group.create_task(asyncio.to_thread(restart))
        number = 0
        while not restarting.done():
            group.create_task(one(number))
            number += 1
            await asyncio.sleep(1 / PER_SECOND)
    return answers, visitors


@pytest.mark.parametrize("names", [["web"], ["live"], ["nginx"], ["relay", "inventory"]])
def test_a_restart_fails_no_request(stack: RunningStack, names: list[str]) -> None:
    before = stack.processes()
    answers, visitors = uvloop.run(order_during(stack, names))
    assert visitors.failures + visitors.told_later == []
    # nginx cannot end a stream of which it does not know the end: after 20 s it cuts it off, and browsers reopen it.
    cut = [one for one in visitors.broken_off if "nginx" in names and "/live/" in one]
    assert visitors.broken_off == cut
    assert {path for path, served in visitors.served.items() if served} >= set(PATHS)
    assert [answer for answer in answers if not answer.accepted or answer.tries > 1] == []
    assert restarted(before, stack) == set(names)
    for answer in answers[-3:]:
        stack.ended(answer.token, "completed")


def test_while_the_database_restarts_whoever_needs_it_is_told_when_to_come_again(stack: RunningStack) -> None:
    answers, visitors = uvloop.run(order_during(stack, ["postgres"]))
    assert visitors.failures + visitors.broken_off == []
    assert visitors.told_later
    assert [answer for answer in answers if not answer.accepted] == []
    stack.ended(answers[-1].token, "completed")


def test_an_unknown_program_is_refused_before_anything_is_touched(stack: RunningStack) -> None:
    before = stack.processes()
    with pytest.raises(StackError, match="there is no program 'wbe'"):
        list(rolling.restart(stack.supervisor(), ["live", "wbe"]))
    assert restarted(before, stack) == set()
