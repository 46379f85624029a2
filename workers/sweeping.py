"""Throws away uploads that nobody went on with; beat rings it (workers.celery), the `bulk` queue takes it."""

import logging

from shop.videos import receiving
from workers.celery import app

log = logging.getLogger(__name__)


@app.task(name="bulk.sweep_uploads")
def sweep_uploads() -> None:
    """Expired uploads go; complete ones that a process left lying become videos."""
    thrown, handed = receiving.sweep()
    if thrown or handed:
        log.info("Uploads: %d expired and thrown away, %d complete and handed on.", thrown, handed)
