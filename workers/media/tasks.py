"""The tasks of the `media` pool, and the one that clears up after it: each is one function (runner.py).

Clearing is on `bulk`, so that it never waits behind what is encoded. A worker that dies needs no word of it: the row
that it held is due again when its lease has run out (leases.py).
"""

from typing import Any

from celery import Task

from workers.celery import app
from workers.media import runner

# Longer than ffmpeg may take by its own limit, and shorter than the broker's visibility timeout.
_TIME_LIMIT = 3_000  # seconds


class MediaTask(Task[Any, Any]):
    time_limit = _TIME_LIMIT


@app.task(base=MediaTask, name=runner.PROBE)
def probe(video_id: int) -> None:
    runner.probe(video_id)


@app.task(base=MediaTask, name=runner.ENCODE)
def encode(segment_id: int) -> None:
    runner.encode(segment_id)


@app.task(base=MediaTask, name=runner.JOIN)
def join(video_id: int) -> None:
    runner.join(video_id)


@app.task(base=MediaTask, name=runner.CLEAR)
def clear(video_id: int) -> None:
    runner.clear(video_id)
