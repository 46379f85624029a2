"""A pool that grows while there is work for it (`--autoscale`), as the one for videos does, on our transport."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from orders.crashpoints import Point
from orders.scheduling import claim
from orders.workflow import Step
from stack.layout import ROOT
from tests.chaos.dying import arm, environment, hits
from tests.making import place_order, stock
from tests.waiting import wait_for
from workers.celery import app
from workers.tasks import STEP_TASKS

reserve = STEP_TASKS[Step.RESERVE]

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "growing@here"
# As long as a step's time limit allows: nobody waits for it, the worker is ended with what it has in hand.
STALL = 20


@contextmanager
def node(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A node that serves the first queue of an order with one process, or two where there is work."""
    served = (
        "-Q",
        "inventory",
        "--autoscale",
        "2,1",
        "--pool",
        "prefork",
        "--without-mingle",
        "--without-gossip",
    )
    briefly = ("--", "worker.soft_shutdown_timeout=1")
    with (folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "stack.celery_node", "worker"),
                "-n",
                NAME,
                "-l",
                "INFO",
                *served,
                *briefly,
            ],
            cwd=ROOT,
            env=environment(folder),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait(timeout=60)


def stats() -> dict[str, Any] | None:
    answered: Any = app.control.inspect(destination=[NAME], timeout=2).stats()
    return answered[NAME] if answered else None


def processes() -> int:
    found = stats()
    return len(found["pool"]["processes"]) if found else 0


def two_at_once(folder: Path) -> None:
    """Dispatch two orders that each hold up their process, and see both in hand at the same time."""
    stock(KETTLE=10)
    for _ in range(2):
        place_order()
    for number, order in enumerate(claim(2), start=1):
        arm(folder, Point.TASK_BEGINS, f"stall {STALL}")
        reserve.delay([order.order_id])
        _wait_for_hits(folder, number)
    first, second = hits(folder)
    assert first["pid"] != second["pid"]
    assert processes() == 2


def _wait_for_hits(folder: Path, count: int) -> None:
    wait_for(lambda: len(hits(folder)) == count or None, f"{count} processes that have taken an order")


def test_it_grows_when_there_is_more_work_than_processes(broker: redis.Redis, tmp_path: Path) -> None:
    with node(tmp_path):
        found = wait_for(stats, "the node")
        assert (len(found["pool"]["processes"]), found["prefetch_count"]) == (1, 2)
        two_at_once(tmp_path)


def connections(broker: redis.Redis, process: subprocess.Popen[bytes]) -> dict[str, str]:
    """The broker's clients that are this node's main process: their ids, by address."""
    ports = {one.laddr.port for one in psutil.Process(process.pid).net_connections("tcp")}
    return {
        client["addr"]: client["id"]
        for client in broker.client_list()
        if int(client["addr"].rpartition(":")[2]) in ports
    }


def test_it_still_grows_after_it_lost_the_broker_while_it_was_idle(
    broker: redis.Redis, tmp_path: Path
) -> None:
    with node(tmp_path) as process:
        wait_for(stats, "the node")
        known = connections(broker, process)
        for number in known.values():
            broker.client_kill_filter(_id=number)
        wait_for(
            lambda: connections(broker, process).keys() - known.keys() or None, "the node's new connections"
        )
        wait_for(stats, "the node, back at its work")
        two_at_once(tmp_path)
