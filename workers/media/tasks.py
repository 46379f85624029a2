"""The tasks of the `media` pool, and the one that clears up after it: each is one function (performing.py).

Clearing is on `bulk`, so that it never waits behind what is encoded. A worker that dies needs no word of it: the row
that it held is due again when its lease has run out (leases.py).
"""

from celery import Task

from workers.celery import app
from workers.media import performing

# Longer than ffmpeg may take by its own limit, and shorter than the broker's visibility timeout.
_TIME_LIMIT = 3_000  # seconds


class MediaTask(Task):  # type: ignore[misc]  # Celery ships no types
    time_limit = _TIME_LIMIT


@app.task(base=MediaTask, name=performing.PROBE)  # type: ignore[untyped-decorator]
def probe(video_id: int) -> None:
    performing.probe(video_id)


@app.task(base=MediaTask, name=performing.ENCODE)  # type: ignore[untyped-decorator]
def encode(segment_id: int) -> None:
    performing.encode(segment_id)


@app.task(base=MediaTask, name=performing.JOIN)  # type: ignore[untyped-decorator]
def join(video_id: int) -> None:
    performing.join(video_id)


@app.task(base=MediaTask, name=performing.CLEAR)  # type: ignore[untyped-decorator]
def clear(video_id: int) -> None:
    performing.clear(video_id)
