"""Processes of the stack that die at a crash point, against the servers and the database of the tests."""

import json
import multiprocessing
import os
import runpy
import signal
import sys
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection

from orders import sql
from orders.crashpoints import HITS, VARIABLE, Point
from stack.layout import ROOT
from tests.waiting import wait_until

_NAME = "dies"  # of the database sessions of the processes that are to die


def environment(crashpoints: Path) -> dict[str, str]:
    """What a process of the stack is told: the tests' database, and where the tokens lie."""
    given = urlsplit(os.environ["DATABASE_URL"])
    database = urlunsplit(given._replace(path=f"/{connection.settings_dict['NAME']}"))
    return {**os.environ, "DATABASE_URL": database, VARIABLE: str(crashpoints), "PYTHONPATH": str(ROOT)}


def arm(folder: Path, point: Point, action: str = "kill") -> None:
    (folder / point.value).write_text(action)


def hits(folder: Path) -> list[dict[str, Any]]:
    """The tokens that were taken, in their order."""
    file = folder / HITS
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


class Loaded:
    """A process that has loaded the stack, and forks those that are to die: loading takes a second each time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.chaos.django_ready", "tests.chaos.loaded"])
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment(folder).items():
                patch.setenv(name, value)
            forkserver.ensure_running()

    def dies(self, point: Point, script: str) -> None:
        """Run `script` as a process of the stack, which must be killed at the point."""
        arm(self.folder, point)
        file, said = self.folder / "script.py", self.folder / "said"
        file.write_text(script)
        process = self._context.Process(target=_run, args=(file, said))
        process.start()
        process.join(120)
        ended = process.exitcode
        process.kill()  # should it hang
        (self.folder / point.value).unlink(missing_ok=True)  # whoever comes after it shall not die of it
        assert ended == -signal.SIGKILL, f"{point.value} was not reached:\n{said.read_text()}"
        assert hits(self.folder)[-1]["point"] == point.value
        # PostgreSQL notices a moment later; until then the dead process keeps its locks.
        wait_until(_its_sessions_are_gone, "the end of the dead process's database sessions")


def _its_sessions_are_gone() -> bool:
    statement: LiteralString = (
        "SELECT FROM pg_stat_activity WHERE application_name = %(name)s AND datname = current_database()"
    )
    return not sql.rows(statement, {"name": _NAME})


def _run(script: Path, said: Path) -> None:
    os.environ["PGAPPNAME"] = _NAME
    with said.open("w") as file:
        for output in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), output.fileno())
    runpy.run_path(str(script))
