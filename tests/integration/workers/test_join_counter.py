"""Whoever sends a group of steps keeps nothing of its results, so that a relay can live for a year."""

from typing import Any

import redis

from orders.workflow import SIDE_BY_SIDE, Step
from workers.celery import app
from workers.tasks import STEP_TASKS
from workers.workflow import canvas


def test_a_group_leaves_nothing_behind_with_its_sender(broker: redis.Redis) -> None:
    assert not STEP_TASKS[SIDE_BY_SIDE[0]].ignore_result
    canvas((SIDE_BY_SIDE, Step.COMPLETE), [17]).apply_async()
    assert all(broker.llen(step.queue) for step in SIDE_BY_SIDE)
    assert broker.pubsub_channels("celery-task-meta-*") == []
    backend: Any = app.backend
    assert not backend._pending_results.concrete
    assert not backend._pending_results.weak
