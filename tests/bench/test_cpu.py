"""The accounts of CPU time: children belong to their program, also when they have ended."""

import os
import subprocess
import sys

import pytest

from bench.cpu import CpuMeter

BURN = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"


@pytest.mark.linux  # which keeps the accounts of children that ended
def test_what_an_ended_child_used_stays_in_the_account_of_its_program() -> None:
    meter = CpuMeter(lambda: {"web": os.getpid()})
    subprocess.run([sys.executable, "-c", BURN], check=True)
    meter.sample()
    assert meter.seconds()["web"] >= 0.25


def test_what_was_used_before_is_not_counted() -> None:
    subprocess.run([sys.executable, "-c", BURN], check=True)
    meter = CpuMeter(lambda: {"web": os.getpid()})
    meter.sample()
    assert meter.seconds()["web"] < 0.25


def test_a_program_that_was_started_anew_keeps_what_it_used_before() -> None:
    running: dict[str, int] = {}
    meter = CpuMeter(lambda: running)
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, "-c", f"{BURN}\nprint(flush=True)\ninput()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout
            process.stdout.readline()  # it has burnt its time now, and waits
            running["payment"] = process.pid
            meter.sample()
            process.kill()
    running.clear()
    meter.sample()
    assert meter.seconds()["pool.payment"] >= 0.5
