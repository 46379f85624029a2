"""The nightly look at the books; beat rings it (workers.celery), the `audit` queue takes it."""

import logging

from workers.audit import books
from workers.celery import app

log = logging.getLogger(__name__)


@app.task(name="audit.books")
def look_through() -> None:
    """Prove what our own tables say; each problem is an error in the log."""
    for result in books.prove(with_ledgers=False).results:
        for problem in result.problems:
            log.error("The books are wrong (%s): %s", result.check.name, problem)
