"""What reads uploaded files runs in a sandbox and never outlives its parent."""

import os
import resource
import sys
import time
from pathlib import Path

import psutil
import pytest
from pytest_django import Settings

from orders.lease import LeaseLost
from tests.waiting import wait_for, wait_until
from workers.media import ffmpeg, sandboxed
from workers.media.sandboxed import Limits

LIMITS = Limits(cpu=30, clock=60, file=1 << 20)


class FakeHeartbeat:
    """A row that is held until `lost`."""

    def __init__(self, valid: float = 60) -> None:
        self.valid_until = time.monotonic() + valid
        self.lost = False
        self.beats = 0

    def beat(self) -> bool:
        self.beats += 1
        if self.lost:
            raise LeaseLost("cancelled")
        return False


def running() -> list[psutil.Process]:
    """This test's programs that are alive."""
    return [one for one in psutil.Process().children() if _lives(one)]


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and "-I" in process.cmdline()
    except psutil.NoSuchProcess:  # a zombie by now, or reaped
        return False


def python(
    script: str, limits: Limits = LIMITS, heartbeat: FakeHeartbeat | None = None
) -> tuple[sandboxed.Ended, str]:
    heard = bytearray()
    ended = sandboxed.run(
        [sys.executable, "-I", "-c", script], limits, heartbeat or FakeHeartbeat(), heard.extend
    )
    return ended, heard.decode()


def test_it_has_the_lowest_priority_and_no_environment() -> None:
    _, said = python(
        "import os, resource; print(os.sched_getscheduler(0), os.nice(0), sorted(os.environ),"
        " os.getpgid(0) == os.getpid(), *(resource.getrlimit(one)[0] for one in"
        " (resource.RLIMIT_CPU, resource.RLIMIT_FSIZE)))"
    )
    assert said.strip() == f"{os.SCHED_IDLE} 19 ['LANG', 'PATH'] True 30 {1 << 20}"


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"])
def test_it_has_no_network(family: str) -> None:
    ended, _ = python(f"import socket; socket.socket(socket.{family})")
    assert "PermissionError" in ended.said[-1]


def test_it_cannot_exceed_its_limits(tmp_path: Path) -> None:
    assert (
        python("bytearray(5 << 30)", Limits(cpu=9, clock=9, file=9, memory=1 << 30))[0].said[-1]
        == "MemoryError"
    )
    assert python("while True: pass", Limits(cpu=1, clock=30, file=9))[0].status in (-24, -9)
    ended, _ = python(f"open({str(tmp_path / 'a')!r}, 'wb').write(bytes(3 << 20))")
    assert ended.status != 0
    assert (tmp_path / "a").stat().st_size <= 1 << 20
    with pytest.raises(sandboxed.TooLong):
        python("import time; time.sleep(60)", Limits(cpu=9, clock=0.5, file=9))
    assert resource.getrlimit(resource.RLIMIT_CPU)[0] == resource.RLIM_INFINITY  # of this process


def test_it_is_killed_when_its_row_is_lost() -> None:
    heartbeat = FakeHeartbeat()
    heartbeat.lost = True
    with pytest.raises(LeaseLost):
        python("import time; time.sleep(60)", heartbeat=heartbeat)
    assert heartbeat.beats == 1
    assert not running()


def test_it_is_killed_when_the_lease_cannot_be_renewed() -> None:
    """The database hangs, so no heartbeat returns and the lease runs out."""

    class Hanging(FakeHeartbeat):
        def beat(self) -> bool:
            return wait_for(lambda: None if running() else True, "the program to be killed meanwhile", 10)

    ended, _ = python("import time; time.sleep(60)", heartbeat=Hanging(valid=1.5))
    assert ended.status == -9


def test_it_pauses_while_it_is_told_to(tmp_path: Path) -> None:
    may_end = tmp_path / "may end"

    class Busy(FakeHeartbeat):
        def beat(self) -> bool:
            super().beat()
            if 1 < self.beats <= 3:
                stopped = [psutil.STATUS_STOPPED]
                wait_until(
                    lambda: [one.status() for one in running()] == stopped, "the program to stand still"
                )
            if self.beats == 3:
                may_end.touch()
            return self.beats < 3

    wait = f"import os, time\nwhile not os.path.exists({str(may_end)!r}): time.sleep(0.01)\nprint('done')"
    heartbeat = Busy()
    ended, said = python(wait, heartbeat=heartbeat)
    assert (ended.status, said) == (0, "done\n")
    assert heartbeat.beats >= 3


def test_a_pause_does_not_count_as_its_time() -> None:
    class Busy(FakeHeartbeat):
        def beat(self) -> bool:
            super().beat()
            return self.beats < 4

    heartbeat = Busy()
    with pytest.raises(sandboxed.TooLong):
        python("import time; time.sleep(60)", Limits(cpu=9, clock=1, file=9), heartbeat)
    assert heartbeat.beats >= 4


def test_it_may_write_any_amount_of_output() -> None:
    ended, said = python("import sys; print('a' * 3_000_000); print('b\\n' * 100_000, file=sys.stderr)")
    assert (ended.status, len(said)) == (0, 3_000_001)
    assert len(ended.said) <= 60


@pytest.mark.parametrize(
    "options", [{"concurrency": 2}, {"autoscale": "2,1"}, {"autoscale": (2, 1), "concurrency": 1}]
)
def test_the_processors_are_shared(
    options: dict[str, object], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ffmpeg, "_processes", 1)
    ffmpeg.share_processors(options=options)
    assert ffmpeg.threads() == max(1, len(os.sched_getaffinity(0)) // 2)
    settings.MEDIA_THREADS = 3
    assert ffmpeg.threads() == 3
