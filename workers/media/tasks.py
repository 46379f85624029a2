"""The tasks of the `media` pool, and the one that clears up after it: each is one function (runner.py).

Clearing is on `bulk`, so that it never waits behind encoding. When a worker dies, the row that it held is due again as
soon as its lease has run out (leases.py).
"""

from typing import Any

from celery import Task

from workers.celery import app
from workers.media import runner

# Longer than ffmpeg may take by its own limit, and shorter than the broker's visibility timeout.
_TIME_LIMIT = 3_000  # seconds


class MediaTask(Task[Any, Any]):
    time_limit = _TIME_LIMIT


probe = app.task(base=MediaTask, name=runner.PROBE)(runner.probe)
encode = app.task(base=MediaTask, name=runner.ENCODE)(runner.encode)
join = app.task(base=MediaTask, name=runner.JOIN)(runner.join)
clear = app.task(base=MediaTask, name=runner.CLEAR)(runner.clear)
