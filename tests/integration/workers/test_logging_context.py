"""A line that a task logs says which task it is, and which orders it is about."""

import logging

import orjson
import pytest

from orders.workflow import Step
from tests.making import place_order
from tests.unit.test_logs import written
from workers.adapters import logging_context
from workers.celery import COMMON
from workers.tasks import STEP_TASKS, render_documents

pytestmark = pytest.mark.django_db(transaction=True)


def test_lines_of_a_step_carry_its_name_its_id_and_its_orders() -> None:
    orders = [place_order() for _ in range(2)]
    with written("json") as lines:
        STEP_TASKS[Step.RESERVE].apply(args=([order.pk for order in orders],), task_id="an-id", throw=True)
        logging.getLogger("tests").warning("Idle.")
    *of_task, idle = map(orjson.loads, lines)
    assert of_task
    for line in of_task:
        about = line["task"], line["task_id"], line["orders"]
        assert about == ("inventory.reserve", "an-id", [order.number for order in orders])
    assert idle.keys().isdisjoint({"task", "task_id", "orders"})


def test_ids_of_documents_are_not_taken_for_orders() -> None:
    with written("json") as lines:
        render_documents.apply(args=([1],), throw=True)
    assert lines
    assert all("orders" not in orjson.loads(line) for line in lines)


def test_every_node_has_it() -> None:
    assert logging_context.__name__ in COMMON
