"""Celery beat's scheduler with a heartbeat: `celery -A workers beat --scheduler deploy.beat:Scheduler`.

Beat listens on no port and may have nothing to do for hours, so from outside one that hangs looks like one that waits.
This one touches a file every time it wakes up, and deploy/health.py checks how long ago that was.
"""

import os
from pathlib import Path
from typing import Any

from celery.beat import PersistentScheduler

HEARTBEAT = "BEAT_HEARTBEAT"  # the variable that names the file


class Scheduler(PersistentScheduler):
    """Turns at least as often as `--max-interval` says."""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        wait: float = super().tick(*args, **kwargs)
        Path(os.environ[HEARTBEAT]).touch()
        return wait
