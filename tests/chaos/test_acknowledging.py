"""A message is acknowledged when its work is done and not before; a real worker shows the order of things."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.conf import settings

from orders.crashpoints import Point
from sandbox.stack.layout import ROOT
from tests.chaos.dying import arm, environment, hits
from tests.making import place_order, stock
from tests.waiting import wait_for
from workers.relay.ringing import Relay

pytestmark = pytest.mark.django_db(transaction=True)

# Long enough for an acknowledgement that comes too early to be seen before the work is done.
WORK_SECONDS = 2


@pytest.fixture
def broker() -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(settings.BROKER_URL)
    client.flushall()
    client.set("stampede:remembers", "1")
    yield client
    client.flushall()
    client.close()


@pytest.fixture
def worker(broker: redis.Redis, tmp_path: Path) -> Iterator[Path]:
    """A node that serves the first queue of an order; its tokens lie in the folder."""
    command = ("-m", "sandbox.stack.celery_node", "worker", "-Q", "inventory", "-c", "1", "--pool", "prefork")
    with (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                *command,
                "-n",
                "acknowledging@%h",
                "--without-mingle",
                "--without-gossip",
            ],
            cwd=ROOT,
            env=environment(tmp_path),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        yield tmp_path
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def test_a_message_is_acknowledged_after_the_work(worker: Path) -> None:
    stock(KETTLE=1)
    arm(worker, Point.TASK_BEGINS, f"stall {WORK_SECONDS}")
    arm(worker, Point.TASK_AFTER_PUBLISH, "stall 0")
    arm(worker, Point.TASK_BEFORE_ACK, "stall 0")
    order = place_order()
    Relay().turn()
    found = wait_for(lambda: seen if len(seen := hits(worker)) == 3 else None, "the step to be acknowledged")
    assert [hit["point"] for hit in found] == [
        Point.TASK_BEGINS,
        Point.TASK_AFTER_PUBLISH,
        Point.TASK_BEFORE_ACK,
    ]
    assert [hit["orders"] for hit in found] == [[order.pk]] * 3
    assert found[0]["pid"] != found[2]["pid"]  # the child works, the main process acknowledges
