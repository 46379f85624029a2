"""The tasks: one for each row of the table of steps (orders.workflow), and the two that make files.

A task's body is thin: it calls the one function that its row names. Every step takes a list of order ids.
"""

from typing import Any

from celery import Task

from orders.workflow import SIDE_BY_SIDE, Step, work_of
from workers import documents
from workers.celery import app
from workers.steps import StepTask, perform


def _register(step: Step) -> StepTask:
    # The steps of a group keep their results: the chord counts them.
    @app.task(base=StepTask, bind=True, name=step.value, ignore_result=step not in SIDE_BY_SIDE)
    def task(self: Task[Any, Any], ids: list[int]) -> list[int]:
        return perform(self, step, work_of(step), ids)

    return task


STEP_TASKS = {step: _register(step) for step in Step}


@app.task(name=documents.RENDER, time_limit=240)  # seconds
def render_documents(ids: list[int]) -> None:
    documents.render(ids)


@app.task(name=documents.PRINTOUT, time_limit=3_600)  # seconds; thousands of pages take minutes
def make_printout(printout_id: int) -> None:
    documents.make_printout(printout_id)
