"""Waiting for processes to end: what ended and was not reaped has ended, and what runs is named."""

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from stack.running import wait_ended
from tests.waiting import wait_until


@pytest.fixture
def running() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_what_nobody_has_reaped_has_ended(running: subprocess.Popen[bytes]) -> None:
    process = psutil.Process(running.pid)
    running.kill()
    wait_until(lambda: process.status() == psutil.STATUS_ZOMBIE, "it to end")
    assert wait_ended([process], 0) == []


def test_what_runs_is_named_after_that_time(running: subprocess.Popen[bytes]) -> None:
    process = psutil.Process(running.pid)
    assert wait_ended([process], 0) == [process]


def test_what_is_gone_has_ended(running: subprocess.Popen[bytes]) -> None:
    process = psutil.Process(running.pid)
    running.kill()
    running.wait()
    assert wait_ended([process], 0) == []
