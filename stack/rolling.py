"""`./dev restart`: programs are restarted one after the other, while the shop goes on selling.

What serves requests replaces its own processes on a signal, each after its successor has begun, and keeps its port
meanwhile (`Program.renew_signal`). Whatever else is ours is stopped and started: orders wait for it, and nobody is
refused. Databases and providers are restarted only when they are named, since their users notice it.
"""

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

import psutil

from stack.program import Group, Program, StackError
from stack.running import Runner

SECONDS = 90.0  # for a program to replace its processes; nginx's old ones may take twenty to end
_LOOK_SECONDS = 0.1


def restart(runner: Runner, names: Sequence[str]) -> Iterator[str]:
    """Restart these, or all of the shop's; yields the name of each that is new and healthy. Raises StackError."""
    if unknown := [name for name in names if name not in runner.programs]:
        raise StackError(
            f"there is no program {unknown[0]!r}. There are: {', '.join(sorted(runner.programs))}"
        )
    ours = [one.name for one in runner.programs.values() if one.group is Group.SHOP]
    for name in names or ours:
        program = runner.programs[name]
        pid = runner.pid(name)
        if program.renew_signal and pid:
            program.prepare()
            with suppress(psutil.NoSuchProcess):  # it died; whether it is back is asked below
                _renew(program, pid)
        else:
            runner.stop(name)
            runner.start(name, wait=False)
        runner.wait_healthy(name)
        yield name


def _renew(program: Program, pid: int) -> None:
    old = _children(pid)
    psutil.Process(pid).send_signal(signal.Signals[f"SIG{program.renew_signal}"])
    until = time.monotonic() + SECONDS
    while old & (now := _children(pid)) or not now:
        if time.monotonic() > until:
            raise StackError(
                f"{program.name} has not replaced its processes within {SECONDS:.0f} s; it goes on with the old ones.\n"
                f"See `./dev logs {program.name}`. To stop and start the whole shop: ./dev down && ./dev up"
            )
        time.sleep(_LOOK_SECONDS)


def _children(pid: int) -> set[int]:
    """The processes that a program replaces; Python's own helper, which stays, is none of them."""
    return {
        child.pid
        for child in psutil.Process(pid).children()
        if "resource_tracker" not in " ".join(_words(child))
    }


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
