"""The health checks of the containers, asked about processes that run: well, not at all, and frozen."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection

from stack.layout import ROOT
from tests.servers import Servers
from tests.unit.deploy import composition
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def database() -> str:
    """The address of the tests' own database, which has the tables."""
    return os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{connection.settings_dict['NAME']}"


def health(*arguments: str, **variables: str) -> tuple[int, str]:
    """Exit code and what it said."""
    done = subprocess.run(
        [sys.executable, "deploy/health.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stderr.strip()


@contextmanager
def running(folder: Path, *command: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "DJANGO_SETTINGS_MODULE": "shop.settings",
                **variables,
            },
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGCONT)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def until(asked: Callable[[], tuple[int, str]], code: int) -> str:
    """Ask until the answer is this; returns what was said with it."""

    def said() -> str | None:
        found, words = asked()
        return words if found == code else None

    return wait_for(said, f"exit code {code}", each=0.5)  # each asking is a process of its own


def celery(service: str) -> list[str]:
    """The command of that service in docker-compose.yml."""
    return ["-m", *composition.ours()[service]["command"]]


def test_a_server_is_well_when_it_answers(servers: Servers) -> None:
    address = f"{servers.stack.url('sms')}/health"
    assert health("http", address) == (0, "")
    code, said = health("http", f"{servers.stack.url('sms')}/nowhere")
    assert code == 1
    assert "404" in said
    code, said = health("http", f"{servers.stack.url('shop')}/healthz")
    assert code == 1
    assert "does not answer" in said


def test_a_node_is_well_when_it_answers_a_ping(tmp_path: Path) -> None:
    code, said = health("node", "inventory")
    assert code == 1
    assert "does not answer a ping" in said
    with running(tmp_path, *celery("inventory")) as process:
        until(lambda: health("node", "inventory"), 0)
        os.killpg(process.pid, signal.SIGSTOP)
        assert health("node", "inventory")[0] == 1
        os.killpg(process.pid, signal.SIGCONT)


def test_a_node_is_not_well_without_its_broker() -> None:
    code, said = health("node", "inventory", BROKER_URL="redis://:wrong@127.0.0.1:1/0")
    assert code == 1
    assert "the broker cannot be reached" in said


def test_the_relay_is_well_while_it_looks_into_the_database(tmp_path: Path) -> None:
    assert health("relay") == (1, "0 of the relay's 2 threads asked the database within 20 s")
    with running(tmp_path, "manage.py", "relay", PGAPPNAME="relay", DATABASE_URL=database()) as process:
        until(lambda: health("relay"), 0)
        os.killpg(process.pid, signal.SIGSTOP)
        assert "threads asked the database" in until(lambda: health("relay"), 1)


def test_the_relay_is_not_well_without_its_database() -> None:
    code, said = health("relay", DATABASE_URL="postgresql://stampede@127.0.0.1:1/stampede")
    assert code == 1
    assert "the database cannot be asked" in said


def test_beat_is_well_while_its_clock_turns(tmp_path: Path) -> None:
    heartbeat = tmp_path / "turned"
    command = celery("beat")
    command[command.index("--schedule") + 1] = str(tmp_path / "schedule")
    assert health("file", str(heartbeat), "120") == (1, f"{heartbeat} is not there yet")
    with running(tmp_path, *command, BEAT_HEARTBEAT=str(heartbeat)):
        until(lambda: health("file", str(heartbeat), "120"), 0)
    os.utime(heartbeat, (time.time() - 200, time.time() - 200))
    code, said = health("file", str(heartbeat), "120")
    assert code == 1
    assert "120 s are allowed" in said
