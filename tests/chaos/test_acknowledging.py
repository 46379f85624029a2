"""When a message is acknowledged, and what becomes of those of a node that died: shown by real workers."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
import redis
from django.db import connection

from orders.crashpoints import Point
from orders.inventory import reserve
from orders.scheduling import claim
from stack.layout import ROOT
from stack.running import wait_ended
from tests.chaos.dying import arm, environment, hits
from tests.making import place_order, stock
from tests.servers import Servers
from tests.taking import take
from tests.waiting import PATIENCE, wait_for
from workers.adapters.unacked import take_over
from workers.relay.duties import Relay

pytestmark = pytest.mark.django_db(transaction=True)

# Long enough for an acknowledgement that comes too early to be seen before the work is done.
WORK_SECONDS = 2
NODE = (sys.executable, "-P", "-m", "stack.celery_node", "worker")


@contextmanager
def node(folder: Path, name: str = "acknowledging") -> Iterator[subprocess.Popen[bytes]]:
    """A node that serves the first queue of an order; its tokens lie in the folder."""
    served = ("-Q", "inventory", "-c", "1", "--pool", "prefork", "--without-mingle", "--without-gossip")
    with (folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [*NODE, "-n", f"{name}@here", "-l", "INFO", *served],
            cwd=ROOT,
            env=environment(folder),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


@pytest.fixture
def worker(broker: redis.Redis, tmp_path: Path) -> Iterator[Path]:
    with node(tmp_path):
        yield tmp_path


def test_a_message_is_acknowledged_after_the_work(worker: Path) -> None:
    stock(KETTLE=1)
    arm(worker, Point.TASK_BEGINS, f"stall {WORK_SECONDS}")
    arm(worker, Point.TASK_AFTER_PUBLISH, "stall 0")
    arm(worker, Point.TASK_BEFORE_ACK, "stall 0")
    order = place_order()
    Relay().run_once()
    found = wait_for(lambda: seen if len(seen := hits(worker)) == 3 else None, "the step to be acknowledged")
    assert [hit["point"] for hit in found] == [
        Point.TASK_BEGINS,
        Point.TASK_AFTER_PUBLISH,
        Point.TASK_BEFORE_ACK,
    ]
    assert [hit["orders"] for hit in found] == [[order.pk]] * 3
    assert found[0]["pid"] != found[2]["pid"]  # the child works, the main process acknowledges


def test_who_starts_under_its_name_takes_over_what_a_dead_node_had_in_hand(
    broker: redis.Redis, tmp_path: Path
) -> None:
    stock(KETTLE=1)
    order = place_order()
    with node(tmp_path) as process:
        # The main process, and its child before it has done anything, should it outlive it for long enough.
        arm(tmp_path, Point.TASK_BEGINS, "kill-parent")
        arm(tmp_path, Point.RESERVE_BEFORE_COMMIT)
        Relay().run_once()
        wait_for(process.poll, "the node to die")
        with suppress(psutil.NoSuchProcess):
            wait_ended([psutil.Process(hits(tmp_path)[0]["pid"])], PATIENCE)
        (tmp_path / Point.RESERVE_BEFORE_COMMIT.value).unlink(missing_ok=True)
    order.refresh_from_db()
    assert (order.status, order.attempts) == ("placed", 1)
    assert order.due_at is not None
    lease = order.due_at
    with node(tmp_path, "another"):
        wait_for(
            lambda: b"another@here ready" in (tmp_path / "worker.log").read_bytes() or None, "another node"
        )
        order.refresh_from_db()
        assert order.due_at == lease
    with node(tmp_path):
        wait_for(lambda: not broker.exists("unacked.acknowledging@here") or None, "the next node of its name")
        order.refresh_from_db()
        assert order.due_at < lease
        Relay().run_once()

        def reserved() -> bool | None:
            order.refresh_from_db()
            return order.status == "reserved" or None

        wait_for(reserved, "the order to go on")


def test_all_orders_that_were_in_hand_are_dispatched_again_and_nothing_else_is_touched(
    broker: redis.Redis,
) -> None:
    stock(KETTLE=2)
    reserved, placed = place_order().pk, place_order().pk
    claim(10)
    reserve([reserved])  # and the node died before the next step was dispatched
    take(broker, "dead@here", "inventory.reserve", [reserved, placed])
    take(broker, "dead@here", "documents.render", [reserved])
    broker.hset("unacked.dead@here", "nonsense", "nonsense")
    assert take_over("dead@here") == 2
    assert connection.connection is None  # children that are forked now take_over nothing
    assert set(broker.hkeys("unacked.dead@here")) == {b"documents.render", b"nonsense"}
    assert broker.zrange("unacked_index.dead@here", 0, -1) == [b"documents.render"]
    assert {due.order_id for due in claim(10)} == {reserved, placed}


@pytest.mark.parametrize("away", ["postgres", "valkey"])
def test_without_database_or_broker_the_lease_is_left(
    broker: redis.Redis, servers: Servers, away: str
) -> None:
    ids = [place_order().pk]
    claim(10)
    take(broker, "dead@here", "inventory.reserve", ids)
    connection.close()
    servers.stop(away)
    try:
        assert take_over("dead@here") == 0
    finally:
        servers.start(away)
