"""A node for videos alone: what it loads, and how far what it starts stands back."""

import json
import os
import subprocess
import sys
import time

from stack.layout import ROOT
from workers.media import sandboxed
from workers.media.sandboxed import Limits
from workers.queues import QueueName

# What payments, letters and printing are made with.
OF_OTHERS = {"aiohttp", "jinja2", "stripe"}
LOAD = """
import json, sys
from celery.app.utils import find_app
app = find_app("workers.media.node")
app.loader.import_default_modules()
print(json.dumps([sorted(app.tasks), sorted(sys.modules)]))
"""
STANDING = (
    "import os; print(os.getsid(0), os.getpgid(0) == os.getpid(), os.nice(0), os.sched_getscheduler(0))"
)


class Free:
    """A heartbeat that never ends it."""

    def beat(self) -> bool:
        return False

    @property
    def valid_until(self) -> float:
        return time.monotonic() + 60


def test_it_has_the_tasks_of_its_queue_and_loads_nothing_of_the_others() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", LOAD],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "shop.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    tasks, modules = json.loads(done.stdout)
    assert {"media.probe", "media.encode", "media.join"} <= set(tasks)
    served = {name.partition(".")[0] for name in tasks} & {queue.value for queue in QueueName}
    assert served <= {QueueName.MEDIA.value, QueueName.BULK.value}
    assert OF_OTHERS & set(modules) == set()


def test_what_it_starts_stands_back_within_the_session_of_all_others() -> None:
    """In a session of its own it would get as much of a processor as all others together (sched_autogroup)."""
    heard = bytearray()
    limits = Limits(cpu=10, clock=30, file=0)
    ended = sandboxed.run([sys.executable, "-I", "-c", STANDING], limits, Free(), heard.extend)
    assert ended.status == 0, ended.words
    assert heard.decode().split() == [str(os.getsid(0)), "True", "19", str(os.SCHED_IDLE)]
