"""Processes of the house that die at a crash point, against the servers and the database of the tests."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.db import connection

from orders.crashpoints import HITS, VARIABLE, Point
from sandbox.stack.layout import ROOT


def environment(crashpoints: Path) -> dict[str, str]:
    """What a process of the house is told: the tests' database, and where the tokens lie."""
    given = urlsplit(os.environ["DATABASE_URL"])
    database = urlunsplit(given._replace(path=f"/{connection.settings_dict['NAME']}"))
    return {**os.environ, "DATABASE_URL": database, VARIABLE: str(crashpoints), "PYTHONPATH": str(ROOT)}


def arm(folder: Path, point: Point, action: str = "kill") -> None:
    (folder / point.value).write_text(action)


def hits(folder: Path) -> list[dict[str, Any]]:
    """The tokens that were taken, in their order."""
    file = folder / HITS
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def dies(folder: Path, point: Point, script: str) -> None:
    """Run `script` as a process of the house, which must be killed at the point."""
    arm(folder, point)
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"import django; django.setup()\n{script}"],
        env=environment(folder),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, f"{point.value} was not reached:\n{done.stdout}{done.stderr}"
    assert hits(folder)[-1]["point"] == point.value
